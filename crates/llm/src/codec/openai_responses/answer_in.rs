//! Whole answers of providers, read.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::PROTOCOL;
use super::items_in::{self, Item};
use super::marks;
use crate::chat::{
    ChatAnswer, Choice, Extension, Fields, Json, Object, Part, PartKind, StopReason, array, items,
};
use crate::convert::AnswerError;
use crate::lenient::{Count, Text};
use crate::usage::{ResponsesUsage, Usage};

/// Reads a response.
///
/// # Errors
/// [`AnswerError`] if it is none, or one that is still being made.
pub(super) fn read(body: &[u8]) -> Result<ChatAnswer, AnswerError> {
    let mut fields = Fields::from_slice(body).map_err(|_| AnswerError::Unreadable("it is no JSON object"))?;
    let Some(output) = fields.raw("output") else {
        return Err(AnswerError::Unreadable(match fields.peek("error") {
            Some(_) => "it is an error",
            None => "it has no output",
        }));
    };
    let output = items(output).ok_or(AnswerError::Unreadable("its output is no list"))?;
    let parts = read_output(&output)?;
    let status = text(fields.peek("status"));
    if matches!(status.as_deref(), Some("queued" | "in_progress")) {
        return Err(AnswerError::Unreadable("it is not finished"));
    }
    let reason = fields.raw("incomplete_details").and_then(incomplete_reason);
    let calls_tools = parts
        .iter()
        .any(|part| matches!(part.kind, PartKind::ToolCall(_)));
    let stop = stop_reason(status.as_deref().unwrap_or("completed"), reason.as_deref());
    let choice = Choice {
        logprobs: logprobs(&parts),
        parts,
        stop: stop.with_tools(calls_tools),
        stop_sequence: None,
        extension: Extension::of(PROTOCOL),
    };
    let mut extension = Extension::of(PROTOCOL);
    if let Some(status) = fields.json("status") {
        extension.keep(marks::STATUS, status);
    }
    let usage = fields.raw("usage");
    if let Some(usage) = usage {
        extension.keep(marks::USAGE, Json::from(usage));
    }
    fields.raw("object");
    let id = text(fields.raw("id"));
    let model = text(fields.raw("model"));
    let created = fields.raw("created_at");
    let created = created.and_then(|created| serde_json::from_str::<Count>(created.get()).ok());
    let service_tier = text(fields.raw("service_tier"));
    marks::push_rest(&mut extension, "", fields);
    Ok(ChatAnswer {
        id,
        model,
        created: created.map(|created| created.0),
        choices: vec![choice],
        usage: usage.and_then(read_usage),
        service_tier,
        extension,
    })
}

fn text(json: Option<&RawValue>) -> Option<String> {
    let text: Text<'_> = serde_json::from_str(json?.get()).ok()?;
    text.as_str().map(str::to_owned)
}

fn read_output(output: &[&RawValue]) -> Result<Vec<Part>, AnswerError> {
    let mut parts = Vec::new();
    let mut signatures = Vec::new();
    for item in output {
        let item =
            items_in::read(item).map_err(|_| AnswerError::Unreadable("an output item is malformed"))?;
        match item {
            Item::Message { parts: more, .. } => parts.extend(more),
            Item::Said(part) | Item::Other(part) => parts.push(part),
            Item::Result(_) => {}
            Item::CallSignature { call_id, signature } => signatures.push((call_id, signature)),
        }
    }
    items_in::sign_calls(parts.iter_mut(), signatures);
    Ok(parts)
}

/// The probabilities of all texts, as OpenAI chat writes them.
fn logprobs(parts: &[Part]) -> Option<Json> {
    let lists = parts
        .iter()
        .filter_map(|part| part.extension.get(PROTOCOL, "logprobs"));
    let all: Vec<Json> = lists
        .filter_map(|list| list.read::<Vec<Json>>())
        .flatten()
        .collect();
    (!all.is_empty()).then(|| chat_logprobs(&all))
}

/// Probabilities of tokens, as OpenAI chat writes them.
pub(super) fn chat_logprobs(tokens: &[Json]) -> Json {
    Object::new().set("content", &array(tokens)).finish()
}

/// The reason in `incomplete_details`.
pub(super) fn incomplete_reason(details: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(bound(deserialize = "'de: 'a"))]
    struct Details<'a> {
        #[serde(default)]
        reason: Text<'a>,
    }

    let details: Details<'_> = serde_json::from_str(details.get()).ok()?;
    details.reason.as_str().map(str::to_owned)
}

/// Why a response of that status ended.
pub(super) fn stop_reason(status: &str, reason: Option<&str>) -> StopReason {
    match (status, reason) {
        ("failed" | "cancelled", _) => StopReason::Failed,
        ("incomplete", Some("content_filter")) => StopReason::ContentFilter,
        ("incomplete", Some("max_messages" | "steered")) => StopReason::Pause,
        ("incomplete", _) => StopReason::Length,
        _ => StopReason::Stop,
    }
}

/// Reads `usage`.
pub(super) fn read_usage(json: &RawValue) -> Option<Usage> {
    let usage: ResponsesUsage = serde_json::from_str(json.get()).ok()?;
    Some(usage.tally().usage())
}
