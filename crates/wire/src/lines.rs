//! Newline-delimited JSON (`application/x-ndjson`): cutting a byte stream into lines (llm-protocols §11).

use bytes::{Bytes, BytesMut};

use crate::sse::{MAX_FRAME, SsePart};

/// Cuts a stream into lines: push a chunk, take parts until there are none, push the next.
///
/// A line ends with LF, which belongs to it; a CR before that is part of the line. Lines that are longer than
/// [`MAX_FRAME`] come as fragments.
///
/// ```
/// use sluice_wire::{LineSplitter, SsePart};
///
/// let mut splitter = LineSplitter::new();
/// splitter.push("{}\n{".into());
/// assert_eq!(splitter.next_part(), Some(SsePart::Frame("{}\n".into())));
/// assert_eq!(splitter.next_part(), None);
/// splitter.push("}".into());
/// assert_eq!(splitter.next_part(), None);
/// assert_eq!(splitter.finish(), Some(SsePart::Frame("{}".into())));
/// ```
#[derive(Debug, Default)]
pub struct LineSplitter {
    /// Beginning of a line whose end has not come.
    held: BytesMut,
    /// What was pushed and not yet handed out.
    chunk: Bytes,
    /// The line at hand is too long; its pieces are handed out as they come.
    oversized: bool,
}

impl LineSplitter {
    /// A splitter at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes of the stream. Parts that were not taken before stay and come first.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.chunk = [&self.chunk[..], &chunk[..]].concat().into();
        }
    }

    /// The next part, if there is one.
    pub fn next_part(&mut self) -> Option<SsePart> {
        let Some(end) = memchr::memchr(b'\n', &self.chunk) else {
            return self.hold_rest();
        };
        let tail = self.chunk.split_to(end + 1);
        let oversized = std::mem::take(&mut self.oversized) || self.held.len() + tail.len() > MAX_FRAME;
        let line = if self.held.is_empty() {
            tail
        } else {
            self.held.extend_from_slice(&tail);
            self.held.split().freeze()
        };
        Some(match oversized {
            true => SsePart::Fragment(line),
            false => SsePart::Frame(line),
        })
    }

    /// The last line, if it has no end. Parts must have been taken until there were none.
    pub fn finish(&mut self) -> Option<SsePart> {
        let oversized = std::mem::take(&mut self.oversized);
        let rest = self.held.split().freeze();
        if rest.is_empty() {
            return None;
        }
        Some(match oversized {
            true => SsePart::Fragment(rest),
            false => SsePart::Frame(rest),
        })
    }

    /// Keeps the rest of the chunk for the line that it begins, or hands it out if that is too long.
    fn hold_rest(&mut self) -> Option<SsePart> {
        let rest = std::mem::take(&mut self.chunk);
        if rest.is_empty() {
            return None;
        }
        self.oversized |= self.held.len() + rest.len() > MAX_FRAME;
        self.held.extend_from_slice(&rest);
        self.oversized
            .then(|| SsePart::Fragment(self.held.split().freeze()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &[u8], size: usize) -> Vec<SsePart> {
        let mut splitter = LineSplitter::new();
        let mut parts = Vec::new();
        for chunk in text.chunks(size) {
            splitter.push(Bytes::copy_from_slice(chunk));
            parts.extend(std::iter::from_fn(|| splitter.next_part()));
        }
        parts.extend(splitter.finish());
        parts
    }

    #[test]
    fn a_line_that_is_too_long_comes_in_pieces_and_the_next_is_whole() {
        let mut text = vec![b'x'; MAX_FRAME + 10];
        text.extend_from_slice(b"\n{}\n");
        for size in [7000, text.len()] {
            let mut parts = parts(&text, size);
            assert_eq!(parts.pop(), Some(SsePart::Frame("{}\n".into())), "{size}");
            assert!(parts.iter().all(|part| matches!(part, SsePart::Fragment(_))));
            let length: usize = parts.into_iter().map(|part| part.into_bytes().len()).sum();
            assert_eq!(length, MAX_FRAME + 11);
        }
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_chunks(text in "([ab{}:é]{0,6}\r?\n?){0,12}", size in 1_usize..8) {
            let lines = parts(text.as_bytes(), size);
            let expected: Vec<_> = text
                .split_inclusive('\n')
                .map(|line| SsePart::Frame(Bytes::copy_from_slice(line.as_bytes())))
                .collect();
            prop_assert_eq!(lines, expected);
        }
    }
}
