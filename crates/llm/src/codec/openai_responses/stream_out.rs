//! Streams for clients, written.
//!
//! Every part of the answer is an item, but for texts that follow each other, which are one message: it is done when
//! something else begins or the answer ends. Calls may overlap, as their events name their item.

mod frames;
mod parts;

use bytes::BytesMut;

use self::frames::Frames;
use super::PROTOCOL;
use super::envelope::{Envelope, State, ToolTable, ended, failure, incomplete, tool_table, usage};
use super::marks;
use super::output::{Output, Thought, item_id, token_logprobs};
use crate::chat::{ChatEvent, Fields, Json, PartStart, Signature, StopReason};
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
                    let item = self.add(Output::Whole(marks::whole(&extension)), out);
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
