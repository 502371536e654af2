//! One alternative of a streamed answer.

use serde_json::value::RawValue;

use super::super::answer_out::APART;
use super::super::details::{Detail, foreign};
use super::super::wire::{
    CallPiece, ChoicePiece, ContentChunk, Said, call_id, is_text, stop_reason, thinking_texts,
};
use super::call::CallIn;
use crate::chat::{ChatEvent, Extension, Json, PartDelta, PartStart, StopReason, items};
use crate::codec::pieces::Pieces;
use crate::protocol::Protocol;

/// What was seen of an alternative. Of text, refusal and thoughts one part is open at a time; calls stay open to the
/// end, because their pieces may come in any order.
#[derive(Debug, Default)]
pub(super) struct ChoiceIn {
    index: u32,
    answer_id: Option<String>,
    next_part: u32,
    open: Option<(Flow, u32)>,
    /// The open thought's number among the details.
    detail: Option<u64>,
    /// The open thought came as text alone: what a detail repeats of it is known.
    is_plain: bool,
    /// The part before was a thought.
    after_thought: bool,
    texts: Pieces,
    thoughts: Pieces,
    refusals: Pieces,
    calls: Vec<CallIn>,
    finish: Option<StopReason>,
    stop_sequence: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Text,
    Refusal,
    Reasoning,
}

/// The index that stands for the legacy `function_call`, of which there is one.
const FUNCTION_CALL: u64 = u64::MAX;

/// More calls than any model makes in one answer; each is looked through for every piece.
const CALLS_MAX: usize = 1024;

impl ChoiceIn {
    pub(super) fn new(index: u32, answer_id: Option<String>) -> Self {
        Self {
            index,
            answer_id,
            ..Self::default()
        }
    }

    pub(super) fn read(&mut self, piece: &ChoicePiece<'_>, out: &mut Vec<ChatEvent>) {
        if let Some(logprobs) = piece.logprobs.filter(|logprobs| logprobs.get().len() > 2) {
            out.push(ChatEvent::Logprobs {
                choice: self.index,
                logprobs: Json::from(logprobs),
            });
        }
        match (&piece.delta, &piece.message, piece.text) {
            (Some(delta), _, _) => self.delta(delta, out),
            (None, Some(message), _) if self.next_part == 0 => self.delta(message, out),
            (None, None, Some(text)) => self.content(text, out),
            _ => {}
        }
        if let Some(reason) = piece.finish_reason.as_str().and_then(stop_reason) {
            // Of several reasons the first counts, unless it only said that the text is over.
            if matches!(self.finish, None | Some(StopReason::Stop)) {
                self.finish = Some(reason);
            }
            let sequence = piece.stop_reason.as_str().or(piece.matched_stop.as_str());
            if reason == StopReason::Stop
                && let Some(sequence) = sequence
            {
                self.finish = Some(StopReason::StopSequence);
                self.stop_sequence = Some(sequence.to_owned());
            }
        }
    }

    /// Whether the provider said why it ends.
    pub(super) fn has_ended(&self) -> bool {
        self.finish.is_some()
    }

    /// Ends it.
    pub(super) fn end(&mut self, out: &mut Vec<ChatEvent>) {
        self.close(out);
        let reason = self.finish.unwrap_or(StopReason::Stop);
        out.push(ChatEvent::Stop {
            choice: self.index,
            reason: reason.with_tools(!self.calls.is_empty()),
            stop_sequence: self.stop_sequence.take(),
        });
    }

    /// Closes all that is open.
    pub(super) fn close(&mut self, out: &mut Vec<ChatEvent>) {
        self.close_flow(out);
        for call in &mut self.calls {
            let part = call.begin(self.index, &mut self.next_part, out);
            out.push(ChatEvent::PartEnd {
                choice: self.index,
                part,
            });
        }
    }

