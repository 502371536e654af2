//! The frames of a provider's stream, whatever it sends in place of them.

use bytes::{Bytes, BytesMut};
use serde::de::IgnoredAny;
use sluice_wire::{SseFrame, SsePart, SseSplitter};

use crate::error::{ErrorKind, PublicError, error_in};

/// Largest event that is read. Images come in one.
const MAX_EVENT: usize = 32 * 1024 * 1024;

/// What comes out of a stream.
pub(in crate::codec) enum Message<'a> {
    /// The data of an event.
    Chunk(&'a [u8]),
    /// The end, as the protocol says it.
    Done,
    /// The stream cannot be read, or the provider says that it failed.
    Failed(PublicError),
    /// A whole answer that came instead of a stream.
    Answer(&'a [u8]),
}

/// Cuts a stream into its messages.
#[derive(Debug)]
pub(in crate::codec) struct MessageReader {
    splitter: SseSplitter,
    /// The body so far, where it is JSON and no stream of events.
    json: BytesMut,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Unknown,
    Events,
    Json,
}

impl MessageReader {
    pub(in crate::codec) fn new() -> Self {
        Self {
            splitter: SseSplitter::with_limit(MAX_EVENT),
            json: BytesMut::new(),
            form: Form::Unknown,
        }
    }

    /// Takes a piece and hands out the messages that it completes.
    pub(in crate::codec) fn push(&mut self, piece: &Bytes, mut each: impl FnMut(Message<'_>)) {
        if self.form == Form::Unknown {
            let first = piece.iter().find(|byte| !byte.is_ascii_whitespace());
            self.form = match first {
                Some(b'{' | b'[') => Form::Json,
                Some(_) => Form::Events,
                None => Form::Unknown,
            };
        }
        if self.form == Form::Json {
            if self.json.len().saturating_add(piece.len()) > MAX_EVENT {
                each(Message::Failed(unreadable("the provider's answer is too large")));
            } else {
                self.json.extend_from_slice(piece);
            }
            return;
        }
        self.splitter.push(piece.clone());
        while let Some(part) = self.splitter.next_part() {
            match part {
                SsePart::Frame(frame) => read_frame(&frame, &mut each),
                SsePart::Fragment(_) => {
                    each(Message::Failed(unreadable(
                        "an event of the provider's is too large",
                    )));
                }
            }
        }
    }

    /// The stream ended. Its last event may lack the empty line that ends it.
    pub(in crate::codec) fn finish(&mut self, mut each: impl FnMut(Message<'_>)) {
        if self.form == Form::Json {
            let json = self.json.split();
            each(match error_in(&json) {
                Some(error) => Message::Failed(error),
                None => Message::Answer(&json),
            });
            return;
        }
        if let Some(rest) = self.splitter.finish() {
            let rest = rest.into_bytes();
            let data = SseFrame::parse(&rest).data;
            let is_whole = data.is_some_and(|data| {
                data.starts_with(b"[DONE]") || serde_json::from_slice::<IgnoredAny>(&data).is_ok()
            });
            if is_whole {
                read_frame(&rest, &mut each);
            }
        }
    }
}

fn read_frame(frame: &[u8], each: &mut impl FnMut(Message<'_>)) {
    let frame = SseFrame::parse(frame);
    let Some(data) = frame.data else { return };
    let data = data.trim_ascii();
    if data.starts_with(b"[DONE]") {
        return each(Message::Done);
    }
    if frame.event == Some("error") || data.starts_with(b"[") {
        let error = error_in(data).unwrap_or_else(|| unreadable("the provider broke the answer off"));
        return each(Message::Failed(error));
    }
    // What is no JSON at all is a server's chatter.
    if data.starts_with(b"{") {
        each(Message::Chunk(data));
    }
}

/// The error that ends a stream which cannot be read.
pub(in crate::codec) fn unreadable(message: &'static str) -> PublicError {
    PublicError::new(ErrorKind::Upstream, message).with_code("upstream_unreadable")
}
