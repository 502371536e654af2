//! Templates of targets. They know less than those of other plugins: no defaults, and backslashes are dropped.

use fancy_regex::Captures;
use sluice_resource::Variables;

/// A target with `$name` and `${name}` for variables; one that is not known stands for nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

impl Target {
    /// `\$name` is text, backslash included. A `$` that no name follows is text, any other backslash is nothing.
    pub(super) fn parse(source: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some(first) = rest.chars().next() {
            let after = &rest[first.len_utf8()..];
            let (part, length) = match first {
                '\\' => match after.strip_prefix('$').map(word) {
                    Some(name) if !name.is_empty() => {
                        let length = 2 + name.len();
                        (Some(Part::Text(rest[..length].to_owned())), length)
                    }
                    _ => (None, 1),
                },
                '$' => match variable(after) {
                    Some((name, length)) => (Some(Part::Variable(name.to_owned())), 1 + length),
                    None => (Some(Part::Text("$".to_owned())), 1),
                },
                _ => {
                    let length = rest.find(['$', '\\']).unwrap_or(rest.len());
                    (Some(Part::Text(rest[..length].to_owned())), length)
                }
            };
            parts.extend(part);
            rest = &rest[length..];
        }
        Self(parts)
    }

    pub(super) fn render(&self, vars: &dyn Variables) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.into(),
                Part::Variable(name) => vars.get(name).unwrap_or_default(),
            })
            .collect()
    }
}

/// The letters, digits and `_` at the start of a text.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The name at the start of what follows a `$`, and the bytes it takes.
fn variable(text: &str) -> Option<(&str, usize)> {
    if let Some(inner) = text.strip_prefix('{') {
        let name = word(inner);
        return (!name.is_empty() && inner[name.len()..].starts_with('}')).then_some((name, name.len() + 2));
    }
    let name = word(text);
    (!name.is_empty()).then_some((name, name.len()))
}

/// What stands in place of a match: `$1` and `${1}` for its groups, `$$` for a `$`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Replacement(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

/// Why a text is no [`Replacement`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a `$` in the template is followed by neither the number of a group nor another `$`")]
pub(super) struct NoGroup;

impl Replacement {
    pub(super) fn parse(source: &str) -> Result<Self, NoGroup> {
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

    /// The text in which `found` matched, with this in place of the match. A group that took no part is empty.
    pub(super) fn apply(&self, text: &str, found: &Captures<'_, str>) -> String {
        let whole = found.get(0).map_or(0..0, |whole| whole.range());
        let mut replaced = text[..whole.start].to_owned();
        for piece in &self.0 {
            replaced.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Group(number) => found.get(*number).map_or("", |group| group.as_str()),
            });
        }
        replaced.push_str(&text[whole.end..]);
        replaced
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
    use std::borrow::Cow;

    use fancy_regex::Regex;

    use super::*;

    struct Vars;

    impl Variables for Vars {
        fn get(&self, name: &str) -> Option<Cow<'_, str>> {
            (name == "uri").then_some(Cow::Borrowed("/hello"))
        }
    }

    #[test]
    fn targets() {
        for (source, rendered) in [
            ("/test/add", "/test/add"),
            ("$uri/test/a", "/hello/test/a"),
            ("/x${uri}y", "/x/helloy"),
            ("/foo$$uri", "/foo$/hello"),
            ("/$none/$", "//$"),
            (r"/a\$uri", r"/a\$uri"),
            (r"/a\$\b\\$uri", r"/a$b\$uri"),
            ("/${uri ?? x}", "/${uri ?? x}"),
            ("/${}/é$urié", "/${}/é/helloé"),
        ] {
            assert_eq!(Target::parse(source).render(&Vars), rendered, "{source}");
        }
    }

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
    fn replacements_know_numbers_only() {
        for source in ["$uri", "${uri}", "$", "${1", "a$ b", "$-1"] {
            assert_eq!(Replacement::parse(source), Err(NoGroup), "{source}");
        }
    }
}