    fn delta(&mut self, said: &Said<'_>, out: &mut Vec<ChatEvent>) {
        self.reasoning(said, out);
        if let Some(content) = said.content {
            self.content(content, out);
        }
        if let Some(refusal) = said.refusal.filter(is_text) {
            let text = self.refusals.read(refusal);
            self.say(Flow::Refusal, text, || PartStart::Refusal, out);
        }
        for (position, piece) in said.tool_calls.iter().flatten().enumerate() {
            self.call(piece, piece.index.map(|index| index.0), position > 0, out);
        }
        if let Some(function) = &said.function_call {
            let piece = CallPiece {
                function: Some(function.clone()),
                ..CallPiece::default()
            };
            self.call(&piece, Some(FUNCTION_CALL), false, out);
        }
        for (name, value) in [("audio", said.audio), ("images", said.images)] {
            if let Some(value) = value.filter(|value| value.get().len() > 2) {
                self.whole(name, value, out);
            }
        }
        if let Some(annotations) = said.annotations.filter(|value| value.get().len() > 2) {
            self.annotations(annotations, out);
        }
    }

    fn content(&mut self, content: &RawValue, out: &mut Vec<ChatEvent>) {
        if is_text(&content) {
            let text = self.texts.read(content);
            return self.say(Flow::Text, text, || PartStart::Text, out);
        }
        let Some(chunks) = items(content) else { return };
        for raw in chunks {
            let Ok(chunk) = serde_json::from_str::<ContentChunk<'_>>(raw.get()) else {
                continue;
            };
            match (chunk.kind.as_str(), chunk.text, chunk.thinking) {
                (_, _, Some(thinking)) => {
                    for text in thinking_texts(thinking) {
                        let text = self.thoughts.read(text);
                        self.say(Flow::Reasoning, text, thought, out);
                    }
                }
                (Some("text") | None, Some(text), None) => {
                    let text = self.texts.read(text);
                    self.say(Flow::Text, text, || PartStart::Text, out);
                }
                _ => {}
            }
        }
    }

    /// Thoughts. Where they come as text and as details, the text counts, and of the details the signatures.
    fn reasoning(&mut self, said: &Said<'_>, out: &mut Vec<ChatEvent>) {
        let details = said.reasoning_details.as_deref().unwrap_or_default();
        let mut is_shown = false;
        if let Some(text) = said.thoughts() {
            let first = details.first().and_then(|raw| Detail::read(raw));
            if let Some(first) = &first {
                self.turn_to(first, out);
            }
            let text = self.thoughts.read(text);
            is_shown = !text.is_empty();
            // What this gateway puts between two thoughts belongs to neither.
            if self.open.is_some() || !self.after_thought || text != APART {
                self.say(Flow::Reasoning, text, || started(first.as_ref()), out);
                self.is_plain = details.is_empty();
            }
        }
        for raw in details {
            let Some(detail) = Detail::read(raw).filter(|detail| !detail.is_foreign()) else {
                if let Some(part) = foreign(raw) {
                    self.foreign(part.extension, out);
                }
                continue;
            };
            self.turn_to(&detail, out);
            let is_known = is_shown || (self.is_plain && matches!(self.open, Some((Flow::Reasoning, _))));
            if let Some(text) = detail.text().filter(|_| !is_known) {
                let text = self.thoughts.read(text);
                self.say(Flow::Reasoning, text, || started(Some(&detail)), out);
            }
            if let Some(signature) = detail.signature() {
                if detail.is_redacted() {
                    self.close_flow(out);
                }
                let part = self.flow(Flow::Reasoning, || started(Some(&detail)), out);
                self.push(part, PartDelta::Signature(signature), out);
                self.close_flow(out);
            }
        }
    }

    /// Another number among the details is another thought.
    fn turn_to(&mut self, detail: &Detail<'_>, out: &mut Vec<ChatEvent>) {
        let index = detail.index.map(|index| index.0);
        if index.is_some() && self.detail.is_some() && index != self.detail {
            self.close_flow(out);
        }
        self.detail = index.or(self.detail);
    }

    fn call(
        &mut self,
        piece: &CallPiece<'_>,
        index: Option<u64>,
        is_further: bool,
        out: &mut Vec<ChatEvent>,
    ) {
        let made = call_id(self.answer_id.as_deref(), self.index, self.calls.len());
        // Without an index and an id, a name beside another call in one chunk is another call.
        let is_new = is_further && index.is_none() && piece.id().is_none() && piece.name().is_some();
        let known = match is_new {
            true => None,
            false => self.calls.iter().rposition(|call| call.takes(piece, index)),
        };
        if known.is_none() && self.calls.len() >= CALLS_MAX {
            return;
        }
        let at = known.unwrap_or_else(|| {
            self.close_flow(out);
            self.calls.push(CallIn::new(piece, index, made));
            self.calls.len() - 1
        });
        if let Some(call) = self.calls.get_mut(at) {
            call.read(piece, self.index, &mut self.next_part, out);
        }
    }

    fn annotations(&mut self, annotations: &RawValue, out: &mut Vec<ChatEvent>) {
        let part = self.flow(Flow::Text, || PartStart::Text, out);
        let mut extension = Extension::of(Protocol::OpenAiChat);
        extension.push("annotations", Json::from(annotations));
        self.push(part, PartDelta::Annotation(extension), out);
    }

    /// A part that comes whole.
    fn whole(&mut self, name: &str, value: &RawValue, out: &mut Vec<ChatEvent>) {
        let mut extension = Extension::of(Protocol::OpenAiChat);
        extension.push(name, Json::from(value));
        self.foreign(extension, out);
    }

    fn foreign(&mut self, extension: Extension, out: &mut Vec<ChatEvent>) {
        self.close_flow(out);
        self.after_thought = false;
        let (choice, part) = (self.index, self.next_part);
        self.next_part += 1;
        let start = PartStart::Foreign(extension);
        out.push(ChatEvent::PartStart { choice, part, start });
        out.push(ChatEvent::PartEnd { choice, part });
    }

    fn say(&mut self, kind: Flow, text: String, start: impl FnOnce() -> PartStart, out: &mut Vec<ChatEvent>) {
        if !text.is_empty() {
            let part = self.flow(kind, start, out);
            self.push(part, PartDelta::Text(text), out);
        }
    }

    fn push(&self, part: u32, delta: PartDelta, out: &mut Vec<ChatEvent>) {
        out.push(ChatEvent::Delta {
            choice: self.index,
            part,
            delta,
        });
    }

    /// The open part of that kind, after closing one of another kind and opening one.
    fn flow(&mut self, kind: Flow, start: impl FnOnce() -> PartStart, out: &mut Vec<ChatEvent>) -> u32 {
        if let Some((open, part)) = self.open
            && open == kind
        {
            return part;
        }
        self.close_flow(out);
        let part = self.next_part;
        self.next_part += 1;
        self.open = Some((kind, part));
        out.push(ChatEvent::PartStart {
            choice: self.index,
            part,
            start: start(),
        });
        part
    }

    fn close_flow(&mut self, out: &mut Vec<ChatEvent>) {
        if let Some((kind, part)) = self.open.take() {
            self.after_thought = kind == Flow::Reasoning;
            if self.after_thought {
                self.detail = None;
                self.is_plain = false;
            }
            out.push(ChatEvent::PartEnd {
                choice: self.index,
                part,
            });
        }
    }
}

fn thought() -> PartStart {
    started(None)
}

fn started(detail: Option<&Detail<'_>>) -> PartStart {
    PartStart::Reasoning {
        is_summary: detail.is_some_and(Detail::is_summary),
        is_redacted: detail.is_some_and(Detail::is_redacted),
        id: detail.and_then(Detail::id).map(str::to_owned),
    }
}
