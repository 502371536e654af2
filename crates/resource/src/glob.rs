//! Patterns in which `*` stands for any text.

/// A pattern over names: `*` stands for any text, also for none; everything else for itself.
///
/// ```
/// use sluice_resource::Glob;
///
/// let glob = Glob::new("openai/*");
/// assert!(glob.matches("openai/gpt-4o"));
/// assert_eq!(glob.captured("openai/gpt-4o"), Some("gpt-4o"));
/// assert!(!glob.matches("gpt-4o"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    /// What stands between the stars.
    parts: Box<[Box<str>]>,
}

impl Glob {
    /// The pattern that a text is.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self {
            parts: pattern.split('*').map(Into::into).collect(),
        }
    }

    /// Whether it matches one text only.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.parts.len() == 1
    }

    /// Whether it matches a whole text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = &*self.parts else {
            return self.parts.first().is_some_and(|only| **only == *text);
        };
        let inner = text
            .strip_prefix(&**first)
            .and_then(|rest| rest.strip_suffix(&**last));
        let Some(mut rest) = inner else {
            return false;
        };
        for part in middle {
            // The earliest place leaves most for the others.
            let Some(at) = rest.find(&**part) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        true
    }

    /// What the only star of a pattern stands for in a text that matches.
    #[must_use]
    pub fn captured<'t>(&self, text: &'t str) -> Option<&'t str> {
        match &*self.parts {
            [first, last] => text.strip_prefix(&**first)?.strip_suffix(&**last),
            _ => None,
        }
    }

    /// How much of a text it fixes: of two patterns that match, the one that fixes more is meant.
    #[must_use]
    pub fn specificity(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, matches) in [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4", false),
            ("gpt-4*", "gpt-4", true),
            ("gpt-4*", "gpt-4o-mini", true),
            ("*mini", "gpt-4o-mini", true),
            ("*mini", "gpt-4o-mini-x", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
            ("**", "x", true),
            ("", "", true),
            ("", "x", false),
            ("é*", "éa", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn one_star_captures() {
        assert_eq!(Glob::new("a/*-x").captured("a/b/c-x"), Some("b/c"));
        assert_eq!(Glob::new("*").captured("m"), Some("m"));
        assert_eq!(Glob::new("a*b*").captured("aab"), None);
        assert_eq!(Glob::new("a").captured("a"), None);
    }

    #[test]
    fn more_letters_are_more_specific() {
        assert!(Glob::new("gpt-4o*").specificity() > Glob::new("gpt-*").specificity());
        assert_eq!(Glob::new("*").specificity(), 0);
    }
}
