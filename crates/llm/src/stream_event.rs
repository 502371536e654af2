//! One event of a stream on its way to a client, whatever its framing.

mod splitter;

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use sluice_wire::{EventMessage, SseFrame, write_frame};

pub use self::splitter::EventSplitter;
use crate::protocol::Protocol;
use crate::tap::StreamEnd;
use crate::tap::{FrameKind, StreamTap, TapOptions};

/// How the events of a stream are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// AWS event streams: binary messages with checksums.
    EventStream,
    /// A JSON value on each line.
    Lines,
    /// The elements of one JSON array, which is how Gemini streams without `alt=sse`.
    JsonArray,
}

/// An event of a stream in the client's protocol, as the frame that will be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEvent(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Sse(Bytes),
    Message(EventMessage),
    Line(Bytes),
    /// Without the brackets and commas around it.
    Element(Bytes),
    /// Part of a frame that is too long or broken.
    Fragment(Bytes),
}

impl StreamEvent {
    /// The event of an SSE frame, as it stands on the wire with the blank line that ends it.
    #[must_use]
    pub fn new(frame: Bytes) -> Self {
        Self(Form::Sse(frame))
    }

    /// An SSE event of that name. It must not contain line ends.
    #[must_use]
    pub fn sse(name: Option<&str>, data: &[u8]) -> Self {
        let mut out = BytesMut::with_capacity(data.len() + 64);
        write_frame(&mut out, name, data);
        Self::new(out.freeze())
    }

    /// A line with this JSON value, which has no line ends in it.
    #[must_use]
    pub fn line(data: &[u8]) -> Self {
        Self(Form::Line([data, b"\n"].concat().into()))
    }

    /// An event of a Bedrock stream with that `:event-type` and a payload in JSON.
    #[must_use]
    pub fn bedrock(name: &str, payload: &[u8]) -> Self {
        Self(Form::Message(EventMessage::json_event(name, payload)))
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self) -> &Bytes {
        match &self.0 {
            Form::Sse(frame) | Form::Line(frame) | Form::Element(frame) | Form::Fragment(frame) => frame,
            Form::Message(message) => message.frame(),
        }
    }

    /// The frame.
    #[must_use]
    pub fn into_frame(self) -> Bytes {
        match self.0 {
            Form::Sse(frame) | Form::Line(frame) | Form::Element(frame) | Form::Fragment(frame) => frame,
            Form::Message(message) => message.frame().clone(),
        }
    }

    /// Its name, where the framing has one: `event` of SSE, the type of an AWS event or exception.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Form::Sse(frame) => SseFrame::parse(frame).event,
            Form::Message(message) => message
                .header(":event-type")
                .or_else(|| message.header(":exception-type")),
            Form::Line(_) | Form::Element(_) | Form::Fragment(_) => None,
        }
    }

    /// Its data; `None` for comments and blank lines. That of a [fragment](Self::is_fragment) is its bytes, which mean
    /// nothing.
    #[must_use]
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        match &self.0 {
            Form::Sse(frame) => SseFrame::parse(frame).data,
            Form::Message(message) => Some(Cow::Borrowed(message.payload())),
            Form::Line(line) => {
                let line = line.trim_ascii();
                (!line.is_empty()).then_some(Cow::Borrowed(line))
            }
            Form::Element(bytes) | Form::Fragment(bytes) => Some(Cow::Borrowed(bytes)),
        }
    }

    /// Whether it is part of a frame that is too long to be put together, or of what cannot be cut into frames. Nobody
    /// can say what stands in it.
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        matches!(self.0, Form::Fragment(_))
    }

    /// The same event with other data. A [fragment](Self::is_fragment) stays what it is.
    #[must_use]
    pub fn with_data(&self, data: &[u8]) -> Self {
        match &self.0 {
            Form::Sse(frame) => Self::sse(SseFrame::parse(frame).event, data),
            Form::Message(message) => Self(Form::Message(message.with_payload(data))),
            Form::Line(_) => Self::line(data),
            Form::Element(_) => Self(Form::Element(Bytes::copy_from_slice(data))),
            Form::Fragment(_) => self.clone(),
        }
    }

    /// Whether nothing is said after it, and how its stream ended. Of Bedrock's streams that is `messageStop`, though
    /// usage follows.
    #[must_use]
    pub fn end(&self, protocol: Protocol) -> Option<StreamEnd> {
        if matches!(self.0, Form::Element(_)) {
            let frame = Self::sse(None, self.frame());
            return frame.end(protocol);
        }
        if protocol == Protocol::BedrockConverse && self.name() == Some("messageStop") {
            return Some(StreamEnd::Complete);
        }
        match StreamTap::new(protocol, TapOptions::default()).observe(self.frame()) {
            FrameKind::End(end) => Some(end),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
