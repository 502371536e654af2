//! What a chat provider says, whole or piece by piece: as much of it as a message is made of.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::lenient::{Count, Text};
use crate::usage::ChatUsage;

/// An answer, or a chunk of a stream.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Completion<'a> {
    pub(super) error: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) id: Text<'a>,
    #[serde(default)]
    pub(super) model: Text<'a>,
    pub(super) choices: Option<Vec<Choice<'a>>>,
    pub(super) usage: Option<ChatUsage>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Choice<'a> {
    /// Of an answer.
    pub(super) message: Option<Said<'a>>,
    /// Of a chunk.
    pub(super) delta: Option<Said<'a>>,
    #[serde(default)]
    pub(super) finish_reason: Text<'a>,
}

/// A message, or a piece of one.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Said<'a> {
    content: Option<&'a RawValue>,
    reasoning_content: Option<&'a RawValue>,
    reasoning: Option<&'a RawValue>,
    tool_calls: Option<Vec<ToolCall<'a>>>,
}

/// A tool call, or a piece of one.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct ToolCall<'a> {
    /// Only pieces need it.
    pub(super) index: Option<Count>,
    #[serde(default)]
    pub(super) id: Text<'a>,
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Function<'a> {
    #[serde(default)]
    name: Text<'a>,
    arguments: Option<&'a RawValue>,
}

impl<'a> Said<'a> {
    /// What was thought, as the JSON string that it came as, if it is not empty.
    pub(super) fn thinking(&self) -> Option<&'a RawValue> {
        self.reasoning_content
            .or(self.reasoning)
            .filter(|text| is_text(text))
    }

    /// What was said, likewise.
    pub(super) fn text(&self) -> Option<&'a RawValue> {
        self.content.filter(|text| is_text(text))
    }

    pub(super) fn tool_calls(&self) -> impl Iterator<Item = &ToolCall<'a>> {
        self.tool_calls.iter().flatten()
    }
}

impl<'a> ToolCall<'a> {
    /// The tool's name; empty if there is none.
    pub(super) fn name(&self) -> &str {
        let function = self.function.as_ref();
        function
            .and_then(|function| function.name.as_str())
            .unwrap_or_default()
    }

    pub(super) fn arguments(&self) -> Option<&'a RawValue> {
        self.function.as_ref()?.arguments
    }
}

/// Whether a value is a string with something in it.
pub(super) fn is_text(value: &RawValue) -> bool {
    value.get().starts_with('"') && value.get() != "\"\""
}
