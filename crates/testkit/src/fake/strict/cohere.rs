//! What Cohere's v2 endpoints take.

use serde_json::Value;

use super::rules::{Refusal, items, text};
use super::shape::Shape::{Either, Flag, Integer, List, Map, Number, Object, Tagged, Text, Word};
use super::shape::{Member, Shape, opt, req};

const IMAGE_URL: &[Member] = &[req("url", Text), opt("detail", Word(&["auto", "low", "high"]))];
const USER_PART: Shape = Tagged(
    "type",
    &[
        ("text", &[req("text", Text)]),
        ("image_url", &[req("image_url", Object(IMAGE_URL))]),
    ],
);
const ASSISTANT_PART: Shape = Tagged(
    "type",
    &[
        ("text", &[req("text", Text)]),
        ("thinking", &[req("thinking", Text)]),
    ],
);
const TOOL_PART: Shape = Tagged(
    "type",
    &[
        ("text", &[req("text", Text)]),
        ("document", &[req("document", Map)]),
    ],
);
const TEXTS: Shape = Tagged("type", &[("text", &[req("text", Text)])]);
const CALL_FUNCTION: &[Member] = &[req("name", Text), req("arguments", Text)];
const CALL: &[Member] = &[
    req("id", Text),
    req("type", Word(&["function"])),
    req("function", Object(CALL_FUNCTION)),
];
const MESSAGE: Shape = Tagged(
    "role",
    &[
        ("user", &[req("content", Either(&[Text, List(&USER_PART)]))]),
        ("system", &[req("content", Either(&[Text, List(&TEXTS)]))]),
        (
            "assistant",
            &[
                opt("content", Either(&[Text, List(&ASSISTANT_PART)])),
                opt("tool_calls", List(&Object(CALL))),
                opt("tool_plan", Text),
                opt("citations", List(&Map)),
            ],
        ),
        (
            "tool",
            &[
                req("tool_call_id", Text),
                req("content", Either(&[Text, List(&TOOL_PART)])),
            ],
        ),
    ],
);
const FUNCTION: &[Member] = &[
    req("name", Text),
    opt("description", Text),
    req("parameters", Map),
];
const TOOL: &[Member] = &[
    req("type", Word(&["function"])),
    req("function", Object(FUNCTION)),
];
const FORMAT: &[(&str, &[Member])] = &[
    ("text", &[]),
    ("json_object", &[opt("json_schema", Map), opt("schema", Map)]),
];
const THINKING: &[Member] = &[
    req("type", Word(&["enabled", "disabled"])),
    opt("token_budget", Integer),
];

pub(super) const CHAT: Shape = Object(&[
    req("model", Text),
    req("messages", List(&MESSAGE)),
    opt("stream", Flag),
    opt("tools", List(&Object(TOOL))),
    opt("strict_tools", Flag),
    opt("tool_choice", Word(&["REQUIRED", "NONE"])),
    opt("response_format", Tagged("type", FORMAT)),
    opt("documents", List(&Either(&[Text, Map]))),
    opt("citation_options", Map),
    opt("safety_mode", Word(&["CONTEXTUAL", "STRICT", "OFF", "NONE"])),
    opt("max_tokens", Integer),
    opt("stop_sequences", List(&Text)),
    opt("temperature", Number),
    opt("p", Number),
    opt("k", Integer),
    opt("seed", Integer),
    opt("frequency_penalty", Number),
    opt("presence_penalty", Number),
    opt("logprobs", Flag),
    opt("thinking", Object(THINKING)),
    opt("priority", Integer),
]);

pub(super) const EMBED: Shape = Object(&[
    req("model", Text),
    req("input_type", Text),
    opt("texts", List(&Text)),
    opt("images", List(&Text)),
    opt("inputs", List(&Map)),
    opt("max_tokens", Integer),
    opt("output_dimension", Integer),
    opt(
        "embedding_types",
        List(&Word(&["float", "int8", "uint8", "binary", "ubinary", "base64"])),
    ),
    opt("truncate", Word(&["NONE", "START", "END"])),
    opt("priority", Integer),
]);

pub(super) const RERANK: Shape = Object(&[
    req("model", Text),
    req("query", Text),
    req("documents", List(&Text)),
    opt("top_n", Integer),
    opt("max_tokens_per_doc", Integer),
    opt("priority", Integer),
]);

/// What a shape cannot say about a chat.
pub(super) fn chat(body: &Value) -> Refusal {
    let messages = items(&body["messages"]);
    if messages.is_empty() {
        return refuse("invalid request: list of messages must be at least of length 1.");
    }
    if items(&body["stop_sequences"]).len() > 5 {
        return refuse("invalid request: stop_sequences must have at most 5 items.");
    }
    if body["temperature"]
        .as_f64()
        .is_some_and(|t| !(0.0..=1.0).contains(&t))
    {
        return refuse("invalid request: temperature must be between 0 and 1.0 inclusive.");
    }
    if !body["tool_choice"].is_null() && items(&body["tools"]).is_empty() {
        return refuse("invalid request: tool_choice requires tools.");
    }
    let mut open: Vec<&str> = Vec::new();
    for message in messages {
        if message["role"] == "tool" {
            let id = text(&message["tool_call_id"]);
            let Some(at) = open.iter().position(|open| *open == id) else {
                return refuse(format!(
                    "invalid request: tool call id {id} not found in previous tool calls."
                ));
            };
            open.remove(at);
            continue;
        }
        unanswered(&open)?;
        let calls = items(&message["tool_calls"]);
        let empty = match &message["content"] {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            content => items(content).is_empty(),
        };
        if calls.is_empty() && empty {
            return refuse("invalid request: all elements in messages must have content or tool calls.");
        }
        open = calls.iter().map(|call| text(&call["id"])).collect();
    }
    unanswered(&open)
}

/// What a shape cannot say about embeddings.
pub(super) fn embed(body: &Value) -> Refusal {
    let given = ["texts", "images", "inputs"]
        .iter()
        .filter(|name| !body[**name].is_null())
        .count();
    if given == 1 {
        Ok(())
    } else {
        refuse("invalid request: exactly one of texts, images or inputs must be provided.")
    }
}

fn unanswered(open: &[&str]) -> Refusal {
    if open.is_empty() {
        return Ok(());
    }
    refuse(format!(
        "invalid request: missing tool results for tool calls: {}.",
        open.join(", ")
    ))
}

fn refuse(reason: impl Into<String>) -> Refusal {
    Err(reason.into())
}
