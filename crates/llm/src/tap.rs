//! Watches a provider's event stream pass: usage, end, tool calls, first content, an estimate of what was generated.

mod anthropic;
mod bedrock;
mod chat;
mod decoded;
mod raw;
mod responses;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem::Finder;
use serde_json::value::RawValue;
use sluice_wire::{EventStreamSplitter, SseFrame, SsePart, SseSplitter};

use self::chat::ChatNeedles;
use self::decoded::Decoded;
pub(crate) use self::decoded::tally_of;
use crate::lenient::Text;
use crate::media;
use crate::protocol::Protocol;
use crate::signed::answer_marks;
use crate::usage::{Metered, Tally};

/// Longest event with an image or with sound that is looked into: the last one has the usage beside them.
const MAX_MEDIA_FRAME: usize = 16 << 20;

/// Most signatures of a stream that are kept.
const MAX_SIGNATURES: usize = 64;

/// Counts the tokens of a piece of text.
pub type CountTokens = Arc<dyn Fn(&str) -> u64 + Send + Sync>;

/// What a [`StreamTap`] does beyond looking for usage. Reading generated text costs the parsing of every frame.
#[derive(Clone, Default)]
pub struct TapOptions {
    /// Counts each piece of generated text (content, reasoning, tool arguments), for a stream that may end without
    /// usage.
    pub count_tokens: Option<CountTokens>,
    /// Keeps the visible text, for `llm_response_text`.
    pub keep_text: bool,
    /// Keeps the usage objects as they stand, merged over all events; costs a parse of the frames that have one.
    pub keep_usage: bool,
    /// Keeps [marks](crate::answer_marks) of what the provider signs; costs a search of every frame.
    pub keep_signatures: bool,
}

impl fmt::Debug for TapOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TapOptions")
            .field("count_tokens", &self.count_tokens.is_some())
            .field("keep_text", &self.keep_text)
            .field("keep_usage", &self.keep_usage)
            .field("keep_signatures", &self.keep_signatures)
            .finish()
    }
}

/// How a stream ended, by its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// With the event that ends a whole answer.
    Complete,
    /// With an error event.
    Failed,
}

/// What a frame is to those who relay it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Nothing special.
    Plain,
    /// The first with generated content: from here on no other target can take over.
    FirstContent,
    /// Carries usage and no content: to be withheld from a chat client that did not ask for it.
    UsageOnly,
    /// Ends the stream.
    End(StreamEnd),
}

/// Watches one provider stream.
///
/// Relayed bytes are never altered by it. A frame is parsed only if a search of its bytes says that it can matter;
/// with default options, once content flows, ordinary frames are not. What follows the end event is ignored; Bedrock's
/// usage comes after its `messageStop`, so there the end is the `metadata` event. Of passthrough streams only the frames
/// are counted.
pub struct StreamTap {
    protocol: Protocol,
    options: TapOptions,
    splitter: SseSplitter,
    /// Of binary streams.
    messages: EventStreamSplitter,
    /// Bedrock's message is whole, its usage may still come.
    stopped: bool,
    needles: ChatNeedles,
    /// Of protocols that are watched through their codec.
    decoded: Option<Decoded>,
    /// Usage as APISIX takes it.
    reported: Tally,
    /// Usage for the normal form, which also reads events that APISIX does not.
    usage: Option<Tally>,
    model: Option<String>,
    end: Option<StreamEnd>,
    has_content: bool,
    has_tool_calls: bool,
    content_frames: u64,
    counted_tokens: u64,
    text: String,
    /// Of the events of Responses, the number that the last one had.
    last_number: Option<u64>,
    signatures: Vec<String>,
    raw_usage: serde_json::Map<String, serde_json::Value>,
}

impl StreamTap {
    /// A tap on a stream in that protocol, the provider's.
    #[must_use]
    pub fn new(protocol: Protocol, options: TapOptions) -> Self {
        Self {
            protocol,
            options,
            splitter: match protocol {
                Protocol::OpenAiMedia => SseSplitter::with_limit(MAX_MEDIA_FRAME),
                _ => SseSplitter::new(),
            },
            messages: EventStreamSplitter::new(),
            stopped: false,
            needles: ChatNeedles::new(),
            decoded: Decoded::of(protocol),
            reported: Tally::default(),
            usage: None,
            model: None,
            end: None,
            has_content: false,
            has_tool_calls: false,
            content_frames: 0,
            counted_tokens: 0,
            text: String::new(),
            last_number: None,
            signatures: Vec::new(),
            raw_usage: serde_json::Map::new(),
        }
    }

