//! What a provider sends, whole or piece by piece, as far as it is read (llm-protocols §3, §13).

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{StopReason, items};
use crate::lenient::{Count, Text};
use crate::usage::{ChatUsage, Tally};

/// A chunk of a stream.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Chunk<'a> {
    pub(super) error: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) id: Text<'a>,
    #[serde(default)]
    pub(super) model: Text<'a>,
    #[serde(default)]
    pub(super) object: Text<'a>,
    pub(super) choices: Option<Vec<ChoicePiece<'a>>>,
    pub(super) usage: Option<&'a RawValue>,
    pub(super) x_groq: Option<Groq<'a>>,
}

/// Groq's own member.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Groq<'a> {
    pub(super) usage: Option<&'a RawValue>,
    pub(super) error: Option<&'a RawValue>,
}

/// A piece of one alternative.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct ChoicePiece<'a> {
    #[serde(default)]
    pub(super) index: Count,
    pub(super) delta: Option<Said<'a>>,
    /// Legacy completions: all that is said.
    pub(super) text: Option<&'a RawValue>,
    /// In place of `delta`, from servers that stream whole messages; beside it, Perplexity's message so far.
    pub(super) message: Option<Said<'a>>,
    #[serde(default)]
    pub(super) finish_reason: Text<'a>,
    /// vLLM: the text that ended the answer.
    #[serde(default)]
    pub(super) stop_reason: Text<'a>,
    /// SGLang: the same.
    #[serde(default)]
    pub(super) matched_stop: Text<'a>,
    pub(super) logprobs: Option<&'a RawValue>,
}

/// A message, or a piece of one.
#[derive(Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Said<'a> {
    pub(super) content: Option<&'a RawValue>,
    pub(super) refusal: Option<&'a RawValue>,
    reasoning_content: Option<&'a RawValue>,
    reasoning: Option<&'a RawValue>,
    pub(super) reasoning_details: Option<Vec<&'a RawValue>>,
    pub(super) tool_calls: Option<Vec<CallPiece<'a>>>,
    pub(super) function_call: Option<Function<'a>>,
    pub(super) audio: Option<&'a RawValue>,
    pub(super) images: Option<&'a RawValue>,
    pub(super) annotations: Option<&'a RawValue>,
}

impl<'a> Said<'a> {
    /// The thoughts as text. Some providers send them under both names.
    pub(super) fn thoughts(&self) -> Option<&'a RawValue> {
        self.reasoning_content
            .filter(is_text)
            .or(self.reasoning)
            .filter(is_text)
    }
}

/// A tool call, or a piece of one.
#[derive(Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct CallPiece<'a> {
    pub(super) index: Option<Count>,
    #[serde(default)]
    pub(super) id: Text<'a>,
    pub(super) function: Option<Function<'a>>,
    pub(super) custom: Option<Custom<'a>>,
    pub(super) extra_content: Option<&'a RawValue>,
}

/// Name and arguments of a called function.
#[derive(Clone, Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Function<'a> {
    #[serde(default)]
    pub(super) name: Text<'a>,
    pub(super) arguments: Option<&'a RawValue>,
}

/// Name and input of a called custom tool.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Custom<'a> {
    #[serde(default)]
    pub(super) name: Text<'a>,
    pub(super) input: Option<&'a RawValue>,
}

impl<'a> CallPiece<'a> {
    /// The tool's name, if it is there.
    pub(super) fn name(&self) -> Option<&str> {
        let name = match (&self.function, &self.custom) {
            (Some(function), _) => function.name.as_str(),
            (None, Some(custom)) => custom.name.as_str(),
            (None, None) => None,
        };
        name.filter(|name| !name.is_empty())
    }

    /// The arguments or the input.
    pub(super) fn arguments(&self) -> Option<&'a RawValue> {
        match (&self.function, &self.custom) {
            (Some(function), _) => function.arguments,
            (None, Some(custom)) => custom.input,
            (None, None) => None,
        }
    }

    /// The id, if it says something.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_str().filter(|id| !id.is_empty())
    }

    /// Gemini's signature of the thought behind the call.
    pub(super) fn thought_signature(&self) -> Option<String> {
        thought_signature(self.extra_content?)
    }
}

/// `google.thought_signature` of an `extra_content`.
pub(super) fn thought_signature(extra_content: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Extra {
        google: Google,
    }
    #[derive(Deserialize)]
    struct Google {
        thought_signature: String,
    }
    let extra: Extra = serde_json::from_str(extra_content.get()).ok()?;
    Some(extra.google.thought_signature).filter(|signature| !signature.is_empty())
}

/// One chunk of a content that is a list (Mistral).
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct ContentChunk<'a> {
    #[serde(rename = "type", default)]
    pub(super) kind: Text<'a>,
    pub(super) text: Option<&'a RawValue>,
    /// Thoughts: a list of text chunks, or text.
    pub(super) thinking: Option<&'a RawValue>,
}

/// The texts of Mistral's `thinking`: a list of text chunks, or text.
pub(super) fn thinking_texts(thinking: &RawValue) -> Vec<&RawValue> {
    if is_text(&thinking) {
        return vec![thinking];
    }
    let chunks = items(thinking).unwrap_or_default();
    chunks
        .into_iter()
        .filter_map(|raw| serde_json::from_str::<ContentChunk<'_>>(raw.get()).ok()?.text)
        .collect()
}

/// Whether a value is a string with something in it.
pub(super) fn is_text(value: &&RawValue) -> bool {
    value.get().starts_with('"') && value.get() != "\"\""
}

/// What a `finish_reason` means, before tool calls are taken into account; `None` if it says nothing.
pub(in crate::codec) fn stop_reason(word: &str) -> Option<StopReason> {
    Some(match word.trim() {
        "" | "null" => return None,
        "length" | "max_tokens" | "model_length" => StopReason::Length,
        "tool_calls" | "function_call" | "tool_use" | "tool_call" => StopReason::ToolCalls,
        "content_filter" | "safety" => StopReason::ContentFilter,
        "refusal" => StopReason::Refusal,
        "stop_sequence" => StopReason::StopSequence,
        "error" | "insufficient_system_resource" | "abort" => StopReason::Failed,
        _ => StopReason::Stop,
    })
}

/// The usage of an object that is one.
pub(in crate::codec) fn tally(usage: &RawValue) -> Option<Tally> {
    if !usage.get().starts_with('{') {
        return None;
    }
    serde_json::from_str::<ChatUsage>(usage.get())
        .ok()
        .map(|usage| usage.tally())
}

/// An id for a call whose provider gives none: the same for the same answer and place, so that it does not depend on
/// how a stream is cut, and another one in another answer.
pub(super) fn call_id(answer: Option<&str>, choice: u32, call: usize) -> String {
    let answer: String = match answer {
        Some(id) => id
            .chars()
            .rev()
            .filter(char::is_ascii_alphanumeric)
            .take(20)
            .collect(),
        None => uuid::Uuid::new_v4().simple().to_string(),
    };
    format!("call_{answer}_{choice}_{call}")
}
