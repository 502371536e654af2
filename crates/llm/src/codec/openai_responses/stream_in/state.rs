//! What of an answer was read, event by event.

mod deltas;
mod whole;

use serde_json::value::RawValue;

use self::deltas::end_of;
use super::event::{Event, ItemHead, Response};
use super::failure;
use super::items::{ItemKind, Items};
use crate::chat::{ChatEvent, Extension, PartStart, StopReason, items};
use crate::codec::openai_responses::PROTOCOL;
use crate::codec::openai_responses::answer_in::{incomplete_reason, read_usage, stop_reason};
use crate::codec::openai_responses::tools_in::flat_name;
use crate::error::PublicError;

/// The state of one answer.
#[derive(Default)]
pub(super) struct State {
    items: Items,
    next_part: u32,
    has_started: bool,
    calls_tools: bool,
    is_over: bool,
}

/// Where an event belongs.
#[derive(Clone, Copy)]
struct Place<'a> {
    id: Option<&'a str>,
    index: Option<u64>,
}

impl State {
    /// Whether the answer has ended.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Ends the answer with an error.
    pub(super) fn fail(&mut self, error: PublicError, out: &mut Vec<ChatEvent>) {
        if !std::mem::replace(&mut self.is_over, true) {
            out.push(ChatEvent::Error(error));
        }
    }

    /// The whole answer as events.
    pub(super) fn replayed(&mut self, events: Vec<ChatEvent>, out: &mut Vec<ChatEvent>) {
        self.is_over = true;
        out.extend(events);
    }

