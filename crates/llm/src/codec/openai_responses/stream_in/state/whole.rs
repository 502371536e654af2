//! Items that are complete: what their events left out is taken from the items themselves.

use serde_json::value::RawValue;

use super::deltas::{end_of, say};
use super::{Place, State};
use crate::chat::{ChatEvent, Fields, PartDelta, PartKind, PartStart, items};
use crate::codec::openai_responses::PROTOCOL;
use crate::codec::openai_responses::items_in::{self, Item, text_of};
use crate::codec::openai_responses::stream_in::event::{ContentPart, ItemHead};
use crate::codec::openai_responses::stream_in::items::ItemKind;

impl State {
    pub(super) fn item_done(&mut self, json: Option<&RawValue>, place: Place<'_>, out: &mut Vec<ChatEvent>) {
        let Some((json, head)) = json.and_then(|json| Some((json, ItemHead::read(json)?))) else {
            return;
        };
        let kind = head.kind.as_str().unwrap_or_default();
        let id = head.id.as_str().filter(|id| !id.is_empty()).or(place.id);
        let item = self.item(kind, Place { id, ..place });
        match self.items.get(item) {
            Some(item) if !item.is_done => item.is_done = true,
            _ => return,
        }
        match self.items.get(item).map(|item| &item.kind) {
            Some(ItemKind::Message(_)) => self.end_message(item, head.content, out),
            Some(ItemKind::Thought(_)) => self.end_thought(item, json, out),
            Some(ItemKind::Call(_)) => self.end_call(item, &head, out),
            _ => self.foreign(json, out),
        }
    }

    pub(super) fn end_message(&mut self, item: usize, content: Option<&RawValue>, out: &mut Vec<ChatEvent>) {
        let parts = content.and_then(items).unwrap_or_default();
        for (index, part) in (0..).zip(parts) {
            if let Some(part) = ContentPart::read(part)
                && let Some(is_refusal) = part.is_refusal()
            {
                self.end_content(item, index, is_refusal, &part, out);
            }
        }
        self.close(item, out);
    }

    pub(super) fn end_thought(&mut self, item: usize, json: &RawValue, out: &mut Vec<ChatEvent>) {
        let begun = match self.items.get(item).map(|item| &item.kind) {
            Some(ItemKind::Thought(thought)) => thought.part,
            _ => None,
        };
        let whole = match items_in::read(json) {
            Ok(Item::Said(part)) => part.kind,
            _ => PartKind::Foreign,
        };
        let PartKind::Reasoning(whole) = whole else {
            match begun {
                Some(part) => out.push(end_of(part)),
                None => self.foreign(json, out),
            }
            return;
        };
        let part = match begun {
            Some(part) => part,
            None => {
                let start = PartStart::Reasoning {
                    is_summary: whole.is_summary,
                    is_redacted: whole.is_redacted,
                    id: whole.id,
                };
                let part = self.part(start, out);
                say(part, whole.text, out);
                part
            }
        };
        out.extend(whole.signature.map(|signature| ChatEvent::Delta {
            choice: 0,
            part,
            delta: PartDelta::Signature(signature),
        }));
        out.push(end_of(part));
    }

    pub(super) fn end_call(&mut self, item: usize, head: &ItemHead<'_>, out: &mut Vec<ChatEvent>) {
        let Some(part) = self.begin_call(item, head, out) else {
            return;
        };
        let has_arguments = match self.items.get(item).map(|item| &item.kind) {
            Some(ItemKind::Call(call)) => call.has_arguments,
            _ => true,
        };
        let whole = head.arguments.or(head.input).map(text_of).unwrap_or_default();
        if !has_arguments && !whole.is_empty() {
            out.push(ChatEvent::Delta {
                choice: 0,
                part,
                delta: PartDelta::Arguments(whole),
            });
        }
        out.push(end_of(part));
    }

    /// An item that only this protocol has.
    pub(super) fn foreign(&mut self, json: &RawValue, out: &mut Vec<ChatEvent>) {
        if let Ok(fields) = Fields::read(json) {
            let start = PartStart::Foreign(fields.into_extension(PROTOCOL));
            let part = self.part(start, out);
            out.push(end_of(part));
        }
    }
}