    /// Sees a chunk of the stream, cut anywhere. Only a frame that spans chunks is copied, and none that is longer
    /// than [`MAX_FRAME`](sluice_wire::MAX_FRAME), or [`MAX_MESSAGE`](sluice_wire::MAX_MESSAGE) in a binary stream.
    pub fn feed(&mut self, chunk: &Bytes) {
        if self.protocol == Protocol::BedrockConverse {
            self.observe_bedrock(chunk);
            return;
        }
        if self.decoded.is_some() {
            self.observe_decoded(chunk);
            return;
        }
        self.splitter.push(chunk.clone());
        while let Some(part) = self.splitter.next_part() {
            if let SsePart::Frame(frame) = part {
                self.observe(&frame);
            }
        }
    }

    /// Sees the end of the stream that was [fed](Self::feed). A frame that was broken off does not count.
    pub fn finish(&mut self) {
        if self.stopped && self.end.is_none() {
            self.end = Some(StreamEnd::Complete);
        }
        self.finish_decoded();
        if let Some(SsePart::Frame(frame)) = self.splitter.finish() {
            self.observe(&frame);
        }
    }

    /// Sees one whole frame. For those who cut the stream themselves; not to be mixed with [`feed`](Self::feed). Of a
    /// binary stream it takes any piece.
    pub fn observe(&mut self, frame: &[u8]) -> FrameKind {
        if self.end.is_some() {
            return FrameKind::Plain;
        }
        if self.options.keep_usage && self.protocol != Protocol::BedrockConverse {
            raw::merge_usage(&mut self.raw_usage, frame);
        }
        if self.options.keep_signatures && self.decoded.is_none() {
            self.note_signatures(frame);
        }
        match self.protocol {
            Protocol::OpenAiChat => self.observe_chat(frame),
            Protocol::OpenAiResponses => self.observe_responses(frame),
            Protocol::AnthropicMessages => self.observe_anthropic(frame),
            Protocol::BedrockConverse => self.observe_bedrock(frame),
            _ if self.decoded.is_some() => self.observe_decoded(&Bytes::copy_from_slice(frame)),
            Protocol::OpenAiMedia => {
                if let Some(tally) = media::tally(&data(frame)) {
                    self.report(&tally, false);
                }
                self.content()
            }
            _ => self.content(),
        }
    }

    /// The usage reported so far, merged over all events. `None` if there was none.
    #[must_use]
    pub fn usage(&self) -> Option<Metered> {
        self.usage.map(|usage| Metered {
            counts: self.reported.counts,
            usage: usage.usage(),
        })
    }

    /// The provider's usage object as JSON, with [`TapOptions::keep_usage`]; `None` while there was none.
    #[must_use]
    pub fn raw_usage(&self) -> Option<String> {
        (!self.raw_usage.is_empty()).then(|| serde_json::Value::Object(self.raw_usage.clone()).to_string())
    }

    /// How the stream ended; `None` while it has not, or if it was cut.
    #[must_use]
    pub fn end(&self) -> Option<StreamEnd> {
        self.end
    }

    /// The model that the stream names.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Whether anything was generated.
    #[must_use]
    pub fn has_content(&self) -> bool {
        self.has_content
    }

    /// Whether a tool was called.
    #[must_use]
    pub fn has_tool_calls(&self) -> bool {
        self.has_tool_calls
    }

    /// Number of frames with content: a lower bound of the tokens generated, and often their number.
    #[must_use]
    pub fn content_frames(&self) -> u64 {
        self.content_frames
    }

    /// Tokens generated so far by [`TapOptions::count_tokens`]; 0 without.
    #[must_use]
    pub fn counted_tokens(&self) -> u64 {
        self.counted_tokens
    }

