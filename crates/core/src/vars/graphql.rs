//! Variables over GraphQL documents: `graphql_operation`, `graphql_name`, `graphql_root_fields` (compat §2.4).
//!
//! The document is the argument `query` of a GET, the member `query` of a JSON body, or a body of type
//! `application/graphql`. Its first definition counts, as in APISIX.

use std::borrow::Cow;

use http::Method;
use serde_json::Value;

use crate::request::Request;

/// `graphql_operation` and `graphql_name`, by what follows the prefix.
pub(super) fn text(request: &Request, name: &str) -> Option<String> {
    let document = document(request)?;
    let operation = Operation::parse(&document)?;
    match name {
        "operation" => Some(operation.kind.to_owned()),
        "name" => Some(operation.name.to_owned()),
        _ => None,
    }
}

/// `graphql_root_fields`, an array of names.
pub(super) fn root_fields(request: &Request) -> Option<Value> {
    let document = document(request)?;
    Some(Operation::parse(&document)?.fields.into())
}

fn document(request: &Request) -> Option<Cow<'_, str>> {
    if request.method == Method::GET {
        return request.query_arg("query").map(Cow::Owned);
    }
    let media_type = request.header("content-type")?.split(';').next()?.trim();
    match media_type {
        "application/json" => request.body.json()?.as_object()?.get("query")?.as_str(),
        "application/graphql" => std::str::from_utf8(request.body.bytes()?).ok().map(Cow::Borrowed),
        _ => None,
    }
}

/// An operation, as far as routes look at it.
#[derive(Debug, PartialEq, Eq)]
struct Operation<'a> {
    kind: &'a str,
    /// Empty if it has none.
    name: &'a str,
    /// Those of the outermost selection, without aliases and fragments.
    fields: Vec<&'a str>,
}

impl<'a> Operation<'a> {
    /// `None` if the text does not begin with an operation.
    fn parse(document: &'a str) -> Option<Self> {
        let mut tokens = Tokens(document);
        let (kind, name) = match tokens.next()? {
            Token::Sign('{') => ("query", ""),
            Token::Name(kind @ ("query" | "mutation" | "subscription")) => {
                let name = tokens.name_before_selection()?;
                (kind, name)
            }
            _ => return None,
        };
        let fields = tokens.selection()?;
        Some(Self { kind, name, fields })
    }
}

enum Token<'a> {
    Name(&'a str),
    Sign(char),
    /// A number or a string.
    Literal,
}

/// What is left of a document.
struct Tokens<'a>(&'a str);

