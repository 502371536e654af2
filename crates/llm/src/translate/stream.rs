//! A stream on its way from one protocol to another.

use bytes::{Bytes, BytesMut};

use super::Keeper;
use super::names::Names;
use crate::chat::{Assembler, ChatEvent};
use crate::codec::{ChatCodec, ReplyFacts, StreamDecoder, StreamEncoder};
use crate::error::PublicError;

/// What a stream is translated with.
pub(super) struct Parts {
    pub(super) decoder: Box<dyn StreamDecoder>,
    pub(super) encoder: Box<dyn StreamEncoder>,
    pub(super) names: Names,
    pub(super) keeper: Keeper,
    /// Where something of the answer is to be remembered.
    pub(super) assembler: Option<Assembler>,
    /// The client's protocol.
    pub(super) client: &'static dyn ChatCodec,
    /// By which the answer is written whole, where it is to be remembered.
    pub(super) facts: Option<ReplyFacts>,
}

/// Translates one stream, piece by piece. Nothing is held longer than the client's protocol demands.
pub struct ChatStream {
    parts: Parts,
    events: Vec<ChatEvent>,
    has_content: bool,
    is_over: bool,
    /// The error that ended the stream.
    error: Option<PublicError>,
}

impl ChatStream {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            parts,
            events: Vec::new(),
            has_content: false,
            is_over: false,
            error: None,
        }
    }

    /// Takes a piece of the provider's stream, cut anywhere, and appends what the client gets of it.
    pub fn push(&mut self, piece: &Bytes, out: &mut BytesMut) {
        if !self.is_over {
            self.parts.decoder.push(piece, &mut self.events);
            self.pass(out);
        }
    }

    /// The provider's stream ended. Whether it was whole, [`is_whole`](Self::is_whole) says.
    pub fn finish(&mut self, out: &mut BytesMut) {
        if !self.is_over {
            self.parts.decoder.finish(&mut self.events);
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
            self.parts.names.restore_event(&mut event);
            if let Some(assembler) = &mut self.parts.assembler {
                assembler.push(&event);
            }
            // Before the client sees the end, and may go on.
            if matches!(event, ChatEvent::End)
                && let Some(assembler) = self.parts.assembler.take()
                && let Some(facts) = self.parts.facts.take()
            {
                let answer = assembler.finish().0;
                let client = self.parts.client;
                self.parts.keeper.keep(&answer, &facts, || {
                    Bytes::copy_from_slice(client.encode_answer(&answer, &facts).text().as_bytes())
                });
            }
            self.parts.encoder.push(event, out);
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
