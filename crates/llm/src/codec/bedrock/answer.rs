//! Whole answers.

use super::HERE;
use super::blocks_in::content;
use super::blocks_out::{Writer, tool_use};
use super::model::Model;
use super::signatures::{NATIVE, to_blob};
use super::stop;
use crate::chat::{
    ChatAnswer, Choice, Drops, Extension, Fields, Json, Object, Part, PartKind, Reasoning, Signature,
    StopReason, array,
};
use crate::codec::call_signatures::{before_texts, rejoin};
use crate::convert::AnswerError;
use crate::usage::{BedrockUsage, Usage};

pub(super) fn decode(body: &[u8]) -> Result<ChatAnswer, AnswerError> {
    let unreadable = |_| AnswerError::Unreadable("it is not what Bedrock Converse says");
    let mut fields = Fields::from_slice(body).map_err(unreadable)?;
    let output = fields.object("output").map_err(unreadable)?;
    let message = output.and_then(|mut output| output.object("message").ok()?);
    let mut message = message.ok_or(AnswerError::Unreadable("it has no output"))?;
    let parts = match message.raw("content") {
        Some(json) => content(json).map_err(unreadable)?,
        None => Vec::new(),
    };
    let said: Option<String> = fields.take("stopReason").map_err(unreadable)?;
    let mut choice = Choice {
        parts: rejoin(parts, NATIVE),
        stop: said.as_deref().map_or(StopReason::Stop, stop::from_name),
        stop_sequence: None,
        logprobs: None,
        extension: Extension::of(HERE),
    };
    choice.stop = choice.stop.with_tools(choice.calls_tools());
    if let Some(said) = said.filter(|said| said != stop::name(choice.stop)) {
        choice.extension.push("stopReason", Json::of(&said));
    }
    let raw_usage = fields.json("usage");
    let service_tier = fields
        .peek("serviceTier")
        .and_then(|tier| Fields::read(tier).ok()?.take("type").ok()?);
    let mut answer = ChatAnswer {
        id: None,
        model: None,
        created: None,
        choices: vec![choice],
        usage: raw_usage
            .as_ref()
            .and_then(Json::read::<BedrockUsage<'_>>)
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

pub(super) fn encode(answer: &ChatAnswer) -> Json {
    let choice = answer.choices.first();
    let parts = before_texts(choice.map_or(&[], |choice| &choice.parts));
    let content: Vec<Json> = parts.iter().flat_map(blocks).flatten().collect();
    let said = choice.and_then(|choice| choice.extension.get(HERE, "stopReason"));
    let reason = match (said, choice) {
        (Some(said), _) => said.clone(),
        (None, Some(choice)) => Json::of(stop::name(choice.stop)),
        // The provider blocked the prompt.
        (None, None) => Json::of(stop::name(StopReason::ContentFilter)),
    };
    let message = Object::new()
        .set("role", "assistant")
        .set("content", &array(&content));
    let mut object = Object::new()
        .set(
            "output",
            &Object::new().set("message", &message.finish()).finish(),
        )
        .set("stopReason", &reason);
    if answer.extension.get(HERE, "usage").is_none() {
        object.put("usage", &usage(&answer.usage.unwrap_or_default()));
    }
    if answer.extension.get(HERE, "metrics").is_none() {
        object.put("metrics", &metrics());
    }
    object.extend(&answer.extension, HERE).finish()
}

/// SDKs need the member, and how long the model took is not known here.
pub(super) fn metrics() -> Json {
    Object::new().set("latencyMs", &0).finish()
}

/// Usage as Converse counts: what was read from and written to the cache stands beside the input.
pub(super) fn usage(usage: &Usage) -> Json {
    let written = usage.cache_write.saturating_add(usage.cache_write_1h);
    let mut object = Object::new()
        .set("inputTokens", &usage.fresh_input())
        .set("outputTokens", &usage.total_output())
        .set("totalTokens", &usage.total());
    if usage.cache_read > 0 || written > 0 {
        object = object
            .set("cacheReadInputTokens", &usage.cache_read)
            .set("cacheWriteInputTokens", &written);
    }
    if usage.cache_write_1h > 0 {
        let detail =
            |ttl: &str, tokens: u64| Object::new().set("ttl", ttl).set("inputTokens", &tokens).finish();
        let details = [
            detail("5m", usage.cache_write),
            detail("1h", usage.cache_write_1h),
        ];
        object.put("cacheDetails", &array(&details));
    }
    object.finish()
}

/// The blocks of a part, at most two.
fn blocks(part: &Part) -> [Option<Json>; 2] {
    let union = |name: &str, object: Object| {
        let inner = object.extend(&part.extension, HERE).finish();
        Some(Object::new().set(name, &inner).finish())
    };
    match &part.kind {
        PartKind::Text(_) | PartKind::Foreign if !part.extension.members(HERE).is_empty() => {
            [Some(Object::new().extend(&part.extension, HERE).finish()), None]
        }
        PartKind::Text(text) | PartKind::Refusal(text) if text.is_empty() => [None, None],
        PartKind::Text(text) | PartKind::Refusal(text) => {
            [Some(Object::new().set("text", text).finish()), None]
        }
        PartKind::Reasoning(thought) => {
            let object = reasoning(thought);
            [object.and_then(|object| union("reasoningContent", object)), None]
        }
        PartKind::ToolCall(call) => [
            union("toolUse", tool_use(call)),
            call.signature.as_ref().map(hidden),
        ],
        PartKind::Media(_) => [media(part), None],
        PartKind::ToolResult(_) | PartKind::Foreign => [None, None],
    }
}

/// What a model drew or spoke; left out if Converse has no word for its form.
fn media(part: &Part) -> Option<Json> {
    let mut drops = Drops::default();
    let mut writer = Writer::new(part.extension.protocol(), Model::of(""), &mut drops);
    writer.blocks(part).ok()?.pop()
}

fn reasoning(thought: &Reasoning) -> Option<Object> {
    if thought.is_redacted {
        let signature = thought.signature.as_ref()?;
        return Some(Object::new().set("redactedContent", &to_blob(signature)));
    }
    if thought.text.is_empty() && thought.signature.is_none() {
        return None;
    }
    let signature = thought.signature.as_ref().map(|signature| signature.pack(NATIVE));
    let text = Object::new()
        .set("text", &thought.text)
        .set_some("signature", signature);
    Some(Object::new().set("reasoningText", &text.finish()))
}

/// The signature of a call as a hidden thought.
fn hidden(signature: &Signature) -> Json {
    let content = Object::new().set("redactedContent", &to_blob(signature));
    Object::new().set("reasoningContent", &content.finish()).finish()
}
