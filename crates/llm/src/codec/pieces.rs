//! JSON strings that come in pieces.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use crate::chat::Json;

/// Puts pieces of a text together that was cut between the two escapes of a surrogate pair (`\ud83c`, `\udf89`): the
/// first half waits for the second. Halves that never meet are left out.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    half: Vec<u8>,
}

impl Pieces {
    /// The text of the next piece. A piece that is no string counts as the text that it is in JSON, `null` as nothing.
    pub(super) fn read(&mut self, piece: &RawValue) -> String {
        let json = piece.get();
        if self.half.is_empty() {
            match serde_json::from_str::<String>(json) {
                Ok(text) => return text,
                Err(_) if json == "null" => return String::new(),
                Err(_) if !json.starts_with('"') => return json.to_owned(),
                Err(_) => {}
            }
        }
        let mut bytes = std::mem::take(&mut self.half);
        match Deserializer::deserialize_bytes(&mut serde_json::Deserializer::from_str(json), Bytes) {
            Ok(more) => bytes.extend_from_slice(&more),
            Err(_) => return String::new(),
        }
        if let [before @ .., 0xED, 0xA0..=0xAF, _] = bytes.as_slice() {
            self.half = bytes.split_off(before.len());
        }
        joined(&bytes)
    }
}

/// A text as it stands between the quotes of a JSON string: pieces of it make the string of the whole.
pub(super) fn inner_json(text: &str) -> String {
    let json = Json::of(text);
    let json = json.text();
    json.get(1..json.len().saturating_sub(1))
        .unwrap_or_default()
        .to_owned()
}

/// Text in which halves of surrogate pairs are encoded each for itself, as serde_json hands them out.
fn joined(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    loop {
        match std::str::from_utf8(bytes) {
            Ok(rest) => {
                text.push_str(rest);
                return text;
            }
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                text.push_str(std::str::from_utf8(valid).unwrap_or_default());
                bytes = match rest {
                    [0xED, a @ 0xA0..=0xAF, b, 0xED, c @ 0xB0..=0xBF, d, rest @ ..] => {
                        let high = (u32::from(*a) & 0x0F) << 6 | (u32::from(*b) & 0x3F);
                        let low = (u32::from(*c) & 0x0F) << 6 | (u32::from(*d) & 0x3F);
                        text.extend(char::from_u32(0x1_0000 + (high << 10) + low));
                        rest
                    }
                    [0xED, _, _, rest @ ..] => rest,
                    [_, rest @ ..] => rest,
                    [] => return text,
                };
            }
        }
    }
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        Ok(text.as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> Vec<String> {
        let mut reader = Pieces::default();
        pieces
            .iter()
            .map(|piece| reader.read(&RawValue::from_string((*piece).to_owned()).unwrap()))
            .collect()
    }

    #[test]
    fn halves_of_a_pair_meet_and_lonely_ones_go() {
        assert_eq!(read(&[r#""a\ud83c""#, r#""\udf89b""#]), ["a", "🎉b"]);
        assert_eq!(read(&[r#""\ud83c\udf89""#]), ["🎉"]);
        assert_eq!(read(&[r#""x\udf89y""#, r#""\ud83c""#, r#""z""#]), ["xy", "", "z"]);
        assert_eq!(read(&["null", r#"{"a":1}"#]), ["", r#"{"a":1}"#]);
    }
}
