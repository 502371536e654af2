//! Cuts a stream of chunks into frames without copying those that lie inside one chunk.

use bytes::{Bytes, BytesMut};

/// Largest frame that is put together; longer ones are handed on in pieces (compat §5.6).
pub const MAX_FRAME: usize = 1024 * 1024;

/// A piece of a stream. The pieces together are the stream, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SsePart {
    /// A whole frame, including the blank line that ends it. May be nothing but that line, or hold comments only.
    Frame(Bytes),
    /// Part of a frame that is longer than the limit, or of one that the stream broke off. To be relayed, not read.
    Fragment(Bytes),
}

impl SsePart {
    /// The bytes, whatever they are.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Frame(bytes) | Self::Fragment(bytes) => bytes,
        }
    }
}

/// Cuts a stream into frames: push a chunk, take parts until there are none, push the next.
///
/// A line ends with LF, CR or CRLF, and an empty line ends a frame. The frames do not depend on how the stream is cut
/// into chunks. A frame whose last byte is a lone CR is only known to be whole when the byte after it has come, since
/// that may be an LF.
///
/// ```
/// use sluice_wire::{SsePart, SseSplitter};
///
/// let mut splitter = SseSplitter::new();
/// splitter.push("data: a\n\ndata: ".into());
/// assert_eq!(splitter.next_part(), Some(SsePart::Frame("data: a\n\n".into())));
/// assert_eq!(splitter.next_part(), None);
/// splitter.push("b\n\n".into());
/// assert_eq!(splitter.next_part(), Some(SsePart::Frame("data: b\n\n".into())));
/// ```
#[derive(Debug)]
pub struct SseSplitter {
    limit: usize,
    /// Beginning of a frame whose end has not come.
    held: BytesMut,
    /// What was pushed and not yet handed out.
    chunk: Bytes,
    state: LineState,
    /// The frame at hand is too long; its pieces are handed out as they come.
    oversized: bool,
}

/// Where in a line the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineState {
    /// Nothing of the line was seen.
    Start,
    /// Within its text.
    Inside,
    /// After a CR that may be half of a CRLF.
    AfterCr {
        /// The line was empty, so that the frame ends with it.
        ends_frame: bool,
    },
}

impl SseSplitter {
    /// A splitter that puts together frames of up to [`MAX_FRAME`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(MAX_FRAME)
    }

    /// A splitter that puts together frames of up to `limit` bytes.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            held: BytesMut::new(),
            chunk: Bytes::new(),
            state: LineState::Start,
            oversized: false,
        }
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
        match self.frame_end() {
            Some(end) => Some(self.cut_frame(end)),
            None => self.hold_rest(),
        }
    }

    /// What is left when the stream is over: a frame that only waited to be known as whole, or the beginning of one
    /// that was broken off. Parts must have been taken until there were none.
    pub fn finish(&mut self) -> Option<SsePart> {
        let whole = self.state == LineState::AfterCr { ends_frame: true };
        self.state = LineState::Start;
        let oversized = std::mem::take(&mut self.oversized);
        if self.held.is_empty() {
            return None;
        }
        let rest = self.held.split().freeze();
        Some(if whole && !oversized {
            SsePart::Frame(rest)
        } else {
            SsePart::Fragment(rest)
        })
    }

    /// Where in the chunk the frame at hand ends.
    fn frame_end(&mut self) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = self.chunk.get(at) {
            match (self.state, byte) {
                (LineState::AfterCr { ends_frame: true }, _) => return Some(at + usize::from(byte == b'\n')),
                (LineState::AfterCr { ends_frame: false }, b'\n') => {
                    self.state = LineState::Start;
                    at += 1;
                }
                (LineState::AfterCr { ends_frame: false }, _) => self.state = LineState::Start,
                (LineState::Start, b'\n') => return Some(at + 1),
                (LineState::Start, b'\r') => {
                    self.state = LineState::AfterCr { ends_frame: true };
                    at += 1;
                }
                (LineState::Start | LineState::Inside, _) => {
                    match memchr::memchr2(b'\n', b'\r', &self.chunk[at..]) {
                        Some(length) if self.chunk[at + length] == b'\n' => {
                            self.state = LineState::Start;
                            at += length + 1;
                        }
                        Some(length) => {
                            self.state = LineState::AfterCr { ends_frame: false };
                            at += length + 1;
                        }
                        None => {
                            self.state = LineState::Inside;
                            return None;
                        }
                    }
                }
            }
        }
        None
    }

    fn cut_frame(&mut self, end: usize) -> SsePart {
        self.state = LineState::Start;
        let tail = self.chunk.split_to(end);
        let oversized = std::mem::take(&mut self.oversized) || self.held.len() + tail.len() > self.limit;
        let whole = if self.held.is_empty() {
            tail
        } else {
            self.held.extend_from_slice(&tail);
            self.held.split().freeze()
        };
        if oversized {
            SsePart::Fragment(whole)
        } else {
            SsePart::Frame(whole)
        }
    }

    /// Keeps the rest of the chunk for the frame that it begins, or hands it out if that is too long.
    fn hold_rest(&mut self) -> Option<SsePart> {
        let rest = std::mem::take(&mut self.chunk);
        if rest.is_empty() {
            return None;
        }
        self.oversized |= self.held.len() + rest.len() > self.limit;
        if self.oversized && self.held.is_empty() {
            return Some(SsePart::Fragment(rest));
        }
        self.held.extend_from_slice(&rest);
        self.oversized
            .then(|| SsePart::Fragment(self.held.split().freeze()))
    }
}

