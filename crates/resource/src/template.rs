//! Strings with variables in them (compat §0, "Variable substitution in strings").

use std::borrow::Cow;

use crate::expr::Variables;

/// A string in which `$name`, `${name}` and `${name ?? default}` stand for variables.
///
/// A name may descend into a request's body, with braces or without: `$post_arg.user.id`.
///
/// An unknown variable becomes its default or nothing. A `$` after a backslash stands for itself; the
/// backslash stays, as in APISIX, and so does every `$` that no name follows.
///
/// ```
/// # use std::borrow::Cow;
/// use sluice_resource::{Template, Variables};
///
/// struct Request;
/// impl Variables for Request {
///     fn get(&self, name: &str) -> Option<Cow<'_, str>> {
///         (name == "host").then_some(Cow::Borrowed("a.com"))
///     }
/// }
///
/// let template = Template::parse("$host/${arg_team ?? nobody}");
/// assert_eq!(template.render(&Request), "a.com/nobody");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Box<[Part]>,
}

/// What [`Template::render_counted`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// How many of the variables had a value or a default. Zero means for limit-count's
    /// `var_combination` that there is no key.
    pub resolved: usize,
}

/// What the names of members of a request's body begin with; a path of dots follows (compat §2.4).
const BODY_MEMBER: &str = "post_arg";

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Variable {
        name: Box<str>,
        default: Option<Box<str>>,
    },
}

impl Template {
    /// Parses a string. Every string is a template: what is no well-formed variable is text.
    #[must_use]
    pub fn parse(source: &str) -> Self {
        Self::parse_named(source, bare_name)
    }

    /// As [`parse`](Self::parse) where `$1`, `$2`, … stand for groups of a pattern: such a name ends with its digits,
    /// so that `$1_$2` is two groups with a `_` between them.
    #[must_use]
    pub fn parse_with_groups(source: &str) -> Self {
        Self::parse_named(source, |text| {
            match text.bytes().take_while(u8::is_ascii_digit).count() {
                0 => bare_name(text),
                digits => digits,
            }
        })
    }

    /// `bare` tells the length of the name at the start of what follows a `$`.
    fn parse_named(source: &str, bare: fn(&str) -> usize) -> Self {
        let mut parts = Vec::new();
        let mut literal = 0;
        let mut at = 0;
        while let Some(dollar) = source[at..].find('$').map(|found| at + found) {
            at = dollar + 1;
            if source[..dollar].ends_with('\\') {
                continue;
            }
            let Some((part, length)) = variable(&source[at..], bare) else {
                continue;
            };
            if literal < dollar {
                parts.push(Part::Literal(source[literal..dollar].into()));
            }
            parts.push(part);
            at += length;
            literal = at;
        }
        if literal < source.len() {
            parts.push(Part::Literal(source[literal..].into()));
        }
        Self { parts: parts.into() }
    }

    /// Whether there is no variable in it.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// The text with the variables filled in. Allocates only where text must be joined.
    pub fn render<'a>(&'a self, vars: &'a dyn Variables) -> Cow<'a, str> {
        self.render_counted(vars).text
    }

    /// [`Template::render`], with the number of variables that were resolved.
    pub fn render_counted<'a>(&'a self, vars: &'a dyn Variables) -> Rendered<'a> {
        let mut resolved = 0;
        let mut parts = self.parts.iter().map(|part| match part {
            Part::Literal(text) => Cow::Borrowed(&**text),
            Part::Variable { name, default } => {
                let value = vars.get(name).or(default.as_deref().map(Cow::Borrowed));
                resolved += usize::from(value.is_some());
                value.unwrap_or_default()
            }
        });
        let mut text = parts.next().unwrap_or_default();
        for part in parts {
            text += part;
        }
        Rendered { text, resolved }
    }
}

/// The variable at the start of `text`, which follows a `$`, and the bytes it takes.
fn variable(text: &str, bare: fn(&str) -> usize) -> Option<(Part, usize)> {
    let Some(braced) = text.strip_prefix('{') else {
        let length = bare(text);
        let name = text.get(..length).filter(|name| !name.is_empty())?;
        return Some((
            Part::Variable {
                name: name.into(),
                default: None,
            },
            length,
        ));
    };
    let inner = &braced[..braced.find('}')?];
    let (name, default) = match inner.split_once("??") {
        Some((name, default)) => (name.trim(), Some(default.trim().into())),
        None => (inner.trim(), None),
    };
    // A dot descends into a body: `${post_arg.model}`.
    let is_name = !name.is_empty() && name.bytes().all(|b| is_word(b) || b == b'.');
    is_name.then(|| {
        (
            Part::Variable {
                name: name.into(),
                default,
            },
            inner.len() + 2,
        )
    })
}

