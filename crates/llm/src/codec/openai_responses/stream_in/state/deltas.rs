//! Pieces of items, as they come.

use serde_json::value::RawValue;

use super::{Place, State};
use crate::chat::{ChatEvent, Fields, Json, PartDelta, PartStart};
use crate::codec::openai_responses::PROTOCOL;
use crate::codec::openai_responses::answer_in::chat_logprobs;
use crate::codec::openai_responses::stream_in::event::{ContentPart, Event};
use crate::codec::openai_responses::stream_in::items::{Content, ItemKind};

impl State {
    /// The content part of a message with that number, begun if it was not.
    pub(super) fn content(
        &mut self,
        item: usize,
        index: u64,
        is_refusal: bool,
        out: &mut Vec<ChatEvent>,
    ) -> Option<&mut Content> {
        let is_new = match self.items.get(item).map(|item| &item.kind) {
            Some(ItemKind::Message(contents)) => !contents.contains_key(&index),
            _ => return None,
        };
        let start = if is_refusal {
            PartStart::Refusal
        } else {
            PartStart::Text
        };
        let new = is_new.then(|| Content {
            part: self.part(start, out),
            has_text: false,
            annotations: 0,
            is_done: false,
        });
        let Some(ItemKind::Message(contents)) = self.items.get(item).map(|item| &mut item.kind) else {
            return None;
        };
        if let Some(new) = new {
            contents.insert(index, new);
        }
        contents.get_mut(&index).filter(|content| !content.is_done)
    }

    pub(super) fn content_added(&mut self, event: &Event<'_>, place: Place<'_>, out: &mut Vec<ChatEvent>) {
        let part = event.part.and_then(ContentPart::read);
        if let Some(is_refusal) = part.and_then(|part| part.is_refusal()) {
            let item = self.item("message", place);
            self.content(item, event.content_index.0, is_refusal, out);
        }
    }

    pub(super) fn text(
        &mut self,
        event: &Event<'_>,
        place: Place<'_>,
        is_refusal: bool,
        out: &mut Vec<ChatEvent>,
    ) {
        let Some(delta) = event.delta else { return };
        let item = self.item("message", place);
        let text = self.read(item, delta);
        if let Some(content) = self.content(item, event.content_index.0, is_refusal, out) {
            content.has_text = true;
            say(content.part, text, out);
        }
        let logprobs = event
            .logprobs
            .and_then(|list| Json::from(list).read::<Vec<Json>>());
        say_logprobs(logprobs, out);
    }

    pub(super) fn read(&mut self, item: usize, delta: &RawValue) -> String {
        let item = self.items.get(item);
        item.map(|item| item.pieces.read(delta)).unwrap_or_default()
    }

    pub(super) fn annotation(&mut self, event: &Event<'_>, place: Place<'_>, out: &mut Vec<ChatEvent>) {
        let item = self.item("message", place);
        if let (Some(content), Some(annotation)) = (
            self.content(item, event.content_index.0, false, out),
            event.annotation,
        ) {
            content.annotations += 1;
            annotate(content.part, annotation, out);
        }
    }

    pub(super) fn content_done(&mut self, event: &Event<'_>, place: Place<'_>, out: &mut Vec<ChatEvent>) {
        if let Some(part) = event.part.and_then(ContentPart::read)
            && let Some(is_refusal) = part.is_refusal()
        {
            let item = self.item("message", place);
            self.end_content(item, event.content_index.0, is_refusal, &part, out);
        }
    }

    /// Ends a content part; what its events left out is taken from the part itself.
    pub(super) fn end_content(
        &mut self,
        item: usize,
        index: u64,
        is_refusal: bool,
        part: &ContentPart<'_>,
        out: &mut Vec<ChatEvent>,
    ) {
        let Some(content) = self.content(item, index, is_refusal, out) else {
            return;
        };
        content.is_done = true;
        let (number, has_text) = (content.part, content.has_text);
        if !has_text {
            say(number, part.said().to_owned(), out);
            say_logprobs(part.logprobs.clone(), out);
        }
        let missed = part.annotations.iter().flatten().skip(content.annotations);
        for annotation in missed {
            if let Some(raw) = annotation.read::<&RawValue>() {
                annotate(number, raw, out);
            }
        }
        out.push(end_of(number));
    }

    pub(super) fn thought(
        &mut self,
        event: &Event<'_>,
        index: u64,
        is_summary: bool,
        place: Place<'_>,
        out: &mut Vec<ChatEvent>,
    ) {
        let Some(delta) = event.delta else { return };
        let item = self.item("reasoning", place);
        let text = self.read(item, delta);
        let Some(ItemKind::Thought(thought)) = self.items.get(item).map(|item| &mut item.kind) else {
            return;
        };
        let (part, is_next) = match thought.part {
            // Of a thought that is shown in both forms, the first counts.
            Some(_) if thought.is_summary != is_summary => return,
            Some(part) => (part, index > thought.last_index),
            None => {
                let start = PartStart::Reasoning {
                    is_summary,
                    is_redacted: false,
                    id: place.id.map(str::to_owned),
                };
                (self.part(start, out), false)
            }
        };
        if let Some(ItemKind::Thought(thought)) = self.items.get(item).map(|item| &mut item.kind) {
            thought.part = Some(part);
            thought.is_summary = is_summary;
            thought.last_index = index;
        }
        if is_next {
            say(part, "\n\n".to_owned(), out);
        }
        say(part, text, out);
    }

    pub(super) fn arguments(
        &mut self,
        event: &Event<'_>,
        kind: &str,
        place: Place<'_>,
        out: &mut Vec<ChatEvent>,
    ) {
        let Some(delta) = event.delta else { return };
        let item = self.item(kind, place);
        let arguments = self.read(item, delta);
        // A call without a name is read when it is complete.
        if let Some(ItemKind::Call(call)) = self.items.get(item).map(|item| &mut item.kind)
            && let Some(part) = call.part
            && !arguments.is_empty()
        {
            call.has_arguments = true;
            out.push(ChatEvent::Delta {
                choice: 0,
                part,
                delta: PartDelta::Arguments(arguments),
            });
        }
    }
}

pub(super) fn say(part: u32, text: String, out: &mut Vec<ChatEvent>) {
    if !text.is_empty() {
        out.push(ChatEvent::Delta {
            choice: 0,
            part,
            delta: PartDelta::Text(text),
        });
    }
}

pub(super) fn say_logprobs(logprobs: Option<Vec<Json>>, out: &mut Vec<ChatEvent>) {
    if let Some(logprobs) = logprobs.filter(|logprobs| !logprobs.is_empty()) {
        out.push(ChatEvent::Logprobs {
            choice: 0,
            logprobs: chat_logprobs(&logprobs),
        });
    }
}

pub(super) fn annotate(part: u32, annotation: &RawValue, out: &mut Vec<ChatEvent>) {
    if let Ok(fields) = Fields::read(annotation) {
        out.push(ChatEvent::Delta {
            choice: 0,
            part,
            delta: PartDelta::Annotation(fields.into_extension(PROTOCOL)),
        });
    }
}

pub(super) fn end_of(part: u32) -> ChatEvent {
    ChatEvent::PartEnd { choice: 0, part }
}
