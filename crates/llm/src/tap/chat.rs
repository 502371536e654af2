//! OpenAI chat streams (compat §5.6).

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{FrameKind, StreamEnd, StreamTap, data, finder, is_given};
use crate::lenient::{BatchTier, NonEmpty, Text};
use crate::usage::ChatUsage;

/// What frames that matter contain. Inside strings the quotes would be escaped, so text never looks like this.
pub(super) struct ChatNeedles {
    usage: Finder<'static>,
    tool_calls: Finder<'static>,
    error: Finder<'static>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Chunk<'a> {
    #[serde(default)]
    model: Text<'a>,
    choices: Option<Vec<Choice<'a>>>,
    usage: Option<ChatUsage>,
    #[serde(default)]
    service_tier: BatchTier,
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    refusal: Option<&'a RawValue>,
    reasoning_content: Option<&'a RawValue>,
    reasoning: Option<&'a RawValue>,
    tool_calls: Option<Vec<ToolCall<'a>>>,
    #[serde(default)]
    function_call: NonEmpty,
    #[serde(default)]
    audio: NonEmpty,
}

#[derive(Deserialize)]
struct ToolCall<'a> {
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

impl ChatNeedles {
    pub(super) fn new() -> Self {
        Self {
            usage: finder("\"usage\""),
            tool_calls: finder("\"tool_calls\""),
            error: finder("\"error\""),
        }
    }

    /// Whether there is a usage that is not `null`, as it is on every chunk but the last of a stream with usage.
    fn finds_usage(&self, data: &[u8]) -> bool {
        self.usage.find(data).is_some_and(|at| {
            let value = data[at + self.usage.needle().len()..].trim_ascii_start();
            let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii_start();
            !value.starts_with(b"null")
        })
    }
}

impl Delta<'_> {
    fn calls_tools(&self) -> bool {
        self.function_call.0 || self.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty())
    }

    fn has_content(&self) -> bool {
        let texts = [self.content, self.refusal, self.reasoning_content, self.reasoning];
        texts.into_iter().any(is_given) || self.audio.0 || self.calls_tools()
    }
}

impl StreamTap {
    pub(super) fn observe_chat(&mut self, frame: &[u8]) -> FrameKind {
        let data = data(frame);
        if data.is_empty() {
            return FrameKind::Plain;
        }
        if data.starts_with(b"[DONE]") {
            return self.ended(StreamEnd::Complete);
        }
        let matters = !self.has_content
            || self.reads_text()
            || self.needles.finds_usage(&data)
            || (!self.has_tool_calls && self.needles.tool_calls.find(&data).is_some())
            || self.needles.error.find(&data).is_some();
        if !matters {
            return self.content();
        }
        match serde_json::from_slice::<Chunk<'_>>(&data) {
            Ok(chunk) => self.read_chunk(&chunk),
            Err(_) => FrameKind::Plain,
        }
    }

    fn read_chunk(&mut self, chunk: &Chunk<'_>) -> FrameKind {
        if chunk.error.is_some() {
            return self.ended(StreamEnd::Failed);
        }
        self.name_model(&chunk.model);
        if let Some(usage) = &chunk.usage {
            self.report(&usage.tally().in_tier(chunk.service_tier), true);
        }
        let choices = chunk.choices.as_deref().unwrap_or_default();
        let mut has_content = false;
        for delta in choices.iter().filter_map(|choice| choice.delta.as_ref()) {
            has_content |= delta.has_content();
            self.has_tool_calls |= delta.calls_tools();
            self.read_text(delta);
        }
        if has_content {
            self.content()
        } else if chunk.usage.is_some() && choices.is_empty() {
            FrameKind::UsageOnly
        } else {
            FrameKind::Plain
        }
    }

    fn read_text(&mut self, delta: &Delta<'_>) {
        if !self.reads_text() {
            return;
        }
        self.generated(delta.content, true);
        self.generated(delta.refusal, false);
        // Some providers send the reasoning under both names.
        self.generated(delta.reasoning_content.or(delta.reasoning), false);
        for function in delta
            .tool_calls
            .iter()
            .flatten()
            .filter_map(|call| call.function.as_ref())
        {
            self.generated(function.arguments, false);
        }
    }
}
