//! Finds JSON objects in a stream that comes in pieces: newline-delimited ones, and those of an array.

use bytes::{Buf, Bytes, BytesMut};

use super::MAX_OBJECT;

/// Cuts a stream into its outermost objects, whatever stands between them. Every byte is looked at once.
#[derive(Debug, Default)]
pub(in crate::codec) struct ObjectScanner {
    /// From the first byte of the object at hand.
    held: BytesMut,
    /// How much of it was looked at.
    at: usize,
    depth: u32,
    in_string: bool,
    is_over_limit: bool,
}

impl ObjectScanner {
    /// Adds the next bytes of the stream.
    pub(in crate::codec) fn push(&mut self, piece: &[u8]) {
        if !self.is_over_limit {
            self.held.extend_from_slice(piece);
        }
    }

    /// The next object that is whole, if there is one.
    pub(in crate::codec) fn next_object(&mut self) -> Option<Bytes> {
        while let Some(rest) = self.held.get(self.at..).filter(|rest| !rest.is_empty()) {
            if self.in_string {
                let Some(length) = memchr::memchr2(b'"', b'\\', rest) else {
                    self.at = self.held.len();
                    break;
                };
                if rest.get(length) == Some(&b'"') {
                    self.in_string = false;
                    self.at += length + 1;
                } else if rest.len() > length + 1 {
                    self.at += length + 2;
                } else {
                    self.at += length;
                    break;
                }
                continue;
            }
            let Some(length) = memchr::memchr3(b'"', b'{', b'}', rest) else {
                self.at = self.held.len();
                break;
            };
            let byte = rest.get(length).copied();
            self.at += length + 1;
            if let Some(object) = self.bracket(byte) {
                return Some(object);
            }
        }
        if self.depth == 0 {
            self.held.clear();
            self.at = 0;
        }
        if self.held.len() > MAX_OBJECT {
            self.is_over_limit = true;
            self.held = BytesMut::new();
            self.at = 0;
        }
        None
    }

    /// Whether an object came that is longer than [`MAX_OBJECT`]. Nothing behind it is found.
    pub(in crate::codec) fn is_over_limit(&self) -> bool {
        self.is_over_limit
    }

    /// Takes the byte before `at`, which is outside of strings.
    fn bracket(&mut self, byte: Option<u8>) -> Option<Bytes> {
        match byte {
            Some(b'"') => self.in_string = self.depth > 0,
            Some(b'{') => {
                if self.depth == 0 {
                    self.held.advance(self.at - 1);
                    self.at = 1;
                }
                self.depth = self.depth.saturating_add(1);
            }
            _ if self.depth > 0 => {
                self.depth -= 1;
                if self.depth == 0 {
                    let object = self.held.split_to(self.at).freeze();
                    self.at = 0;
                    return Some(object);
                }
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(stream: &[u8], size: usize) -> Vec<String> {
        let mut scanner = ObjectScanner::default();
        let mut found = Vec::new();
        for piece in stream.chunks(size) {
            scanner.push(piece);
            while let Some(object) = scanner.next_object() {
                found.push(String::from_utf8(object.to_vec()).unwrap());
            }
        }
        found
    }

    #[test]
    fn objects_are_found_however_the_stream_is_cut() {
        let stream = "\u{feff}[{\"a\":\"}\\\"{\",\"b\":{\"c\":[{}]}}\n,\r\n{\"é\":\"\\\\\"}\n]\n{}{\"half\":";
        let expected = [r#"{"a":"}\"{","b":{"c":[{}]}}"#, "{\"é\":\"\\\\\"}", "{}"];
        for size in [1, 2, 3, 5, 1000] {
            assert_eq!(objects(stream.as_bytes(), size), expected, "{size}");
        }
    }

    #[test]
    fn stray_brackets_and_quotes_between_objects_are_passed_over() {
        assert_eq!(objects(b"}]\"}{\"a\":1}", 1), [r#"{"a":1}"#]);
    }
}
