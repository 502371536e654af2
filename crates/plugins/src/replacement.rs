//! What takes the place of what a pattern matched, as nginx writes it.

use fancy_regex::{Captures, Regex};

/// What stands in place of a match: `$1` and `${1}` for its groups, `$$` for a `$`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Replacement(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

/// Why a text is no [`Replacement`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a `$` in the template is followed by neither the number of a group nor another `$`")]
pub(crate) struct NoGroup;

impl Replacement {
    pub(crate) fn parse(source: &str) -> Result<Self, NoGroup> {
        let mut pieces = Vec::new();
        let mut rest = source;
        while let Some(dollar) = rest.find('$') {
            if dollar > 0 {
                pieces.push(Piece::Text(rest[..dollar].to_owned()));
            }
            let after = &rest[dollar + 1..];
            if let Some(after) = after.strip_prefix('$') {
                pieces.push(Piece::Text("$".to_owned()));
                rest = after;
                continue;
            }
            let (number, length) = group(after).ok_or(NoGroup)?;
            pieces.push(Piece::Group(number));
            rest = &after[length..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The text in which `found` matched, with this in place of the match.
    pub(crate) fn apply(&self, text: &str, found: &Captures<'_, str>) -> String {
        let whole = found.get(0).map_or(0..0, |whole| whole.range());
        let mut replaced = text[..whole.start].to_owned();
        self.expand(found, &mut replaced);
        replaced.push_str(&text[whole.end..]);
        replaced
    }

    /// The text with this in place of every match; `None` if the pattern runs out of steps.
    pub(crate) fn apply_everywhere(&self, text: &str, pattern: &Regex) -> Option<String> {
        let mut replaced = String::new();
        let mut copied = 0;
        for found in pattern.captures_iter(text) {
            let found = found.ok()?;
            let whole = found.get(0)?;
            replaced.push_str(&text[copied..whole.start()]);
            self.expand(&found, &mut replaced);
            copied = whole.end();
        }
        replaced.push_str(&text[copied..]);
        Some(replaced)
    }

    /// Appends what stands in place of a match. A group that took no part is empty.
    fn expand(&self, found: &Captures<'_, str>, into: &mut String) {
        for piece in &self.0 {
            into.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Group(number) => found.get(*number).map_or("", |group| group.as_str()),
            });
        }
    }
}

/// The number at the start of what follows a `$`, and the bytes it takes.
fn group(text: &str) -> Option<(usize, usize)> {
    let (inner, braces) = match text.strip_prefix('{') {
        Some(inner) => (inner, 2),
        None => (text, 0),
    };
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    if braces > 0 && !inner[digits..].starts_with('}') {
        return None;
    }
    Some((inner[..digits].parse().ok()?, digits + braces))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(pattern: &str, template: &str, text: &str) -> String {
        let regex = Regex::new(pattern).unwrap();
        let found = regex.captures(text).unwrap().unwrap();
        Replacement::parse(template).unwrap().apply(text, &found)
    }

    #[test]
    fn replacements() {
        assert_eq!(replaced("^/test/(.*)/(.*)$", "/$2/${1}0", "/test/a/b"), "/b/a0");
        assert_eq!(replaced("b+", "$$", "abbc/bb"), "a$c/bb", "the rest stays");
        assert_eq!(replaced("(a)|(b)", "[$1$2$0$9]", "xb"), "x[bb]");
        assert_eq!(replaced("a", "", "a"), "");
    }

    #[test]
    fn every_match_is_replaced() {
        let regex = Regex::new("([a-z])([0-9])").unwrap();
        let replacement = Replacement::parse("$2_$1").unwrap();
        assert_eq!(
            replacement.apply_everywhere("-a1-b2-", &regex).as_deref(),
            Some("-1_a-2_b-")
        );
    }

    #[test]
    fn replacements_know_numbers_only() {
        for source in ["$uri", "${uri}", "$", "${1", "a$ b", "$-1"] {
            assert_eq!(Replacement::parse(source), Err(NoGroup), "{source}");
        }
    }
}
