//! What Anthropic's messages take.

use serde_json::Value;

use super::rules::{Refusal, holds_base64, is_name, items, same_roles, text};
use super::shape::Shape::{Any, Either, Flag, Integer, List, Map, Number, Object, Tagged, Text, Word};
use super::shape::{Member, Shape, opt, req};

const CACHE: &[Member] = &[req("type", Word(&["ephemeral"])), opt("ttl", Word(&["5m", "1h"]))];
const CACHED: Shape = Object(CACHE);
const IMAGE_KINDS: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];
const IMAGE_SOURCE: Shape = Tagged(
    "type",
    &[
        (
            "base64",
            &[req("media_type", Word(IMAGE_KINDS)), req("data", Text)],
        ),
        ("url", &[req("url", Text)]),
        ("file", &[req("file_id", Text)]),
    ],
);
const DOCUMENT_SOURCE: Shape = Tagged(
    "type",
    &[
        (
            "base64",
            &[req("media_type", Word(&["application/pdf"])), req("data", Text)],
        ),
        (
            "text",
            &[req("media_type", Word(&["text/plain"])), req("data", Text)],
        ),
        ("content", &[req("content", Any)]),
        ("url", &[req("url", Text)]),
        ("file", &[req("file_id", Text)]),
    ],
);
const TEXT_BLOCK: &[Member] = &[
    req("text", Text),
    opt("citations", List(&Map)),
    opt("cache_control", CACHED),
];
const IMAGE: &[Member] = &[req("source", IMAGE_SOURCE), opt("cache_control", CACHED)];
const DOCUMENT: &[Member] = &[
    req("source", DOCUMENT_SOURCE),
    opt("title", Text),
    opt("context", Text),
    opt("citations", Map),
    opt("cache_control", CACHED),
];
const RESULT_CONTENT: Shape = Tagged(
    "type",
    &[
        ("text", TEXT_BLOCK),
        ("image", IMAGE),
        ("document", DOCUMENT),
        (
            "search_result",
            &[
                req("source", Text),
                req("title", Text),
                req("content", List(&Map)),
            ],
        ),
    ],
);
const TOOL_USE: &[Member] = &[
    req("id", Text),
    req("name", Text),
    req("input", Map),
    opt("cache_control", CACHED),
];
const TOOL_RESULT: &[Member] = &[
    req("tool_use_id", Text),
    opt("content", Either(&[Text, List(&RESULT_CONTENT)])),
    opt("is_error", Flag),
    opt("cache_control", CACHED),
];
const BLOCK: Shape = Tagged(
    "type",
    &[
        ("text", TEXT_BLOCK),
        ("image", IMAGE),
        ("document", DOCUMENT),
        ("thinking", &[req("thinking", Text), req("signature", Text)]),
        ("redacted_thinking", &[req("data", Text)]),
        ("tool_use", TOOL_USE),
        ("tool_result", TOOL_RESULT),
        ("server_tool_use", TOOL_USE),
        (
            "web_search_tool_result",
            &[req("tool_use_id", Text), req("content", Any)],
        ),
    ],
);
const MESSAGE: &[Member] = &[
    req("role", Word(&["user", "assistant", "system"])),
    req("content", Either(&[Text, List(&BLOCK)])),
];
const TOOL: &[Member] = &[
    req("name", Text),
    opt("type", Text),
    opt("description", Text),
    opt("input_schema", Map),
    opt("strict", Flag),
    opt("cache_control", CACHED),
    opt("defer_loading", Flag),
    opt("eager_input_streaming", Flag),
    opt("max_uses", Integer),
    opt("allowed_domains", List(&Text)),
    opt("blocked_domains", List(&Text)),
    opt("user_location", Map),
];
const PARALLEL: Member = opt("disable_parallel_tool_use", Flag);
const CHOICE: Shape = Tagged(
    "type",
    &[
        ("auto", &[PARALLEL]),
        ("any", &[PARALLEL]),
        ("tool", &[req("name", Text), PARALLEL]),
        ("none", &[]),
    ],
);
const DISPLAY: Member = opt("display", Word(&["summarized", "omitted"]));
const THINKING: Shape = Tagged(
    "type",
    &[
        ("enabled", &[req("budget_tokens", Integer), DISPLAY]),
        ("disabled", &[]),
        ("adaptive", &[DISPLAY]),
        ("between_tools", &[]),
    ],
);
const OUTPUT_FORMAT: Shape = Tagged("type", &[("json_schema", &[req("schema", Map)])]);
const OUTPUT_CONFIG: &[Member] = &[
    opt("effort", Word(&["low", "medium", "high", "xhigh", "max"])),
    opt("format", OUTPUT_FORMAT),
];

