//! A stream for a client: server-sent events, or one JSON array whose items come as they are made.
//!
//! Every event is a whole answer object with what has been added. Calls are told when they are whole. There are no
//! comments: Google's SDKs would take them for JSON.

use bytes::{BufMut, BytesMut};

use super::answer_out::{function_call, signature_part, usage_metadata};
use super::request_out::nothing;
use super::{PROTOCOL, finish, logprobs};
use crate::chat::{ChatEvent, Extension, Json, Object, PartDelta, PartStart, StopReason, ToolCall};
use crate::codec::{ReplyFacts, StreamEncoder};
use crate::error::{Dialect, PublicError};
use crate::usage::Usage;

/// The encoder.
pub(super) struct Encoder {
    facts: ReplyFacts,
    /// `"modelVersion":…,"responseId":…}`, what every event ends with.
    tail: String,
    /// What Gemini alone says of the answer, such as why the prompt was blocked.
    extension: Extension,
    open: Vec<OpenPart>,
    has_parts: bool,
    /// Whether anything was written.
    has_begun: bool,
    stops: Vec<(u32, StopReason)>,
    usage: Option<Usage>,
    is_over: bool,
}

/// A part that is not complete.
struct OpenPart {
    choice: u32,
    part: u32,
    kind: OpenKind,
}

enum OpenKind {
    Text,
    Thought { is_redacted: bool },
    Call(ToolCall),
}

impl StreamEncoder for Encoder {
    fn push(&mut self, event: ChatEvent, out: &mut BytesMut) {
        if self.is_over {
            return;
        }
        match event {
            ChatEvent::Start { id, model, extension } => {
                self.tail = tail(
                    id.as_ref().unwrap_or(&self.facts.id),
                    model.as_ref().unwrap_or(&self.facts.model),
                );
                self.extension = extension;
            }
            ChatEvent::PartStart { choice, part, start } => self.part_start(choice, part, start, out),
            ChatEvent::Delta { choice, part, delta } => self.delta(choice, part, delta, out),
            ChatEvent::PartEnd { choice, part } => self.part_end(choice, part, out),
            ChatEvent::Logprobs { choice, logprobs } => {
                if let Some(result) = logprobs::from_openai(&logprobs) {
                    self.member(choice, "logprobsResult", &result, out);
                }
            }
            ChatEvent::Stop { choice, reason, .. } => self.stops.push((choice, reason)),
            ChatEvent::Usage(usage) => self.usage = Some(usage),
            ChatEvent::End => self.end(out),
            ChatEvent::Error(error) => self.fail(&error, out),
        }
    }
}

impl Encoder {
    pub(super) fn new(facts: ReplyFacts) -> Self {
        Self {
            tail: tail(&facts.id, &facts.model),
            facts,
            extension: nothing(),
            open: Vec::new(),
            has_parts: false,
            has_begun: false,
            stops: Vec::new(),
            usage: None,
            is_over: false,
        }
    }

    fn part_start(&mut self, choice: u32, part: u32, start: PartStart, out: &mut BytesMut) {
        let kind = match start {
            PartStart::Text | PartStart::Refusal => OpenKind::Text,
            PartStart::Reasoning { is_redacted, .. } => OpenKind::Thought { is_redacted },
            PartStart::ToolCall { id, name, is_custom } => OpenKind::Call(ToolCall {
                id,
                name,
                arguments: String::new(),
                is_custom,
                signature: None,
            }),
            PartStart::Foreign(extension) => {
                if extension.protocol() == PROTOCOL {
                    let part = Object::new().extend(&extension, PROTOCOL).finish();
                    self.part(choice, &part, out);
                }
                return;
            }
        };
        self.open.push(OpenPart { choice, part, kind });
    }

    fn delta(&mut self, choice: u32, part: u32, delta: PartDelta, out: &mut BytesMut) {
        let is_it = |open: &&mut OpenPart| open.choice == choice && open.part == part;
        let Some(open) = self.open.iter_mut().find(is_it) else {
            return;
        };
        match (&mut open.kind, delta) {
            (OpenKind::Call(call), PartDelta::Arguments(more)) => call.arguments.push_str(&more),
            (OpenKind::Call(call), PartDelta::Signature(signature)) => call.signature = Some(signature),
            (OpenKind::Text, PartDelta::Text(text)) => self.text(choice, &text, false, out),
            (OpenKind::Thought { .. }, PartDelta::Text(text)) => self.text(choice, &text, true, out),
            (OpenKind::Thought { is_redacted }, PartDelta::Signature(signature)) => {
                if let Some(part) = signature_part(&signature, *is_redacted) {
                    self.part(choice, &part, out);
                }
            }
            (_, PartDelta::Annotation(extension)) => {
                for (name, value) in extension.members(PROTOCOL) {
                    self.member(choice, name, value, out);
                }
            }
            _ => {}
        }
    }

