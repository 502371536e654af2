//! Streams for clients, written.

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use sluice_wire::write_frame;

use super::{HERE, NATIVE, answer, stop};
use crate::chat::{
    ChatEvent, Extension, Json, Object, PartDelta, PartStart, Sequencer, Signature, SignatureOrigin,
    StopReason,
};
use crate::codec::pieces::inner_json;
use crate::codec::{ReplyFacts, StreamEncoder};
use crate::error::Dialect;
use crate::usage::Usage;

/// Writes a stream.
pub(super) struct Encoder {
    facts: ReplyFacts,
    sequencer: Sequencer,
    ordered: Vec<ChatEvent>,
    started: bool,
    ended: bool,
    /// Index of the next block.
    next: u64,
    block: Block,
    /// Whether the part before the one at hand was text.
    follows_text: bool,
    reason: StopReason,
    stop_sequence: Option<String>,
    usage: Option<Usage>,
}

/// The part at hand. Blocks begin when there is something in them: clients send blocks back, and empty ones are refused.
enum Block {
    None,
    Text {
        begun: bool,
    },
    Thinking {
        begun: bool,
        is_redacted: bool,
    },
    Call {
        is_custom: bool,
        signature: Option<Signature>,
    },
}

impl Encoder {
    pub(super) fn new(facts: ReplyFacts) -> Self {
        Self {
            facts,
            sequencer: Sequencer::default(),
            ordered: Vec::new(),
            started: false,
            ended: false,
            next: 0,
            block: Block::None,
            follows_text: false,
            reason: StopReason::Stop,
            stop_sequence: None,
            usage: None,
        }
    }
}

impl StreamEncoder for Encoder {
    fn push(&mut self, event: ChatEvent, out: &mut BytesMut) {
        if self.ended {
            return;
        }
        let mut ordered = std::mem::take(&mut self.ordered);
        self.sequencer.push(event, &mut ordered);
        for event in ordered.drain(..) {
            self.write(event, out);
        }
        self.ordered = ordered;
    }
}

impl Encoder {
    fn write(&mut self, event: ChatEvent, out: &mut BytesMut) {
        match event {
            ChatEvent::Start { id, model, .. } => self.start(id.as_deref(), model.as_deref(), out),
            ChatEvent::PartStart { start, .. } => self.begin(start, out),
            ChatEvent::Delta { delta, .. } => self.delta(delta, out),
            ChatEvent::PartEnd { .. } => self.end_part(out),
            ChatEvent::Stop {
                choice: 0,
                reason,
                stop_sequence,
            } => {
                self.reason = reason;
                self.stop_sequence = stop_sequence;
            }
            ChatEvent::Stop { .. } | ChatEvent::Logprobs { .. } => {}
            ChatEvent::Usage(usage) => self.usage = Some(usage),
            ChatEvent::End => self.end(out),
            ChatEvent::Error(error) => {
                self.ended = true;
                out.extend_from_slice(&error.event(Dialect::Anthropic, None, 0));
            }
        }
    }

