//! A provider's stream: server-sent events, or one object where it did not stream.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_wire::{SseFrame, SsePart, SseSplitter};

use super::super::broken::{cut, unreadable};
use super::super::common::{Emitter, Kind, MAX_OBJECT, ObjectScanner, derived_id, said};
use super::{PROTOCOL, answer_in, finish, logprobs};
use crate::chat::{ChatEvent, Extension, Object, PartDelta, replay};
use crate::codec::StreamDecoder;
use crate::lenient::Text;
use crate::usage::CohereUsage;

/// The decoder.
#[derive(Default)]
pub(super) struct Decoder {
    framing: Framing,
    emitter: Emitter,
    id: String,
    calls: usize,
    /// An answer came whole.
    is_replayed: bool,
}

/// How objects are framed, told by the first byte.
enum Framing {
    /// Only white space so far.
    Unknown(BytesMut),
    Sse(SseSplitter),
    Object(ObjectScanner),
}

impl Default for Framing {
    fn default() -> Self {
        Self::Unknown(BytesMut::new())
    }
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: Text<'a>,
    id: Text<'a>,
    delta: Option<Delta<'a>>,
    logprobs: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Delta<'a> {
    message: Option<Message<'a>>,
    finish_reason: Text<'a>,
    usage: Option<CohereUsage>,
    error: Text<'a>,
}

/// In the first event these are lists, later on objects.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Message<'a> {
    content: Option<&'a RawValue>,
    tool_calls: Option<&'a RawValue>,
    tool_plan: Text<'a>,
    citations: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Content<'a> {
    text: Text<'a>,
    thinking: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Call<'a> {
    id: Text<'a>,
    function: Option<Function<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Function<'a> {
    name: Text<'a>,
    arguments: Text<'a>,
}

impl StreamDecoder for Decoder {
    fn push(&mut self, piece: &Bytes, out: &mut Vec<ChatEvent>) {
        if self.is_over() {
            return;
        }
        match &mut self.framing {
            Framing::Unknown(head) => {
                head.extend_from_slice(piece);
                let Some(first) = head.iter().find(|byte| !byte.is_ascii_whitespace()) else {
                    return;
                };
                let is_object = *first == b'{';
                let head = std::mem::take(head).freeze();
                self.framing = if is_object {
                    let mut scanner = ObjectScanner::default();
                    scanner.push(&head);
                    Framing::Object(scanner)
                } else {
                    let mut splitter = SseSplitter::with_limit(MAX_OBJECT);
                    splitter.push(head);
                    Framing::Sse(splitter)
                };
            }
            Framing::Sse(splitter) => splitter.push(piece.clone()),
            Framing::Object(scanner) => scanner.push(piece),
        }
        self.drain(out);
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) {
        if self.is_over() {
            return;
        }
        if let Framing::Sse(splitter) = &mut self.framing {
            // The blank line behind the last event may be missing.
            if let Some(SsePart::Frame(frame) | SsePart::Fragment(frame)) = splitter.finish() {
                let data = SseFrame::parse(&frame).data;
                if data.is_some_and(|data| serde_json::from_slice::<&RawValue>(&data).is_ok()) {
                    self.frame(&frame, out);
                }
            }
        }
        self.emitter.fail(cut(), out);
    }
}

impl Decoder {
    fn is_over(&self) -> bool {
        self.is_replayed || self.emitter.is_over()
    }

    fn drain(&mut self, out: &mut Vec<ChatEvent>) {
        while !self.is_over() {
            match &mut self.framing {
                Framing::Unknown(_) => return,
                Framing::Sse(splitter) => match splitter.next_part() {
                    Some(SsePart::Frame(frame)) => self.frame(&frame, out),
                    Some(SsePart::Fragment(_)) => self.emitter.fail(unreadable(), out),
                    None => return,
                },
                Framing::Object(scanner) => match scanner.next_object() {
                    Some(object) => self.whole(&object, out),
                    None if scanner.is_over_limit() => self.emitter.fail(unreadable(), out),
                    None => return,
                },
            }
        }
    }

    /// An answer, or an error, in place of a stream.
    fn whole(&mut self, object: &[u8], out: &mut Vec<ChatEvent>) {
        match answer_in::decode(object) {
            Ok(answer) => {
                self.is_replayed = true;
                out.extend(replay(answer));
            }
            Err(_) => self.emitter.fail(said(object), out),
        }
    }