const COMMON: &[Member] = &[
    req("messages", List(&Object(MESSAGE))),
    opt(
        "system",
        Either(&[Text, List(&Tagged("type", &[("text", TEXT_BLOCK)]))]),
    ),
    opt("tools", List(&Object(TOOL))),
    opt("tool_choice", CHOICE),
    opt("thinking", THINKING),
    opt("output_config", Object(OUTPUT_CONFIG)),
    opt("cache_control", CACHED),
];
const SAMPLING: &[Member] = &[
    req("max_tokens", Integer),
    opt("stop_sequences", List(&Text)),
    opt("temperature", Number),
    opt("top_p", Number),
    opt("top_k", Integer),
    opt("metadata", Object(&[opt("user_id", Text)])),
    opt("stream", Flag),
    opt("service_tier", Word(&["auto", "standard_only"])),
    opt("speed", Word(&["standard", "fast"])),
    opt("container", Any),
    opt("diagnostics", Any),
    opt("inference_geo", Text),
];
const MODEL: &[Member] = &[req("model", Text)];
const VERTEX: &[Member] = &[
    req("anthropic_version", Word(&["vertex-2023-10-16"])),
    opt("anthropic_beta", List(&Text)),
];

const BEDROCK: &[Member] = &[
    req("anthropic_version", Word(&["bedrock-2023-05-31"])),
    opt("anthropic_beta", List(&Text)),
];

/// A message's members on Anthropic's own endpoint, on Vertex AI, on Bedrock, and where tokens are counted.
pub(super) const MESSAGES: &[&[Member]] = &[MODEL, COMMON, SAMPLING];
pub(super) const VERTEX_MESSAGES: &[&[Member]] = &[VERTEX, COMMON, SAMPLING];
pub(super) const BEDROCK_MESSAGES: &[&[Member]] = &[BEDROCK, COMMON, SAMPLING];
pub(super) const COUNT: &[&[Member]] = &[MODEL, COMMON];
pub(super) const VERTEX_COUNT: &[&[Member]] = &[VERTEX, MODEL, COMMON];

/// What a shape cannot say about messages.
pub(super) fn messages(body: &Value) -> Refusal {
    let messages = items(&body["messages"]);
    if messages.is_empty() {
        return refuse("messages: at least one message is required");
    }
    if body["max_tokens"].as_i64().is_some_and(|most| most < 1) {
        return refuse("max_tokens: Input should be greater than or equal to 1");
    }
    if body["temperature"]
        .as_f64()
        .is_some_and(|t| !(0.0..=1.0).contains(&t))
    {
        return refuse("temperature: Input should be less than or equal to 1");
    }
    if items(&body["stop_sequences"])
        .iter()
        .any(|stop| text(stop).trim().is_empty())
    {
        return refuse("stop_sequences: each stop sequence must contain non-whitespace");
    }
    if !holds_base64(&body["messages"], "source", "data") {
        return refuse("messages: image.source.base64.data: invalid base64 data");
    }
    empty_texts("system", &body["system"])?;
    tools(body)?;
    thinking(body)?;
    turns(messages)
}

