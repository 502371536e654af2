//! A stream for a client: server-sent events that are named by their type.

use bytes::{BufMut, BytesMut};
use sluice_wire::write_frame;

use super::answer_out::usage_object;
use super::{PROTOCOL, finish, logprobs};
use crate::chat::{ChatEvent, Extension, Json, Object, PartDelta, PartStart, Sequencer, StopReason};
use crate::codec::{ReplyFacts, StreamEncoder};
use crate::error::Dialect;
use crate::usage::Usage;

/// The encoder. Parts come one after the other, and there is one alternative; others are left out.
pub(super) struct Encoder {
    id: String,
    sequencer: Sequencer,
    ready: Vec<ChatEvent>,
    open: Option<Open>,
    /// Whose words the usage is in.
    extension: Extension,
    contents: u32,
    calls: u32,
    citations: u32,
    stop: StopReason,
    usage: Option<Usage>,
    is_over: bool,
}

/// The part that is open, and its index among those of its kind.
#[derive(Clone, Copy)]
enum Open {
    Text(u32),
    Thinking(u32),
    Plan,
    Call(u32),
    /// One that is not shown.
    Hidden,
}

impl StreamEncoder for Encoder {
    fn push(&mut self, event: ChatEvent, out: &mut BytesMut) {
        if self.is_over {
            return;
        }
        let mut ready = std::mem::take(&mut self.ready);
        self.sequencer.push(event, &mut ready);
        for event in ready.drain(..) {
            self.write(event, out);
        }
        self.ready = ready;
    }
}

impl Encoder {
    pub(super) fn new(facts: ReplyFacts) -> Self {
        Self {
            id: facts.id,
            sequencer: Sequencer::default(),
            ready: Vec::new(),
            open: None,
            extension: Extension::of(crate::protocol::Protocol::Passthrough),
            contents: 0,
            calls: 0,
            citations: 0,
            stop: StopReason::Stop,
            usage: None,
            is_over: false,
        }
    }

    fn write(&mut self, event: ChatEvent, out: &mut BytesMut) {
        match event {
            ChatEvent::Start { id, extension, .. } => self.start(id, &extension, out),
            ChatEvent::PartStart { start, .. } => self.part_start(start, out),
            ChatEvent::Delta { delta, .. } => self.delta(delta, out),
            ChatEvent::PartEnd { .. } => self.part_end(out),
            ChatEvent::Logprobs { logprobs, .. } => self.logprobs(&logprobs, out),
            ChatEvent::Stop { reason, .. } => self.stop = reason,
            ChatEvent::Usage(usage) => self.usage = Some(usage),
            ChatEvent::End => self.end(out),
            ChatEvent::Error(error) => {
                self.is_over = true;
                out.put_slice(&error.event(Dialect::Cohere, None, 0));
            }
        }
    }

    fn start(&mut self, id: Option<String>, extension: &Extension, out: &mut BytesMut) {
        self.id = id.unwrap_or_else(|| std::mem::take(&mut self.id));
        self.extension = Extension::of(extension.protocol());
        let none: [u8; 0] = [];
        let message = Object::new()
            .set("role", "assistant")
            .set("content", &none)
            .set("tool_plan", "")
            .set("tool_calls", &none)
            .set("citations", &none);
        let delta = Object::new().set("message", &message.finish());
        let event = Object::new()
            .set("id", &self.id)
            .set("type", "message-start")
            .set("delta", &delta.finish());
        frame(out, "message-start", event);
    }

    fn part_start(&mut self, start: PartStart, out: &mut BytesMut) {
        let is_own = self.extension.protocol() == PROTOCOL;
        let open = match start {
            PartStart::Text | PartStart::Refusal => {
                let content = Object::new().set("type", "text").set("text", "");
                Open::Text(self.content_start(content, out))
            }
            PartStart::Reasoning { is_summary: true, .. } if is_own => Open::Plan,
            PartStart::Reasoning {
                is_redacted: false, ..
            } => {
                let content = Object::new().set("type", "thinking").set("thinking", "");
                Open::Thinking(self.content_start(content, out))
            }
            PartStart::ToolCall { id, name, .. } => {
                let function = Object::new().set("name", &name).set("arguments", "");
                let call = Object::new().set("id", &id).set("type", "function");
                let call = call.set("function", &function.finish()).finish();
                event(
                    out,
                    "tool-call-start",
                    Some(self.calls),
                    Some(("tool_calls", &call)),
                );
                Open::Call(self.calls)
            }
            PartStart::Reasoning { .. } | PartStart::Foreign(_) => Open::Hidden,
        };
        self.open = Some(open);
    }

