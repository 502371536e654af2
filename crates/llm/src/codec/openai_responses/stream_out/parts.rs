//! Parts of an answer as the events of their items.

use bytes::BytesMut;

use super::frames::{At, ThoughtEvents, call_delta, call_done};
use super::{Encoder, Place, Slot};
use crate::chat::{Extension, PartDelta, Signature};
use crate::codec::openai_responses::opaque;
use crate::codec::openai_responses::output::{Call, Content, Message, Output, Thought, annotations};

impl Encoder {
    pub(super) fn begin_content(&mut self, is_refusal: bool, out: &mut BytesMut) -> Place {
        self.has_refused |= is_refusal;
        let item = match self.open_message {
            Some(item) => item,
            None => {
                let message = Message {
                    id: self.next_id("msg"),
                    contents: Vec::new(),
                    members: Vec::new(),
                };
                self.add(Output::Message(message), out)
            }
        };
        self.open_message = Some(item);
        let Some(slot) = self.items.get_mut(item) else {
            return Place::None;
        };
        slot.open += 1;
        let Output::Message(message) = &mut slot.output else {
            return Place::None;
        };
        let part = Content {
            is_refusal,
            ..Content::default()
        };
        let (content, json) = (message.contents.len(), part.json());
        message.contents.push(part);
        let at = At::content(&message.id, item, content);
        self.frames.part("response.content_part.added", at, &json, out);
        Place::Content { item, content }
    }

    pub(super) fn begin_call(
        &mut self,
        id: String,
        name: String,
        is_custom: bool,
        out: &mut BytesMut,
    ) -> Place {
        let mut call = Call {
            id: String::new(),
            call_id: id,
            name,
            namespace: None,
            arguments: String::new(),
            is_custom,
            members: Vec::new(),
        };
        call.known_as(&self.tools);
        call.id = self.next_id(if call.is_custom { "ctc" } else { "fc" });
        Place::Call {
            is_wrapped: call.is_custom && !is_custom,
            item: self.add(Output::Call(call), out),
            signature: None,
        }
    }

    pub(super) fn delta(&mut self, part: u32, delta: PartDelta, out: &mut BytesMut) {
        let Some(place) = self.places.get_mut(part as usize) else {
            return;
        };
        match (place, delta) {
            (Place::Content { item, content }, PartDelta::Text(text)) => {
                let (item, content) = (*item, *content);
                self.text(item, content, &text, out);
            }
            (Place::Content { item, content }, PartDelta::Annotation(annotation)) => {
                let (item, content) = (*item, *content);
                self.annotation(item, content, &annotation, out);
            }
            (Place::Thought { item, .. }, PartDelta::Text(text)) => {
                let item = *item;
                self.thought(item, &text, out);
            }
            (
                Place::Thought { signature, .. } | Place::Call { signature, .. },
                PartDelta::Signature(told),
            ) => *signature = Some(told),
            (Place::Call { item, is_wrapped, .. }, PartDelta::Arguments(more)) => {
                let (item, is_wrapped) = (*item, *is_wrapped);
                self.arguments(item, is_wrapped, &more, out);
            }
            _ => {}
        }
    }

    pub(super) fn content(&mut self, item: usize, content: usize) -> Option<(&str, &mut Content)> {
        match &mut self.items.get_mut(item)?.output {
            Output::Message(message) => Some((&message.id, message.contents.get_mut(content)?)),
            _ => None,
        }
    }

    fn text(&mut self, item: usize, content: usize, text: &str, out: &mut BytesMut) {
        let logprobs = std::mem::take(&mut self.logprobs);
        let Some(Slot {
            output: Output::Message(message),
            ..
        }) = self.items.get_mut(item)
        else {
            return;
        };
        let Some(part) = message.contents.get_mut(content) else {
            return;
        };
        part.text.push_str(text);
        let at = At::content(&message.id, item, content);
        if part.is_refusal {
            self.frames.delta("response.refusal.delta", at, text, None, out);
        } else {
            let name = "response.output_text.delta";
            self.frames.delta(name, at, text, Some(&logprobs), out);
            part.logprobs.extend(logprobs);
        }
    }

    fn annotation(&mut self, item: usize, content: usize, annotation: &Extension, out: &mut BytesMut) {
        let Some(Slot {
            output: Output::Message(message),
            ..
        }) = self.items.get_mut(item)
        else {
            return;
        };
        let Some(part) = message.contents.get_mut(content) else {
            return;
        };
        let at = At::content(&message.id, item, content);
        for json in annotations(annotation) {
            self.frames.annotation(at, part.annotations.len(), &json, out);
            part.annotations.push(json);
        }
    }

