//! Templates of targets. They know less than those of other plugins: no defaults, and backslashes are dropped.

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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

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
}
