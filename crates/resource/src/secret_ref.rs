//! References to secrets kept elsewhere (compat §1.11).

/// Whether a string stands for a secret kept elsewhere: `$env://NAME` or `$secret://{manager}/{id}/{key}`,
/// the prefix in any case.
pub fn is_secret_reference(text: &str) -> bool {
    ["$env://", "$secret://"].iter().any(|prefix| {
        text.as_bytes()
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_count_in_any_case() {
        assert!(is_secret_reference("$env://KEY"));
        assert!(is_secret_reference("$SECRET://vault/1/jack/key"));
        assert!(!is_secret_reference("env://KEY"));
        assert!(!is_secret_reference("$env:/KEY"));
        assert!(!is_secret_reference("x$env://KEY"));
        assert!(!is_secret_reference(""));
    }
}