fn tools(body: &Value) -> Refusal {
    let tools = items(&body["tools"]);
    for (index, tool) in tools.iter().enumerate() {
        let is_custom = matches!(text(&tool["type"]), "" | "custom");
        if is_custom && tool["input_schema"]["type"] != "object" {
            return refuse(format!(
                "tools.{index}.custom.input_schema.type: Input should be 'object'"
            ));
        }
        if !is_name(text(&tool["name"]), 128, "_-") {
            return refuse(format!(
                "tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            ));
        }
    }
    let choice = &body["tool_choice"];
    if !choice.is_null() && tools.is_empty() {
        return refuse("tool_choice may only be specified while providing tools");
    }
    if choice["type"] == "tool" && !tools.iter().any(|tool| tool["name"] == choice["name"]) {
        return refuse(format!(
            "Tool '{}' not found in provided tools",
            text(&choice["name"])
        ));
    }
    Ok(())
}

fn thinking(body: &Value) -> Refusal {
    let thinking = &body["thinking"];
    if !matches!(text(&thinking["type"]), "enabled" | "adaptive") {
        return Ok(());
    }
    if let Some(budget) = thinking["budget_tokens"].as_i64() {
        if budget < 1024 {
            return refuse("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024");
        }
        if body["max_tokens"].as_i64().is_some_and(|most| most <= budget) {
            return refuse("`max_tokens` must be greater than `thinking.budget_tokens`.");
        }
    }
    if body["temperature"].as_f64().is_some_and(|t| t < 1.0) {
        return refuse("`temperature` may only be set to 1 when thinking is enabled.");
    }
    if matches!(text(&body["tool_choice"]["type"]), "any" | "tool") {
        return refuse("Thinking may not be enabled when tool_choice forces tool use.");
    }
    let last = items(&body["messages"])
        .iter()
        .rev()
        .find(|message| message["role"] == "assistant");
    let blocks = last.map_or(&[][..], |message| items(&message["content"]));
    let first = blocks.first().map_or("", |block| text(&block["type"]));
    let calls = blocks.iter().any(|block| block["type"] == "tool_use");
    if thinking["type"] == "enabled" && calls && !matches!(first, "thinking" | "redacted_thinking") {
        return refuse(format!(
            "messages: Expected `thinking` or `redacted_thinking`, but found `{first}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block."
        ));
    }
    Ok(())
}

fn turns(messages: &[Value]) -> Refusal {
    if messages[0]["role"] == "assistant" {
        return refuse("messages: first message must use the \"user\" role");
    }
    if let Some((_, role)) = same_roles(messages) {
        return refuse(format!(
            "messages: roles must alternate between \"user\" and \"assistant\", but found multiple \"{role}\" roles in a row"
        ));
    }
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        empty_texts(&format!("messages.{index}"), &message["content"])?;
        let is_last = index + 1 == messages.len();
        if message["content"].as_array().is_some_and(Vec::is_empty) && !is_last {
            return refuse(format!(
                "messages.{index}: all messages must have non-empty content except for the optional final assistant message"
            ));
        }
        results(index, message, &open)?;
        open = ids(message, "tool_use", "id");
        if message["role"] != "assistant" && !open.is_empty() {
            return refuse(format!(
                "messages.{index}: `tool_use` blocks can only be in `assistant` messages"
            ));
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        missing(messages.len() - 1, &open)
    }
}

/// Every call is answered once, at the start of the turn after it.
fn results(index: usize, message: &Value, open: &[&str]) -> Refusal {
    let results = ids(message, "tool_result", "tool_use_id");
    if message["role"] == "user" || !open.is_empty() {
        let unanswered: Vec<_> = open.iter().filter(|id| !results.contains(id)).copied().collect();
        if !unanswered.is_empty() {
            return missing(index.saturating_sub(1), &unanswered);
        }
    }
    if let Some(id) = results.iter().find(|id| !open.contains(id)) {
        return refuse(format!(
            "messages.{index}.content: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
        ));
    }
    if results.len() > open.len() {
        return refuse(format!(
            "messages.{index}.content: each tool_use must have a single result."
        ));
    }
    let kinds = items(&message["content"])
        .iter()
        .map(|block| block["type"] == "tool_result");
    if !kinds.clone().is_sorted_by(|a, b| a >= b) {
        return refuse(format!(
            "messages.{index}: `tool_result` blocks must come first in the content of a message"
        ));
    }
    Ok(())
}

fn missing(index: usize, ids: &[&str]) -> Refusal {
    refuse(format!(
        "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
        ids.join(", ")
    ))
}

fn ids<'a>(message: &'a Value, kind: &str, member: &str) -> Vec<&'a str> {
    let blocks = items(&message["content"])
        .iter()
        .filter(|block| block["type"] == *kind);
    blocks.map(|block| text(&block[member])).collect()
}

fn empty_texts(place: &str, content: &Value) -> Refusal {
    if content.as_str().is_some_and(str::is_empty) {
        return refuse(format!("{place}: text content must be non-empty"));
    }
    for block in items(content) {
        if block["type"] == "text" && text(&block["text"]).trim().is_empty() {
            return refuse(format!(
                "{place}: text content blocks must contain non-whitespace text"
            ));
        }
        if block["type"] == "tool_result" {
            let blocks = &block["content"];
            if blocks.is_array() {
                empty_texts(place, blocks)?;
            }
        }
    }
    Ok(())
}

fn refuse(reason: impl Into<String>) -> Refusal {
    Err(reason.into())
}
