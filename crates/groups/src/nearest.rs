//! Names that somebody may have meant.

/// The names most like `wanted`, at most `count` of them, best first. Names that have nothing in common are left out.
#[must_use]
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>, count: usize) -> Vec<&'a str> {
    let lower = wanted.to_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| (likeness(&lower, &name.to_lowercase()), name))
        .filter(|(score, _)| *score > 0.45)
        .collect();
    scored.sort_by(|(a, left), (b, right)| b.total_cmp(a).then_with(|| left.cmp(right)));
    scored.into_iter().take(count).map(|(_, name)| name).collect()
}

fn likeness(wanted: &str, name: &str) -> f64 {
    // A name without its prefix or tag is how people remember it.
    let contained = !wanted.is_empty() && (name.contains(wanted) || wanted.contains(name));
    let score = strsim::normalized_damerau_levenshtein(wanted, name);
    if contained { score.max(0.8) } else { score }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn what_was_meant_comes_first() {
        let names = [
            "user.gemma-4-31b-it",
            "user.qwen3-8b",
            "Llama-3.2-1B",
            "user.gemma-4-12b-it",
        ];
        assert_eq!(
            nearest("gemma-4-31b-it", names, 2),
            ["user.gemma-4-31b-it", "user.gemma-4-12b-it"]
        );
        assert_eq!(nearest("user.qwen3-8", names, 3).first(), Some(&"user.qwen3-8b"));
        assert!(nearest("zzzzzzzz", names, 3).is_empty());
    }
}
