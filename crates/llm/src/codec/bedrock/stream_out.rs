//! Streams for clients, written.

use bytes::BytesMut;
use serde::Serialize;
use sluice_wire::write_event_message;

use super::signatures::{NATIVE, to_blob};
use super::{HERE, answer, stop};
use crate::chat::{
    ChatEvent, Object, PartDelta, PartStart, Sequencer, Signature, SignatureOrigin, StopReason,
};
use crate::codec::StreamEncoder;
use crate::codec::pieces::inner_json;
use crate::error::Dialect;
use crate::usage::Usage;

/// Writes a stream.
#[derive(Default)]
pub(super) struct Encoder {
    sequencer: Sequencer,
    ordered: Vec<ChatEvent>,
    payload: Vec<u8>,
    started: bool,
    ended: bool,
    /// Index of the next block.
    next: u64,
    block: Block,
    /// Whether the part before the one at hand was text.
    follows_text: bool,
    reason: Option<StopReason>,
    usage: Option<Usage>,
}

/// The part at hand. Only calls are announced; others begin with their first delta, and leave no trace without one.
#[derive(Default)]
enum Block {
    #[default]
    None,
    Text {
        begun: bool,
    },
    Thought {
        begun: bool,
        is_redacted: bool,
    },
    Call {
        is_custom: bool,
        signature: Option<Signature>,
    },
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
            ChatEvent::Start { .. } => self.start(out),
            ChatEvent::PartStart { start, .. } => self.begin(start, out),
            ChatEvent::Delta { delta, .. } => self.delta(delta, out),
            ChatEvent::PartEnd { .. } => self.end_part(out),
            ChatEvent::Stop {
                choice: 0, reason, ..
            } => self.reason = Some(reason),
            ChatEvent::Stop { .. } | ChatEvent::Logprobs { .. } => {}
            ChatEvent::Usage(usage) => self.usage = Some(usage),
            ChatEvent::End => self.end(out),
            ChatEvent::Error(error) => {
                self.ended = true;
                out.extend_from_slice(&error.event(Dialect::Bedrock, None, 0));
            }
        }
    }

    fn start(&mut self, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.started, true) {
            event("messageStart", br#"{"role":"assistant"}"#, out);
        }
    }

    fn begin(&mut self, start: PartStart, out: &mut BytesMut) {
        self.start(out);
        self.block = match start {
            PartStart::Text | PartStart::Refusal => Block::Text { begun: false },
            PartStart::Reasoning { is_redacted, .. } => Block::Thought {
                begun: false,
                is_redacted,
            },
            PartStart::ToolCall { id, name, is_custom } => {
                let call = Object::new().set("toolUseId", &id).set("name", &name);
                let start = Object::new().set("toolUse", &call.finish()).finish();
                let announced = Object::new()
                    .set("contentBlockIndex", &self.next)
                    .set("start", &start);
                event("contentBlockStart", announced.into_text().as_bytes(), out);
                self.next += 1;
                if is_custom {
                    self.arguments("{\"input\":\"", out);
                }
                Block::Call {
                    is_custom,
                    signature: None,
                }
            }
            PartStart::Foreign(_) => Block::None,
        };
    }

    fn delta(&mut self, delta: PartDelta, out: &mut BytesMut) {
        match (&mut self.block, delta) {
            (Block::Text { begun }, PartDelta::Text(text)) if !text.is_empty() => {
                self.next += u64::from(!std::mem::replace(begun, true));
                self.write_delta("{\"text\":", &text, "}", out);
            }
            (Block::Text { begun: true }, PartDelta::Annotation(annotation)) => {
                if let Some(citation) = annotation.get(HERE, "citation") {
                    self.write_delta("{\"citation\":", citation, "}", out);
                }
            }
            (
                Block::Thought {
                    begun,
                    is_redacted: false,
                },
                PartDelta::Text(text),
            ) if !text.is_empty() => {
                self.next += u64::from(!std::mem::replace(begun, true));
                self.write_delta("{\"reasoningContent\":{\"text\":", &text, "}}", out);
            }
            // That of the text before, whose thoughts are told already: an answer must not end with a thought, and
            // Gemini does without it.
            (
                Block::Thought {
                    begun: false,
                    is_redacted: false,
                },
                PartDelta::Signature(signature),
            ) if self.follows_text && signature.origin == SignatureOrigin::Gemini => {}
            (Block::Thought { begun, is_redacted }, PartDelta::Signature(signature)) => {
                let is_redacted = *is_redacted;
                self.next += u64::from(!std::mem::replace(begun, true));
                if is_redacted {
                    self.redacted(&signature, out);
                } else {
                    let signature = signature.pack(NATIVE);
                    self.write_delta("{\"reasoningContent\":{\"signature\":", &signature, "}}", out);
                }
            }
            (Block::Call { is_custom, .. }, PartDelta::Arguments(more)) if !more.is_empty() => {
                let more = if *is_custom { inner_json(&more) } else { more };
                self.arguments(&more, out);
            }
            (Block::Call { signature, .. }, PartDelta::Signature(said)) => *signature = Some(said),
            _ => {}
        }
    }

    fn arguments(&mut self, more: &str, out: &mut BytesMut) {
        self.write_delta("{\"toolUse\":{\"input\":", more, "}}", out);
    }

    fn redacted(&mut self, signature: &Signature, out: &mut BytesMut) {
        let blob = to_blob(signature);
        self.write_delta("{\"reasoningContent\":{\"redactedContent\":", &blob, "}}", out);
    }

    fn end_part(&mut self, out: &mut BytesMut) {
        self.follows_text = matches!(self.block, Block::Text { .. });
        match std::mem::take(&mut self.block) {
            Block::Text { begun: true } | Block::Thought { begun: true, .. } => self.stop_block(out),
            Block::Call { is_custom, signature } => {
                if is_custom {
                    self.arguments("\"}", out);
                }
                self.stop_block(out);
                if let Some(signature) = signature {
                    self.next += 1;
                    self.redacted(&signature, out);
                    self.stop_block(out);
                }
            }
            _ => {}
        }
    }

    fn stop_block(&mut self, out: &mut BytesMut) {
        let stopped = Object::new().set("contentBlockIndex", &self.index());
        event("contentBlockStop", stopped.into_text().as_bytes(), out);
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.start(out);
        self.ended = true;
        let reason = stop::name(self.reason.unwrap_or(StopReason::Stop));
        let stopped = Object::new().set("stopReason", reason);
        event("messageStop", stopped.into_text().as_bytes(), out);
        let metadata = Object::new()
            .set("usage", &answer::usage(&self.usage.unwrap_or_default()))
            .set("metrics", &answer::metrics());
        event("metadata", metadata.into_text().as_bytes(), out);
    }

    /// Index of the block at hand.
    fn index(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// A delta in one pass: its JSON is `head`, the value, `tail`.
    fn write_delta<T: Serialize + ?Sized>(&mut self, head: &str, value: &T, tail: &str, out: &mut BytesMut) {
        let index = self.index();
        let payload = &mut self.payload;
        payload.clear();
        payload.extend_from_slice(b"{\"contentBlockIndex\":");
        write_json(&index, payload);
        payload.extend_from_slice(b",\"delta\":");
        payload.extend_from_slice(head.as_bytes());
        write_json(value, payload);
        payload.extend_from_slice(tail.as_bytes());
        payload.push(b'}');
        event("contentBlockDelta", payload, out);
    }
}

fn event(name: &str, payload: &[u8], out: &mut BytesMut) {
    let headers = [
        (":event-type", name),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    write_event_message(out, &headers, payload);
}

/// Writing to memory cannot fail, and numbers, strings and documents have JSON.
fn write_json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, value);
}
