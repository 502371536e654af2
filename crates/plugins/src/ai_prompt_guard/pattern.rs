//! Patterns with the meaning that PCRE gives them in its UTF mode: text is Unicode, but `\d`, `\w`, `\s` and `\b` know
//! ASCII only. `\bword\b` is thus found between Chinese characters, too.

/// A pattern of `allow_patterns` or `deny_patterns`.
#[derive(Debug)]
pub(super) enum Pattern {
    /// Matched in linear time.
    Linear(regex::Regex),
    /// Uses look-around, back-references or other syntax that needs backtracking.
    Backtracking(Box<fancy_regex::Regex>),
}

impl Pattern {
    /// Compiles a pattern.
    pub(super) fn new(source: &str) -> Result<Self, fancy_regex::Error> {
        match regex::Regex::new(&translate(source, r"(?-u:\b)")) {
            Ok(regex) => Ok(Self::Linear(regex)),
            Err(_) => fancy_regex::Regex::new(&translate(source, r"\b"))
                .map(|regex| Self::Backtracking(Box::new(regex))),
        }
    }

    /// Whether the pattern is found. `otherwise` is said of a search that runs out of steps.
    pub(super) fn is_found(&self, text: &str, otherwise: bool) -> bool {
        match self {
            Self::Linear(regex) => regex.is_match(text),
            Self::Backtracking(regex) => regex.is_match(text).unwrap_or(otherwise),
        }
    }
}

/// The characters of PCRE's classes.
const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
const SPACE: &str = r"\t-\r\x20";
const BLANK: &str = r"\t\x20\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}";

/// Writes a PCRE pattern in Rust's syntax, as far as the same text means something else there.
fn translate(source: &str, boundary: &str) -> String {
    let mut out = String::with_capacity(source.len() + 16);
    let mut rest = source.chars();
    let mut in_class = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(escaped) => escape(escaped, in_class, boundary, &mut out),
                None => out.push('\\'),
            },
            '[' if in_class => match posix_class(rest.as_str()) {
                Some(class) => {
                    out.push('[');
                    out.push_str(class);
                    rest = rest.as_str()[class.len()..].chars();
                }
                None => out.push_str(r"\["),
            },
            '[' => {
                in_class = true;
                out.push('[');
                if let Some(after) = rest.as_str().strip_prefix('^') {
                    out.push('^');
                    rest = after.chars();
                }
                // A bracket that comes first ends nothing.
                if let Some(after) = rest.as_str().strip_prefix(']') {
                    out.push_str(r"\]");
                    rest = after.chars();
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            // Twice, these are operators between Rust's classes.
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            other => out.push(other),
        }
    }
    out
}

/// `:name:]` after the opening bracket of a POSIX class.
fn posix_class(rest: &str) -> Option<&str> {
    let end = rest.find(":]")? + 2;
    let name = rest[..end].strip_prefix(':')?.strip_suffix(":]")?;
    let name = name.strip_prefix('^').unwrap_or(name);
    name.bytes()
        .all(|byte| byte.is_ascii_lowercase())
        .then(|| &rest[..end])
}

fn escape(c: char, in_class: bool, boundary: &str, out: &mut String) {
    let set = match c.to_ascii_lowercase() {
        'd' => DIGIT,
        'w' => WORD,
        's' => SPACE,
        'h' => BLANK,
        _ => {
            match c {
                'b' if in_class => out.push_str(r"\x08"),
                'b' => out.push_str(boundary),
                // Ends of words in Rust.
                '<' | '>' => out.push(c),
                _ => {
                    out.push('\\');
                    out.push(c);
                }
            }
            return;
        }
    };
    match (c.is_ascii_uppercase(), in_class) {
        (true, _) => out.extend(["[^", set, "]"]),
        (false, true) => out.push_str(set),
        (false, false) => out.extend(["[", set, "]"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_found(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().is_found(text, false)
    }

    #[test]
    fn classes_know_ascii_only() {
        for (pattern, text) in [
            (r"\d", "\u{663}"),
            (r"\w", "é"),
            (r"\s", "\u{A0}"),
            (r"[\w]", "é"),
            (r"[\d\s]", "\u{663}"),
            (r"\W", "a"),
            (r"[^\W]", "é"),
            (r"a\hb", "afb"),
        ] {
            assert!(!is_found(pattern, text), "{pattern} in {text}");
        }
        for (pattern, text) in [
            (r"\d{3}-\d{4}", "555-1234"),
            (r"\bcaf\b", "café"),
            (r"\bbad\b", "这是bad的"),
            (r"(?<!x)\bbad\b", "a bad b"),
            (r"[^\d\W]+", "7a"),
            (r"a\hb", "a b"),
            (r"\D", "é"),
            (r"[\D]", "é"),
            (r"(?i)É", "é"),
            ("中.", "中é"),
        ] {
            assert!(is_found(pattern, text), "{pattern} in {text}");
        }
    }

    #[test]
    fn what_is_syntax_elsewhere_is_text() {
        for (pattern, text) in [
            (r"\<script\>", "<script>"),
            ("[[]", "["),
            ("[]a]", "]"),
            ("[^]a]", "b"),
            ("^[a&&b]$", "&"),
            ("^[a~~b]$", "~"),
            ("^[[:alpha:][]+$", "a["),
            (r"^[\]\b]$", "]"),
            ("^[a-z&&[^b]]$", "b]"),
            (r"(a)\1", "aa"),
            (r"\/etc\/passwd", "/etc/passwd"),
        ] {
            assert!(is_found(pattern, text), "{pattern} in {text}");
        }
        assert!(!is_found(r"\<script\>", "a script b"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["(", "[", "[a", r"a\", "*"] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