    fn part_end(&mut self, choice: u32, part: u32, out: &mut BytesMut) {
        let Some(index) = self
            .open
            .iter()
            .position(|open| open.choice == choice && open.part == part)
        else {
            return;
        };
        if let OpenKind::Call(call) = self.open.remove(index).kind {
            self.part(choice, &function_call(&call, &nothing()), out);
        }
    }

    /// More text, straight into the buffer.
    fn text(&mut self, choice: u32, text: &str, is_thought: bool, out: &mut BytesMut) {
        self.has_parts = true;
        self.begin(out);
        out.put_slice(b"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":");
        string(out, text);
        out.put_slice(if is_thought { b",\"thought\":true}" } else { b"}" });
        self.close_content(choice, out);
    }

    /// A part that is whole.
    fn part(&mut self, choice: u32, part: &Json, out: &mut BytesMut) {
        self.has_parts = true;
        self.begin(out);
        out.put_slice(b"{\"candidates\":[{\"content\":{\"parts\":[");
        on_one_line(out, part.text());
        self.close_content(choice, out);
    }

    fn close_content(&mut self, choice: u32, out: &mut BytesMut) {
        out.put_slice(b"],\"role\":\"model\"},\"index\":");
        number(out, choice);
        out.put_slice(b"}],");
        self.finish_event(out);
    }

    /// A member of a candidate.
    fn member(&mut self, choice: u32, name: &str, value: &Json, out: &mut BytesMut) {
        let candidate = Object::new().set("index", &choice).set(name, value).finish();
        self.begin(out);
        out.put_slice(b"{\"candidates\":[");
        on_one_line(out, candidate.text());
        out.put_slice(b"],");
        self.finish_event(out);
    }

    fn begin(&mut self, out: &mut BytesMut) {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        out.put_slice(match (self.facts.is_sse, is_first) {
            (true, _) => b"data: ",
            (false, true) => b"[",
            (false, false) => b",\r\n",
        });
    }

    fn finish_event(&mut self, out: &mut BytesMut) {
        out.put_slice(self.tail.as_bytes());
        self.close_event(out);
    }

    fn close_event(&mut self, out: &mut BytesMut) {
        out.put_slice(if self.facts.is_sse { b"\r\n\r\n" } else { b"\n" });
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.is_over = true;
        let mut last = Object::new();
        let feedback = self.extension.get(PROTOCOL, "promptFeedback");
        match feedback {
            Some(feedback) if !self.has_parts => last.put("promptFeedback", feedback),
            _ => {
                self.stops.sort_by_key(|(choice, _)| *choice);
                let candidates: Vec<Json> = self
                    .stops
                    .iter()
                    .map(|(choice, stop)| last_of(*choice, *stop))
                    .collect();
                last.put("candidates", &candidates);
            }
        }
        if let Some(usage) = &self.usage {
            last.put("usageMetadata", &usage_metadata(usage, &nothing()));
        }
        let last = last.into_text();
        self.begin(out);
        on_one_line(out, last.strip_suffix('}').unwrap_or(&last));
        out.put_u8(b',');
        self.finish_event(out);
        if !self.facts.is_sse {
            out.put_slice(b"]");
        }
    }

    fn fail(&mut self, error: &PublicError, out: &mut BytesMut) {
        self.is_over = true;
        if self.facts.is_sse {
            out.put_slice(&error.event(Dialect::Gemini, None, 0));
            return;
        }
        self.begin(out);
        out.put_slice(&error.body(Dialect::Gemini, None));
        out.put_slice(b"\n]");
    }
}

/// The last of a candidate: nothing more, and why.
fn last_of(choice: u32, reason: StopReason) -> Json {
    let empty = Object::new().set("text", "").finish();
    let content = Object::new().set("parts", &[empty]).set("role", "model");
    Object::new()
        .set("content", &content.finish())
        .set("finishReason", finish::write(reason))
        .set("index", &choice)
        .finish()
}

fn tail(id: &str, model: &str) -> String {
    let text = Object::new()
        .set("modelVersion", model)
        .set("responseId", id)
        .into_text();
    text.strip_prefix('{').unwrap_or(&text).to_owned()
}

fn string(out: &mut BytesMut, text: &str) {
    // Writing text into memory does not fail.
    let _ = serde_json::to_writer(out.writer(), text);
}

fn number(out: &mut BytesMut, number: u32) {
    let _ = serde_json::to_writer(out.writer(), &number);
}

/// JSON with its line ends, which can only stand between tokens, as blanks.
fn on_one_line(out: &mut BytesMut, json: &str) {
    for (position, line) in json.split(['\n', '\r']).enumerate() {
        if position > 0 {
            out.put_u8(b' ');
        }
        out.put_slice(line.as_bytes());
    }
}
