//! A stream for a client: one JSON object a line. Calls are told when they are whole.

use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};

use super::answer_in::{stop_word, tokens};
use super::answer_out::put_usage;
use super::{Form, clock, tools};
use crate::chat::{ChatEvent, Extension, Json, Object, PartDelta, PartStart, StopReason, ToolCall};
use crate::codec::{ReplyFacts, StreamEncoder};
use crate::error::Dialect;
use crate::protocol::Protocol;
use crate::usage::Usage;

/// The encoder. There is one alternative; others are left out.
pub(super) struct Encoder {
    form: Form,
    facts: ReplyFacts,
    /// What every line begins with: model and time.
    head: String,
    thoughts: Vec<u32>,
    calls: Vec<(u32, ToolCall)>,
    stop: StopReason,
    usage: Option<Usage>,
    begun: Instant,
    /// When the first piece came.
    first: Option<Instant>,
    is_over: bool,
}

impl StreamEncoder for Encoder {
    fn push(&mut self, event: ChatEvent, out: &mut BytesMut) {
        if self.is_over {
            return;
        }
        match event {
            ChatEvent::Start {
                model: Some(model), ..
            } => self.head = head(&model, &self.facts),
            ChatEvent::PartStart {
                choice: 0,
                part,
                start,
            } => self.part_start(part, start),
            ChatEvent::Delta {
                choice: 0,
                part,
                delta,
            } => self.delta(part, delta, out),
            ChatEvent::PartEnd { choice: 0, part } => self.part_end(part, out),
            ChatEvent::Logprobs { choice: 0, logprobs } => {
                if let Some(tokens) = tokens(&logprobs) {
                    self.line("logprobs", &tokens, out);
                }
            }
            ChatEvent::Stop {
                choice: 0, reason, ..
            } => self.stop = reason,
            ChatEvent::Usage(usage) => self.usage = Some(usage),
            ChatEvent::End => self.end(out),
            ChatEvent::Error(error) => {
                self.is_over = true;
                out.put_slice(&error.event(Dialect::Ollama, None, 0));
            }
            _ => {}
        }
    }
}

impl Encoder {
    pub(super) fn new(form: Form, facts: ReplyFacts) -> Self {
        Self {
            form,
            head: head(&facts.model, &facts),
            facts,
            thoughts: Vec::new(),
            calls: Vec::new(),
            stop: StopReason::Stop,
            usage: None,
            begun: Instant::now(),
            first: None,
            is_over: false,
        }
    }

    fn part_start(&mut self, part: u32, start: PartStart) {
        self.first.get_or_insert_with(Instant::now);
        match start {
            PartStart::Reasoning { .. } => self.thoughts.push(part),
            PartStart::ToolCall { id, name, is_custom } => {
                let call = ToolCall {
                    id,
                    name,
                    arguments: String::new(),
                    is_custom,
                    signature: None,
                };
                self.calls.push((part, call));
            }
            PartStart::Text | PartStart::Refusal | PartStart::Foreign(_) => {}
        }
    }

    fn delta(&mut self, part: u32, delta: PartDelta, out: &mut BytesMut) {
        match delta {
            PartDelta::Text(text) => self.text(&text, self.thoughts.contains(&part), out),
            PartDelta::Arguments(more) => {
                if let Some((_, call)) = self.calls.iter_mut().find(|(open, _)| *open == part) {
                    call.arguments.push_str(&more);
                }
            }
            PartDelta::Signature(_) | PartDelta::Annotation(_) => {}
        }
    }

    fn part_end(&mut self, part: u32, out: &mut BytesMut) {
        self.thoughts.retain(|open| *open != part);
        let Some(index) = self.calls.iter().position(|(open, _)| *open == part) else {
            return;
        };
        let (_, call) = self.calls.remove(index);
        if self.form == Form::Chat {
            let call = tools::encode_call(&call, &Extension::of(Protocol::Passthrough));
            self.line("tool_calls", &Json::of(&[call]), out);
        }
    }

    /// More text, straight into the buffer.
    fn text(&mut self, text: &str, is_thought: bool, out: &mut BytesMut) {
        out.put_slice(self.head.as_bytes());
        out.put_slice(match (self.form, is_thought) {
            (Form::Chat, false) => b"\"message\":{\"role\":\"assistant\",\"content\":",
            (Form::Chat, true) => b"\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":",
            (Form::Generate, false) => b"\"response\":",
            (Form::Generate, true) => b"\"response\":\"\",\"thinking\":",
        });
        // Writing text into memory does not fail.
        let _ = serde_json::to_writer(out.writer(), text);
        out.put_slice(match self.form {
            Form::Chat => b"},\"done\":false}\n",
            Form::Generate => b",\"done\":false}\n",
        });
    }

    /// A line without text but with another member; calls stand within the message.
    fn line(&self, name: &str, value: &Json, out: &mut BytesMut) {
        let is_call = name == "tool_calls";
        let mut rest = Object::new();
        match self.form {
            Form::Chat => {
                let message = Object::new().set("role", "assistant").set("content", "");
                let message = message.set_some(name, is_call.then_some(value));
                rest.put("message", &message.finish());
            }
            Form::Generate => rest.put("response", ""),
        }
        rest.put("done", &false);
        if !is_call {
            rest.put(name, value);
        }
        self.put(&rest.into_text(), out);
    }

    /// Writes a line of an object's members behind those that all lines have. Line ends, which can only stand between
    /// tokens, become blanks.
    fn put(&self, object: &str, out: &mut BytesMut) {
        out.put_slice(self.head.as_bytes());
        let members = object.strip_prefix('{').unwrap_or(object);
        out.put_slice(members.replace(['\n', '\r'], " ").as_bytes());
        out.put_u8(b'\n');
    }

    /// The last line, with the counts and with durations as the gateway sees them.
    fn end(&mut self, out: &mut BytesMut) {
        self.is_over = true;
        let mut last = Object::new();
        match self.form {
            Form::Chat => {
                let message = Object::new().set("role", "assistant").set("content", "");
                last.put("message", &message.finish());
            }
            Form::Generate => last.put("response", ""),
        }
        let now = Instant::now();
        let first = self.first.unwrap_or(now);
        last = last
            .set("done", &true)
            .set("done_reason", stop_word(self.stop))
            .set("total_duration", &nanoseconds(now.duration_since(self.begun)))
            .set("load_duration", &0)
            .set(
                "prompt_eval_duration",
                &nanoseconds(first.duration_since(self.begun)),
            )
            .set("eval_duration", &nanoseconds(now.duration_since(first)));
        if let Some(usage) = &self.usage {
            put_usage(&mut last, usage);
        }
        self.put(&last.into_text(), out);
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn head(model: &str, facts: &ReplyFacts) -> String {
    let mut text = Object::new()
        .set("model", model)
        .set("created_at", &clock::write(facts.created))
        .into_text();
    text.pop();
    text.push(',');
    text
}
