//! OpenAI: chat completions, completions, embeddings, moderations, models.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::contract::{Contracted, data};
use super::prompt::{Finish, Outcome, Usage, pieces};

const CREATED: u64 = 1_700_000_000;
const MODELS: [&str; 3] = ["gpt-4o", "gpt-4o-mini", "text-embedding-3-small"];
const DIMENSIONS: u16 = 16;

pub(super) fn chat(request: &Value, outcome: &Outcome, number: usize) -> Contracted {
    if request["stream"] == json!(true) {
        return chat_stream(request, outcome, number);
    }
    let mut message = json!({"role": "assistant", "content": null, "refusal": null});
    if !outcome.text.is_empty() {
        message["content"] = outcome.text.into();
    }
    if let Some(reasoning) = outcome.reasoning {
        message["reasoning_content"] = reasoning.into();
    }
    if !outcome.cities.is_empty() {
        message["tool_calls"] = (0..outcome.cities.len())
            .map(|index| tool_call(outcome, index))
            .collect();
    }
    Contracted::json(
        200,
        &json!({
            "id": format!("chatcmpl-{number}"),
            "object": "chat.completion",
            "created": CREATED,
            "model": request["model"],
            "choices": [{
                "index": 0, "message": message, "logprobs": null, "finish_reason": finish(outcome.finish),
            }],
            "usage": usage(outcome.usage),
            "system_fingerprint": "fp_fake",
        }),
    )
    .with_cut(outcome)
    .with_request_id(number)
}

fn chat_stream(request: &Value, outcome: &Outcome, number: usize) -> Contracted {
    let chunk = |choices: Value| {
        json!({
            "id": format!("chatcmpl-{number}"),
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": request["model"],
            "system_fingerprint": "fp_fake",
            "choices": choices,
        })
    };
    let delta = |delta: Value, finish: Value| {
        data(&chunk(
            json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]),
        ))
    };
    let mut frames = vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)];
    for piece in outcome.reasoning.map(pieces).unwrap_or_default() {
        frames.push(delta(json!({"reasoning_content": piece}), Value::Null));
    }
    for piece in outcome.pieces() {
        frames.push(delta(json!({"content": piece}), Value::Null));
    }
    for index in 0..outcome.cities.len() {
        let mut call = tool_call(outcome, index);
        let arguments = call["function"]["arguments"].take();
        call["index"] = index.into();
        call["function"]["arguments"] = "".into();
        frames.push(delta(json!({"tool_calls": [call]}), Value::Null));
        for piece in pieces(arguments.as_str().unwrap_or_default()) {
            let call = json!({"index": index, "function": {"arguments": piece}});
            frames.push(delta(json!({"tool_calls": [call]}), Value::Null));
        }
    }
    frames.push(delta(json!({}), finish(outcome.finish).into()));
    if request["stream_options"]["include_usage"] == json!(true) {
        let mut last = chunk(json!([]));
        last["usage"] = usage(outcome.usage);
        frames.push(data(&last));
    }
    frames.push(Bytes::from_static(b"data: [DONE]\n\n"));
    Contracted::events(frames, outcome.cut_after).with_request_id(number)
}

pub(super) fn completions(request: &Value, outcome: &Outcome, number: usize) -> Contracted {
    let completion = |text: &str, finish: Value| {
        json!({
            "id": format!("cmpl-{number}"),
            "object": "text_completion",
            "created": CREATED,
            "model": request["model"],
            "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}],
        })
    };
    if request["stream"] != json!(true) {
        let mut body = completion(outcome.text, finish(outcome.finish).into());
        body["usage"] = usage(outcome.usage);
        return Contracted::json(200, &body)
            .with_cut(outcome)
            .with_request_id(number);
    }
    let mut frames: Vec<_> = outcome
        .pieces()
        .into_iter()
        .map(|piece| data(&completion(piece, Value::Null)))
        .collect();
    let mut last = completion("", finish(outcome.finish).into());
    if request["stream_options"]["include_usage"] == json!(true) {
        last["usage"] = usage(outcome.usage);
    }
    frames.push(data(&last));
    frames.push(Bytes::from_static(b"data: [DONE]\n\n"));
    Contracted::events(frames, outcome.cut_after).with_request_id(number)
}

pub(super) fn embeddings(request: &Value) -> Contracted {
    // A text, tokens, or a list of either.
    let count = match &request["input"] {
        Value::Array(items) if items.iter().all(Value::is_number) => 1,
        Value::Array(items) => items.len(),
        _ => 1,
    };
    let data: Vec<_> = (0..count)
        .map(|index| {
            let floats: Vec<f32> = (0..DIMENSIONS).map(|i| f32::from(i + 1) / 16.0).collect();
            let embedding = if request["encoding_format"] == "base64" {
                let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
                json!(BASE64_STANDARD.encode(bytes))
            } else {
                json!(floats)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    Contracted::json(
        200,
        &json!({
            "object": "list",
            "data": data,
            "model": request["model"],
            "usage": {"prompt_tokens": 4 * count, "total_tokens": 4 * count},
        }),
    )
}

pub(super) fn moderations(request: &Value, number: usize) -> Contracted {
    let count = request["input"].as_array().map_or(1, Vec::len);
    let kinds = ["hate", "harassment", "self-harm", "sexual", "violence"];
    let of_kinds = |value: Value| -> Value {
        kinds
            .iter()
            .map(|kind| ((*kind).to_owned(), value.clone()))
            .collect()
    };
    let result = json!({"flagged": false, "categories": of_kinds(json!(false)), "category_scores": of_kinds(json!(0.001))});
    Contracted::json(
        200,
        &json!({"id": format!("modr-{number}"), "model": "omni-moderation-latest", "results": vec![result; count]}),
    )
}

/// The list, or one model when `id` is not empty.
pub(super) fn models(id: &str) -> Contracted {
    let model = |id: &str| json!({"id": id, "object": "model", "created": CREATED, "owned_by": "fake"});
    if id.is_empty() {
        return Contracted::json(200, &json!({"object": "list", "data": MODELS.map(model)}));
    }
    if MODELS.contains(&id) {
        Contracted::json(200, &model(id))
    } else {
        error(404)
    }
}

pub(super) fn error(status: u16) -> Contracted {
    let (kind, code) = match status {
        429 => ("rate_limit_error", json!("rate_limit_exceeded")),
        500 => ("server_error", Value::Null),
        404 => ("invalid_request_error", json!("not_found")),
        _ => ("invalid_request_error", json!("invalid_value")),
    };
    let error = json!({"message": format!("fake error {status}"), "type": kind, "param": null, "code": code});
    let answer = Contracted::json(status, &json!({"error": error}));
    if status == 429 {
        answer.with_header("retry-after", "7")
    } else {
        answer
    }
}

fn tool_call(outcome: &Outcome, index: usize) -> Value {
    let arguments = json!({"city": outcome.cities[index]}).to_string();
    json!({
        "id": format!("call_{index}"),
        "type": "function",
        "function": {"name": "get_weather", "arguments": arguments},
    })
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Tools => "tool_calls",
    }
}

fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total(),
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

impl Contracted {
    /// A whole answer of a cut one breaks off in the middle.
    pub(super) fn with_cut(mut self, outcome: &Outcome) -> Self {
        self.cut_after = outcome.cut_after;
        self
    }

    fn with_request_id(self, number: usize) -> Self {
        self.with_header("x-request-id", format!("req_fake_{number}"))
    }
}
