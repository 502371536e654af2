//! What OpenAI's responses take.

use serde_json::Value;

use super::rules::{Refusal, is_name, items, text};
use super::shape::Shape::{Any, Either, Flag, Integer, List, Map, Number, Object, Tagged, Text, Word};
use super::shape::{Member, Shape, opt, req};

const INPUT_TEXT: &[Member] = &[req("text", Text), opt("prompt_cache_breakpoint", Map)];
const IMAGE: &[Member] = &[
    opt("image_url", Text),
    opt("file_id", Text),
    opt("detail", Word(&["auto", "low", "high", "original"])),
    opt("prompt_cache_breakpoint", Map),
];
const FILE: &[Member] = &[
    opt("file_data", Text),
    opt("file_id", Text),
    opt("file_url", Text),
    opt("filename", Text),
    opt("prompt_cache_breakpoint", Map),
];
const OUTPUT_TEXT: &[Member] = &[
    req("text", Text),
    opt("annotations", List(&Map)),
    opt("logprobs", List(&Map)),
];
const PARTS: Shape = Tagged(
    "type",
    &[
        ("input_text", INPUT_TEXT),
        ("input_image", IMAGE),
        ("input_file", FILE),
        ("input_audio", &[req("input_audio", Map)]),
        ("output_text", OUTPUT_TEXT),
        ("refusal", &[req("refusal", Text)]),
    ],
);
const MESSAGE: &[Member] = &[
    opt("type", Word(&["message"])),
    req("role", Word(&["user", "assistant", "system", "developer"])),
    req("content", Either(&[Text, List(&PARTS)])),
    opt("id", Text),
    opt("status", Text),
    opt("phase", Word(&["commentary", "final_answer"])),
];
const CALL: &[Member] = &[
    req("call_id", Text),
    req("name", Text),
    req("arguments", Text),
    opt("id", Text),
    opt("namespace", Text),
    opt("status", Text),
];
const OUTPUT: &[Member] = &[
    req("call_id", Text),
    req("output", Either(&[Text, List(&PARTS)])),
    opt("id", Text),
    opt("status", Text),
];
const CUSTOM_CALL: &[Member] = &[
    req("call_id", Text),
    req("name", Text),
    req("input", Text),
    opt("id", Text),
];
const REASONING: &[Member] = &[
    opt("id", Text),
    req("summary", List(&Map)),
    opt("content", List(&Map)),
    opt("encrypted_content", Text),
    opt("status", Text),
];
const ITEM: Shape = Either(&[
    Object(MESSAGE),
    Tagged(
        "type",
        &[
            ("message", MESSAGE),
            ("function_call", CALL),
            ("function_call_output", OUTPUT),
            ("custom_tool_call", CUSTOM_CALL),
            ("custom_tool_call_output", OUTPUT),
            ("reasoning", REASONING),
            ("item_reference", &[req("id", Text)]),
            ("compaction", &[req("encrypted_content", Text), opt("id", Text)]),
        ],
    ),
]);
const FUNCTION: &[Member] = &[
    req("name", Text),
    opt("parameters", Map),
    opt("strict", Flag),
    opt("description", Text),
    opt("defer_loading", Flag),
    opt("output_schema", Map),
];
const BUILT_IN: &[Member] = &[
    opt("filters", Map),
    opt("user_location", Map),
    opt("search_context_size", Text),
    opt("vector_store_ids", List(&Text)),
    opt("container", Any),
];
const TOOL: Shape = Tagged(
    "type",
    &[
        ("function", FUNCTION),
        (
            "custom",
            &[req("name", Text), opt("description", Text), opt("format", Map)],
        ),
        ("web_search", BUILT_IN),
        ("file_search", BUILT_IN),
        ("code_interpreter", BUILT_IN),
    ],
);
const CHOICE: &[Shape] = &[
    Word(&["none", "auto", "required"]),
    Tagged(
        "type",
        &[
            ("function", &[req("name", Text)]),
            ("custom", &[req("name", Text)]),
            ("allowed_tools", &[req("mode", Text), req("tools", List(&Map))]),
            ("web_search", &[]),
        ],
    ),
];
const FORMAT: Shape = Tagged(
    "type",
    &[
        ("text", &[]),
        ("json_object", &[]),
        (
            "json_schema",
            &[
                req("name", Text),
                req("schema", Map),
                opt("strict", Flag),
                opt("description", Text),
            ],
        ),
    ],
);
const TEXT_CONFIG: &[Member] = &[
    opt("format", FORMAT),
    opt("verbosity", Word(&["low", "medium", "high"])),
];
const REASONING_CONFIG: &[Member] = &[
    opt("effort", Text),
    opt("summary", Word(&["auto", "concise", "detailed"])),
    opt("mode", Text),
    opt("context", Text),
];