/// Length of the name at the start of `text`, without braces. Dots are part of the names of body members alone: in
/// `$host.example.com` they are text.
fn bare_name(text: &str) -> usize {
    let word = |text: &str| text.bytes().take_while(|b| is_word(*b)).count();
    let mut length = word(text);
    if &text[..length] != BODY_MEMBER {
        return length;
    }
    while let Some(rest) = text[length..].strip_prefix('.') {
        match word(rest) {
            0 => break,
            more => length += 1 + more,
        }
    }
    length
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Vars;

    impl Variables for Vars {
        fn get(&self, name: &str) -> Option<Cow<'_, str>> {
            match name {
                "me" => Some(Cow::Borrowed("David")),
                "you" => Some(Cow::Borrowed("John")),
                "empty" => Some(Cow::Borrowed("")),
                "post_arg.model" => Some(Cow::Borrowed("gpt")),
                "post_arg.user.id" => Some(Cow::Borrowed("u7")),
                "post_arg_user" => Some(Cow::Borrowed("ann")),
                "1" => Some(Cow::Borrowed("first")),
                _ => None,
            }
        }
    }

    fn check(cases: &[(&str, &str, usize)]) {
        for (source, text, resolved) in cases {
            let template = Template::parse(source);
            let rendered = template.render_counted(&Vars);
            assert_eq!(
                (&*rendered.text, rendered.resolved),
                (*text, *resolved),
                "{source}"
            );
            assert_eq!(template.render(&Vars), *text, "{source}");
        }
    }

    #[test]
    fn variables() {
        check(&[
            ("", "", 0),
            ("plain", "plain", 0),
            ("$me", "David", 1),
            ("$me run", "David run", 1),
            ("there is $me", "there is David", 1),
            ("$me to $you", "David to John", 2),
            ("$me$you", "DavidJohn", 2),
            ("${me}_${you}", "David_John", 2),
            ("${ me }x", "Davidx", 1),
            ("$me_x", "", 0),
            ("$me-x", "David-x", 1),
            ("/${post_arg.model}/$1", "/gpt/first", 2),
            ("é$me", "éDavid", 1),
            ("$meé", "Davidé", 1),
        ]);
    }

    #[test]
    fn groups_end_with_their_digits() {
        for (source, text) in [
            ("/$1_$2_$1", "/first__first"),
            ("$1st", "firstst"),
            ("${1}0 $me", "first0 David"),
            (r"\$1", r"\$1"),
        ] {
            assert_eq!(
                Template::parse_with_groups(source).render(&Vars),
                text,
                "{source}"
            );
        }
        assert_eq!(Template::parse("$1_x").render(&Vars), "");
    }

    #[test]
    fn members_of_bodies() {
        check(&[
            ("$post_arg.model", "gpt", 1),
            ("${post_arg.model}", "gpt", 1),
            ("$post_arg.user.id", "u7", 1),
            ("${post_arg.user.id}", "u7", 1),
            ("${ post_arg.user.id ?? x }", "u7", 1),
            ("${post_arg.user.name ?? x}", "x", 1),
            ("$post_arg.model/$post_arg.user.id", "gpt/u7", 2),
            ("a $post_arg.model.", "a gpt.", 1),
            ("$post_arg.model..$me", "gpt..David", 2),
            ("$post_arg.model-x", "gpt-x", 1),
            ("$post_arg.other", "", 0),
            ("$post_arg.", ".", 0),
            ("$post_arg", "", 0),
            ("$post_arg_user.com", "ann.com", 1),
            ("$me.com", "David.com", 1),
            ("$xpost_arg.model", ".model", 0),
            ("\\$post_arg.model", "\\$post_arg.model", 0),
        ]);
    }

    #[test]
    fn unknown_variables_and_defaults() {
        check(&[
            ("a${nobody}b$none", "ab", 0),
            ("$empty", "", 1),
            ("${empty ?? x}", "", 1),
            ("${nobody ?? some one}!", "some one!", 1),
            ("${nobody??}", "", 1),
            ("${me ?? x}", "David", 1),
            ("${nobody ?? $me}", "$me", 1),
        ]);
    }

    #[test]
    fn what_is_no_variable_is_text() {
        check(&[
            ("\\$me", "\\$me", 0),
            ("\\${me} $me", "\\${me} David", 1),
            ("$", "$", 0),
            ("5 $ or $$me", "5 $ or $David", 1),
            ("${me", "${me", 0),
            ("${}", "${}", 0),
            ("${a b} $me", "${a b} David", 1),
            ("$é", "$é", 0),
        ]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_template(source in r"[a${}\\? é]{0,12}") {
            let template = Template::parse(&source);
            let rendered = template.render(&Vars);
            proptest::prop_assert!(!template.is_literal() || rendered == source);
        }
    }

    #[test]
    fn literals_are_known_and_not_copied() {
        assert!(Template::parse("a $ b").is_literal());
        assert!(!Template::parse("a $b").is_literal());
        assert!(matches!(
            Template::parse("abc").render(&Vars),
            Cow::Borrowed("abc")
        ));
        assert!(matches!(
            Template::parse("$me").render(&Vars),
            Cow::Borrowed("David")
        ));
    }
}
