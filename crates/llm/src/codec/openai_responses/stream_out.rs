//! Streams for clients, written.
//!
//! Every part of the answer is an item, but for texts that follow each other, which are one message: it is done when
//! something else begins or the answer ends. Calls may overlap, as their events name their item.

mod frames;

use bytes::BytesMut;

use self::frames::Frames;
use super::PROTOCOL;
use super::envelope::{Envelope, State, ToolTable, ended, failure, incomplete, tool_table, usage};
use super::opaque;
use super::output::{Call, Content, Message, Output, Thought, item_id, token_logprobs};
use crate::chat::{ChatEvent, Extension, Fields, Json, Object, PartDelta, PartStart, Signature, StopReason};
use crate::codec::{ReplyFacts, StreamEncoder};
use crate::error::{ErrorKind, PublicError};
use crate::usage::Usage;

/// Writes one stream.
pub(super) struct Encoder {
    id: String,
    envelope: Envelope,
    tools: ToolTable,
    frames: Frames,
    /// Where the parts of the answer went, by their numbers.
    places: Vec<Place>,
    items: Vec<Slot>,
    /// The message that further texts go to.
    open_message: Option<usize>,
    /// Probabilities that wait for the text that they belong to.
    logprobs: Vec<Json>,
    stop: StopReason,
    usage: Option<Usage>,
    has_started: bool,
    has_refused: bool,
    is_over: bool,
    /// Whether the provider speaks this protocol, so that it says whether it summarises.
    is_own: bool,
}

/// An item of the output.
struct Slot {
    output: Output,
    /// Content parts that go on.
    open: usize,
    /// The item, once it is complete.
    done: Option<Json>,
}

/// Where a part of the answer went.
enum Place {
    Content {
        item: usize,
        content: usize,
    },
    Thought {
        item: usize,
        signature: Option<Signature>,
        is_redacted: bool,
    },
    Call {
        item: usize,
        signature: Option<Signature>,
        /// A custom tool that was called as a function: its input can be read when it is complete.
        is_wrapped: bool,
    },
    /// Nowhere.
    None,
}

impl Encoder {
    /// An encoder for the answer to one request.
    pub(super) fn new(facts: ReplyFacts) -> Self {
        let request = Fields::from_slice(&facts.body).unwrap_or_default();
        let tools = tool_table(&request);
        let envelope = Envelope::new(&facts, request);
        Self {
            envelope,
            tools,
            id: facts.id,
            frames: Frames::default(),
            places: Vec::new(),
            items: Vec::new(),
            open_message: None,
            logprobs: Vec::new(),
            stop: StopReason::Stop,
            usage: None,
            has_started: false,
            has_refused: false,
            is_over: false,
            is_own: false,
        }
    }

    fn start(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let response = self.envelope.json(&State::BEGUN);
        self.frames.response("response.created", &response, out);
        self.frames.response("response.in_progress", &response, out);
    }

    fn part_start(&mut self, start: PartStart, out: &mut BytesMut) {
        let place = match start {
            PartStart::Text => self.begin_content(false, out),
            PartStart::Refusal => self.begin_content(true, out),
            PartStart::Reasoning {
                is_summary,
                is_redacted,
                id,
            } => {
                let thought = Thought {
                    id: id.unwrap_or_else(|| self.next_id("rs")),
                    text: String::new(),
                    is_summary: is_summary || !self.is_own,
                    encrypted: None,
                };
                Place::Thought {
                    item: self.add(Output::Thought(thought), out),
                    signature: None,
                    is_redacted,
                }
            }
            PartStart::ToolCall { id, name, is_custom } => self.begin_call(id, name, is_custom, out),
            PartStart::Foreign(extension) => {
                if extension.protocol() == PROTOCOL {
                    let whole = Object::new().extend(&extension, PROTOCOL).finish();
                    let item = self.add(Output::Whole(whole), out);
                    self.done(item, "completed", out);
                }
                Place::None
            }
        };
        self.places.push(place);
    }

    fn next_id(&self, prefix: &str) -> String {
        item_id(prefix, &self.id, self.items.len())
    }

    /// Adds an item, which ends the message before it.
    fn add(&mut self, output: Output, out: &mut BytesMut) -> usize {
        if let Some(message) = self.open_message.take()
            && self.items.get(message).is_some_and(|slot| slot.open == 0)
        {
            self.done(message, "completed", out);
        }
        let index = self.items.len();
        let json = output.json("in_progress");
        self.frames.item("response.output_item.added", index, &json, out);
        self.items.push(Slot {
            output,
            open: 0,
            done: None,
        });
        index
    }

    /// Says that an item is complete.
    fn done(&mut self, item: usize, status: &str, out: &mut BytesMut) {
        if let Some(slot) = self.items.get_mut(item).filter(|slot| slot.done.is_none()) {
            let json = slot.output.json(status);
            self.frames.item("response.output_item.done", item, &json, out);
            slot.done = Some(json);
        }
    }

    fn begin_content(&mut self, is_refusal: bool, out: &mut BytesMut) -> Place {
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
        let at = frames::At::content(&message.id, item, content);
        self.frames.part("response.content_part.added", at, &json, out);
        Place::Content { item, content }
    }

