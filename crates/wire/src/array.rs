//! A JSON array that comes in pieces: cutting it into its elements (llm-protocols §7).

use bytes::{Bytes, BytesMut};

use crate::sse::{MAX_FRAME, SsePart};

/// Cuts an array of objects into its elements: push a chunk, take parts until there are none, push the next.
///
/// Brackets, commas and blanks around the elements are left out. What is no array of objects, or has an element longer
/// than [`MAX_FRAME`], comes as fragments from there on.
///
/// ```
/// use sluice_wire::{ArraySplitter, SsePart};
///
/// let mut splitter = ArraySplitter::new();
/// splitter.push(b"[{\"a\":[1]}\n,");
/// assert_eq!(splitter.next_part(), Some(SsePart::Frame("{\"a\":[1]}".into())));
/// assert_eq!(splitter.next_part(), None);
/// splitter.push(b"{}]");
/// assert_eq!(splitter.next_part(), Some(SsePart::Frame("{}".into())));
/// assert_eq!(splitter.next_part(), None);
/// assert!(splitter.take_rest().is_empty());
/// ```
#[derive(Debug, Default)]
pub struct ArraySplitter {
    /// What was pushed and not yet handed out.
    held: BytesMut,
    /// How much of it has been looked at.
    seen: usize,
    /// Objects and arrays that are open within the element at hand.
    depth: usize,
    in_string: bool,
    escaped: bool,
    lost: bool,
}

impl ArraySplitter {
    /// A splitter at the beginning of an array.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes of the array.
    pub fn push(&mut self, chunk: &[u8]) {
        self.held.extend_from_slice(chunk);
    }

    /// The next part, if there is one.
    pub fn next_part(&mut self) -> Option<SsePart> {
        if self.depth == 0 && !self.lost {
            let around = |byte: &u8| matches!(byte, b'[' | b']' | b',') || byte.is_ascii_whitespace();
            let around = self.held.iter().take_while(|byte| around(byte)).count();
            let _ = self.held.split_to(around);
            self.lost = self.held.first().is_some_and(|byte| *byte != b'{');
        }
        if !self.lost {
            while let Some(&byte) = self.held.get(self.seen) {
                self.seen += 1;
                if self.is_last(byte) {
                    let element = self.held.split_to(std::mem::take(&mut self.seen));
                    return Some(SsePart::Frame(element.freeze()));
                }
            }
            self.lost = self.held.len() > MAX_FRAME;
        }
        (self.lost && !self.held.is_empty()).then(|| SsePart::Fragment(self.take_rest()))
    }

    /// What is not cut: the beginning of an element.
    pub fn take_rest(&mut self) -> Bytes {
        self.seen = 0;
        std::mem::take(&mut self.held).freeze()
    }

    /// Whether an element ends with this byte.
    fn is_last(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if std::mem::take(&mut self.escaped) => {}
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &[u8], size: usize) -> Vec<SsePart> {
        let mut splitter = ArraySplitter::new();
        let mut parts = Vec::new();
        for chunk in text.chunks(size) {
            splitter.push(chunk);
            parts.extend(std::iter::from_fn(|| splitter.next_part()));
        }
        let rest = splitter.take_rest();
        parts.extend((!rest.is_empty()).then_some(SsePart::Fragment(rest)));
        parts
    }

    #[test]
    fn what_is_no_array_of_objects_is_not_read() {
        for text in ["[1,{}]", "true", "event: a\n\n", "[{\"a\":\"]}\\\"\""] {
            for size in [1, 3, 100] {
                let parts = parts(text.as_bytes(), size);
                assert!(
                    parts.iter().all(|part| matches!(part, SsePart::Fragment(_))),
                    "{text}"
                );
            }
        }
        assert!(parts(b"[]", 1).is_empty());
    }

    #[test]
    fn an_element_that_is_too_long_is_a_fragment() {
        let mut splitter = ArraySplitter::new();
        splitter.push(b"[{\"a\":\"");
        splitter.push(&vec![b'x'; MAX_FRAME]);
        assert!(matches!(splitter.next_part(), Some(SsePart::Fragment(_))));
        splitter.push(b"\"}]");
        assert!(matches!(splitter.next_part(), Some(SsePart::Fragment(_))));
        assert_eq!(splitter.next_part(), None);
    }

    proptest! {
        #[test]
        fn elements_do_not_depend_on_chunks(
            texts in prop::collection::vec("[a\\[\\]{},\"\\\\é]{0,8}", 0..5), blanks in "[ \n\r]{0,2}", size in 1_usize..9,
        ) {
            let elements: Vec<_> = texts
                .iter()
                .map(|text| serde_json::json!({ "t": [text, { "u": text }] }).to_string())
                .collect();
            let text = format!("[{}]", elements.join(&format!("{blanks},{blanks}")));
            let expected: Vec<_> = elements.into_iter().map(|element| SsePart::Frame(element.into())).collect();
            prop_assert_eq!(parts(text.as_bytes(), size), expected);
        }
    }
}
