//! What OpenAI's chat completions take.

use serde_json::Value;

use super::rules::{Refusal, is_base64, is_name, items, text};
use super::shape::Shape::{Any, Either, Flag, Integer, List, Map, Number, Object, Tagged, Text, Word};
use super::shape::{Member, Shape, opt, req};

const TEXT_PART: &[Member] = &[req("text", Text), opt("prompt_cache_breakpoint", Map)];
const IMAGE_URL: &[Member] = &[
    req("url", Text),
    opt("detail", Word(&["auto", "low", "high", "original"])),
];
const AUDIO: &[Member] = &[req("data", Text), req("format", Word(&["wav", "mp3"]))];
const FILE: &[Member] = &[
    opt("file_data", Text),
    opt("file_id", Text),
    opt("filename", Text),
];
const USER_PARTS: &[(&str, &[Member])] = &[
    ("text", TEXT_PART),
    (
        "image_url",
        &[
            req("image_url", Object(IMAGE_URL)),
            opt("prompt_cache_breakpoint", Map),
        ],
    ),
    (
        "input_audio",
        &[
            req("input_audio", Object(AUDIO)),
            opt("prompt_cache_breakpoint", Map),
        ],
    ),
    (
        "file",
        &[req("file", Object(FILE)), opt("prompt_cache_breakpoint", Map)],
    ),
];
const TEXTS: Shape = Tagged("type", &[("text", TEXT_PART)]);
const ASSISTANT_PARTS: Shape = Tagged(
    "type",
    &[("text", TEXT_PART), ("refusal", &[req("refusal", Text)])],
);
const CALL: &[Member] = &[req("name", Text), req("arguments", Text)];
const CUSTOM_CALL: &[Member] = &[req("name", Text), req("input", Text)];
const CALLS: Shape = Tagged(
    "type",
    &[
        ("function", &[req("id", Text), req("function", Object(CALL))]),
        ("custom", &[req("id", Text), req("custom", Object(CUSTOM_CALL))]),
    ],
);
const SYSTEM: &[Member] = &[req("content", Either(&[Text, List(&TEXTS)])), opt("name", Text)];
const MESSAGE: Shape = Tagged(
    "role",
    &[
        ("system", SYSTEM),
        ("developer", SYSTEM),
        (
            "user",
            &[
                req("content", Either(&[Text, List(&Tagged("type", USER_PARTS))])),
                opt("name", Text),
            ],
        ),
        (
            "assistant",
            &[
                opt("content", Either(&[Text, List(&ASSISTANT_PARTS)])),
                opt("refusal", Text),
                opt("name", Text),
                opt("audio", Map),
                opt("tool_calls", List(&CALLS)),
                opt("function_call", Object(CALL)),
                opt("annotations", List(&Map)),
            ],
        ),
        (
            "tool",
            &[
                req("content", Either(&[Text, List(&TEXTS)])),
                req("tool_call_id", Text),
            ],
        ),
        ("function", &[req("content", Text), req("name", Text)]),
    ],
);
const FUNCTION: &[Member] = &[
    req("name", Text),
    opt("description", Text),
    opt("parameters", Map),
    opt("strict", Flag),
];
const CUSTOM: &[Member] = &[req("name", Text), opt("description", Text), opt("format", Map)];
const TOOL: Shape = Tagged(
    "type",
    &[
        ("function", &[req("function", Object(FUNCTION))]),
        ("custom", &[req("custom", Object(CUSTOM))]),
    ],
);
const NAMED: &[Member] = &[req("name", Text)];
const ALLOWED: &[Member] = &[req("mode", Word(&["auto", "required"])), req("tools", List(&Map))];
const CHOICE: &[Shape] = &[
    Word(&["none", "auto", "required"]),
    Tagged(
        "type",
        &[
            ("function", &[req("function", Object(NAMED))]),
            ("custom", &[req("custom", Object(NAMED))]),
            ("allowed_tools", &[req("allowed_tools", Object(ALLOWED))]),
        ],
    ),
];
const JSON_SCHEMA: &[Member] = &[
    req("name", Text),
    req("schema", Map),
    opt("strict", Flag),
    opt("description", Text),
];
const FORMAT: &[(&str, &[Member])] = &[
    ("text", &[]),
    ("json_object", &[]),
    ("json_schema", &[req("json_schema", Object(JSON_SCHEMA))]),
];
const STREAM_OPTIONS: &[Member] = &[opt("include_usage", Flag), opt("include_obfuscation", Flag)];
const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

pub(super) const CHAT: Shape = Object(&[
    req("model", Text),
    req("messages", List(&MESSAGE)),
    opt("audio", Map),
    opt("frequency_penalty", Number),
    opt("function_call", Any),
    opt("functions", List(&Map)),
    opt("logit_bias", Map),
    opt("logprobs", Flag),
    opt("top_logprobs", Integer),
    opt("max_completion_tokens", Integer),
    opt("max_tokens", Integer),
    opt("metadata", Map),
    opt("modalities", List(&Word(&["text", "audio"]))),
    opt("moderation", Map),
    opt("n", Integer),
    opt("parallel_tool_calls", Flag),
    opt("prediction", Map),
    opt("presence_penalty", Number),
    opt("prompt_cache_key", Text),
    opt("prompt_cache_options", Map),
    opt("prompt_cache_retention", Text),
    opt("reasoning_effort", Word(EFFORTS)),
    opt("response_format", Tagged("type", FORMAT)),
    opt("safety_identifier", Text),
    opt("seed", Integer),
    opt(
        "service_tier",
        Word(&["auto", "default", "flex", "scale", "priority", "fast"]),
    ),
    opt("stop", Either(&[Text, List(&Text)])),
    opt("store", Flag),
    opt("stream", Flag),
    opt("stream_options", Object(STREAM_OPTIONS)),
    opt("temperature", Number),
    opt("tool_choice", Either(CHOICE)),
    opt("tools", List(&TOOL)),
    opt("top_p", Number),
    opt("user", Text),
    opt("verbosity", Word(&["low", "medium", "high"])),
    opt("web_search_options", Map),
]);

