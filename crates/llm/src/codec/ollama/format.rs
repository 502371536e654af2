//! `format` and `think`, in both directions.

use serde_json::value::RawValue;

use super::PROTOCOL;
use crate::chat::{ChatRequest, Effort, Json, OutputFormat, ReasoningRequest, Unsayable};

/// Reads `format`: `json`, a schema, or an empty text for anything.
pub(super) fn decode(format: &RawValue) -> Result<Option<OutputFormat>, Unsayable> {
    let json = Json::from(format);
    if json.is_object() {
        return Ok(Some(OutputFormat::JsonSchema {
            name: None,
            description: None,
            schema: json,
            strict: None,
        }));
    }
    match json.read::<String>().as_deref() {
        Some("json") => Ok(Some(OutputFormat::JsonObject)),
        Some("") => Ok(Some(OutputFormat::Text)),
        _ => Err(Unsayable::at("format", "must be `json` or a JSON schema")),
    }
}

/// Writes `format`.
pub(super) fn encode(request: &ChatRequest) -> Option<Json> {
    match request.format.as_ref()? {
        OutputFormat::Text => is_native(request).then(|| Json::of("")),
        OutputFormat::JsonObject => Some(Json::of("json")),
        OutputFormat::JsonSchema { schema, .. } => Some(schema.clone()),
    }
}

/// Reads `think`: yes, no, or how hard.
pub(super) fn decode_think(think: &RawValue) -> Result<ReasoningRequest, Unsayable> {
    let mut reasoning = ReasoningRequest {
        show: Some(true),
        ..ReasoningRequest::default()
    };
    if let Ok(is_wanted) = serde_json::from_str::<bool>(think.get()) {
        reasoning.adaptive = is_wanted;
        if !is_wanted {
            reasoning.effort = Some(Effort::None);
            reasoning.show = None;
        }
        return Ok(reasoning);
    }
    let word = serde_json::from_str::<String>(think.get()).ok();
    reasoning.effort = word.as_deref().and_then(Effort::from_name);
    if reasoning.effort.is_none() {
        return Err(Unsayable::at(
            "think",
            "must be true, false, `low`, `medium` or `high`",
        ));
    }
    Ok(reasoning)
}

/// Writes `think`. Only gpt-oss can be told how hard, and cannot be kept from thinking; other models would refuse a
/// word. What an Ollama client says is left as it is.
pub(super) fn encode_think(request: &ChatRequest, model: &str) -> Option<Json> {
    let reasoning = request.reasoning.as_ref()?;
    let Some(effort) = reasoning.as_effort() else {
        return reasoning.adaptive.then(|| Json::of(&true));
    };
    if is_native(request) && effort == Effort::None {
        return Some(Json::of(&false));
    }
    if is_native(request) {
        return Some(Json::of(effort.name()));
    }
    if !model.contains("gpt-oss") {
        return Some(Json::of(&(effort != Effort::None)));
    }
    Some(Json::of(match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::XHigh | Effort::Max => "high",
    }))
}

/// Whether an Ollama client asks.
pub(super) fn is_native(request: &ChatRequest) -> bool {
    request.extension.protocol() == PROTOCOL
}