    fn content_start(&mut self, content: Object, out: &mut BytesMut) -> u32 {
        let index = self.contents;
        self.contents += 1;
        event(
            out,
            "content-start",
            Some(index),
            Some(("content", &content.finish())),
        );
        index
    }

    fn delta(&mut self, delta: PartDelta, out: &mut BytesMut) {
        match (self.open, delta) {
            (Some(Open::Text(index)), PartDelta::Text(text)) => {
                text_event(
                    out,
                    "content-delta",
                    Some(index),
                    "\"content\":{\"text\":",
                    &text,
                    "}",
                );
            }
            (Some(Open::Thinking(index)), PartDelta::Text(text)) => {
                text_event(
                    out,
                    "content-delta",
                    Some(index),
                    "\"content\":{\"thinking\":",
                    &text,
                    "}",
                );
            }
            (Some(Open::Plan), PartDelta::Text(text)) => {
                text_event(out, "tool-plan-delta", None, "\"tool_plan\":", &text, "");
            }
            (Some(Open::Call(index)), PartDelta::Arguments(text)) => {
                let head = "\"tool_calls\":{\"function\":{\"arguments\":";
                text_event(out, "tool-call-delta", Some(index), head, &text, "}}");
            }
            (Some(Open::Text(_)), PartDelta::Annotation(extension)) => self.citations(&extension, out),
            _ => {}
        }
    }

    fn citations(&mut self, extension: &Extension, out: &mut BytesMut) {
        if let Some(citation) = extension.get(PROTOCOL, "citations") {
            event(
                out,
                "citation-start",
                Some(self.citations),
                Some(("citations", citation)),
            );
            event(out, "citation-end", Some(self.citations), None);
            self.citations += 1;
        }
    }

    fn logprobs(&self, logprobs: &Json, out: &mut BytesMut) {
        let Some(Open::Text(index)) = self.open else {
            return;
        };
        let content = Object::new().set("text", "").finish();
        let message = Object::new().set("content", &content).finish();
        let delta = Object::new().set("message", &message).finish();
        for piece in logprobs::from_openai(logprobs).unwrap_or_default() {
            let event = Object::new().set("type", "content-delta").set("index", &index);
            frame(
                out,
                "content-delta",
                event.set("delta", &delta).set("logprobs", &piece),
            );
        }
    }

    fn part_end(&mut self, out: &mut BytesMut) {
        match self.open.take() {
            Some(Open::Text(index) | Open::Thinking(index)) => event(out, "content-end", Some(index), None),
            Some(Open::Call(index)) => {
                event(out, "tool-call-end", Some(index), None);
                self.calls += 1;
            }
            Some(Open::Plan | Open::Hidden) | None => {}
        }
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.is_over = true;
        let usage = self
            .usage
            .as_ref()
            .map(|usage| usage_object(usage, &self.extension));
        let delta = Object::new()
            .set("finish_reason", finish::write(self.stop))
            .set_some("usage", usage);
        let event = Object::new()
            .set("type", "message-end")
            .set("id", &self.id)
            .set("delta", &delta.finish());
        frame(out, "message-end", event);
    }
}

fn frame(out: &mut BytesMut, name: &str, event: Object) {
    write_frame(out, Some(name), event.into_text().as_bytes());
}

/// An event about a part, with a member of the message's delta.
fn event(out: &mut BytesMut, name: &str, index: Option<u32>, member: Option<(&str, &Json)>) {
    let mut event = Object::new().set("type", name).set_some("index", index);
    if let Some((member, value)) = member {
        let message = Object::new().set(member, value).finish();
        event.put("delta", &Object::new().set("message", &message).finish());
    }
    frame(out, name, event);
}

/// An event that brings more text, straight into the buffer. `head` and `tail` stand around the text in the message.
fn text_event(out: &mut BytesMut, name: &str, index: Option<u32>, head: &str, text: &str, tail: &str) {
    for piece in ["event: ", name, "\ndata: {\"type\":\"", name, "\","] {
        out.put_slice(piece.as_bytes());
    }
    // Writing text into memory does not fail.
    if let Some(index) = index {
        out.put_slice(b"\"index\":");
        let _ = serde_json::to_writer(out.writer(), &index);
        out.put_u8(b',');
    }
    out.put_slice(b"\"delta\":{\"message\":{");
    out.put_slice(head.as_bytes());
    let _ = serde_json::to_writer(out.writer(), text);
    out.put_slice(tail.as_bytes());
    out.put_slice(b"}}}\n\n");
}
