//! Texts of stream events (llm-protocols §3–§6).

use super::answer::{Found, PLAN};
use super::json::{Body, Members, members, number, objects, string};
use super::{TextKind, TextSpan};
use crate::protocol::Protocol;

pub(super) fn texts(protocol: Protocol, data: &[u8]) -> Option<Vec<TextSpan<'_>>> {
    let body = Body(data);
    let event = body.members()?;
    let mut found = Found {
        body,
        spans: Vec::new(),
    };
    match protocol {
        Protocol::OpenAiChat => chat(&mut found, &event),
        Protocol::OpenAiResponses => responses(&mut found, &event),
        Protocol::AnthropicMessages => anthropic(&mut found, &event),
        Protocol::OpenAiCompletions => found.completions(&event),
        Protocol::GeminiGenerate => found.candidates(&event),
        Protocol::OllamaChat | Protocol::OllamaGenerate => found.ollama(&event),
        Protocol::CohereChat => cohere(&mut found, &event),
        Protocol::BedrockConverse => bedrock(&mut found, &event),
        _ => {}
    }
    found.spans.sort_by_key(|span| span.range.start);
    Some(found.spans)
}

fn chat<'a>(found: &mut Found<'a>, event: &Members<'a>) {
    for choice in objects(event.get("choices")) {
        if let Some(delta) = choice.get("delta").and_then(|delta| members(delta)) {
            found.message(&delta, number(&choice, "index"));
        }
    }
}

fn responses<'a>(found: &mut Found<'a>, event: &Members<'a>) {
    let item = number(event, "output_index");
    let channel = (item, number(event, "content_index"));
    let summary = (item, number(event, "summary_index"));
    let kind = string(event, "type").unwrap_or_default();
    let start = found.spans.len();
    match &*kind {
        "response.output_text.delta" | "response.refusal.delta" => {
            found.add(event.get("delta"), TextKind::Said, channel);
            return;
        }
        "response.reasoning_summary_text.delta" => {
            found.add(event.get("delta"), TextKind::Reasoning, summary);
            return;
        }
        "response.reasoning_text.delta" => {
            found.add(event.get("delta"), TextKind::Reasoning, channel);
            return;
        }
        "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
            found.add(event.get("delta"), TextKind::ToolArguments, (item, 0));
            return;
        }
        "response.output_text.done" => found.add(event.get("text"), TextKind::Said, channel),
        "response.refusal.done" => found.add(event.get("refusal"), TextKind::Said, channel),
        "response.reasoning_summary_text.done" => found.add(event.get("text"), TextKind::Reasoning, summary),
        "response.reasoning_text.done" => found.add(event.get("text"), TextKind::Reasoning, channel),
        "response.function_call_arguments.done" => {
            found.add(event.get("arguments"), TextKind::ToolArguments, (item, 0));
        }
        "response.custom_tool_call_input.done" => {
            found.add(event.get("input"), TextKind::ToolArguments, (item, 0));
        }
        "response.content_part.done" | "response.reasoning_summary_part.done" => {
            let part = event
                .get("part")
                .and_then(|part| members(part))
                .unwrap_or_default();
            found.add(part.get("text"), TextKind::Said, channel);
        }
        "response.output_item.done" => {
            if let Some(done) = event.get("item").and_then(|done| members(done)) {
                found.item(&done, item);
            }
        }
        "response.completed" | "response.incomplete" | "response.failed" => {
            if let Some(response) = event.get("response").and_then(|response| members(response)) {
                found.output(&response);
            }
        }
        _ => {}
    }
    for span in &mut found.spans[start..] {
        span.repeats = true;
    }
}

fn anthropic<'a>(found: &mut Found<'a>, event: &Members<'a>) {
    let channel = (number(event, "index"), 0);
    let part = event.get("delta").or_else(|| event.get("content_block"));
    let Some(part) = part.and_then(|part| members(part)) else {
        return;
    };
    found.add(part.get("text"), TextKind::Said, channel);
    found.add(part.get("thinking"), TextKind::Reasoning, channel);
    found.add(part.get("partial_json"), TextKind::ToolArguments, channel);
}

fn cohere<'a>(found: &mut Found<'a>, event: &Members<'a>) {
    let channel = (number(event, "index"), 0);
    let delta = event.get("delta").and_then(|delta| members(delta));
    let Some(message) = delta.and_then(|delta| members(delta.get("message")?)) else {
        return;
    };
    found.add(message.get("tool_plan"), TextKind::Said, (PLAN, 0));
    if let Some(content) = message.get("content").and_then(|content| members(content)) {
        found.add(content.get("text"), TextKind::Said, channel);
        found.add(content.get("thinking"), TextKind::Reasoning, channel);
    }
    let call = message.get("tool_calls").and_then(|call| members(call));
    if let Some(function) = call.and_then(|call| members(call.get("function")?)) {
        found.add(function.get("arguments"), TextKind::ToolArguments, channel);
    }
}

/// The payload of a `contentBlockDelta` message.
fn bedrock<'a>(found: &mut Found<'a>, event: &Members<'a>) {
    let channel = (number(event, "contentBlockIndex"), 0);
    let Some(delta) = event.get("delta").and_then(|delta| members(delta)) else {
        return;
    };
    found.add(delta.get("text"), TextKind::Said, channel);
    if let Some(call) = delta.get("toolUse").and_then(|call| members(call)) {
        found.add(call.get("input"), TextKind::ToolArguments, channel);
    }
    if let Some(thought) = delta.get("reasoningContent").and_then(|thought| members(thought)) {
        found.add(thought.get("text"), TextKind::Reasoning, channel);
    }
}
