//! A stream on its way from one protocol to another.

use bytes::{Bytes, BytesMut};

use super::names::Names;
use crate::chat::ChatEvent;
use crate::codec::{StreamDecoder, StreamEncoder};
use crate::error::PublicError;

/// Translates one stream, piece by piece. Nothing is held longer than the client's protocol demands.
pub struct ChatStream {
    decoder: Box<dyn StreamDecoder>,
    encoder: Box<dyn StreamEncoder>,
    names: Names,
    events: Vec<ChatEvent>,
    has_content: bool,
    is_over: bool,
    /// The error that ended the stream.
    error: Option<PublicError>,
}

impl ChatStream {
    pub(super) fn new(
        decoder: Box<dyn StreamDecoder>,
        encoder: Box<dyn StreamEncoder>,
        names: Names,
    ) -> Self {
        Self {
            decoder,
            encoder,
            names,
            events: Vec::new(),
            has_content: false,
            is_over: false,
            error: None,
        }
    }

    /// Takes a piece of the provider's stream, cut anywhere, and appends what the client gets of it.
    pub fn push(&mut self, piece: &Bytes, out: &mut BytesMut) {
        if !self.is_over {
            self.decoder.push(piece, &mut self.events);
            self.pass(out);
        }
    }

    /// The provider's stream ended. Whether it was whole, [`is_whole`](Self::is_whole) says.
    pub fn finish(&mut self, out: &mut BytesMut) {
        if !self.is_over {
            self.decoder.finish(&mut self.events);
            self.pass(out);
        }
    }

    /// The gateway ends the stream: the client reads why in its protocol.
    pub fn fail(&mut self, error: PublicError, out: &mut BytesMut) {
        if !self.is_over {
            self.events.clear();
            self.events.push(ChatEvent::Error(error));
            self.pass(out);
        }
    }

    /// Whether something generated has passed: from here on no other target can take over.
    #[must_use]
    pub fn has_content(&self) -> bool {
        self.has_content
    }

    /// Whether the stream has come to its proper end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_over && self.error.is_none()
    }

    /// The error that ended it.
    #[must_use]
    pub fn error(&self) -> Option<&PublicError> {
        self.error.as_ref()
    }

    fn pass(&mut self, out: &mut BytesMut) {
        for mut event in self.events.drain(..) {
            match &event {
                ChatEvent::PartStart { .. } | ChatEvent::Delta { .. } => self.has_content = true,
                ChatEvent::End => self.is_over = true,
                ChatEvent::Error(error) => {
                    self.is_over = true;
                    self.error = Some(error.clone());
                }
                _ => {}
            }
            self.names.restore_event(&mut event);
            self.encoder.push(event, out);
        }
    }
}

impl std::fmt::Debug for ChatStream {
    /// Leaves out what was said.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatStream")
            .field("has_content", &self.has_content)
            .field("is_over", &self.is_over)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
