//! One event of a stream on its way to a client.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use sluice_wire::{SseFrame, write_frame};

use crate::protocol::Protocol;
use crate::tap::StreamEnd;
use crate::tap::{FrameKind, StreamTap, TapOptions};

/// An event of a stream in the client's protocol, as the frame that will be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEvent {
    frame: Bytes,
}

impl StreamEvent {
    /// The event of a frame, as it stands on the wire with the blank line that ends it.
    #[must_use]
    pub fn new(frame: Bytes) -> Self {
        Self { frame }
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The frame.
    #[must_use]
    pub fn into_frame(self) -> Bytes {
        self.frame
    }

    /// Its data; `None` for comments.
    #[must_use]
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        SseFrame::parse(&self.frame).data
    }

    /// The same event with other data.
    #[must_use]
    pub fn with_data(&self, data: &[u8]) -> Self {
        let mut out = BytesMut::with_capacity(data.len() + 64);
        write_frame(&mut out, SseFrame::parse(&self.frame).event, data);
        Self::new(out.freeze())
    }

    /// Whether it ends its stream, and how.
    #[must_use]
    pub fn end(&self, protocol: Protocol) -> Option<StreamEnd> {
        match StreamTap::new(protocol, TapOptions::default()).observe(&self.frame) {
            FrameKind::End(end) => Some(end),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_replaced_under_the_same_name() {
        let event = StreamEvent::new(Bytes::from_static(b"event: a\ndata: {}\n\n"));
        assert_eq!(event.data().as_deref(), Some(b"{}".as_slice()));
        assert_eq!(event.with_data(b"[1]").frame(), "event: a\ndata: [1]\n\n");
        assert_eq!(StreamEvent::new(Bytes::from_static(b": ping\n\n")).data(), None);
    }

    #[test]
    fn ends_are_known() {
        let end = |protocol, frame: &'static str| {
            StreamEvent::new(Bytes::from_static(frame.as_bytes())).end(protocol)
        };
        assert_eq!(
            end(Protocol::OpenAiChat, "data: [DONE]\n\n"),
            Some(StreamEnd::Complete)
        );
        assert_eq!(end(Protocol::OpenAiChat, "data: {\"choices\":[]}\n\n"), None);
        assert_eq!(
            end(
                Protocol::AnthropicMessages,
                "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
            ),
            Some(StreamEnd::Complete)
        );
    }
}
