//! The `response` object around the output, much of which repeats the request.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::PROTOCOL;
use super::marks;
use super::tools_in;
use crate::chat::{Extension, Fields, Json, Object, StopReason, Tool, ToolKind, array};
use crate::codec::ReplyFacts;
use crate::error::PublicError;
use crate::usage::Usage;

/// Members that every response has, as they are where the request says nothing.
const ALWAYS: [(&str, &str); 15] = [
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("store", "true"),
    ("temperature", "1.0"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_p", "1.0"),
    ("truncation", "\"disabled\""),
];

/// Members that a response has if the request says them.
const IF_TOLD: [&str; 7] = [
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "top_logprobs",
    "user",
];

/// What all versions of a response have in common.
pub(super) struct Envelope {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) created: u64,
    /// The repeated members.
    echoes: Vec<(String, Json)>,
}

/// What differs.
pub(super) struct State<'a> {
    pub(super) status: &'a str,
    pub(super) error: Option<Json>,
    pub(super) incomplete: Option<Json>,
    pub(super) output: &'a [Json],
    pub(super) usage: Option<Json>,
}

impl Envelope {
    /// The envelope of an answer to a request.
    pub(super) fn new(facts: &ReplyFacts, request: Fields<'_>) -> Self {
        let mut request = request;
        // Answers are given at once, whatever was asked.
        request.raw("background");
        let mut echoes = Vec::with_capacity(ALWAYS.len() + 2);
        for (name, otherwise) in ALWAYS {
            let value = request.json(name).or_else(|| Json::parse(otherwise));
            echoes.extend(value.map(|value| (name.to_owned(), value)));
        }
        for name in IF_TOLD {
            echoes.extend(request.json(name).map(|value| (name.to_owned(), value)));
        }
        Self {
            id: format!("resp_{}", facts.id),
            model: facts.model.clone(),
            created: facts.created,
            echoes,
        }
    }

    /// Takes what the provider said of its answer: its id only if it is one of this protocol.
    pub(super) fn answered(&mut self, id: Option<&str>, model: Option<&str>, extension: &Extension) {
        if let Some(id) = id.filter(|id| id.starts_with("resp_")) {
            id.clone_into(&mut self.id);
        }
        if let Some(model) = model {
            model.clone_into(&mut self.model);
        }
        // The error is part of what differs.
        for (name, value) in extension
            .members(PROTOCOL)
            .iter()
            .filter(|(name, _)| name != "error")
        {
            self.set(name, value.clone());
        }
    }

    /// Sets a member.
    pub(super) fn set(&mut self, name: &str, value: Json) {
        match self.echoes.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.echoes.push((name.to_owned(), value)),
        }
    }

    /// The response.
    pub(super) fn json(&self, state: &State<'_>) -> Json {
        let mut object = Object::new()
            .set("id", &self.id)
            .set("object", "response")
            .set("created_at", &self.created)
            .set("status", state.status)
            .set("error", &state.error)
            .set("incomplete_details", &state.incomplete)
            .set("model", &self.model)
            .set("output", &array(state.output))
            .set("usage", &state.usage);
        for (name, value) in &self.echoes {
            object.put(name, value);
        }
        object.finish()
    }
}

impl State<'_> {
    /// A response that has only begun.
    pub(super) const BEGUN: Self = Self {
        status: "in_progress",
        error: None,
        incomplete: None,
        output: &[],
        usage: None,
    };
}

/// `status` and the reason in `incomplete_details` of an answer that ends for that reason.
pub(super) fn ended(stop: StopReason, has_refused: bool) -> (&'static str, Option<&'static str>) {
    match stop {
        StopReason::Length | StopReason::ContextWindow => ("incomplete", Some("max_output_tokens")),
        StopReason::ContentFilter => ("incomplete", Some("content_filter")),
        // A refusal in words says so itself.
        StopReason::Refusal if !has_refused => ("incomplete", Some("content_filter")),
        StopReason::Failed => ("failed", None),
        StopReason::Stop
        | StopReason::StopSequence
        | StopReason::ToolCalls
        | StopReason::Refusal
        | StopReason::Pause => ("completed", None),
    }
}

/// `incomplete_details` of that reason.
pub(super) fn incomplete(reason: &str) -> Json {
    Object::new().set("reason", reason).finish()
}

/// `error` of a response that failed.
pub(super) fn failure(error: &PublicError) -> Json {
    use crate::error::ErrorKind;
    let usual = match error.kind() {
        ErrorKind::RateLimit => "rate_limit_exceeded",
        ErrorKind::InvalidRequest | ErrorKind::RequestTooLarge => "invalid_prompt",
        _ => "server_error",
    };
    Object::new()
        .set("code", error.code().unwrap_or(usual))
        .set("message", error.message())
        .finish()
}

/// `usage`.
pub(super) fn usage(usage: &Usage) -> Json {
    let input = Object::new()
        .set("cached_tokens", &usage.cache_read)
        .set(
            "cache_write_tokens",
            &usage.cache_write.saturating_add(usage.cache_write_1h),
        )
        .set_some("audio_tokens", Some(usage.audio_input).filter(|count| *count > 0));
    let output = Object::new().set("reasoning_tokens", &usage.reasoning).set_some(
        "audio_tokens",
        Some(usage.audio_output).filter(|count| *count > 0),
    );
    Object::new()
        .set("input_tokens", &usage.total_input())
        .set("input_tokens_details", &input.finish())
        .set("output_tokens", &usage.total_output())
        .set("output_tokens_details", &output.finish())
        .set("total_tokens", &usage.total())
        .finish()
}

/// Tools of a request that are called by other names than they have, or in another form: those of namespaces, and
/// custom ones.
pub(super) type ToolTable = HashMap<String, KnownTool>;

/// A tool as the client knows it.
pub(super) struct KnownTool {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) is_custom: bool,
}

/// The tools of a request.
pub(super) fn tool_table(request: &Fields<'_>) -> ToolTable {
    let list: Option<Vec<&RawValue>> = request.peek("tools").and_then(crate::chat::items);
    let tools = list
        .and_then(|list| tools_in::read(&list).ok())
        .unwrap_or_default();
    tools.iter().filter_map(known).collect()
}

fn known(tool: &Tool) -> Option<(String, KnownTool)> {
    #[derive(serde::Deserialize)]
    struct Namespace {
        name: String,
    }

    let namespace = tool.extension.kept(PROTOCOL, marks::NAMESPACE);
    let namespace = namespace.and_then(|members| members.read::<Namespace>());
    let is_custom = matches!(tool.kind, ToolKind::Custom { .. });
    let flat = tool.name()?;
    let name = tool
        .extension
        .kept(PROTOCOL, marks::NAME)
        .and_then(|name| name.read());
    (is_custom || namespace.is_some()).then(|| {
        let known = KnownTool {
            name: name.unwrap_or_else(|| flat.to_owned()),
            namespace: namespace.map(|namespace| namespace.name),
            is_custom,
        };
        (flat.to_owned(), known)
    })
}