pub(super) const COMPLETIONS: Shape = Object(&[
    req("model", Text),
    req("prompt", Any),
    opt("best_of", Integer),
    opt("echo", Flag),
    opt("frequency_penalty", Number),
    opt("logit_bias", Map),
    opt("logprobs", Integer),
    opt("max_tokens", Integer),
    opt("n", Integer),
    opt("presence_penalty", Number),
    opt("seed", Integer),
    opt("stop", Either(&[Text, List(&Text)])),
    opt("stream", Flag),
    opt("stream_options", Object(STREAM_OPTIONS)),
    opt("suffix", Text),
    opt("temperature", Number),
    opt("top_p", Number),
    opt("user", Text),
]);

/// What a shape cannot say about a chat completion.
pub(super) fn chat(body: &Value) -> Refusal {
    if items(&body["messages"]).is_empty() {
        return refuse("Invalid 'messages': empty array. Expected an array with minimum length 1.");
    }
    if !body["max_tokens"].is_null() && !body["max_completion_tokens"].is_null() {
        return refuse("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.");
    }
    for limit in ["max_tokens", "max_completion_tokens", "n"] {
        if body[limit].as_i64().is_some_and(|limit| limit < 1) {
            return refuse(format!(
                "Invalid '{limit}': integer below minimum value. Expected a value >= 1."
            ));
        }
    }
    if body["temperature"]
        .as_f64()
        .is_some_and(|t| !(0.0..=2.0).contains(&t))
    {
        return refuse("Invalid 'temperature': decimal out of range. Expected a value between 0 and 2.");
    }
    if items(&body["stop"]).len() > 4 {
        return refuse("Invalid 'stop': array too long. Expected an array with maximum length 4.");
    }
    if !body["stream_options"].is_null() && body["stream"] != Value::Bool(true) {
        return refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.");
    }
    if !body["top_logprobs"].is_null() && body["logprobs"] != Value::Bool(true) {
        return refuse("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.");
    }
    if body["response_format"]["type"] == "json_object"
        && !body["messages"].to_string().to_lowercase().contains("json")
    {
        return refuse(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
        );
    }
    for message in items(&body["messages"]) {
        for part in items(&message["content"]) {
            media(part)?;
        }
    }
    tools(body)?;
    turns(items(&body["messages"]))
}

/// Pictures come from the web or in a URL that holds them, sound in base64.
fn media(part: &Value) -> Refusal {
    let sound = text(&part["input_audio"]["data"]);
    if !is_base64(sound) {
        return refuse("Invalid base64 in 'input_audio.data'.");
    }
    let url = text(&part["image_url"]["url"]);
    let held = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    let good = held.map_or(
        url.is_empty() || url.starts_with("https://") || url.starts_with("http://"),
        |(kind, data)| kind.starts_with("image/") && is_base64(data),
    );
    if good {
        Ok(())
    } else {
        refuse(
            "Invalid 'image_url.url': expected a base64-encoded data URL with an image MIME type or a URL.",
        )
    }
}

fn tools(body: &Value) -> Refusal {
    let tools = items(&body["tools"]);
    if body["tools"].is_array() && tools.is_empty() {
        return refuse(
            "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        );
    }
    for member in ["tool_choice", "parallel_tool_calls"] {
        if tools.is_empty() && !body[member].is_null() {
            return refuse(format!("'{member}' is only allowed when 'tools' are specified."));
        }
    }
    let names: Vec<_> = tools
        .iter()
        .map(|tool| text(&tool[text(&tool["type"])]["name"]))
        .collect();
    for (index, name) in names.iter().enumerate() {
        if !is_name(name, 64, "_-") {
            return refuse(format!(
                "Invalid 'tools[{index}].function.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            ));
        }
    }
    let choice = text(&body["tool_choice"]["function"]["name"]);
    if !choice.is_empty() && !names.contains(&choice) {
        return refuse(format!("Tool choice '{choice}' not found in 'tools' parameter."));
    }
    Ok(())
}

/// Every call is answered right after it, every answer has its call.
fn turns(messages: &[Value]) -> Refusal {
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if message["role"] == "tool" {
            let id = text(&message["tool_call_id"]);
            let Some(at) = open.iter().position(|open| *open == id) else {
                return refuse(format!(
                    "Invalid parameter: messages[{index}] with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                ));
            };
            open.remove(at);
            continue;
        }
        unanswered(&open)?;
        let calls = items(&message["tool_calls"]);
        let is_assistant = message["role"] == "assistant";
        if is_assistant && message["tool_calls"].is_array() && calls.is_empty() {
            return refuse(format!("Invalid 'messages[{index}].tool_calls': empty array."));
        }
        let silent = ["content", "refusal", "audio", "function_call"]
            .iter()
            .all(|name| message[*name].is_null());
        if is_assistant && silent && calls.is_empty() {
            return refuse(format!(
                "Invalid value for 'content': expected a string, got null. (messages[{index}])"
            ));
        }
        open = calls.iter().map(|call| text(&call["id"])).collect();
    }
    unanswered(&open)
}

fn unanswered(open: &[&str]) -> Refusal {
    if open.is_empty() {
        return Ok(());
    }
    refuse(format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    ))
}

fn refuse(reason: impl Into<String>) -> Refusal {
    Err(reason.into())
}
