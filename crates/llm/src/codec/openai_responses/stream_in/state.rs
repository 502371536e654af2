//! What of an answer was read, event by event.

use serde_json::value::RawValue;

use super::event::{ContentPart, Event, ItemHead, Response};
use super::failure;
use super::items::{Content, ItemKind, Items};
use crate::chat::{
    ChatEvent, Extension, Fields, Json, PartDelta, PartKind, PartStart, StopReason, items as list_items,
};
use crate::codec::openai_responses::PROTOCOL;
use crate::codec::openai_responses::answer_in::{chat_logprobs, incomplete_reason, read_usage, stop_reason};
use crate::codec::openai_responses::items_in::{self, Item as WholeItem, text_of};
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

    /// Takes an event. What cannot be read is skipped.
    pub(super) fn event(&mut self, name: Option<&str>, data: &[u8], out: &mut Vec<ChatEvent>) {
        if self.is_over {
            return;
        }
        let Ok(event) = serde_json::from_slice::<Event<'_>>(data) else {
            return;
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
    }

    fn error(&mut self, data: &[u8], out: &mut Vec<ChatEvent>) {
        let error = failure::of_body(data).unwrap_or_else(|| failure::of_error(None));
        self.fail(error, out);
    }

    fn start(&mut self, response: Option<&RawValue>, out: &mut Vec<ChatEvent>) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let response = response.and_then(|json| serde_json::from_str::<Response<'_>>(json.get()).ok());
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

    /// The item that an event is about, added if it was not.
    fn item(&mut self, kind: &str, place: Place<'_>) -> usize {
        match self.items.find(place.id, place.index) {
            Some(item) if self.items.get(item).is_some_and(|item| item.kind.is(kind)) => {
                self.items.name(item, place.id);
                item
            }
            _ => self.items.add(ItemKind::of(kind), place.id, place.index),
        }
    }

    fn item_added(&mut self, json: Option<&RawValue>, place: Place<'_>, out: &mut Vec<ChatEvent>) {
        let Some(head) = json.and_then(head) else { return };
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

    /// The content part of a message with that number, begun if it was not.
    fn content(
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

    fn content_added(&mut self, event: &Event<'_>, place: Place<'_>, out: &mut Vec<ChatEvent>) {
        let part = event.part.and_then(content_part);
        if let Some(is_refusal) = part.and_then(|part| part.is_refusal()) {
            let item = self.item("message", place);
            self.content(item, event.content_index.0, is_refusal, out);
        }
    }

    fn text(&mut self, event: &Event<'_>, place: Place<'_>, is_refusal: bool, out: &mut Vec<ChatEvent>) {
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

    fn read(&mut self, item: usize, delta: &RawValue) -> String {
        let item = self.items.get(item);
        item.map(|item| item.halves.read(delta)).unwrap_or_default()
    }

    fn annotation(&mut self, event: &Event<'_>, place: Place<'_>, out: &mut Vec<ChatEvent>) {
        let item = self.item("message", place);
        if let (Some(content), Some(annotation)) = (
            self.content(item, event.content_index.0, false, out),
            event.annotation,
        ) {
            content.annotations += 1;
            annotate(content.part, annotation, out);
        }
    }

    fn content_done(&mut self, event: &Event<'_>, place: Place<'_>, out: &mut Vec<ChatEvent>) {
        if let Some(part) = event.part.and_then(content_part)
            && let Some(is_refusal) = part.is_refusal()
        {
            let item = self.item("message", place);
            self.end_content(item, event.content_index.0, is_refusal, &part, out);
        }
    }

    /// Ends a content part; what its events left out is taken from the part itself.
    fn end_content(
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

    fn thought(
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

    fn arguments(&mut self, event: &Event<'_>, kind: &str, place: Place<'_>, out: &mut Vec<ChatEvent>) {
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

    fn item_done(&mut self, json: Option<&RawValue>, place: Place<'_>, out: &mut Vec<ChatEvent>) {
        let Some((json, head)) = json.and_then(|json| Some((json, head(json)?))) else {
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

    fn end_message(&mut self, item: usize, content: Option<&RawValue>, out: &mut Vec<ChatEvent>) {
        let parts = content.and_then(list_items).unwrap_or_default();
        for (index, part) in (0..).zip(parts) {
            if let Some(part) = content_part(part)
                && let Some(is_refusal) = part.is_refusal()
            {
                self.end_content(item, index, is_refusal, &part, out);
            }
        }
        self.close(item, out);
    }

    fn end_thought(&mut self, item: usize, json: &RawValue, out: &mut Vec<ChatEvent>) {
        let begun = match self.items.get(item).map(|item| &item.kind) {
            Some(ItemKind::Thought(thought)) => thought.part,
            _ => None,
        };
        let whole = match items_in::read(json) {
            Ok(WholeItem::Said(part)) => part.kind,
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

    fn end_call(&mut self, item: usize, head: &ItemHead<'_>, out: &mut Vec<ChatEvent>) {
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
    fn foreign(&mut self, json: &RawValue, out: &mut Vec<ChatEvent>) {
        if let Ok(fields) = Fields::read(json) {
            let start = PartStart::Foreign(fields.into_extension(PROTOCOL));
            let part = self.part(start, out);
            out.push(end_of(part));
        }
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
        let response = response.and_then(|json| serde_json::from_str::<Response<'_>>(json.get()).ok());
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
        for (index, item) in (0..).zip(output.and_then(list_items).unwrap_or_default()) {
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

fn head(json: &RawValue) -> Option<ItemHead<'_>> {
    serde_json::from_str(json.get()).ok()
}

fn content_part(json: &RawValue) -> Option<ContentPart<'_>> {
    serde_json::from_str(json.get()).ok()
}

fn say(part: u32, text: String, out: &mut Vec<ChatEvent>) {
    if !text.is_empty() {
        out.push(ChatEvent::Delta {
            choice: 0,
            part,
            delta: PartDelta::Text(text),
        });
    }
}

fn say_logprobs(logprobs: Option<Vec<Json>>, out: &mut Vec<ChatEvent>) {
    if let Some(logprobs) = logprobs.filter(|logprobs| !logprobs.is_empty()) {
        out.push(ChatEvent::Logprobs {
            choice: 0,
            logprobs: chat_logprobs(&logprobs),
        });
    }
}

fn annotate(part: u32, annotation: &RawValue, out: &mut Vec<ChatEvent>) {
    if let Ok(fields) = Fields::read(annotation) {
        out.push(ChatEvent::Delta {
            choice: 0,
            part,
            delta: PartDelta::Annotation(fields.into_extension(PROTOCOL)),
        });
    }
}

fn end_of(part: u32) -> ChatEvent {
    ChatEvent::PartEnd { choice: 0, part }
}