    /// The head of the message. The input is not known yet as a rule: `message_delta` says it.
    fn start(&mut self, id: Option<&str>, model: Option<&str>, out: &mut BytesMut) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let message = Object::new()
            .set("id", &answer::message_id(id, &self.facts))
            .set("type", "message")
            .set("role", "assistant")
            .set("model", model.unwrap_or(&self.facts.model))
            .set("content", &[(); 0])
            .set("stop_reason", &())
            .set("stop_sequence", &())
            .set("usage", &answer::usage(&self.usage.unwrap_or_default()));
        let event = Object::new()
            .set("type", "message_start")
            .set("message", &message.finish());
        frame("message_start", event, out);
    }

    fn begin(&mut self, start: PartStart, out: &mut BytesMut) {
        self.start(None, None, out);
        self.block = match start {
            PartStart::Text | PartStart::Refusal => Block::Text { begun: false },
            PartStart::Reasoning { is_redacted, .. } => Block::Thinking {
                begun: false,
                is_redacted,
            },
            PartStart::ToolCall { id, name, is_custom } => {
                let block = Object::new()
                    .set("type", "tool_use")
                    .set("id", &id)
                    .set("name", &name)
                    .set("input", &Object::new().finish());
                self.begin_block(&block.finish(), out);
                if is_custom {
                    self.open_input(out);
                }
                Block::Call {
                    is_custom,
                    signature: None,
                }
            }
            PartStart::Foreign(extension) => {
                self.foreign(&extension, out);
                Block::None
            }
        };
    }

    /// A block that is said as a whole.
    fn foreign(&mut self, extension: &Extension, out: &mut BytesMut) {
        if extension.get(HERE, "type").is_some() {
            self.begin_block(&Object::new().extend(extension, HERE).finish(), out);
            self.stop_block(out);
        }
    }

    fn delta(&mut self, delta: PartDelta, out: &mut BytesMut) {
        match (&mut self.block, delta) {
            (Block::Text { begun }, PartDelta::Text(text)) if !text.is_empty() => {
                if !std::mem::replace(begun, true) {
                    self.begin_block(&Object::new().set("type", "text").set("text", "").finish(), out);
                }
                self.write_delta(r#"{"type":"text_delta","text":"#, &text, out);
            }
            (Block::Text { begun }, PartDelta::Annotation(annotation)) => {
                let begun = *begun;
                if let Some(citation) = annotation.get(HERE, "citation").filter(|_| begun) {
                    self.citation(citation, out);
                }
            }
            (
                Block::Thinking {
                    begun,
                    is_redacted: false,
                },
                PartDelta::Text(text),
            ) if !text.is_empty() => {
                if !std::mem::replace(begun, true) {
                    self.begin_thinking(out);
                }
                self.write_delta(r#"{"type":"thinking_delta","thinking":"#, &text, out);
            }
            // That of the text before, whose thoughts are told already: an answer must not end with a thought, and
            // Gemini does without it.
            (
                Block::Thinking {
                    begun: false,
                    is_redacted: false,
                },
                PartDelta::Signature(signature),
            ) if self.follows_text && signature.origin == SignatureOrigin::Gemini => {}
            (Block::Thinking { begun, is_redacted }, PartDelta::Signature(signature)) => {
                let begun = std::mem::replace(begun, true);
                if *is_redacted {
                    self.redacted(&signature, out);
                    self.block = Block::None;
                    return;
                }
                if !begun {
                    self.begin_thinking(out);
                }
                let signature = signature.pack(NATIVE);
                self.write_delta(r#"{"type":"signature_delta","signature":"#, &signature, out);
            }
            (Block::Call { is_custom, .. }, PartDelta::Arguments(more)) if !more.is_empty() => {
                let more = if *is_custom { inner_json(&more) } else { more };
                self.arguments(&more, out);
            }
            (Block::Call { signature, .. }, PartDelta::Signature(said)) => *signature = Some(said),
            _ => {}
        }
    }

    fn begin_thinking(&mut self, out: &mut BytesMut) {
        let block = Object::new()
            .set("type", "thinking")
            .set("thinking", "")
            .set("signature", "");
        self.begin_block(&block.finish(), out);
    }

    /// A hidden thought, whole.
    fn redacted(&mut self, signature: &Signature, out: &mut BytesMut) {
        let block = Object::new()
            .set("type", "redacted_thinking")
            .set("data", &signature.pack(NATIVE));
        self.begin_block(&block.finish(), out);
        self.stop_block(out);
    }

    /// The input of a custom tool is text: it stands in an object, as [`object`](crate::chat::ToolCall::object) has it.
    fn open_input(&mut self, out: &mut BytesMut) {
        self.arguments("{\"input\":\"", out);
    }

    fn arguments(&mut self, more: &str, out: &mut BytesMut) {
        self.write_delta(r#"{"type":"input_json_delta","partial_json":"#, more, out);
    }

    fn end_part(&mut self, out: &mut BytesMut) {
        self.follows_text = matches!(self.block, Block::Text { .. });
        match std::mem::replace(&mut self.block, Block::None) {
            Block::Text { begun: true } | Block::Thinking { begun: true, .. } => self.stop_block(out),
            Block::Call { is_custom, signature } => {
                if is_custom {
                    self.arguments("\"}", out);
                }
                self.stop_block(out);
                if let Some(signature) = signature {
                    self.redacted(&signature, out);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.start(None, None, out);
        self.ended = true;
        let delta = Object::new()
            .set("stop_reason", stop::name(self.reason))
            .set("stop_sequence", &self.stop_sequence);
        let event = Object::new()
            .set("type", "message_delta")
            .set("delta", &delta.finish())
            .set("usage", &answer::usage(&self.usage.unwrap_or_default()));
        frame("message_delta", event, out);
        out.extend_from_slice(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }

    fn begin_block(&mut self, block: &Json, out: &mut BytesMut) {
        let event = Object::new()
            .set("type", "content_block_start")
            .set("index", &self.next)
            .set("content_block", block);
        frame("content_block_start", event, out);
        self.next += 1;
    }

    fn stop_block(&mut self, out: &mut BytesMut) {
        let event = Object::new()
            .set("type", "content_block_stop")
            .set("index", &self.index());
        frame("content_block_stop", event, out);
    }

    fn citation(&mut self, citation: &Json, out: &mut BytesMut) {
        let delta = Object::new()
            .set("type", "citations_delta")
            .set("citation", citation);
        let event = Object::new()
            .set("type", "content_block_delta")
            .set("index", &self.index())
            .set("delta", &delta.finish());
        frame("content_block_delta", event, out);
    }

    /// Index of the block at hand.
    fn index(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// A delta in one pass: `head` is its JSON up to the text.
    fn write_delta(&self, head: &str, text: &str, out: &mut BytesMut) {
        out.reserve(head.len() + text.len() + 112);
        out.extend_from_slice(
            b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":",
        );
        write_json(&self.index(), out);
        out.extend_from_slice(b",\"delta\":");
        out.extend_from_slice(head.as_bytes());
        write_json(text, out);
        out.extend_from_slice(b"}}\n\n");
    }
}

fn frame(name: &str, event: Object, out: &mut BytesMut) {
    write_frame(out, Some(name), event.into_text().as_bytes());
}

/// Writing to memory cannot fail, and numbers and strings have JSON.
fn write_json<T: Serialize + ?Sized>(value: &T, out: &mut BytesMut) {
    let _ = serde_json::to_writer(out.writer(), value);
}
