//! Streams of providers, read.
//!
//! Servers that follow the protocol loosely are read too: without sequence numbers, without `added` events, with items
//! that come whole, with everything in the last event only, or with one JSON answer instead of a stream.

mod event;
mod failure;
mod items;
mod state;

use bytes::{Buf, Bytes, BytesMut};
use sluice_wire::{SseFrame, SsePart, SseSplitter};

use self::state::State;
use super::answer_in;
use crate::chat::{ChatEvent, replay};
use crate::codec::{StreamDecoder, broken};
use crate::error::{ErrorKind, PublicError};

/// Largest event that is read: the first and the last repeat the request.
const EVENT_MAX: usize = 64 * 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads one stream.
pub(super) struct Decoder {
    form: Form,
    splitter: SseSplitter,
    state: State,
}

/// What the provider sends.
enum Form {
    /// Nothing that tells has come.
    Unknown(BytesMut),
    /// Events.
    Events,
    /// One JSON document.
    Json(BytesMut),
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            form: Form::Unknown(BytesMut::new()),
            splitter: SseSplitter::with_limit(EVENT_MAX),
            state: State::default(),
        }
    }
}

impl StreamDecoder for Decoder {
    fn push(&mut self, piece: &Bytes, out: &mut Vec<ChatEvent>) {
        if self.state.is_over() {
            return;
        }
        match &mut self.form {
            Form::Unknown(held) => {
                held.extend_from_slice(piece);
                self.tell_form();
            }
            Form::Events => self.splitter.push(piece.clone()),
            Form::Json(held) => held.extend_from_slice(piece),
        }
        if matches!(&self.form, Form::Json(held) if held.len() > EVENT_MAX) {
            self.state.fail(too_long(), out);
        }
        while !self.state.is_over()
            && let Some(part) = self.splitter.next_part()
        {
            match part {
                SsePart::Frame(frame) => {
                    if !self.frame(&frame, out) {
                        self.state.fail(broken::unreadable(), out);
                    }
                }
                SsePart::Fragment(_) => self.state.fail(too_long(), out),
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) {
        if self.state.is_over() {
            return;
        }
        if let Form::Json(held) = &self.form {
            let events = whole(held);
            self.state.replayed(events, out);
            return;
        }
        // The last frame may lack the line that ends it.
        if let Some(part) = self.splitter.finish() {
            self.frame(&part.into_bytes(), out);
        }
        self.state.fail(broken::cut(), out);
    }
}

impl Decoder {
    /// Tells what comes by the first byte that is no blank.
    fn tell_form(&mut self) {
        let Form::Unknown(held) = &mut self.form else {
            return;
        };
        let text = held.strip_prefix(BYTE_ORDER_MARK).unwrap_or(held);
        match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
            // Of blanks only the last one can matter to what follows, and a mark counts at the very beginning only.
            None if !text.is_empty() => {
                let last = held.len() - 1;
                held.advance(last);
            }
            None => {}
            Some(b'{' | b'[') => self.form = Form::Json(std::mem::take(held)),
            Some(_) if BYTE_ORDER_MARK.starts_with(text) => {}
            Some(_) => {
                self.splitter.push(std::mem::take(held).freeze());
                self.form = Form::Events;
            }
        }
    }

    /// Takes a frame; false if it holds an event that cannot be read. What is no JSON object is no event.
    fn frame(&mut self, frame: &[u8], out: &mut Vec<ChatEvent>) -> bool {
        let frame = SseFrame::parse(frame);
        match frame
            .data
            .filter(|data| data.trim_ascii_start().starts_with(b"{"))
        {
            Some(data) => self.state.event(frame.event, &data, out),
            None => true,
        }
    }
}

fn too_long() -> PublicError {
    PublicError::new(
        ErrorKind::Upstream,
        "an event of the provider's answer is too long",
    )
}

/// The events of an answer that is no stream.
fn whole(body: &[u8]) -> Vec<ChatEvent> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    match answer_in::read(body) {
        Ok(answer) => match failure::of_answer(&answer) {
            Some(error) => vec![ChatEvent::Error(error)],
            None => replay(answer),
        },
        Err(error) => {
            vec![ChatEvent::Error(failure::of_body(body).unwrap_or_else(|| {
                PublicError::new(ErrorKind::Upstream, error.to_string())
            }))]
        }
    }
}
