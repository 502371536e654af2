//! A provider's stream: server-sent events, one JSON array, or one object where it did not stream.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_wire::{SseFrame, SsePart, SseSplitter};

use super::super::broken::{cut, unreadable};
use super::super::common::{Emitter, Kind, MAX_OBJECT, ObjectScanner, said};
use super::answer_in::{AnswerIds, is_blocked, part};
use super::{PROTOCOL, finish, logprobs, signature};
use crate::chat::{ChatEvent, Extension, Json, Part, PartDelta, PartKind, StopReason};
use crate::codec::StreamDecoder;
use crate::lenient::{Count, Text};
use crate::usage::{GeminiUsage, Tally};

/// The decoder. Nothing in the protocol says that a stream is over; it is whole if every candidate has a reason to end.
#[derive(Default)]
pub(super) struct Decoder {
    framing: Framing,
    emitter: Emitter,
    /// Candidates and why they end. Some models repeat the reason in every frame, so it counts when the stream is over.
    candidates: Vec<(u32, Option<StopReason>)>,
    usage: Option<Tally>,
    response_id: String,
    calls: usize,
    is_blocked: bool,
}

/// More candidates than any model gives.
const CANDIDATES_MAX: usize = 64;

/// How objects are framed, told by the first byte.
enum Framing {
    /// Only white space so far.
    Unknown(BytesMut),
    Sse(SseSplitter),
    Objects(ObjectScanner),
}

impl Default for Framing {
    fn default() -> Self {
        Self::Unknown(BytesMut::new())
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Frame<'a> {
    candidates: Option<Vec<Candidate<'a>>>,
    prompt_feedback: Option<&'a RawValue>,
    usage_metadata: Option<GeminiUsage<'a>>,
    model_version: Text<'a>,
    response_id: Text<'a>,
    error: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Candidate<'a> {
    index: Count,
    content: Option<Content<'a>>,
    finish_reason: Text<'a>,
    citation_metadata: Option<&'a RawValue>,
    grounding_metadata: Option<&'a RawValue>,
    logprobs_result: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Content<'a> {
    parts: Option<Vec<&'a RawValue>>,
}

/// A part of text, the usual one.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct TextPart<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    thought: bool,
    thought_signature: Text<'a>,
}

impl StreamDecoder for Decoder {
    fn push(&mut self, piece: &Bytes, out: &mut Vec<ChatEvent>) {
        if self.emitter.is_over() {
            return;
        }
        match &mut self.framing {
            Framing::Unknown(head) => {
                head.extend_from_slice(piece);
                // Byte order marks count as white space.
                let is_blank = |byte: &u8| byte.is_ascii_whitespace() || [0xef, 0xbb, 0xbf].contains(byte);
                let Some(first) = head.iter().copied().find(|byte| !is_blank(byte)) else {
                    return;
                };
                let head = std::mem::take(head).freeze();
                self.framing = if matches!(first, b'[' | b'{') {
                    let mut scanner = ObjectScanner::default();
                    scanner.push(&head);
                    Framing::Objects(scanner)
                } else {
                    let mut splitter = SseSplitter::with_limit(MAX_OBJECT);
                    splitter.push(head);
                    Framing::Sse(splitter)
                };
            }
            Framing::Sse(splitter) => splitter.push(piece.clone()),
            Framing::Objects(scanner) => scanner.push(piece),
        }
        self.drain(out);
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) {
        if self.emitter.is_over() {
            return;
        }
        if let Framing::Sse(splitter) = &mut self.framing {
            match splitter.finish() {
                Some(SsePart::Frame(frame)) => self.sse_frame(&frame, out),
                // The blank line behind the last event may be missing.
                Some(SsePart::Fragment(rest)) => {
                    let data = SseFrame::parse(&rest).data;
                    if data.is_none_or(|data| serde_json::from_slice::<&RawValue>(&data).is_ok()) {
                        self.sse_frame(&rest, out);
                    }
                }
                None => {}
            }
        }
        if !self.emitter.is_over() {
            self.end(out);
        }
    }
}

impl Decoder {
    fn drain(&mut self, out: &mut Vec<ChatEvent>) {
        while !self.emitter.is_over() {
            match &mut self.framing {
                Framing::Unknown(_) => return,
                Framing::Sse(splitter) => match splitter.next_part() {
                    Some(SsePart::Frame(frame)) => self.sse_frame(&frame, out),
                    Some(SsePart::Fragment(_)) => self.emitter.fail(unreadable(), out),
                    None => return,
                },
                Framing::Objects(scanner) => match scanner.next_object() {
                    Some(object) => self.object(&object, out),
                    None if scanner.is_over_limit() => self.emitter.fail(unreadable(), out),
                    None => return,
                },
            }
        }
    }

    fn sse_frame(&mut self, frame: &Bytes, out: &mut Vec<ChatEvent>) {
        match SseFrame::parse(frame).data {
            Some(data) if data.trim_ascii().is_empty() || data.starts_with(b"[DONE]") => {}
            Some(data) => self.object(&data, out),
            // Errors come as bare JSON between events.
            None if frame.trim_ascii_start().starts_with(b"{")
                || frame.trim_ascii_start().starts_with(b"[") =>
            {
                self.emitter.fail(said(frame), out);
            }
            None => {}
        }
    }

