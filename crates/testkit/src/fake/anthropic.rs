//! Anthropic: messages, token counting, models.

use serde_json::{Value, json};

use super::completion::{Block, Citation, Completion, Stop};
use super::contract::{Ask, Contracted, named};
use super::endpoint::{Dialect, model_in};
use super::fault::Fault;

const MODELS: [&str; 2] = ["claude-sonnet-4-5", "claude-haiku-4-5"];

pub(super) fn message(ask: &Ask<'_>, completion: &Completion, streams: bool) -> Contracted {
    let answer = if streams {
        stream(ask, completion)
    } else {
        whole(ask, completion)
    };
    answer.with_header("request-id", format!("req_fake_{}", ask.number))
}

/// The JSON of a frame of a stream.
pub(super) fn data_of(frame: &[u8]) -> &[u8] {
    let start = frame.iter().position(|byte| *byte == b'{').unwrap_or(0);
    frame[start..].trim_ascii_end()
}

fn whole(ask: &Ask<'_>, completion: &Completion) -> Contracted {
    let mut message = envelope(ask, completion);
    message["content"] = blocks(completion).into();
    let (reason, sequence) = stop_reason(completion);
    message["stop_reason"] = reason.into();
    message["stop_sequence"] = sequence;
    message["usage"]["output_tokens"] = completion.usage.completion().into();
    Contracted::json(200, &message).with_cut(completion)
}

fn stream(ask: &Ask<'_>, completion: &Completion) -> Contracted {
    let mut events = vec![
        json!({"type": "message_start", "message": envelope(ask, completion)}),
        json!({"type": "ping"}),
    ];
    for (index, (whole, block)) in blocks(completion).into_iter().zip(&completion.blocks).enumerate() {
        block_events(&mut events, index, whole, block);
    }
    let (reason, sequence) = stop_reason(completion);
    events.push(json!({
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": sequence},
        "usage": {"output_tokens": completion.usage.completion()},
    }));
    events.push(json!({"type": "message_stop"}));
    Contracted::events(events.iter().map(named).collect(), completion.cut_after)
}

/// A message as `message_start` shows it: without content, with the tokens known so far.
fn envelope(ask: &Ask<'_>, completion: &Completion) -> Value {
    let model = match &ask.body["model"] {
        Value::Null if ask.request.path.starts_with("/model/") => {
            model_in(&ask.request.path, "/model/").into()
        }
        Value::Null => model_in(&ask.request.path, "/models/").into(),
        model => model.clone(),
    };
    json!({
        "id": format!("msg_{}", ask.number),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": {
            "input_tokens": completion.usage.input,
            "cache_creation_input_tokens": completion.usage.cache_write,
            "cache_read_input_tokens": completion.usage.cached,
            "output_tokens": 1,
        },
    })
}

fn blocks(completion: &Completion) -> Vec<Value> {
    let mut calls = 0;
    let block = |block: &Block| match block {
        Block::Thinking { pieces, signature } => {
            json!({"type": "thinking", "thinking": pieces.concat(), "signature": signature})
        }
        Block::Redacted(data) => json!({"type": "redacted_thinking", "data": data}),
        Block::Text { pieces, citations } => {
            let mut block = json!({"type": "text", "text": pieces.concat()});
            if !citations.is_empty() {
                block["citations"] = citations.iter().map(citation).collect();
            }
            block
        }
        Block::ToolCall(call) => {
            calls += 1;
            let id = call.id_or("toolu_", calls - 1);
            json!({"type": "tool_use", "id": id, "name": call.name, "input": call.object()})
        }
    };
    completion.blocks.iter().map(block).collect()
}

fn citation(citation: &Citation) -> Value {
    json!({
        "type": "web_search_result_location", "url": citation.url, "title": citation.title,
        "cited_text": citation.text, "encrypted_index": "aW5kZXg=",
    })
}

/// The events of one block, whose final form is `opened`.
fn block_events(events: &mut Vec<Value>, index: usize, mut opened: Value, block: &Block) {
    let mut deltas = Vec::new();
    match block {
        Block::Thinking { pieces, signature } => {
            deltas.extend(
                pieces
                    .iter()
                    .map(|piece| json!({"type": "thinking_delta", "thinking": piece})),
            );
            deltas.push(json!({"type": "signature_delta", "signature": signature}));
            opened["thinking"] = "".into();
            opened["signature"] = "".into();
        }
        Block::Redacted(_) => {}
        Block::Text { pieces, citations } => {
            deltas.extend(
                pieces
                    .iter()
                    .map(|piece| json!({"type": "text_delta", "text": piece})),
            );
            let sources = citations.iter().map(citation);
            deltas.extend(sources.map(|source| json!({"type": "citations_delta", "citation": source})));
            opened["text"] = "".into();
            if !citations.is_empty() {
                opened["citations"] = json!([]);
            }
        }
        Block::ToolCall(call) => {
            let fragments = std::iter::once("").chain(call.arguments.iter().map(String::as_str));
            deltas.extend(fragments.map(|piece| json!({"type": "input_json_delta", "partial_json": piece})));
            opened["input"] = json!({});
        }
    }
    events.push(json!({"type": "content_block_start", "index": index, "content_block": opened}));
    let deltas = deltas.into_iter();
    events.extend(deltas.map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta})));
    events.push(json!({"type": "content_block_stop", "index": index}));
}

/// The reason, and the stop sequence.
fn stop_reason(completion: &Completion) -> (&'static str, Value) {
    match completion.why() {
        Stop::End => ("end_turn", Value::Null),
        Stop::Sequence(sequence) => ("stop_sequence", sequence.into()),
        Stop::Length => ("max_tokens", Value::Null),
        Stop::ToolCalls => ("tool_use", Value::Null),
        Stop::Filtered => ("refusal", Value::Null),
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
        Fault::plain(404).answer(Dialect::Anthropic, 0)
    }
}
