//! A whole answer for a client.

use super::super::common::path;
use super::{PROTOCOL, finish, logprobs, messages_out, tools};
use crate::chat::{ChatAnswer, Choice, Extension, Json, Object, Part, PartKind};
use crate::codec::ReplyFacts;
use crate::usage::Usage;

/// What members of usage are kept under.
const USAGE: &str = "usage.";

/// Writes an answer: the first alternative, there is no place for others.
pub(super) fn encode(answer: &ChatAnswer, facts: &ReplyFacts) -> Json {
    let mut body = Object::new().set("id", answer.id.as_ref().unwrap_or(&facts.id));
    if let Some(choice) = answer.choices.first() {
        body.put("message", &message(choice));
        if answer.extension.get(PROTOCOL, "finish_reason").is_none() {
            body.put("finish_reason", finish::write(choice.stop));
        }
        if answer.extension.get(PROTOCOL, "logprobs").is_none() {
            body = body.set_some(
                "logprobs",
                choice.logprobs.as_ref().and_then(logprobs::from_openai),
            );
        }
    }
    if let Some(usage) = &answer.usage {
        body.put("usage", &usage_object(usage, &answer.extension));
    }
    for (name, value) in answer.extension.members(PROTOCOL) {
        if !name.starts_with(USAGE) {
            body.put(name, value);
        }
    }
    body.finish()
}

fn message(choice: &Choice) -> Json {
    let mut plan = String::new();
    let mut content = Vec::new();
    let mut calls = Vec::new();
    for part in &choice.parts {
        match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) => content.push(text_item(text, part)),
            PartKind::Reasoning(reasoning) if is_plan(part, reasoning.is_summary) => {
                plan.push_str(&reasoning.text);
            }
            PartKind::Reasoning(reasoning) if reasoning.text.is_empty() => {}
            PartKind::Reasoning(reasoning) => content.push(messages_out::thinking(&reasoning.text, part)),
            PartKind::ToolCall(call) => calls.push(tools::encode_call(call, &part.extension)),
            PartKind::Foreign if part.extension.protocol() == PROTOCOL => {
                content.push(Object::new().extend(&part.extension, PROTOCOL).finish());
            }
            PartKind::Foreign | PartKind::Media(_) | PartKind::ToolResult(_) => {}
        }
    }
    let mut message = Object::new().set("role", "assistant");
    if !plan.is_empty() {
        message.put("tool_plan", &plan);
    }
    if !content.is_empty() || calls.is_empty() {
        message.put("content", &content);
    }
    if !calls.is_empty() {
        message.put("tool_calls", &calls);
    }
    message.extend(&choice.extension, PROTOCOL).finish()
}

/// Whether a thought is what Cohere calls a plan. Other providers' summaries are thoughts.
fn is_plan(part: &Part, is_summary: bool) -> bool {
    is_summary && part.extension.protocol() == PROTOCOL
}

fn text_item(text: &str, part: &Part) -> Json {
    Object::new()
        .set("type", "text")
        .set("text", text)
        .extend(&part.extension, PROTOCOL)
        .finish()
}

/// Usage in Cohere's counts.
pub(super) fn usage_object(usage: &Usage, extension: &Extension) -> Json {
    let counts = Object::new()
        .set("input_tokens", &usage.total_input())
        .set("output_tokens", &usage.total_output())
        .finish();
    let mut written = Object::new();
    if extension.protocol() != PROTOCOL {
        written.put("billed_units", &counts);
    }
    written = written.set("tokens", &counts).set_some(
        "cached_tokens",
        (usage.cache_read > 0).then_some(usage.cache_read),
    );
    for (name, value) in path(extension, PROTOCOL, USAGE) {
        written.put(name, value);
    }
    written.finish()
}