    fn object(&mut self, json: &[u8], out: &mut Vec<ChatEvent>) {
        let Ok(frame) = serde_json::from_slice::<Frame<'_>>(json) else {
            self.emitter.fail(unreadable(), out);
            return;
        };
        if frame.error.is_some() {
            self.emitter.fail(said(json), out);
            return;
        }
        if let Some(usage) = &frame.usage_metadata {
            self.usage
                .get_or_insert_with(Tally::default)
                .merge(&usage.tally());
        }
        if let Some(id) = frame.response_id.as_str().filter(|_| self.response_id.is_empty()) {
            self.response_id = id.to_owned();
        }
        let candidates = frame.candidates.unwrap_or_default();
        let feedback = frame
            .prompt_feedback
            .filter(|feedback| is_blocked(Some(feedback)));
        if candidates.is_empty() && feedback.is_none() {
            return;
        }
        if !self.emitter.has_begun() {
            let mut extension = Extension::of(PROTOCOL);
            if let Some(feedback) = feedback {
                extension.push("promptFeedback", feedback.into());
            }
            let id = (!self.response_id.is_empty()).then(|| self.response_id.clone());
            self.emitter.start(
                id,
                frame.model_version.as_str().map(str::to_owned),
                extension,
                out,
            );
        }
        self.is_blocked |= feedback.is_some();
        for candidate in candidates {
            if self.candidate(candidate, out).is_none() {
                self.emitter.fail(unreadable(), out);
                return;
            }
        }
    }

    /// Takes a candidate's increment; `None` if it cannot be read.
    fn candidate(&mut self, candidate: Candidate<'_>, out: &mut Vec<ChatEvent>) -> Option<()> {
        let index = u32::try_from(candidate.index.0).ok()?;
        let parts = candidate
            .content
            .and_then(|content| content.parts)
            .unwrap_or_default();
        for part in parts {
            self.part(index, part, out)?;
        }
        for (name, value) in [
            ("citationMetadata", candidate.citation_metadata),
            ("groundingMetadata", candidate.grounding_metadata),
        ] {
            if let Some(value) = value {
                let extension = Extension::with(PROTOCOL, vec![(name.to_owned(), value.into())]);
                self.emitter.annotate(index, extension, out);
            }
        }
        let result = candidate.logprobs_result.map(Json::from);
        if let Some(logprobs) = result.and_then(|result| logprobs::to_openai(&result)) {
            self.emitter.logprobs(index, logprobs, out);
        }
        let reason = candidate
            .finish_reason
            .as_str()
            .filter(|reason| !reason.is_empty())
            .map(finish::read);
        if let Some((_, before)) = self.candidates.iter_mut().find(|(known, _)| *known == index) {
            *before = reason.or(*before);
        } else if self.candidates.len() < CANDIDATES_MAX {
            self.candidates.push((index, reason));
        }
        Some(())
    }

    fn part(&mut self, index: u32, raw: &RawValue, out: &mut Vec<ChatEvent>) -> Option<()> {
        if let Ok(TextPart {
            text: Some(text),
            thought,
            thought_signature,
        }) = serde_json::from_str(raw.get())
        {
            let kind = if thought { Kind::Reasoning } else { Kind::Text };
            self.emitter.say(index, kind, text.into_owned(), out);
            if let Text(Some(text)) = thought_signature {
                let (signature, is_redacted) = signature::read(text.into_owned());
                if !thought {
                    self.emitter.close(index, out);
                }
                self.emitter.sign(index, signature, is_redacted, out);
            }
            return Some(());
        }
        let mut ids = AnswerIds {
            answer: &self.response_id,
            calls: self.calls,
        };
        let mut parts = Vec::new();
        part(raw, &mut ids, &mut parts).ok()?;
        self.calls = ids.calls;
        for part in parts {
            self.whole(index, part, out);
        }
        Some(())
    }

    /// Tells a part that came whole.
    fn whole(&mut self, index: u32, part: Part, out: &mut Vec<ChatEvent>) {
        match part.kind {
            PartKind::ToolCall(call) => {
                self.emitter.open_call(index, call.id, call.name, out);
                if let Some(signature) = call.signature {
                    self.emitter
                        .call_delta(index, PartDelta::Signature(signature), out);
                }
                self.emitter
                    .call_delta(index, PartDelta::Arguments(call.arguments), out);
                self.emitter.close(index, out);
            }
            PartKind::Reasoning(reasoning) => {
                self.emitter.close(index, out);
                if let Some(signature) = reasoning.signature {
                    self.emitter.sign(index, signature, reasoning.is_redacted, out);
                }
            }
            PartKind::Foreign => self.emitter.foreign(index, part.extension, out),
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<ChatEvent>) {
        let usage = self.usage.map(|tally| tally.usage());
        let is_whole = match self.candidates.as_slice() {
            [] => self.is_blocked,
            candidates => candidates.iter().all(|(_, reason)| reason.is_some()),
        };
        if !is_whole {
            out.extend(usage.map(ChatEvent::Usage));
            self.emitter.fail(cut(), out);
            return;
        }
        if self.candidates.is_empty() {
            self.candidates.push((0, Some(StopReason::ContentFilter)));
        }
        for (index, reason) in std::mem::take(&mut self.candidates) {
            self.emitter.stop(index, reason.unwrap_or(StopReason::Stop), out);
        }
        self.emitter.end(usage, out);
    }
}
