//! YAML as a tree that knows its lines. Bounded: aliases are refused, depth and size are limited.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::Problem;

/// Largest file, in bytes.
const MAX_BYTES: usize = 4 << 20;

/// Most levels. What is needed are six.
const MAX_DEPTH: usize = 16;

/// A value and the line that it begins on, counted from 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A text; `plain` where it stands without quotes, so that it may be a number or nothing.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A member of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) line: usize,
    pub(crate) value: Node,
}

impl Node {
    /// Whether there is nothing: `key:` without a value, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// A text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } if self.is_null() => "nothing",
            Value::Scalar { .. } => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Reads the only document of a file; `None` where it is empty.
///
/// # Errors
/// It is no YAML, too large, too deep, or uses aliases, keys twice, or keys that are no texts.
pub(crate) fn parse(text: &str) -> Result<Option<Node>, Problem> {
    if text.len() > MAX_BYTES {
        return Err(Problem::at(
            None,
            format!("the file has more than {MAX_BYTES} bytes"),
        ));
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            Problem::at(
                Some(error.marker().line()),
                format!("this is no YAML: {}", error.info()),
            )
        })?;
        builder.take(event, span)?;
    }
    Ok(builder.root)
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
}

/// A list or mapping whose end has not come.
struct Open {
    line: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(Members),
}

/// An open mapping.
#[derive(Default)]
struct Members {
    entries: Vec<Entry>,
    /// Lines of the keys so far.
    keys: HashMap<String, usize>,
    /// The key whose value comes next.
    key: Option<(String, usize)>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let line = span.start.line();
        match event {
            Event::Alias(_) => Err(Problem::at(
                Some(line),
                "aliases (*name) are not supported: write it out",
            )),
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                let text = text.into_owned();
                self.put(Node {
                    line,
                    value: Value::Scalar { text, plain },
                })
            }
            Event::SequenceStart(..) => self.begin(line, Content::List(Vec::new())),
            Event::MappingStart(..) => self.begin(line, Content::Map(Members::default())),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(Problem::at(Some(line), "the file has more than one document"))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, line: usize, content: Content) -> Result<(), Problem> {
        if self.open.len() == MAX_DEPTH {
            return Err(Problem::at(Some(line), "the file is nested too deeply"));
        }
        self.open.push(Open { line, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        let Some(Open { line, content }) = self.open.pop() else {
            return Ok(());
        };
        let value = match content {
            Content::List(list) => Value::List(list),
            Content::Map(members) => Value::Map(members.entries),
        };
        self.put(Node { line, value })
    }

    fn put(&mut self, node: Node) -> Result<(), Problem> {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(list)) => list.push(node),
            Some(Content::Map(members)) => return members.put(node),
        }
        Ok(())
    }
}

impl Members {
    /// Takes a key and a value in turn.
    fn put(&mut self, node: Node) -> Result<(), Problem> {
        if let Some((key, line)) = self.key.take() {
            self.entries.push(Entry {
                key,
                line,
                value: node,
            });
            return Ok(());
        }
        let Value::Scalar { text, .. } = node.value else {
            return Err(Problem::at(node.line, "a key is a text"));
        };
        if let Some(first) = self.keys.insert(text.clone(), node.line) {
            let message = format!("`{text}` stands here twice: first on line {first}");
            return Err(Problem::at(node.line, message));
        }
        self.key = Some((text, node.line));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_known() {
        let root = parse("a: 1\nb:\n  - x\n  - {c: y}\n").unwrap().unwrap();
        let Value::Map(map) = root.value else { panic!() };
        assert_eq!(map.iter().map(|entry| entry.line).collect::<Vec<_>>(), [1, 2]);
        let Value::List(list) = &map[1].value.value else {
            panic!()
        };
        assert_eq!(list.iter().map(|node| node.line).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn nothing_is_none() {
        assert_eq!(parse(""), Ok(None));
        assert_eq!(parse("# only a comment\n"), Ok(None));
    }

    #[test]
    fn what_is_hostile_is_refused() {
        let deep = "[".repeat(100);
        let refused = |text: &str| parse(text).unwrap_err();
        assert!(refused(&deep).message.contains("deep"), "{:?}", refused(&deep));
        assert_eq!(refused("a: &x [1]\nb: *x").line, Some(2));
        assert_eq!(refused("a: 1\na: 2").line, Some(2));
        assert!(refused("? [a]\n: b").message.contains("key"));
        assert!(refused("a: 1\n---\nb: 2").message.contains("document"));
        assert!(refused(&"x".repeat(MAX_BYTES + 1)).message.contains("bytes"));
        assert!(refused("a: [1,\nb: {").line.is_some());
    }
}
