//! A provider's stream: one JSON object a line, in either form. The last says `done`.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::broken::{cut, unreadable};
use super::super::common::{Emitter, Kind, ObjectScanner, derived_id, said};
use super::answer_in::{logprobs, read_usage, stop};
use super::{PROTOCOL, tools};
use crate::chat::{ChatEvent, Extension, Json, PartDelta, PartKind};
use crate::codec::StreamDecoder;
use crate::lenient::Text;

/// The decoder.
#[derive(Default)]
pub(super) struct Decoder {
    scanner: ObjectScanner,
    emitter: Emitter,
    calls: usize,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Line<'a> {
    model: Text<'a>,
    created_at: Text<'a>,
    message: Option<Message<'a>>,
    response: Text<'a>,
    thinking: Text<'a>,
    done: bool,
    done_reason: Text<'a>,
    logprobs: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Message<'a> {
    content: Text<'a>,
    thinking: Text<'a>,
    tool_calls: Option<Vec<&'a RawValue>>,
}

impl StreamDecoder for Decoder {
    fn push(&mut self, piece: &Bytes, out: &mut Vec<ChatEvent>) {
        self.scanner.push(piece);
        while !self.emitter.is_over() {
            match self.scanner.next_object() {
                Some(line) => self.line(&line, out),
                None if self.scanner.is_over_limit() => self.emitter.fail(unreadable(), out),
                None => return,
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) {
        self.emitter.fail(cut(), out);
    }
}

impl Decoder {
    fn line(&mut self, json: &[u8], out: &mut Vec<ChatEvent>) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(json) else {
            self.emitter.fail(unreadable(), out);
            return;
        };
        if line.error.is_some() {
            self.emitter.fail(said(json), out);
            return;
        }
        let model = line.model.as_str().map(str::to_owned);
        self.emitter.start(None, model, Extension::of(PROTOCOL), out);
        let message = line.message.unwrap_or_default();
        for (kind, text) in [
            (Kind::Reasoning, message.thinking),
            (Kind::Reasoning, line.thinking),
            (Kind::Text, message.content),
            (Kind::Text, line.response),
        ] {
            if let Some(text) = text.0 {
                self.emitter.say(0, kind, text.into_owned(), out);
            }
        }
        for call in message.tool_calls.unwrap_or_default() {
            if self
                .call(call, line.created_at.as_str().unwrap_or_default(), out)
                .is_none()
            {
                self.emitter.fail(unreadable(), out);
                return;
            }
        }
        if let Some(logprobs) = line.logprobs.and_then(|tokens| logprobs(&Json::from(tokens))) {
            self.emitter.logprobs(0, logprobs, out);
        }
        if line.done {
            self.emitter.stop(0, stop(line.done_reason.as_str()), out);
            self.emitter.end(read_usage(json), out);
        }
    }

    /// Tells a call, which comes whole; `None` if it cannot be read.
    fn call(&mut self, raw: &RawValue, created_at: &str, out: &mut Vec<ChatEvent>) -> Option<()> {
        let position = self.calls;
        self.calls += 1;
        let part = tools::decode_call(raw, |id, name, arguments| {
            id.filter(|id| !id.is_empty())
                .unwrap_or_else(|| derived_id(created_at, position, name, arguments))
        });
        if let PartKind::ToolCall(call) = part.ok()?.kind {
            self.emitter.open_call(0, call.id, call.name, out);
            self.emitter
                .call_delta(0, PartDelta::Arguments(call.arguments), out);
            self.emitter.close(0, out);
        }
        Some(())
    }
}
