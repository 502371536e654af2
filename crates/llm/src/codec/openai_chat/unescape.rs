//! JSON strings in pieces: some servers cut a surrogate pair between two deltas.

use serde_json::value::RawValue;

/// Reads the JSON strings of one text that comes in pieces. A pair of surrogates that is cut between two of them is put
/// together; a half that stays alone is left out.
#[derive(Debug, Default)]
pub(super) struct TextPieces {
    high: Option<u16>,
}

impl TextPieces {
    /// The text of a piece; empty for what is no string.
    pub(super) fn read(&mut self, piece: &RawValue) -> String {
        let json = piece.get();
        if self.high.is_none()
            && let Ok(text) = serde_json::from_str::<String>(json)
        {
            return text;
        }
        match json.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) => self.unescape(text),
            None => String::new(),
        }
    }

    fn unescape(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let c = if c == '\\' {
                chars.next()
            } else {
                self.plain(c, &mut out)
            };
            match c {
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    if let Ok(unit) = u16::from_str_radix(&digits, 16) {
                        self.unit(unit, &mut out);
                    }
                }
                Some(escape) => {
                    let c = match escape {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        other => other,
                    };
                    self.plain(c, &mut out);
                }
                None => {}
            }
        }
        out
    }

    /// Appends a character that was no escape; there is none to read then.
    fn plain(&mut self, c: char, out: &mut String) -> Option<char> {
        self.high = None;
        out.push(c);
        None
    }

    fn unit(&mut self, unit: u16, out: &mut String) {
        match (self.high.take(), unit) {
            (_, 0xD800..=0xDBFF) => self.high = Some(unit),
            (Some(high), 0xDC00..=0xDFFF) => {
                out.extend(char::decode_utf16([high, unit]).filter_map(Result::ok));
            }
            (_, unit) => out.extend(char::from_u32(u32::from(unit))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> Vec<String> {
        let mut texts = TextPieces::default();
        let piece = |json: &&str| {
            let raw = RawValue::from_string((*json).to_owned()).unwrap();
            texts.read(&raw)
        };
        pieces.iter().map(piece).collect()
    }

    #[test]
    fn pairs_cut_between_pieces_are_joined() {
        assert_eq!(read(&[r#""a\ud83c""#, r#""\udf89b""#]), ["a", "🎉b"]);
        assert_eq!(
            read(&[r#""\n\"\ud83c""#, r#""\udf89\u00e9\t\\""#]),
            ["\n\"", "🎉é\t\\"]
        );
    }

    #[test]
    fn halves_that_stay_alone_are_left_out() {
        assert_eq!(read(&[r#""a\ud83c""#, r#""b""#, r#""\udf89c""#]), ["a", "b", "c"]);
        assert_eq!(read(&["{}", "7"]), ["", ""]);
    }
}
