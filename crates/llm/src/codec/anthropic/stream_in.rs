//! Streams of providers, read.

use bytes::{Bytes, BytesMut};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use sluice_wire::{SseFrame, SsePart, SseSplitter};

use super::blocks_in::block;
use super::wire::{Delta, Event, failure};
use super::{HERE, NATIVE, answer, stop};
use crate::chat::{
    ChatEvent, Extension, Fields, Json, Part, PartDelta, PartKind, PartStart, Signature, StopReason, replay,
};
use crate::codec::StreamDecoder;
use crate::codec::broken::{cut, unreadable};
use crate::codec::pieces::Pieces;
use crate::error::PublicError;
use crate::usage::{AnthropicUsage, Tally};

/// Longest event, longest answer where JSON comes instead of events, longest input of a block that is kept as a whole.
const MAX_WHOLE: usize = 16 * 1024 * 1024;

/// Most blocks that are open at once; Anthropic itself has one.
const MAX_OPEN: usize = 256;

/// Reads a stream.
#[derive(Default)]
pub(super) struct Decoder {
    splitter: SseSplitter,
    form: Form,
    started: bool,
    parts: u32,
    open: Vec<Open>,
    tally: Tally,
    calls_tools: bool,
    stopped: bool,
    ended: bool,
}

/// What comes.
#[derive(Default)]
enum Form {
    #[default]
    Unknown,
    Events,
    /// A whole answer.
    Json(BytesMut),
}

/// A block that has begun.
struct Open {
    index: u64,
    /// Its number; a foreign one gets its own when it is said.
    part: u32,
    pieces: Pieces,
    kind: OpenKind,
}

enum OpenKind {
    Text,
    Reasoning,
    /// A call, and the arguments that stood in its start and count if no others come.
    Call(Option<String>),
    /// A block that only Anthropic has, said when it is complete: its members, and the input that has come.
    Foreign(Extension, String),
}

