//! What ai-proxy adds to every log entry: `logging.summaries` and `logging.payloads` (compat §4.1.6).

use std::borrow::Cow;
use std::time::Instant;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use sluice_core::{AiCall, Context, ProgressState};
use sluice_llm::Protocol;
use sluice_resource::Variables;

/// A count or a time in milliseconds: a number once it is known, the text `0` before.
pub(super) struct Count(Option<u64>);

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(number) => serializer.serialize_u64(number),
            None => serializer.serialize_str("0"),
        }
    }
}

/// The variable of that name, if it is a count of the AI call.
pub(super) fn count(cx: &Context, name: &str) -> Option<Count> {
    if !(name.starts_with("llm_") || name == "apisix_upstream_response_time") {
        return None;
    }
    let ai = cx.ai.as_deref()?;
    if name == "llm_tool_count" {
        return Some(Count(Some(u64::from(ai.tool_count))));
    }
    ai.progress.read(|state| {
        let tokens = match name {
            "llm_time_to_first_token" => return Some(millis(cx, state.first_token)),
            "apisix_upstream_response_time" => return Some(millis(cx, state.finished)),
            "llm_prompt_tokens" => state.counts.prompt,
            "llm_completion_tokens" => state.counts.completion,
            "llm_total_tokens" => state.counts.total,
            "llm_cache_read_input_tokens" => state.counts.cache_read,
            "llm_cache_creation_input_tokens" => state.counts.cache_creation,
            "llm_reasoning_tokens" => state.counts.reasoning,
            _ => return None,
        };
        Some(Count(state.finished.map(|_| tokens)))
    })
}

fn millis(cx: &Context, at: Option<Instant>) -> Count {
    let since =
        |at: Instant| u64::try_from(at.saturating_duration_since(cx.started).as_millis()).unwrap_or(u64::MAX);
    Count(at.map(since))
}

/// The members, of a call for which they are asked.
pub(super) struct LlmMembers<'a> {
    cx: &'a Context,
    ai: &'a AiCall,
}

impl<'a> LlmMembers<'a> {
    pub(super) fn of(cx: &'a Context) -> Option<Self> {
        let ai = cx.ai.as_deref()?;
        (ai.logging.summaries || ai.logging.payloads).then_some(Self { cx, ai })
    }

    /// Whether a member of that name is written.
    pub(super) fn writes(&self, name: &str) -> bool {
        match name {
            "llm_summary" => self.ai.logging.summaries,
            "llm_request" | "llm_response_text" => self.ai.logging.payloads,
            _ => false,
        }
    }

    pub(super) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        if self.ai.logging.summaries {
            map.serialize_entry("llm_summary", &self.summary())?;
        }
        if self.ai.logging.payloads {
            map.serialize_entry(
                "llm_request",
                &LlmRequest {
                    messages: self.messages(),
                    stream: self.ai.stream,
                },
            )?;
            let content = self.ai.progress.read(|state| state.response_text.clone());
            map.serialize_entry("llm_response_text", &LlmResponseText { content })?;
        }
        Ok(())
    }

    fn summary(&self) -> LlmSummary<'a> {
        let Self { cx, ai } = *self;
        let count = |name| count(cx, name).unwrap_or(Count(None));
        let read = |look: fn(&ProgressState) -> bool| if ai.progress.read(look) { "true" } else { "false" };
        LlmSummary {
            request_model: &ai.model_asked,
            model: ai.model_sent.as_deref().unwrap_or_default(),
            duration: count("llm_time_to_first_token"),
            prompt_tokens: count("llm_prompt_tokens"),
            completion_tokens: count("llm_completion_tokens"),
            total_tokens: count("llm_total_tokens"),
            upstream_response_time: count("apisix_upstream_response_time"),
            stream: if ai.stream { "true" } else { "false" },
            tool_count: ai.tool_count,
            has_tool_calls: read(|state| state.has_tool_calls),
            end_user_id: ai.end_user.as_deref().unwrap_or_default(),
            cache_read_input_tokens: count("llm_cache_read_input_tokens"),
            cache_creation_input_tokens: count("llm_cache_creation_input_tokens"),
            reasoning_tokens: count("llm_reasoning_tokens"),
            content_risk_level: cx.get("llm_content_risk_level").unwrap_or_default(),
        }
    }

    /// What the client said, once it was sent to somebody.
    fn messages(&self) -> Option<Box<RawValue>> {
        self.ai.model_sent.as_ref()?;
        let member = match self.ai.protocol {
            Protocol::OpenAiResponses | Protocol::OpenAiEmbeddings => "input",
            _ => "messages",
        };
        one_line(self.ai.request.as_ref()?.object()?.get(member)?.raw())
    }
}

/// JSON as it stands, without line ends: those may stand between its tokens only, and would break lines of logs.
pub(super) fn one_line(json: &[u8]) -> Option<Box<RawValue>> {
    let mut json = json.to_vec();
    for byte in json.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
    RawValue::from_string(String::from_utf8(json).ok()?).ok()
}

#[derive(serde::Serialize)]
struct LlmSummary<'a> {
    request_model: &'a str,
    model: &'a str,
    /// Time to the first token.
    duration: Count,
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    upstream_response_time: Count,
    stream: &'static str,
    tool_count: u32,
    has_tool_calls: &'static str,
    end_user_id: &'a str,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    reasoning_tokens: Count,
    content_risk_level: Cow<'a, str>,
}

#[derive(serde::Serialize)]
struct LlmRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Box<RawValue>>,
    stream: bool,
}

#[derive(serde::Serialize)]
struct LlmResponseText {
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}
