//! YAML from outside, as JSON.
//!
//! Aliases let a small document stand for an endless one, so what is built is counted while it is built.

use std::cell::Cell;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What a document may come to, in bytes of text plus [`NODE`] for every value.
const BUDGET: usize = 64 << 20;

/// What a value counts for besides its text.
const NODE: usize = 32;

/// Brackets that may be open at one place. The parser spends long on them before it finds that they are too many
/// (for a value, 128 are); this counts those in texts, too, and is larger therefore.
const MAX_OPEN: usize = 1000;

/// Decodes one document.
///
/// # Errors
/// It is no YAML, has keys that are no text, or comes to more than it may.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, serde_yaml_ng::Error> {
    if most_open(bytes) > MAX_OPEN {
        return Err(Error::custom("the document is too deep"));
    }
    let left = Cell::new(BUDGET);
    Counted { left: &left }.deserialize(serde_yaml_ng::Deserializer::from_slice(bytes))
}

fn most_open(bytes: &[u8]) -> usize {
    let mut open = 0_usize;
    let opened = bytes.iter().map(|byte| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open
    });
    opened.max().unwrap_or_default()
}

/// Builds a value and takes it off what is left.
#[derive(Clone, Copy)]
struct Counted<'a> {
    left: &'a Cell<usize>,
}

impl Counted<'_> {
    fn take<E: Error>(self, text: &str) -> Result<(), E> {
        let left = self.left.get().checked_sub(NODE + text.len());
        self.left
            .set(left.ok_or_else(|| E::custom("the document is too large"))?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Counted<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counted<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    /// An empty document.
    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.take("").map(|()| Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.take("").map(|()| value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.take("").map(|()| value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.take("").map(|()| value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.take("").map(|()| value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.take(value).map(|()| value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.take("")?;
        let mut values = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            values.push(item);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        self.take("")?;
        let mut values = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            self.take(&name)?;
            values.insert(name, members.next_value_seed(self)?);
        }
        Ok(values.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_read() {
        let text = "routes:\n- id: 1\n  uri: /a\n  enable_websocket: true\n  x: [1.5, null, -1, ~]\n\
                    services: &s []\nupstreams: *s\n";
        let expected = json!({
            "routes": [{"id": 1, "uri": "/a", "enable_websocket": true, "x": [1.5, null, -1, null]}],
            "services": [], "upstreams": [],
        });
        assert_eq!(decode(text.as_bytes()).unwrap(), expected);
        assert_eq!(decode(b"").unwrap(), Value::Null);
    }

    #[test]
    fn faults_are_errors() {
        for text in [
            "a: [",
            "a: b: c",
            "\t",
            "&a [*a]",
            "*b",
            "a: 1\n---\nb: 2",
            "[1]: 2",
            "!x {a: 1}",
        ] {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
        for depth in [200, 1_000_000] {
            assert!(decode("[".repeat(depth).as_bytes()).is_err());
        }
        assert!(decode(b"\xff\xfe\x00").is_err());
    }

    #[test]
    fn documents_that_unfold_without_end_are_refused() {
        let mut laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, before) in "bcdefghij".chars().zip("abcdefghi".chars()) {
            laughs.push_str(&format!(
                "{name}: &{name} [{}]\n",
                vec![format!("*{before}"); 9].join(", ")
            ));
        }
        assert!(decode(laughs.as_bytes()).is_err());
        let texts = format!(
            "a: &a {}\nb: [{}]",
            "x".repeat(1_000_000),
            vec!["*a"; 100].join(", ")
        );
        assert!(decode(texts.as_bytes()).is_err());
    }
}