    fn begin_call(&mut self, id: String, name: String, is_custom: bool, out: &mut BytesMut) -> Place {
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

    fn delta(&mut self, part: u32, delta: PartDelta, out: &mut BytesMut) {
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

    fn content(&mut self, item: usize, content: usize) -> Option<(&str, &mut Content)> {
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
        let at = frames::At::content(&message.id, item, content);
        if part.is_refusal {
            self.frames.delta("response.refusal.delta", at, text, None, out);
        } else {
            let name = "response.output_text.delta";
            self.frames.delta(name, at, text, Some(&logprobs), out);
            part.logprobs.extend(logprobs);
        }
    }

    /// Annotations of other protocols have no form here.
    fn annotation(&mut self, item: usize, content: usize, annotation: &Extension, out: &mut BytesMut) {
        if annotation.protocol() != PROTOCOL {
            return;
        }
        let json = Object::new().extend(annotation, PROTOCOL).finish();
        let Some((id, part)) = self.content(item, content) else {
            return;
        };
        let id = id.to_owned();
        let index = part.annotations.len();
        part.annotations.push(json.clone());
        let at = frames::At::content(&id, item, content);
        self.frames.annotation(at, index, &json, out);
    }

    fn thought(&mut self, item: usize, text: &str, out: &mut BytesMut) {
        let Some(Slot {
            output: Output::Thought(thought),
            ..
        }) = self.items.get_mut(item)
        else {
            return;
        };
        let names = frames::ThoughtEvents::of(thought.is_summary);
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
            let name = frames::call_delta(call.is_custom);
            self.frames
                .delta(name, frames::At::item(&call.id, item), more, None, out);
        }
    }

    fn part_end(&mut self, part: u32, out: &mut BytesMut) {
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
        let at = frames::At::content(&message.id, item, content);
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
            let names = frames::ThoughtEvents::of(thought.is_summary);
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
        let at = frames::At::item(&call.id, item);
        if (is_wrapped || was_empty) && !call.arguments.is_empty() {
            let name = frames::call_delta(call.is_custom);
            self.frames.delta(name, at, &call.arguments, None, out);
        }
        let (name, member) = frames::call_done(call.is_custom);
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

    /// The last message waited for what follows it.
    fn close_message(&mut self, out: &mut BytesMut) {
        let Some(item) = self.open_message.take() else {
            return;
        };
        let logprobs = std::mem::take(&mut self.logprobs);
        if let Some((_, part)) = self.content(item, 0) {
            part.logprobs.extend(logprobs);
        }
        let (status, _) = ended(self.stop, self.has_refused);
        self.done(item, status, out);
    }

    fn end(&mut self, out: &mut BytesMut) {
        if self.stop == StopReason::Failed {
            let message = "the provider failed within its answer";
            self.fail(&PublicError::new(ErrorKind::Upstream, message), out);
            return;
        }
        self.start(out);
        self.close_message(out);
        for item in 0..self.items.len() {
            self.done(item, "completed", out);
        }
        let (status, reason) = ended(self.stop, self.has_refused);
        let name = match status {
            "incomplete" => "response.incomplete",
            _ => "response.completed",
        };
        self.last(name, status, None, reason.map(incomplete), out);
    }

    /// Ends as OpenAI does: with an `error`, which SDKs raise, and the response that failed.
    fn fail(&mut self, error: &PublicError, out: &mut BytesMut) {
        self.start(out);
        self.frames.error(error, out);
        self.last("response.failed", "failed", Some(failure(error)), None, out);
    }

    fn last(
        &mut self,
        name: &str,
        status: &str,
        error: Option<Json>,
        incomplete: Option<Json>,
        out: &mut BytesMut,
    ) {
        let items = std::mem::take(&mut self.items).into_iter();
        let output: Vec<_> = items
            .map(|slot| slot.done.unwrap_or_else(|| slot.output.json("incomplete")))
            .collect();
        let response = self.envelope.json(&State {
            status,
            error,
            incomplete,
            output: &output,
            usage: self.usage.as_ref().map(usage),
        });
        self.frames.response(name, &response, out);
        self.is_over = true;
    }
}

impl StreamEncoder for Encoder {
    fn push(&mut self, event: ChatEvent, out: &mut BytesMut) {
        if self.is_over {
            return;
        }
        match event {
            ChatEvent::Start { id, model, extension } => {
                self.is_own = extension.protocol() == PROTOCOL;
                self.envelope
                    .answered(id.as_deref(), model.as_deref(), &extension);
                self.start(out);
            }
            ChatEvent::PartStart {
                choice: 0,
                part,
                start,
            } if part as usize == self.places.len() => {
                self.start(out);
                self.part_start(start, out);
            }
            ChatEvent::Delta {
                choice: 0,
                part,
                delta,
            } => self.delta(part, delta, out),
            ChatEvent::PartEnd { choice: 0, part } => self.part_end(part, out),
            ChatEvent::Logprobs { choice: 0, logprobs } => self.logprobs.extend(token_logprobs(&logprobs)),
            ChatEvent::Stop {
                choice: 0, reason, ..
            } => {
                self.stop = reason;
                self.close_message(out);
            }
            ChatEvent::Usage(usage) => self.usage = Some(usage),
            ChatEvent::End => self.end(out),
            ChatEvent::Error(error) => self.fail(&error, out),
            // The protocol has one alternative.
            ChatEvent::PartStart { .. }
            | ChatEvent::Delta { .. }
            | ChatEvent::PartEnd { .. }
            | ChatEvent::Logprobs { .. }
            | ChatEvent::Stop { .. } => {}
        }
    }
}