pub(super) const RESPONSES: Shape = Object(&[
    req("model", Text),
    opt("input", Either(&[Text, List(&ITEM)])),
    opt("instructions", Text),
    opt("tools", List(&TOOL)),
    opt("tool_choice", Either(CHOICE)),
    opt("parallel_tool_calls", Flag),
    opt("max_output_tokens", Integer),
    opt("max_tool_calls", Integer),
    opt("temperature", Number),
    opt("top_p", Number),
    opt("top_logprobs", Integer),
    opt("text", Object(TEXT_CONFIG)),
    opt("reasoning", Object(REASONING_CONFIG)),
    opt("include", List(&Text)),
    opt("previous_response_id", Text),
    opt("conversation", Any),
    opt("store", Flag),
    opt("background", Flag),
    opt("stream", Flag),
    opt("stream_options", Map),
    opt("truncation", Word(&["auto", "disabled"])),
    opt("metadata", Map),
    opt("service_tier", Text),
    opt("prompt", Map),
    opt("prompt_cache_key", Text),
    opt("prompt_cache_options", Map),
    opt("prompt_cache_retention", Text),
    opt("context_management", List(&Map)),
    opt("safety_identifier", Text),
    opt("moderation", Map),
    opt("user", Text),
]);

/// What a shape cannot say about a request for a response.
pub(super) fn responses(body: &Value) -> Refusal {
    let stored = ["previous_response_id", "conversation", "prompt"];
    let stored = stored.iter().any(|member| !body[*member].is_null());
    if body["input"].is_null() && !stored {
        return Err("Missing required parameter: 'input'.".to_owned());
    }
    for (index, tool) in items(&body["tools"]).iter().enumerate() {
        let named = matches!(text(&tool["type"]), "function" | "custom");
        if named && !is_name(text(&tool["name"]), 64, "_-") {
            return Err(format!(
                "Invalid 'tools[{index}].name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            ));
        }
    }
    let input = items(&body["input"]);
    for (index, item) in input.iter().enumerate() {
        parts(index, item)?;
    }
    let ids = |kind: &str| -> Vec<&str> {
        let items = input.iter().filter(|item| item["type"] == *kind);
        items.map(|item| text(&item["call_id"])).collect()
    };
    let (calls, outputs) = (ids("function_call"), ids("function_call_output"));
    if let Some(id) = calls.iter().find(|id| !outputs.contains(id)) {
        return Err(format!("No tool output found for function call {id}."));
    }
    match outputs.iter().find(|id| !calls.contains(id)) {
        Some(id) if !stored => Err(format!(
            "No tool call found for function call output with call_id {id}."
        )),
        _ => Ok(()),
    }
}

/// An assistant has said output, all others give input.
fn parts(index: usize, item: &Value) -> Refusal {
    let is_assistant = item["role"] == "assistant";
    for (at, part) in items(&item["content"]).iter().enumerate() {
        let kind = text(&part["type"]);
        let is_output = matches!(kind, "output_text" | "refusal");
        if !item["role"].is_null() && is_output != is_assistant {
            return Err(format!("Invalid value: '{kind}'. (input[{index}].content[{at}])"));
        }
    }
    Ok(())
}