impl StreamDecoder for Decoder {
    fn push(&mut self, piece: &Bytes, out: &mut Vec<ChatEvent>) {
        if self.ended {
            return;
        }
        let mut piece = piece.clone();
        if matches!(self.form, Form::Unknown) {
            let blank = piece.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            piece = piece.slice(blank..);
            self.form = match piece.first() {
                None => return,
                Some(b'{') => Form::Json(BytesMut::new()),
                Some(_) => Form::Events,
            };
        }
        if let Form::Json(whole) = &mut self.form {
            if whole.len() + piece.len() <= MAX_WHOLE {
                whole.extend_from_slice(&piece);
            }
            return;
        }
        self.splitter.push(piece);
        while let Some(part) = self.splitter.next_part() {
            self.part(&part, out);
        }
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) {
        if self.ended {
            return;
        }
        if let Form::Json(whole) = &mut self.form {
            let whole = std::mem::take(whole).freeze();
            self.ended = true;
            match answer::decode(&whole) {
                Ok(answer) => out.extend(replay(answer)),
                Err(_) => out.push(ChatEvent::Error(failure(&whole))),
            }
            return;
        }
        // The last event may lack the empty line that ends it.
        if let Some(rest) = self.splitter.finish() {
            let rest = rest.into_bytes();
            let data = SseFrame::parse(&rest).data;
            if data.is_some_and(|data| serde_json::from_slice::<IgnoredAny>(&data).is_ok()) {
                self.part(&SsePart::Frame(rest), out);
            }
        }
        self.fail(cut(), out);
    }
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            splitter: SseSplitter::with_limit(MAX_WHOLE),
            ..Self::default()
        }
    }

    fn part(&mut self, part: &SsePart, out: &mut Vec<ChatEvent>) {
        if self.ended {
            return;
        }
        let frame = match part {
            SsePart::Frame(frame) => frame,
            // An event that is too long to be read.
            SsePart::Fragment(_) => return self.fail(unreadable(), out),
        };
        let frame = SseFrame::parse(frame);
        let Some(data) = frame.data.filter(|data| !data.is_empty()) else {
            return;
        };
        match serde_json::from_slice::<Event<'_>>(&data) {
            Ok(event) if event.error.is_some() => self.fail(failure(&data), out),
            Ok(mut event) => {
                let kind = std::mem::take(&mut event.kind);
                let name = kind.as_str().or(frame.event).unwrap_or_default();
                self.event(name, event, &data, out);
            }
            Err(_) if data.starts_with(b"[DONE]") || frame.event == Some("ping") => {}
            Err(_) => self.fail(unreadable(), out),
        }
    }

    fn event(&mut self, name: &str, event: Event<'_>, data: &[u8], out: &mut Vec<ChatEvent>) {
        match name {
            "message_start" => self.start(event.message, out),
            "content_block_start" => {
                if let Some(block) = event.content_block {
                    self.begin(event.index, block, out);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = event.delta {
                    self.go_on(event.index, delta, out);
                }
            }
            "content_block_stop" => self.close(Some(event.index), out),
            "message_delta" => {
                self.start(None, out);
                if let Some(delta) = event.delta.filter(|delta| delta.stop_reason.as_str().is_some()) {
                    self.stop(&delta, out);
                }
                self.report(event.usage.as_ref(), out);
            }
            "message_stop" => {
                self.start(None, out);
                if !self.stopped {
                    self.close(None, out);
                    self.say_stop(StopReason::Stop, None, out);
                }
                self.ended = true;
                out.push(ChatEvent::End);
            }
            "error" => self.fail(failure(data), out),
            _ => {}
        }
    }

    fn start(&mut self, message: Option<&RawValue>, out: &mut Vec<ChatEvent>) {
        if self.started {
            return;
        }
        self.started = true;
        let mut fields = message
            .and_then(|json| Fields::read(json).ok())
            .unwrap_or_default();
        let id = fields.take("id").unwrap_or_default();
        let model = fields.take("model").unwrap_or_default();
        let usage: Option<AnthropicUsage> = fields.take("usage").unwrap_or_default();
        for known in [
            "type",
            "role",
            "content",
            "stop_reason",
            "stop_sequence",
            "stop_details",
        ] {
            fields.raw(known);
        }
        let extension = fields.into_extension(HERE);
        out.push(ChatEvent::Start { id, model, extension });
        self.report(usage.as_ref(), out);
    }

    fn report(&mut self, usage: Option<&AnthropicUsage>, out: &mut Vec<ChatEvent>) {
        let Some(usage) = usage else { return };
        self.tally.merge(&usage.tally());
        out.push(ChatEvent::Usage(self.tally.usage()));
    }

    fn begin(&mut self, index: u64, json: &RawValue, out: &mut Vec<ChatEvent>) {
        self.start(None, out);
        if self.stopped {
            return;
        }
        // A block of the same number that was not closed is.
        let is_crowded = self.open.len() >= MAX_OPEN;
        self.close((!is_crowded).then_some(index), out);
        let part = match block(json) {
            Ok(part) => part,
            // Some compatible servers leave the empty text out.
            Err(error) if error.param.as_deref() == Some("text") => {
                Part::new(PartKind::Text(String::new()), Extension::of(HERE))
            }
            Err(_) => return self.fail(unreadable(), out),
        };
        let number = self.parts;
        let (start, deltas, kind) = self.begun(part);
        if let Some(start) = start {
            self.parts += 1;
            out.push(ChatEvent::PartStart {
                choice: 0,
                part: number,
                start,
            });
            out.extend(deltas.into_iter().map(|delta| said(number, delta)));
        }
        self.open.push(Open {
            index,
            part: number,
            pieces: Pieces::default(),
            kind,
        });
    }

    /// How a block begins: its start unless that comes with its end, what stood in it already, and what may follow.
    fn begun(&mut self, part: Part) -> (Option<PartStart>, Vec<PartDelta>, OpenKind) {
        let mut deltas = Vec::new();
        let text = |text: String| (!text.is_empty()).then_some(PartDelta::Text(text));
        let is_whole = part.extension.get(HERE, "type").is_some();
        match part.kind {
            PartKind::Text(said) if !is_whole => {
                deltas.extend(text(said));
                (Some(PartStart::Text), deltas, OpenKind::Text)
            }
            PartKind::Reasoning(reasoning) => {
                deltas.extend(text(reasoning.text));
                deltas.extend(reasoning.signature.map(PartDelta::Signature));
                let start = PartStart::Reasoning {
                    is_summary: false,
                    is_redacted: reasoning.is_redacted,
                    id: None,
                };
                (Some(start), deltas, OpenKind::Reasoning)
            }
            PartKind::ToolCall(call) => {
                self.calls_tools = true;
                let given = Some(call.arguments).filter(|given| !given.is_empty() && given != "{}");
                let start = PartStart::ToolCall {
                    id: if call.id.is_empty() {
                        format!("toolu_{}", self.parts)
                    } else {
                        call.id
                    },
                    name: call.name,
                    is_custom: false,
                };
                (Some(start), deltas, OpenKind::Call(given))
            }
            _ => (None, deltas, OpenKind::Foreign(part.extension, String::new())),
        }
    }

    fn go_on(&mut self, index: u64, delta: Delta<'_>, out: &mut Vec<ChatEvent>) {
        if !self.open.iter().any(|open| open.index == index) {
            self.begin_by(index, &delta, out);
        }
        let Some(open) = self.open.iter_mut().find(|open| open.index == index) else {
            return;
        };
        let part = open.part;
        match &mut open.kind {
            OpenKind::Text | OpenKind::Reasoning => {
                if let Some(text) = delta.text.or(delta.thinking) {
                    let text = open.pieces.read(text);
                    if !text.is_empty() {
                        out.push(said(part, PartDelta::Text(text)));
                    }
                }
                if let Some(signature) = delta.signature.filter(|text| !text.is_empty()) {
                    let signature = Signature::unpack(&signature, NATIVE);
                    out.push(said(part, PartDelta::Signature(signature)));
                }
                if let Some(citation) = delta.citation {
                    let members = vec![("citation".to_owned(), Json::from(citation))];
                    let annotation = PartDelta::Annotation(Extension::with(HERE, members));
                    out.push(said(part, annotation));
                }
            }
            OpenKind::Call(given) => {
                let more = delta.partial_json.map(|json| open.pieces.read(json));
                if let Some(more) = more.filter(|more| !more.is_empty()) {
                    *given = None;
                    out.push(said(part, PartDelta::Arguments(more)));
                }
            }
            OpenKind::Foreign(_, input) => {
                let more = delta.partial_json.map(|json| open.pieces.read(json));
                if let Some(more) = more.filter(|more| input.len() + more.len() <= MAX_WHOLE) {
                    input.push_str(&more);
                }
            }
        }
    }

    /// A delta of a block that nobody began, as some compatible servers send for text.
    fn begin_by(&mut self, index: u64, delta: &Delta<'_>, out: &mut Vec<ChatEvent>) {
        let block = if delta.text.is_some() {
            r#"{"type":"text","text":""}"#
        } else if delta.thinking.is_some() {
            r#"{"type":"thinking","thinking":""}"#
        } else {
            return;
        };
        if let Ok(block) = serde_json::from_str::<&RawValue>(block) {
            self.begin(index, block, out);
        }
    }

    /// Closes the block of that index, or all that are open.
    fn close(&mut self, index: Option<u64>, out: &mut Vec<ChatEvent>) {
        let closes = |open: &Open| index.is_none_or(|index| open.index == index);
        let (closed, open) = std::mem::take(&mut self.open).into_iter().partition(closes);
        self.open = open;
        for Open { mut part, kind, .. } in closed {
            match kind {
                OpenKind::Text | OpenKind::Reasoning => {}
                OpenKind::Call(given) => {
                    out.extend(given.map(|given| said(part, PartDelta::Arguments(given))));
                }
                OpenKind::Foreign(mut extension, input) => {
                    if let Some(input) = Json::parse(&input).filter(|_| !input.is_empty()) {
                        extension.take("input");
                        extension.push("input", input);
                    }
                    part = self.parts;
                    self.parts += 1;
                    out.push(ChatEvent::PartStart {
                        choice: 0,
                        part,
                        start: PartStart::Foreign(extension),
                    });
                }
            }
            out.push(ChatEvent::PartEnd { choice: 0, part });
        }
    }

    fn stop(&mut self, delta: &Delta<'_>, out: &mut Vec<ChatEvent>) {
        self.close(None, out);
        let reason = stop::from_name(delta.stop_reason.as_str().unwrap_or_default());
        self.say_stop(reason, delta.stop_sequence.clone(), out);
    }

    fn say_stop(&mut self, reason: StopReason, stop_sequence: Option<String>, out: &mut Vec<ChatEvent>) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        out.push(ChatEvent::Stop {
            choice: 0,
            reason: reason.with_tools(self.calls_tools),
            stop_sequence,
        });
    }

    fn fail(&mut self, error: PublicError, out: &mut Vec<ChatEvent>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.close(None, out);
        out.push(ChatEvent::Error(error));
    }
}

fn said(part: u32, delta: PartDelta) -> ChatEvent {
    ChatEvent::Delta {
        choice: 0,
        part,
        delta,
    }
}
