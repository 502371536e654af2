//! Whole answers.

use super::blocks_in::block;
use super::stop;
use super::{HERE, NATIVE};
use crate::chat::{
    ChatAnswer, Choice, Extension, Fields, Json, Object, Part, PartKind, Reasoning, Signature, StopReason,
    ToolCall, array,
};
use crate::codec::ReplyFacts;
use crate::codec::call_signatures::{before_texts, rejoin};
use crate::convert::AnswerError;
use crate::usage::{AnthropicUsage, Usage};

pub(super) fn decode(body: &[u8]) -> Result<ChatAnswer, AnswerError> {
    let unreadable = |_| AnswerError::Unreadable("it is not what Anthropic Messages says");
    let mut fields = Fields::from_slice(body).map_err(unreadable)?;
    if fields.raw("type").is_some_and(|kind| kind.get() == "\"error\"") || fields.peek("error").is_some() {
        return Err(AnswerError::Unreadable("it is an error"));
    }
    fields.raw("role");
    let mut parts = Vec::new();
    let blocks = fields.items("content").map_err(unreadable)?;
    for json in blocks.ok_or(AnswerError::Unreadable("it has no content"))? {
        parts.push(block(json).map_err(unreadable)?);
    }
    let said: Option<String> = fields.take("stop_reason").map_err(unreadable)?;
    let mut choice = Choice {
        parts: rejoin(parts, NATIVE),
        stop: said.as_deref().map_or(StopReason::Stop, stop::from_name),
        stop_sequence: fields.take("stop_sequence").map_err(unreadable)?,
        logprobs: None,
        extension: Extension::of(HERE),
    };
    choice.stop = choice.stop.with_tools(choice.calls_tools());
    if let Some(said) = said.filter(|said| said != stop::name(choice.stop)) {
        choice.extension.push("stop_reason", Json::of(&said));
    }
    if let Some(details) = fields.json("stop_details") {
        choice.extension.push("stop_details", details);
    }
    let raw_usage = fields.json("usage");
    let service_tier = raw_usage
        .as_ref()
        .and_then(Json::fields)
        .and_then(|mut usage| usage.take("service_tier").ok()?);
    let mut answer = ChatAnswer {
        id: fields.take("id").map_err(unreadable)?,
        model: fields.take("model").map_err(unreadable)?,
        created: None,
        choices: vec![choice],
        usage: raw_usage
            .as_ref()
            .and_then(Json::read::<AnthropicUsage>)
            .map(|usage| usage.tally().usage()),
        service_tier,
        extension: fields.into_extension(HERE),
    };
    // It says more than the buckets do.
    if let Some(usage) = raw_usage {
        answer.extension.push("usage", usage);
    }
    Ok(answer)
}

pub(super) fn encode(answer: &ChatAnswer, facts: &ReplyFacts) -> Json {
    let choice = answer.choices.first();
    let parts = before_texts(choice.map_or(&[], |choice| &choice.parts));
    let content: Vec<Json> = parts.iter().flat_map(blocks).flatten().collect();
    let said = choice.and_then(|choice| choice.extension.get(HERE, "stop_reason"));
    let reason = match (said, choice) {
        (Some(said), _) => said.clone(),
        (None, Some(choice)) => Json::of(stop::name(choice.stop)),
        // The provider blocked the prompt.
        (None, None) => Json::of(stop::name(StopReason::Refusal)),
    };
    let details = choice.and_then(|choice| choice.extension.get(HERE, "stop_details"));
    let mut object = Object::new()
        .set("id", &message_id(answer.id.as_deref(), facts))
        .set("type", "message")
        .set("role", "assistant")
        .set("model", answer.model.as_deref().unwrap_or(&facts.model))
        .set("content", &array(&content))
        .set("stop_reason", &reason)
        .set(
            "stop_sequence",
            &choice.and_then(|choice| choice.stop_sequence.as_ref()),
        )
        .set_some("stop_details", details);
    if answer.extension.get(HERE, "usage").is_none() {
        object.put("usage", &usage(&answer.usage.unwrap_or_default()));
    }
    object.extend(&answer.extension, HERE).finish()
}

/// The id that a client sees.
pub(super) fn message_id(id: Option<&str>, facts: &ReplyFacts) -> String {
    id.map_or_else(|| format!("msg_{}", facts.id), str::to_owned)
}

/// Usage as Anthropic counts: what was read from and written to the cache stands beside the input.
pub(super) fn usage(usage: &Usage) -> Json {
    let written = usage.cache_write.saturating_add(usage.cache_write_1h);
    let mut object = Object::new()
        .set("input_tokens", &usage.fresh_input())
        .set("cache_creation_input_tokens", &written)
        .set("cache_read_input_tokens", &usage.cache_read)
        .set("output_tokens", &usage.total_output());
    if usage.cache_write_1h > 0 {
        let creation = Object::new()
            .set("ephemeral_5m_input_tokens", &usage.cache_write)
            .set("ephemeral_1h_input_tokens", &usage.cache_write_1h);
        object.put("cache_creation", &creation.finish());
    }
    if usage.reasoning > 0 {
        let details = Object::new().set("thinking_tokens", &usage.reasoning);
        object.put("output_tokens_details", &details.finish());
    }
    object.finish()
}

/// The blocks of a part, at most two.
fn blocks(part: &Part) -> [Option<Json>; 2] {
    let finish = |object: Object| Some(object.extend(&part.extension, HERE).finish());
    if part.extension.get(HERE, "type").is_some() {
        return [finish(Object::new()), None];
    }
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) if text.is_empty() => [None, None],
        PartKind::Text(text) | PartKind::Refusal(text) => {
            [finish(Object::new().set("type", "text").set("text", text)), None]
        }
        PartKind::Reasoning(reasoning) => [thinking(reasoning).and_then(finish), None],
        PartKind::ToolCall(call) => [finish(tool_use(call)), call_signature(call)],
        PartKind::Media(_) | PartKind::ToolResult(_) | PartKind::Foreign => [None, None],
    }
}

fn thinking(reasoning: &Reasoning) -> Option<Object> {
    let signature = reasoning
        .signature
        .as_ref()
        .map(|signature| signature.pack(NATIVE));
    if reasoning.is_redacted {
        return Some(
            Object::new()
                .set("type", "redacted_thinking")
                .set("data", &signature?),
        );
    }
    if reasoning.text.is_empty() && signature.is_none() {
        return None;
    }
    let object = Object::new()
        .set("type", "thinking")
        .set("thinking", &reasoning.text)
        .set("signature", &signature.unwrap_or_default());
    Some(object)
}

fn tool_use(call: &ToolCall) -> Object {
    Object::new()
        .set("type", "tool_use")
        .set("id", &call.id)
        .set("name", &call.name)
        .set("input", &call.object())
}

fn call_signature(call: &ToolCall) -> Option<Json> {
    let signature: &Signature = call.signature.as_ref()?;
    let block = Object::new()
        .set("type", "redacted_thinking")
        .set("data", &signature.pack(NATIVE));
    Some(block.finish())
}