    fn thought(&mut self, item: usize, text: &str, out: &mut BytesMut) {
        let Some(Slot {
            output: Output::Thought(thought),
            ..
        }) = self.items.get_mut(item)
        else {
            return;
        };
        let names = ThoughtEvents::of(thought.is_summary);
        let at = names.at(&thought.id, item);
        if thought.text.is_empty() {
            self.frames.part(names.part_added, at, &thought.part(), out);
        }
        thought.text.push_str(text);
        self.frames.delta(names.delta, at, text, None, out);
    }

    fn arguments(&mut self, item: usize, is_wrapped: bool, more: &str, out: &mut BytesMut) {
        let Some(Slot {
            output: Output::Call(call),
            ..
        }) = self.items.get_mut(item)
        else {
            return;
        };
        call.arguments.push_str(more);
        if !is_wrapped && !more.is_empty() {
            let name = call_delta(call.is_custom);
            self.frames.delta(name, At::item(&call.id, item), more, None, out);
        }
    }

    pub(super) fn part_end(&mut self, part: u32, out: &mut BytesMut) {
        let Some(place) = self.places.get_mut(part as usize) else {
            return;
        };
        match std::mem::replace(place, Place::None) {
            Place::Content { item, content } => self.end_content(item, content, out),
            Place::Thought {
                item,
                signature,
                is_redacted,
            } => self.end_thought(item, signature.as_ref(), is_redacted, out),
            Place::Call {
                item,
                signature,
                is_wrapped,
            } => self.end_call(item, signature.as_ref(), is_wrapped, out),
            Place::None => {}
        }
    }

    fn end_content(&mut self, item: usize, content: usize, out: &mut BytesMut) {
        let logprobs = std::mem::take(&mut self.logprobs);
        let is_open = self.open_message == Some(item);
        let Some(slot) = self.items.get_mut(item) else {
            return;
        };
        slot.open = slot.open.saturating_sub(1);
        let is_last = slot.open == 0;
        let Output::Message(message) = &mut slot.output else {
            return;
        };
        let Some(part) = message.contents.get_mut(content) else {
            return;
        };
        if !part.is_refusal {
            part.logprobs.extend(logprobs);
        }
        let at = At::content(&message.id, item, content);
        self.frames.content_done(at, part, out);
        self.frames
            .part("response.content_part.done", at, &part.json(), out);
        if is_last && !is_open {
            self.done(item, "completed", out);
        }
    }

    fn end_thought(
        &mut self,
        item: usize,
        signature: Option<&Signature>,
        is_redacted: bool,
        out: &mut BytesMut,
    ) {
        let Some(Slot {
            output: Output::Thought(thought),
            ..
        }) = self.items.get_mut(item)
        else {
            return;
        };
        thought.encrypted = signature.map(|signature| opaque::thought(signature, is_redacted));
        if !thought.text.is_empty() {
            let names = ThoughtEvents::of(thought.is_summary);
            let at = names.at(&thought.id, item);
            self.frames.whole(names.done, at, ("text", &thought.text), out);
            self.frames.part(names.part_done, at, &thought.part(), out);
        }
        self.done(item, "completed", out);
    }

    fn end_call(&mut self, item: usize, signature: Option<&Signature>, is_wrapped: bool, out: &mut BytesMut) {
        let Some(Slot {
            output: Output::Call(call),
            ..
        }) = self.items.get_mut(item)
        else {
            return;
        };
        let was_empty = call.arguments.trim().is_empty();
        if is_wrapped {
            call.unwrap_input();
        }
        call.complete();
        let at = At::item(&call.id, item);
        if (is_wrapped || was_empty) && !call.arguments.is_empty() {
            let name = call_delta(call.is_custom);
            self.frames.delta(name, at, &call.arguments, None, out);
        }
        let (name, member) = call_done(call.is_custom);
        self.frames.whole(name, at, (member, &call.arguments), out);
        let call_id = call.call_id.clone();
        self.done(item, "completed", out);
        if let Some(signature) = signature {
            let carrier = Thought {
                id: self.next_id("rs"),
                text: String::new(),
                is_summary: true,
                encrypted: Some(opaque::call(signature, &call_id)),
            };
            let item = self.add(Output::Thought(carrier), out);
            self.done(item, "completed", out);
        }
    }
}