impl<'a> Tokens<'a> {
    /// Skips what stands between `query` and its `{`; the operation's name, empty if it has none.
    fn name_before_selection(&mut self) -> Option<&'a str> {
        let mut name = "";
        let mut first = true;
        loop {
            match self.next()? {
                Token::Sign('{') => return Some(name),
                Token::Sign('(') => self.skip_group()?,
                Token::Name(own) if first => name = own,
                _ => {}
            }
            first = false;
        }
    }

    /// The fields of a selection whose `{` has been read.
    fn selection(&mut self) -> Option<Vec<&'a str>> {
        let mut fields = Vec::new();
        // The name that comes next belongs to a spread, a type condition or a directive.
        let mut is_other = false;
        loop {
            match self.next()? {
                Token::Sign('}') => return Some(fields),
                Token::Sign('(' | '{' | '[') => {
                    self.skip_group()?;
                    is_other = false;
                }
                Token::Sign(':') => {
                    fields.pop();
                }
                Token::Sign(sign) => is_other = matches!(sign, '.' | '@'),
                Token::Name("on") if is_other => {}
                Token::Name(name) => {
                    if !std::mem::take(&mut is_other) {
                        fields.push(name);
                    }
                }
                Token::Literal => {}
            }
        }
    }

    /// Skips up to the bracket that closes the one just read.
    fn skip_group(&mut self) -> Option<()> {
        let mut open = 1_u32;
        while open > 0 {
            match self.next()? {
                Token::Sign('(' | '[' | '{') => open += 1,
                Token::Sign(')' | ']' | '}') => open -= 1,
                _ => {}
            }
        }
        Some(())
    }

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_ignored();
        let text = self.0;
        let first = text.chars().next()?;
        if first.is_ascii_alphabetic() || first == '_' {
            return Some(Token::Name(self.take(|c| c.is_ascii_alphanumeric() || c == '_')));
        }
        if first.is_ascii_digit() || first == '-' {
            self.take(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
            return Some(Token::Literal);
        }
        if first == '"' {
            self.skip_string()?;
            return Some(Token::Literal);
        }
        self.0 = &text[first.len_utf8()..];
        Some(Token::Sign(first))
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !belongs(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    /// Blanks, commas, byte order marks and comments mean nothing.
    fn skip_ignored(&mut self) {
        loop {
            self.0 = self
                .0
                .trim_start_matches(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | '\u{feff}'));
            if !self.0.starts_with('#') {
                return;
            }
            self.take(|c| !matches!(c, '\n' | '\r'));
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        if let Some(block) = self.0.strip_prefix("\"\"\"") {
            let mut from = 0;
            loop {
                let end = from + block[from..].find("\"\"\"")?;
                if !block[..end].ends_with('\\') {
                    self.0 = &block[end + 3..];
                    return Some(());
                }
                from = end + 3;
            }
        }
        let mut escaped = false;
        for (at, byte) in self.0.bytes().enumerate().skip(1) {
            match byte {
                b'"' if !escaped => {
                    self.0 = &self.0[at + 1..];
                    return Some(());
                }
                b'\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;
    use serde_json::json;
    use sluice_resource::Variables;

    use super::*;
    use crate::testing::Gateway;

    fn parsed(document: &str) -> Option<(&str, &str, Vec<&str>)> {
        Operation::parse(document).map(|operation| (operation.kind, operation.name, operation.fields))
    }

    #[test]
    fn operations() {
        for (document, expected) in [
            ("{ owner { name } repo }", ("query", "", vec!["owner", "repo"])),
            ("query repo { owner { name } }", ("query", "repo", vec!["owner"])),
            ("query { a }", ("query", "", vec!["a"])),
            (
                "# who\nmutation Add($in: In = {a: \"}\", b: [1, -2.5e3]}) @log(at: {x: 1}) { add(in: $in) @skip(if: true) { id }, b }",
                ("mutation", "Add", vec!["add", "b"]),
            ),
            (
                "subscription {\u{feff} short: long(x: 1) b }",
                ("subscription", "", vec!["long", "b"]),
            ),
            (
                "{ ...Part @include(if: true) a ... on T { x } ... { y } on b }",
                ("query", "", vec!["a", "on", "b"]),
            ),
            (
                r#"{ a(x: "\"}", y: """ " \""" } """) b }"#,
                ("query", "", vec!["a", "b"]),
            ),
            ("query One { a } query Two { b }", ("query", "One", vec!["a"])),
        ] {
            assert_eq!(parsed(document), Some(expected), "{document}");
        }
    }

    #[test]
    fn what_is_no_operation() {
        for document in [
            "",
            "{",
            "query",
            "fragment F on T { a }",
            "{ a(x: \"",
            "{ a { b }",
            "# {a}",
            "{ a(x: \"\"\" )}",
        ] {
            assert_eq!(parsed(document), None, "{document}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_may_come(document in r#"[{}()@:.a"\\#\n é]{0,24}"#) {
            let _ = Operation::parse(&document);
        }
    }

    #[test]
    fn where_the_document_stands() {
        let gateway = Gateway::new();
        let cx = gateway.context("GET", "/?query=query%20who%20%7Bme%7D");
        assert_eq!(cx.get("graphql_name").as_deref(), Some("who"));
        assert_eq!(cx.get_json("graphql_root_fields"), Some(json!(["me"])));
        for (media_type, body, name) in [
            ("application/graphql", "query who {me}", Some("who")),
            (
                "application/json; charset=utf-8",
                r#"{"query":"query \u0077ho {me}"}"#,
                Some("who"),
            ),
            ("application/json", "query who {me}", None),
            ("text/plain", "query who {me}", None),
        ] {
            let mut cx = gateway.context("POST", "/");
            cx.request
                .headers
                .insert("content-type", HeaderValue::from_static(media_type));
            cx.request.body.replace(Bytes::from_static(body.as_bytes()));
            assert_eq!(cx.get("graphql_name").as_deref(), name, "{media_type} {body}");
        }
    }
}
