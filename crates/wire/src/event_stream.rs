//! AWS event streams (`application/vnd.amazon.eventstream`): cutting a byte stream into messages, reading a message,
//! writing one (llm-protocols §8).
//!
//! A message is `u32 total length, u32 length of headers, u32 CRC-32 of these eight bytes, headers, payload, u32 CRC-32
//! of everything before`, all big endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::digest::crc32;

/// Largest message that is put together (compat §5.6).
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// The two lengths and their checksum.
const PRELUDE: usize = 12;
/// The checksum at the end.
const TRAILER: usize = 4;
/// Type of a header whose value is a string.
const STRING: u8 = 7;

/// Cuts a stream into messages: push a chunk, take messages until there are none, push the next.
///
/// A message whose checksums do not hold, or which is longer than [`MAX_MESSAGE`], leaves no way of telling where the
/// next one begins: from there on the splitter is [lost](Self::is_lost). It keeps what it could not cut until that is
/// [taken](Self::take_rest), and drops what is pushed.
///
/// ```
/// use bytes::BytesMut;
/// use sluice_wire::{EventStreamSplitter, write_event_message};
///
/// let mut stream = BytesMut::new();
/// write_event_message(&mut stream, &[(":event-type", "ping")], b"{}");
/// let mut splitter = EventStreamSplitter::new();
/// splitter.push(&stream);
/// let message = splitter.next_message();
/// assert_eq!(message.as_ref().and_then(|message| message.header(":event-type")), Some("ping"));
/// ```
#[derive(Debug, Default)]
pub struct EventStreamSplitter {
    /// What was pushed and not yet handed out.
    held: BytesMut,
    lost: bool,
}

/// One message, as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventMessage {
    frame: Bytes,
    /// Length of its headers.
    headers: usize,
}

/// Lengths of the message at the beginning of what is held.
struct Lengths {
    total: usize,
    headers: usize,
}

impl EventStreamSplitter {
    /// A splitter at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        if !self.lost {
            self.held.extend_from_slice(chunk);
        }
    }

    /// The next whole message, if there is one.
    pub fn next_message(&mut self) -> Option<EventMessage> {
        if self.lost {
            return None;
        }
        let prelude = self.held.get(..PRELUDE)?;
        let Some(lengths) = Lengths::read(prelude) else {
            self.lost = true;
            return None;
        };
        let (checked, sum) = self.held.get(..lengths.total)?.split_at(lengths.total - TRAILER);
        if crc32(checked).to_be_bytes() != sum {
            self.lost = true;
            return None;
        }
        Some(EventMessage {
            frame: self.held.split_to(lengths.total).freeze(),
            headers: lengths.headers,
        })
    }

    /// Whether the stream can no longer be cut.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether the stream stands between two messages.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        !self.lost && self.held.is_empty()
    }

    /// What is not cut: the beginning of a message, or what made the splitter lose its way.
    pub fn take_rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }
}

impl Lengths {
    /// `None` if the checksum does not hold or the lengths are impossible.
    fn read(mut prelude: &[u8]) -> Option<Self> {
        let sum = crc32(prelude.get(..PRELUDE - 4)?);
        let total = usize::try_from(prelude.get_u32()).ok()?;
        let headers = usize::try_from(prelude.get_u32()).ok()?;
        let fits = headers <= total.checked_sub(PRELUDE + TRAILER)?;
        (prelude.get_u32() == sum && fits && total <= MAX_MESSAGE).then_some(Self { total, headers })
    }
}

impl EventMessage {
    /// An event with a payload in JSON, as Converse streams have them. A name of more than 65,535 bytes is cut.
    #[must_use]
    pub fn json_event(name: &str, payload: &[u8]) -> Self {
        let headers = [
            (":event-type", name),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ];
        let headers = string_headers(&headers);
        Self {
            frame: frame(&headers, payload),
            headers: headers.len(),
        }
    }

    /// The same headers before another payload.
    #[must_use]
    pub fn with_payload(&self, payload: &[u8]) -> Self {
        Self {
            frame: frame(self.header_block(), payload),
            headers: self.headers,
        }
    }

    /// The message as it stands on the wire.
    #[must_use]
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The value of a header, if it is there and a string.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut rest = self.header_block();
        while let Some((found, kind, value)) = next_header(&mut rest) {
            if found == name.as_bytes() {
                return (kind == STRING)
                    .then(|| std::str::from_utf8(value).ok())
                    .flatten();
            }
        }
        None
    }

    /// The payload; JSON where `:content-type` says so.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        let end = self.frame.len().saturating_sub(TRAILER);
        self.frame.get(PRELUDE + self.headers..end).unwrap_or_default()
    }

    fn header_block(&self) -> &[u8] {
        let block = self.frame.get(PRELUDE..PRELUDE + self.headers);
        block.unwrap_or_default()
    }
}

/// Takes a header off: name, type, value. `None` at the end, or where the headers make no sense.
fn next_header<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], u8, &'a [u8])> {
    let name = usize::from(take(rest, 1)?[0]);
    let name = take(rest, name)?;
    let kind = take(rest, 1)?[0];
    let length = match kind {
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        6 | STRING => usize::from(take(rest, 2)?.get_u16()),
        9 => 16,
        _ => return None,
    };
    Some((name, kind, take(rest, length)?))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

/// Appends a message whose headers are strings. Names of more than 255 bytes and values of more than 65,535 are cut.
pub fn write_event_message(out: &mut BytesMut, headers: &[(&str, &str)], payload: &[u8]) {
    out.extend_from_slice(&frame(&string_headers(headers), payload));
}

fn string_headers(headers: &[(&str, &str)]) -> BytesMut {
    let mut block = BytesMut::new();
    for (name, value) in headers {
        let name_length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        let value_length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        block.put_u8(name_length);
        block.put_slice(&name.as_bytes()[..usize::from(name_length)]);
        block.put_u8(STRING);
        block.put_u16(value_length);
        block.put_slice(&value.as_bytes()[..usize::from(value_length)]);
    }
    block
}

fn frame(headers: &[u8], payload: &[u8]) -> Bytes {
    let total = PRELUDE + headers.len() + payload.len() + TRAILER;
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let mut out = BytesMut::with_capacity(total);
    out.put_u32(length(total));
    out.put_u32(length(headers.len()));
    out.put_u32(crc32(&out));
    out.put_slice(headers);
    out.put_slice(payload);
    out.put_u32(crc32(&out));
    out.freeze()
}

#[cfg(test)]
mod tests;
