//! Calls of tools that come in pieces.

use super::super::wire::CallPiece;
use crate::chat::{ChatEvent, PartDelta, PartStart, Signature, SignatureOrigin};
use crate::codec::pieces::Pieces;

/// A call that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct CallIn {
    index: Option<u64>,
    id: String,
    /// The id was made here.
    is_unnamed: bool,
    name: String,
    is_custom: bool,
    /// Its part, once it began.
    part: Option<u32>,
    arguments: Pieces,
    /// The last byte of the arguments so far.
    last: Option<u8>,
}

impl CallIn {
    /// A call whose first piece that is; `made` is its id if it has none.
    pub(super) fn new(piece: &CallPiece<'_>, index: Option<u64>, made: String) -> Self {
        Self {
            index,
            is_unnamed: piece.id().is_none(),
            id: piece.id().map_or(made, str::to_owned),
            is_custom: piece.custom.is_some() && piece.function.is_none(),
            ..Self::default()
        }
    }

    /// Whether a piece belongs to this call.
    ///
    /// Providers repeat ids, leave out indexes, and number all calls of an answer 0: another id under the same index
    /// means another call, and so does a name behind arguments that look complete.
    pub(super) fn takes(&self, piece: &CallPiece<'_>, index: Option<u64>) -> bool {
        match (index, piece.id()) {
            (Some(_), Some(id)) => self.index == index && (self.id == id || self.is_unnamed),
            (None, Some(id)) => self.id == id,
            (Some(_), None) => self.index == index && !self.is_followed_by(piece),
            (None, None) => !self.is_followed_by(piece),
        }
    }

    fn is_followed_by(&self, piece: &CallPiece<'_>) -> bool {
        piece.name().is_some() && self.last == Some(b'}')
    }

    /// Takes a piece in. `next` is the number of the next part.
    pub(super) fn read(
        &mut self,
        piece: &CallPiece<'_>,
        choice: u32,
        next: &mut u32,
        out: &mut Vec<ChatEvent>,
    ) {
        if self.part.is_none()
            && let Some(name) = piece.name()
        {
            // A name comes whole, in pieces, or whole again in every piece.
            if name.starts_with(&self.name) {
                name.clone_into(&mut self.name);
            } else {
                self.name.push_str(name);
            }
        }
        if let Some(signature) = piece.thought_signature() {
            let signature = Signature::unpack(&signature, SignatureOrigin::Gemini);
            self.delta(PartDelta::Signature(signature), choice, next, out);
        }
        let Some(raw) = piece.arguments() else { return };
        let text = match raw.get().as_bytes().first() {
            Some(b'"') => self.arguments.read(raw),
            Some(b'{' | b'[') => raw.get().to_owned(),
            _ => return,
        };
        if let Some(last) = text.trim_end().as_bytes().last() {
            self.last = Some(*last);
        }
        if !text.is_empty() {
            self.delta(PartDelta::Arguments(text), choice, next, out);
        }
    }

    fn delta(&mut self, delta: PartDelta, choice: u32, next: &mut u32, out: &mut Vec<ChatEvent>) {
        let part = self.begin(choice, next, out);
        out.push(ChatEvent::Delta { choice, part, delta });
    }

    /// Begins the part if that was not done. It waits for the first arguments, because names come in pieces.
    pub(super) fn begin(&mut self, choice: u32, next: &mut u32, out: &mut Vec<ChatEvent>) -> u32 {
        if let Some(part) = self.part {
            return part;
        }
        let part = *next;
        *next += 1;
        self.part = Some(part);
        let start = PartStart::ToolCall {
            id: self.id.clone(),
            name: self.name.clone(),
            is_custom: self.is_custom,
        };
        out.push(ChatEvent::PartStart { choice, part, start });
        part
    }
}