impl Default for SseSplitter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All parts of a stream that comes in these chunks; fragments that follow each other are joined.
    fn parts<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<SsePart> {
        let mut splitter = SseSplitter::with_limit(limit);
        let mut parts = Vec::new();
        for chunk in chunks {
            splitter.push(Bytes::copy_from_slice(chunk));
            parts.extend(std::iter::from_fn(|| splitter.next_part()));
        }
        parts.extend(splitter.finish());
        parts.into_iter().fold(Vec::new(), |mut joined, part| {
            if let (Some(SsePart::Fragment(last)), SsePart::Fragment(next)) = (joined.last_mut(), &part) {
                *last = [&last[..], &next[..]].concat().into();
            } else {
                joined.push(part);
            }
            joined
        })
    }

    fn frames(text: &str) -> Vec<String> {
        let parts = parts(MAX_FRAME, [text.as_bytes()]);
        parts
            .into_iter()
            .map(|part| String::from_utf8(part.into_bytes().to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn every_kind_of_blank_line_ends_a_frame() {
        assert_eq!(frames("data: a\n\ndata: b\n\n"), ["data: a\n\n", "data: b\n\n"]);
        assert_eq!(
            frames("data: a\r\n\r\ndata: b\r\n\r\n"),
            ["data: a\r\n\r\n", "data: b\r\n\r\n"]
        );
        assert_eq!(frames("data: a\r\rdata: b\r\r"), ["data: a\r\r", "data: b\r\r"]);
        assert_eq!(frames("a\n\r\nb\r\n\nc\r\r\n"), ["a\n\r\n", "b\r\n\n", "c\r\r\n"]);
        assert_eq!(
            frames(": wait\n\n\n\ndata: a\n\n"),
            [": wait\n\n", "\n", "\n", "data: a\n\n"]
        );
    }

    #[test]
    fn a_frame_inside_one_chunk_is_not_copied() {
        let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n");
        let mut splitter = SseSplitter::new();
        splitter.push(chunk.clone());
        let first = splitter.next_part().unwrap().into_bytes();
        let second = splitter.next_part().unwrap().into_bytes();
        assert_eq!(first.as_ptr(), chunk.as_ptr());
        assert_eq!(second.as_ptr(), chunk[9..].as_ptr());
    }

    #[test]
    fn a_broken_off_frame_is_a_fragment() {
        assert_eq!(
            parts(MAX_FRAME, [b"data: a\n\ndata: b\n".as_slice()]),
            [
                SsePart::Frame("data: a\n\n".into()),
                SsePart::Fragment("data: b\n".into())
            ]
        );
    }

    #[test]
    fn an_oversized_frame_passes_as_fragments_and_ends_where_it_should() {
        let expected = [
            SsePart::Frame("a\n\n".into()),
            SsePart::Fragment("data: 0123456789\n\n".into()),
            SsePart::Frame("b\n\n".into()),
        ];
        let text = b"a\n\ndata: 0123456789\n\nb\n\n";
        assert_eq!(parts(8, [text.as_slice()]), expected);
        assert_eq!(parts(8, text.chunks(5)), expected);
        assert_eq!(parts(8, text.chunks(1)), expected);
    }

    #[test]
    fn what_is_held_stays_within_the_limit() {
        let mut splitter = SseSplitter::with_limit(100);
        for _ in 0..1000 {
            splitter.push(Bytes::from_static(b"data: no end in sight "));
            while splitter.next_part().is_some() {}
            assert!(splitter.held.len() <= 100);
        }
    }

    proptest! {
        #[test]
        fn frames_do_not_depend_on_chunks(
            text in "([ab:é]{0,6}(\n|\r\n|\r|\n\n|\r\n\r\n)){0,12}[ab]{0,3}",
            limit in prop_oneof![Just(MAX_FRAME), 1_usize..12],
            size in 1_usize..8,
        ) {
            let whole = parts(limit, [text.as_bytes()]);
            let cut = parts(limit, text.as_bytes().chunks(size));
            prop_assert_eq!(&whole, &cut);
            let joined: Vec<u8> = whole.into_iter().flat_map(SsePart::into_bytes).collect();
            prop_assert_eq!(joined, text.into_bytes());
        }
    }
}
