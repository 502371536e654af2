//! Anthropic: messages, token counting, models.

use serde_json::{Value, json};

use super::contract::{Contracted, named};
use super::prompt::{Finish, Outcome, pieces};

const MODELS: [&str; 2] = ["claude-sonnet-4-5", "claude-haiku-4-5"];
const SIGNATURE: &str = "ZmFrZSBzaWduYXR1cmU=";

pub(super) fn message(request: &Value, outcome: &Outcome, number: usize) -> Contracted {
    let mut message = envelope(request, outcome, number);
    message["content"] = blocks(outcome).into();
    message["stop_reason"] = stop_reason(outcome.finish).into();
    message["usage"]["output_tokens"] = outcome.usage.output.into();
    Contracted::json(200, &message)
        .with_cut(outcome)
        .with_header("request-id", request_id(number))
}

pub(super) fn stream(request: &Value, outcome: &Outcome, number: usize) -> Contracted {
    let mut events = vec![
        json!({"type": "message_start", "message": envelope(request, outcome, number)}),
        json!({"type": "ping"}),
    ];
    for (index, block) in blocks(outcome).into_iter().enumerate() {
        block_events(&mut events, index, block);
    }
    events.push(json!({
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason(outcome.finish), "stop_sequence": null},
        "usage": {"output_tokens": outcome.usage.output},
    }));
    events.push(json!({"type": "message_stop"}));
    Contracted::events(events.iter().map(named).collect(), outcome.cut_after)
        .with_header("request-id", request_id(number))
}

/// A message as `message_start` shows it: without content, with the tokens known so far.
fn envelope(request: &Value, outcome: &Outcome, number: usize) -> Value {
    json!({
        "id": format!("msg_{number}"),
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": {
            "input_tokens": outcome.usage.input,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 1,
        },
    })
}

fn blocks(outcome: &Outcome) -> Vec<Value> {
    let mut blocks = Vec::new();
    if let Some(reasoning) = outcome.reasoning {
        blocks.push(json!({"type": "thinking", "thinking": reasoning, "signature": SIGNATURE}));
    }
    if !outcome.text.is_empty() {
        blocks.push(json!({"type": "text", "text": outcome.text}));
    }
    for (index, city) in outcome.cities.iter().enumerate() {
        let input = json!({"city": city});
        blocks.push(json!({"type": "tool_use", "id": format!("toolu_{index}"), "name": "get_weather", "input": input}));
    }
    blocks
}

fn block_events(events: &mut Vec<Value>, index: usize, mut block: Value) {
    let delta = |kind: &str, member: &str, piece: &str| json!({"type": "content_block_delta", "index": index, "delta": {"type": kind, member: piece}});
    let mut deltas = Vec::new();
    match block["type"].as_str() {
        Some("thinking") => {
            let thinking = block["thinking"].take();
            deltas.extend(text_of(&thinking).map(|piece| delta("thinking_delta", "thinking", piece)));
            deltas.push(delta("signature_delta", "signature", SIGNATURE));
            block["thinking"] = "".into();
            block["signature"] = "".into();
        }
        Some("text") => {
            let text = block["text"].take();
            deltas.extend(text_of(&text).map(|piece| delta("text_delta", "text", piece)));
            block["text"] = "".into();
        }
        _ => {
            let input = Value::from(block["input"].take().to_string());
            deltas.push(delta("input_json_delta", "partial_json", ""));
            deltas.extend(text_of(&input).map(|piece| delta("input_json_delta", "partial_json", piece)));
            block["input"] = json!({});
        }
    }
    events.push(json!({"type": "content_block_start", "index": index, "content_block": block}));
    events.append(&mut deltas);
    events.push(json!({"type": "content_block_stop", "index": index}));
}

fn text_of(value: &Value) -> impl Iterator<Item = &str> {
    pieces(value.as_str().unwrap_or_default()).into_iter()
}

fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Tools => "tool_use",
    }
}

/// One token for each four bytes of the request: grows with it, as real counts do.
pub(super) fn count_tokens(request: &Value) -> Contracted {
    Contracted::json(200, &json!({"input_tokens": request.to_string().len() / 4}))
}

/// The list, or one model when `id` is not empty.
pub(super) fn models(id: &str) -> Contracted {
    let model = |id: &str| json!({"type": "model", "id": id, "display_name": id, "created_at": "2025-09-29T00:00:00Z"});
    if id.is_empty() {
        let [first, .., last] = MODELS;
        return Contracted::json(
            200,
            &json!({"data": MODELS.map(model), "has_more": false, "first_id": first, "last_id": last}),
        );
    }
    if MODELS.contains(&id) {
        Contracted::json(200, &model(id))
    } else {
        error(404, 0)
    }
}

pub(super) fn error(status: u16, number: usize) -> Contracted {
    let kind = match status {
        400 => "invalid_request_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        _ => "api_error",
    };
    let error = json!({"type": kind, "message": format!("fake error {status}")});
    let body = json!({"type": "error", "error": error, "request_id": request_id(number)});
    let answer = Contracted::json(status, &body).with_header("request-id", request_id(number));
    if status == 429 {
        answer.with_header("retry-after", "7")
    } else {
        answer
    }
}

fn request_id(number: usize) -> String {
    format!("req_fake_{number}")
}
