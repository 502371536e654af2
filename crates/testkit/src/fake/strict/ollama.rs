//! What Ollama takes. The real one overlooks unknown fields; here they are refused, since a translation that writes
//! them means something by them.

use serde_json::Value;

use super::rules::{Refusal, is_base64, items, text};
use super::shape::Shape::{Any, Either, Flag, Integer, List, Map, Number, Object, Text, Word};
use super::shape::{Member, Shape, opt, req};

const CALL_FUNCTION: &[Member] = &[req("name", Text), req("arguments", Map), opt("index", Integer)];
const CALL: &[Member] = &[opt("id", Text), req("function", Object(CALL_FUNCTION))];
const MESSAGE: &[Member] = &[
    req("role", Word(&["system", "user", "assistant", "tool"])),
    opt("content", Text),
    opt("thinking", Text),
    opt("images", List(&Text)),
    opt("tool_calls", List(&Object(CALL))),
    opt("tool_name", Text),
    opt("tool_call_id", Text),
];
const FUNCTION: &[Member] = &[
    req("name", Text),
    opt("description", Text),
    req("parameters", Map),
];
const TOOL: &[Member] = &[
    req("type", Word(&["function"])),
    req("function", Object(FUNCTION)),
];
const OPTIONS: &[Member] = &[
    opt("num_ctx", Integer),
    opt("num_predict", Integer),
    opt("num_keep", Integer),
    opt("temperature", Number),
    opt("top_p", Number),
    opt("top_k", Integer),
    opt("min_p", Number),
    opt("typical_p", Number),
    opt("seed", Integer),
    opt("stop", List(&Text)),
    opt("repeat_last_n", Integer),
    opt("repeat_penalty", Number),
    opt("presence_penalty", Number),
    opt("frequency_penalty", Number),
    opt("num_gpu", Integer),
    opt("num_thread", Integer),
];
const THINK: Shape = Either(&[Flag, Word(&["low", "medium", "high"])]);
const FORMAT: Shape = Either(&[Word(&["", "json"]), Map]);

pub(super) const CHAT: Shape = Object(&[
    req("model", Text),
    opt("messages", List(&Object(MESSAGE))),
    opt("tools", List(&Object(TOOL))),
    opt("think", THINK),
    opt("format", FORMAT),
    opt("options", Object(OPTIONS)),
    opt("keep_alive", Any),
    opt("stream", Flag),
    opt("logprobs", Flag),
    opt("top_logprobs", Integer),
]);

pub(super) const GENERATE: Shape = Object(&[
    req("model", Text),
    opt("prompt", Text),
    opt("suffix", Text),
    opt("system", Text),
    opt("template", Text),
    opt("context", List(&Integer)),
    opt("raw", Flag),
    opt("images", List(&Text)),
    opt("think", THINK),
    opt("format", FORMAT),
    opt("options", Object(OPTIONS)),
    opt("keep_alive", Any),
    opt("stream", Flag),
    opt("logprobs", Flag),
    opt("top_logprobs", Integer),
]);

pub(super) const EMBED: Shape = Object(&[
    req("model", Text),
    req("input", Either(&[Text, List(&Text)])),
    opt("dimensions", Integer),
    opt("truncate", Flag),
    opt("options", Object(OPTIONS)),
    opt("keep_alive", Any),
]);

/// The result of a tool stands behind a call, images are base64.
pub(super) fn chat(body: &Value) -> Refusal {
    let mut called = false;
    let mut images = items(&body["messages"])
        .iter()
        .flat_map(|message| items(&message["images"]));
    if !images.all(|image| is_base64(text(image))) {
        return Err("illegal base64 data in images".to_owned());
    }
    for message in items(&body["messages"]) {
        called |= !items(&message["tool_calls"]).is_empty();
        if message["role"] == "tool" && !called {
            return Err("tool message without a tool call before it".to_owned());
        }
    }
    Ok(())
}