    /// Takes an event; false if it cannot be read.
    pub(super) fn event(&mut self, name: Option<&str>, data: &[u8], out: &mut Vec<ChatEvent>) -> bool {
        let Ok(event) = serde_json::from_slice::<Event<'_>>(data) else {
            return false;
        };
        let place = Place {
            id: event.item_id.as_str().filter(|id| !id.is_empty()),
            index: event.output_index.map(|index| index.0),
        };
        match event.kind.as_str().or(name).unwrap_or_default() {
            "response.created" | "response.queued" | "response.in_progress" => {
                self.start(event.response, out);
            }
            "response.output_item.added" => self.item_added(event.item, place, out),
            "response.content_part.added" => self.content_added(&event, place, out),
            "response.output_text.delta" => self.text(&event, place, false, out),
            "response.refusal.delta" => self.text(&event, place, true, out),
            "response.output_text.annotation.added" => self.annotation(&event, place, out),
            "response.content_part.done" => self.content_done(&event, place, out),
            "response.reasoning_summary_text.delta" => {
                self.thought(&event, event.summary_index.0, true, place, out);
            }
            "response.reasoning_text.delta" => {
                self.thought(&event, event.content_index.0, false, place, out);
            }
            "response.function_call_arguments.delta" => self.arguments(&event, "function_call", place, out),
            "response.custom_tool_call_input.delta" => self.arguments(&event, "custom_tool_call", place, out),
            "response.output_item.done" => self.item_done(event.item, place, out),
            name @ ("response.completed"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled") => {
                self.end(name, event.response, out);
            }
            "error" => self.error(data, out),
            _ if event.error.is_some_and(|error| error.get() != "null") => self.error(data, out),
            _ => {}
        }
        true
    }

    fn error(&mut self, data: &[u8], out: &mut Vec<ChatEvent>) {
        let error = failure::of_body(data).unwrap_or_else(|| failure::of_error(None));
        self.fail(error, out);
    }

    fn start(&mut self, response: Option<&RawValue>, out: &mut Vec<ChatEvent>) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let response = response.and_then(Response::read);
        let text = |text: &crate::lenient::Text<'_>| text.as_str().map(str::to_owned);
        out.push(ChatEvent::Start {
            id: response.as_ref().and_then(|response| text(&response.id)),
            model: response.as_ref().and_then(|response| text(&response.model)),
            extension: Extension::of(PROTOCOL),
        });
    }

    fn part(&mut self, start: PartStart, out: &mut Vec<ChatEvent>) -> u32 {
        self.start(None, out);
        let part = self.next_part;
        self.next_part += 1;
        out.push(ChatEvent::PartStart {
            choice: 0,
            part,
            start,
        });
        part
    }

    /// The item that an event is about, added if it was not. An event that names none is about the last one.
    fn item(&mut self, kind: &str, place: Place<'_>) -> usize {
        let is_kind = |items: &mut Items, item| items.get(item).is_some_and(|item| item.kind.is(kind));
        let known = match self.items.find(place.id, place.index) {
            Some(item) if is_kind(&mut self.items, item) => Some(item),
            _ if place.index.is_none() => self.items.last_open(kind),
            _ => None,
        };
        match known {
            Some(item) => {
                self.items.name(item, place.id);
                item
            }
            None => self.items.add(ItemKind::of(kind), place.id, place.index),
        }
    }

    fn item_added(&mut self, json: Option<&RawValue>, place: Place<'_>, out: &mut Vec<ChatEvent>) {
        let Some(head) = json.and_then(ItemHead::read) else {
            return;
        };
        let id = head.id.as_str().or(place.id);
        let kind = head.kind.as_str().unwrap_or_default();
        // The same item may be added again, another one at the same place not.
        let known = self
            .items
            .find(id, None)
            .or_else(|| self.items.find(place.id, None));
        let item = match known {
            Some(item) => item,
            None => self.items.add(ItemKind::of(kind), id, place.index),
        };
        self.begin_call(item, &head, out);
    }

    /// Begins a call as soon as its name is known.
    fn begin_call(&mut self, item: usize, head: &ItemHead<'_>, out: &mut Vec<ChatEvent>) -> Option<u32> {
        let Some(ItemKind::Call(call)) = self.items.get(item).map(|item| &item.kind) else {
            return None;
        };
        if call.part.is_some() {
            return call.part;
        }
        let name = head.name.as_str().filter(|name| !name.is_empty())?;
        let id = [&head.call_id, &head.id]
            .into_iter()
            .find_map(|id| id.as_str().filter(|id| !id.is_empty()));
        let start = PartStart::ToolCall {
            id: id.map_or_else(|| format!("call_{item}"), str::to_owned),
            name: match head.namespace.as_str() {
                Some(namespace) => flat_name(namespace, name),
                None => name.to_owned(),
            },
            is_custom: head.kind.as_str() == Some("custom_tool_call"),
        };
        let part = self.part(start, out);
        self.calls_tools = true;
        if let Some(ItemKind::Call(call)) = self.items.get(item).map(|item| &mut item.kind) {
            call.part = Some(part);
        }
        Some(part)
    }

    /// Ends what of an item goes on.
    fn close(&mut self, item: usize, out: &mut Vec<ChatEvent>) {
        let Some(item) = self.items.get(item) else { return };
        match &mut item.kind {
            ItemKind::Message(contents) => {
                for content in contents.values_mut().filter(|content| !content.is_done) {
                    content.is_done = true;
                    out.push(end_of(content.part));
                }
            }
            ItemKind::Thought(thought) if !item.is_done => out.extend(thought.part.map(end_of)),
            ItemKind::Call(call) if !item.is_done => out.extend(call.part.map(end_of)),
            _ => {}
        }
        item.is_done = true;
    }

    fn end(&mut self, name: &str, response: Option<&RawValue>, out: &mut Vec<ChatEvent>) {
        self.start(response, out);
        let response = response.and_then(Response::read);
        let status = response.as_ref().and_then(|response| response.status.as_str());
        let status = status.unwrap_or_else(|| name.strip_prefix("response.").unwrap_or(name));
        let reason = response.as_ref().and_then(|response| response.incomplete_details);
        let stop = stop_reason(status, reason.and_then(incomplete_reason).as_deref());
        if stop == StopReason::Failed {
            let error = response.and_then(|response| response.error);
            self.fail(failure::of_error(error), out);
            return;
        }
        let output = response.as_ref().and_then(|response| response.output);
        for (index, item) in (0..).zip(output.and_then(items).unwrap_or_default()) {
            let place = Place {
                id: None,
                index: Some(index),
            };
            self.item_done(Some(item), place, out);
        }
        for item in 0..self.items.len() {
            self.close(item, out);
        }
        out.push(ChatEvent::Stop {
            choice: 0,
            reason: stop.with_tools(self.calls_tools),
            stop_sequence: None,
        });
        let usage = response.and_then(|response| response.usage).and_then(read_usage);
        out.extend(usage.map(ChatEvent::Usage));
        out.push(ChatEvent::End);
        self.is_over = true;
    }
}