    /// The visible text so far, with [`TapOptions::keep_text`].
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.options.keep_text.then_some(self.text.as_str())
    }

    /// The number of the event that would come next, where they are numbered (Responses).
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.last_number.map_or(0, |number| number + 1)
    }

    /// Whether a binary stream stands between two messages: only there can another follow.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        self.messages.is_at_boundary()
    }

    /// Takes the marks of what was signed, with [`TapOptions::keep_signatures`].
    #[must_use]
    pub fn take_signatures(&mut self) -> Vec<String> {
        std::mem::take(&mut self.signatures)
    }

    fn note_signatures(&mut self, data: &[u8]) {
        let room = MAX_SIGNATURES.saturating_sub(self.signatures.len());
        self.signatures.extend(answer_marks(data).into_iter().take(room));
    }

    /// Whether generated text must be read.
    fn reads_text(&self) -> bool {
        self.options.keep_text || self.options.count_tokens.is_some()
    }

    /// Takes note of a frame with content.
    fn content(&mut self) -> FrameKind {
        self.content_frames += 1;
        if self.has_content {
            return FrameKind::Plain;
        }
        self.has_content = true;
        FrameKind::FirstContent
    }

    fn ended(&mut self, end: StreamEnd) -> FrameKind {
        self.end = Some(end);
        FrameKind::End(end)
    }

    /// Takes note of a usage object; `counted_by_apisix` unless only the normal form reads it.
    fn report(&mut self, tally: &Tally, counted_by_apisix: bool) {
        if counted_by_apisix {
            self.reported.merge(tally);
        }
        self.usage.get_or_insert_default().merge(tally);
    }

    fn name_model(&mut self, model: &Text<'_>) {
        if self.model.is_none() {
            self.model = model.as_str().map(str::to_owned);
        }
    }

    /// Takes note of generated text, given as JSON.
    fn generated(&mut self, text: Option<&RawValue>, visible: bool) {
        let Some(Ok(Text(Some(text)))) = text.map(|text| serde_json::from_str::<Text<'_>>(text.get())) else {
            return;
        };
        if let Some(count) = &self.options.count_tokens {
            self.counted_tokens = self.counted_tokens.saturating_add(count(&text));
        }
        if visible && self.options.keep_text {
            self.text.push_str(&text);
        }
    }
}

impl fmt::Debug for StreamTap {
    /// Leaves out what was generated: it may be anybody's secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamTap")
            .field("protocol", &self.protocol)
            .field("usage", &self.usage())
            .field("end", &self.end)
            .field("content_frames", &self.content_frames)
            .finish_non_exhaustive()
    }
}

/// The data of a frame. Does without a full parse for what most frames are: one `data` line.
fn data(frame: &[u8]) -> Cow<'_, [u8]> {
    if let Some(line) = frame.strip_prefix(b"data:") {
        let line = line.trim_ascii();
        if memchr::memchr2(b'\n', b'\r', line).is_none() {
            return Cow::Borrowed(line);
        }
    }
    SseFrame::parse(frame).data.unwrap_or_default()
}

/// Name and data of an event; without an `event` line the data's `type` is the name.
fn event(frame: &[u8]) -> (Cow<'_, str>, Cow<'_, [u8]>) {
    #[derive(serde::Deserialize)]
    #[serde(bound(deserialize = "'de: 'a"))]
    struct Typed<'a> {
        #[serde(rename = "type")]
        kind: Text<'a>,
    }
    let frame = SseFrame::parse(frame);
    let data = frame.data.unwrap_or_default();
    if let Some(name) = frame.event {
        return (Cow::Borrowed(name), data);
    }
    let name = serde_json::from_slice::<Typed<'_>>(&data)
        .ok()
        .and_then(|typed| typed.kind.0.map(Cow::into_owned));
    (Cow::Owned(name.unwrap_or_default()), data)
}

/// Whether a JSON value is there and neither `null` nor an empty string.
fn is_given(value: Option<&RawValue>) -> bool {
    value.is_some_and(|value| !matches!(value.get(), "null" | "\"\""))
}

fn finder(needle: &'static str) -> Finder<'static> {
    Finder::new(needle)
}

#[cfg(test)]
mod tests;