    fn frame(&mut self, frame: &Bytes, out: &mut Vec<ChatEvent>) {
        let frame = SseFrame::parse(frame);
        let Some(data) = frame.data else { return };
        if data.trim_ascii().is_empty() || data.starts_with(b"[DONE]") {
            return;
        }
        let Ok(event) = serde_json::from_slice::<Event<'_>>(&data) else {
            self.emitter.fail(unreadable(), out);
            return;
        };
        let kind = event.kind.as_str().or(frame.event).unwrap_or_default().to_owned();
        if matches!(kind.as_str(), "" | "error") {
            self.emitter.fail(said(&data), out);
            return;
        }
        if kind == "message-start" {
            self.id = event.id.as_str().unwrap_or_default().to_owned();
            let id = (!self.id.is_empty()).then(|| self.id.clone());
            self.emitter.start(id, None, Extension::of(PROTOCOL), out);
            return;
        }
        self.emitter.start(None, None, Extension::of(PROTOCOL), out);
        let delta = event.delta.unwrap_or_default();
        if kind == "message-end" {
            self.end(&delta, out);
            return;
        }
        self.delta(&kind, delta.message.unwrap_or_default(), out);
        if let Some(logprobs) = event
            .logprobs
            .and_then(|piece| logprobs::piece_to_openai(&piece.into()))
        {
            self.emitter.logprobs(0, logprobs, out);
        }
    }

    fn delta(&mut self, kind: &str, message: Message<'_>, out: &mut Vec<ChatEvent>) {
        match kind {
            "content-start" => {
                self.emitter.close(0, out);
                self.content(message.content, out);
            }
            "content-delta" => self.content(message.content, out),
            "tool-plan-delta" => {
                let plan = message.tool_plan.0.unwrap_or_default();
                self.emitter.say(0, Kind::Plan, plan.into_owned(), out);
            }
            "tool-call-start" => self.call_start(message.tool_calls, out),
            "tool-call-delta" => {
                let function = call(message.tool_calls).function.unwrap_or_default();
                self.arguments(function.arguments, out);
            }
            "tool-call-end" => self.emitter.close(0, out),
            "citation-start" => {
                if let Some(citation) = message.citations {
                    let members = vec![("citations".to_owned(), citation.into())];
                    self.emitter.annotate(0, Extension::with(PROTOCOL, members), out);
                }
            }
            // The text stays open behind `content-end`, since citations of it may follow.
            _ => {}
        }
    }

    fn content(&mut self, content: Option<&RawValue>, out: &mut Vec<ChatEvent>) {
        let content = content.and_then(|content| serde_json::from_str::<Content<'_>>(content.get()).ok());
        let content = content.unwrap_or_default();
        for (kind, text) in [(Kind::Reasoning, content.thinking), (Kind::Text, content.text)] {
            if let Some(text) = text.0 {
                self.emitter.say(0, kind, text.into_owned(), out);
            }
        }
    }

    fn call_start(&mut self, raw: Option<&RawValue>, out: &mut Vec<ChatEvent>) {
        let call = call(raw);
        let function = call.function.unwrap_or_default();
        let name = function.name.0.unwrap_or_default().into_owned();
        let id = call.id.0.filter(|id| !id.is_empty());
        let id = id.map_or_else(
            || derived_id(&self.id, self.calls, &name, ""),
            |id| id.into_owned(),
        );
        self.calls += 1;
        self.emitter.open_call(0, id, name, out);
        self.arguments(function.arguments, out);
    }

    fn arguments(&mut self, arguments: Text<'_>, out: &mut Vec<ChatEvent>) {
        if let Some(text) = arguments.0.filter(|text| !text.is_empty()) {
            self.emitter
                .call_delta(0, PartDelta::Arguments(text.into_owned()), out);
        }
    }

    fn end(&mut self, delta: &Delta<'_>, out: &mut Vec<ChatEvent>) {
        let usage = delta.usage.map(|usage| usage.tally().usage());
        let reason = delta.finish_reason.as_str().unwrap_or_default();
        if matches!(reason, "ERROR" | "TIMEOUT") || delta.error.as_str().is_some() {
            let message = delta
                .error
                .as_str()
                .unwrap_or("the provider failed within its answer");
            let told = Object::new().set("message", message).into_text();
            out.extend(usage.map(ChatEvent::Usage));
            self.emitter.fail(said(told.as_bytes()), out);
            return;
        }
        self.emitter.stop(0, finish::read(reason), out);
        self.emitter.end(usage, out);
    }
}

fn call(raw: Option<&RawValue>) -> Call<'_> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}
