//! Streams that are watched through the codec of their protocol: those whose every event must be read anyway, because
//! each may carry usage, or whose framing is their own.

use bytes::Bytes;

use super::{FrameKind, MAX_SIGNATURES, StreamEnd, StreamTap};
use crate::chat::{ChatEvent, PartDelta, PartStart};
use crate::codec::{StreamDecoder, codec};
use crate::protocol::Protocol;
use crate::signed::digest;
use crate::usage::{ReportedCounts, Tally, Usage};

/// The codec of one stream.
pub(super) struct Decoded {
    decoder: Box<dyn StreamDecoder>,
    events: Vec<ChatEvent>,
}

impl Decoded {
    /// The codec for streams in that protocol, if they are watched this way.
    pub(super) fn of(protocol: Protocol) -> Option<Self> {
        let is_meant = matches!(
            protocol,
            Protocol::CohereChat
                | Protocol::GeminiGenerate
                | Protocol::OllamaChat
                | Protocol::OllamaGenerate
                | Protocol::OpenAiCompletions
        );
        let codec = codec(protocol).filter(|_| is_meant)?;
        Some(Self {
            decoder: codec.stream_decoder(),
            events: Vec::new(),
        })
    }
}

impl StreamTap {
    pub(super) fn observe_decoded(&mut self, piece: &Bytes) -> FrameKind {
        let Some(mut decoded) = self.decoded.take() else {
            return FrameKind::Plain;
        };
        decoded.decoder.push(piece, &mut decoded.events);
        let kind = self.note_events(&mut decoded.events);
        self.decoded = Some(decoded);
        kind
    }

    pub(super) fn finish_decoded(&mut self) {
        let Some(mut decoded) = self.decoded.take() else {
            return;
        };
        decoded.decoder.finish(&mut decoded.events);
        // What the decoder makes of a stream that was cut is no word of the provider's.
        decoded
            .events
            .retain(|event| !matches!(event, ChatEvent::Error(_)));
        self.note_events(&mut decoded.events);
    }

    fn note_events(&mut self, events: &mut Vec<ChatEvent>) -> FrameKind {
        let mut kind = FrameKind::Plain;
        for event in events.drain(..) {
            if self.end.is_some() {
                break;
            }
            let noted = self.note_event(event);
            if noted != FrameKind::Plain && kind == FrameKind::Plain {
                kind = noted;
            }
        }
        kind
    }

    fn note_event(&mut self, event: ChatEvent) -> FrameKind {
        match event {
            ChatEvent::Start { model, .. } => {
                self.model = self.model.take().or(model);
                FrameKind::Plain
            }
            ChatEvent::PartStart {
                start: PartStart::ToolCall { .. },
                ..
            } => {
                self.has_tool_calls = true;
                self.content()
            }
            ChatEvent::Delta { delta, .. } => match delta {
                PartDelta::Text(text) => self.note_text(&text, true),
                PartDelta::Arguments(text) => self.note_text(&text, false),
                PartDelta::Signature(signature) => {
                    if self.options.keep_signatures && self.signatures.len() < MAX_SIGNATURES {
                        self.signatures.push(digest(&signature.data));
                    }
                    FrameKind::Plain
                }
                PartDelta::Annotation(_) => FrameKind::Plain,
            },
            ChatEvent::Usage(usage) => {
                self.report(&tally_of(&usage), true);
                FrameKind::Plain
            }
            ChatEvent::End => self.ended(StreamEnd::Complete),
            ChatEvent::Error(_) => self.ended(StreamEnd::Failed),
            ChatEvent::PartStart { .. }
            | ChatEvent::PartEnd { .. }
            | ChatEvent::Logprobs { .. }
            | ChatEvent::Stop { .. } => FrameKind::Plain,
        }
    }

    fn note_text(&mut self, text: &str, visible: bool) -> FrameKind {
        if let Some(count) = &self.options.count_tokens {
            self.counted_tokens = self.counted_tokens.saturating_add(count(text));
        }
        if visible && self.options.keep_text {
            self.text.push_str(text);
        }
        self.content()
    }
}

/// Usage in normal form as a report that gives the same again. APISIX knows none of these protocols; its counts are
/// the sums that it would take from OpenAI's form of the answer.
pub(crate) fn tally_of(usage: &Usage) -> Tally {
    Tally {
        counts: ReportedCounts {
            prompt: usage.total_input(),
            completion: usage.total_output(),
            total: usage.total(),
            cache_read: usage.cache_read,
            cache_creation: usage.cache_write.saturating_add(usage.cache_write_1h),
            reasoning: usage.reasoning,
        },
        prompt_includes_cache: true,
        audio_input: usage.audio_input,
        audio_output: usage.audio_output,
        image_input: usage.image_input,
        image_output: usage.image_output,
        searches: usage.searches,
        audio_ms: usage.audio_ms,
        at_batch_rates: usage.at_batch_rates,
        ..Tally::default()
    }
}
