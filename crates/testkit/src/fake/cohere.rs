//! Cohere v2: chat and embeddings.

use serde_json::{Value, json};

use super::completion::{Block, Citation, Completion, Stop, Usage};
use super::contract::{Ask, Contracted, named};
use super::openai::span;

pub(super) fn chat(ask: &Ask<'_>, completion: &Completion) -> Contracted {
    if ask.streams() {
        return stream(ask, completion);
    }
    let mut message = json!({"role": "assistant"});
    let calls: Vec<_> = completion.calls().enumerate().map(|(index, call)| {
        let function = json!({"name": call.name, "arguments": call.text()});
        json!({"id": call.id_or(&format!("{}_", call.name), index), "type": "function", "function": function})
    }).collect();
    let text = completion.whole_text();
    let mut content = Vec::new();
    if let Some(thoughts) = completion.thoughts() {
        content.push(json!({"type": "thinking", "thinking": thoughts}));
    }
    if calls.is_empty() {
        content.push(json!({"type": "text", "text": text}));
    } else {
        if !text.is_empty() {
            message["tool_plan"] = text.clone().into();
        }
        message["tool_calls"] = calls.into();
    }
    if !content.is_empty() {
        message["content"] = content.into();
    }
    let citations: Vec<_> = completion
        .citations()
        .map(|source| citation(&text, source))
        .collect();
    if !citations.is_empty() {
        message["citations"] = citations.into();
    }
    let mut body = json!({
        "id": id(ask),
        "message": message,
        "finish_reason": finish(completion),
        "usage": usage(completion.usage),
    });
    if ask.body["logprobs"] == json!(true) {
        body["logprobs"] = logprobs(&completion.logprobs);
    }
    Contracted::json(200, &body).with_cut(completion)
}

fn stream(ask: &Ask<'_>, completion: &Completion) -> Contracted {
    let start = json!({
        "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": [],
    });
    let mut events = vec![json!({"type": "message-start", "id": id(ask), "delta": {"message": start}})];
    let plans = completion.calls().next().is_some();
    let (mut contents, mut calls) = (0, 0);
    for block in &completion.blocks {
        match block {
            Block::Redacted(_) => {}
            Block::Text { pieces, .. } if plans => {
                events.extend(pieces.iter().map(
                    |piece| json!({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}),
                ));
            }
            Block::Thinking { pieces, .. } => {
                content_events(&mut events, contents, "thinking", pieces, &[]);
                contents += 1;
            }
            Block::Text { pieces, .. } => {
                let probable: Vec<_> = if ask.body["logprobs"] == json!(true) {
                    let count = pieces.len();
                    (0..count)
                        .map(|piece| completion.logprobs_of(piece, count))
                        .collect()
                } else {
                    Vec::new()
                };
                content_events(&mut events, contents, "text", pieces, &probable);
                contents += 1;
            }
            Block::ToolCall(call) => {
                let event = |kind: &str, calls_delta: Value| json!({"type": kind, "index": calls, "delta": {"message": {"tool_calls": calls_delta}}});
                let id = call.id_or(&format!("{}_", call.name), calls);
                let function = json!({"name": call.name, "arguments": ""});
                events.push(event(
                    "tool-call-start",
                    json!({"id": id, "type": "function", "function": function}),
                ));
                for piece in &call.arguments {
                    events.push(event(
                        "tool-call-delta",
                        json!({"function": {"arguments": piece}}),
                    ));
                }
                events.push(json!({"type": "tool-call-end", "index": calls}));
                calls += 1;
            }
        }
    }
    let text = completion.whole_text();
    for (index, source) in completion.citations().enumerate() {
        let delta = json!({"message": {"citations": citation(&text, source)}});
        events.push(json!({"type": "citation-start", "index": index, "delta": delta}));
        events.push(json!({"type": "citation-end", "index": index}));
    }
    let delta = json!({"finish_reason": finish(completion), "usage": usage(completion.usage)});
    events.push(json!({"type": "message-end", "delta": delta}));
    Contracted::events(events.iter().map(named).collect(), completion.cut_after)
}

/// The events of one block; `probable` are the probabilities of each piece, where they are asked for.
fn content_events(
    events: &mut Vec<Value>,
    index: usize,
    kind: &str,
    pieces: &[String],
    probable: &[&[(String, f64)]],
) {
    let message = |content: Value| json!({"message": {"content": content}});
    let opened = message(json!({"type": kind, kind: ""}));
    events.push(json!({"type": "content-start", "index": index, "delta": opened}));
    for (number, piece) in pieces.iter().enumerate() {
        let mut event =
            json!({"type": "content-delta", "index": index, "delta": message(json!({kind: piece}))});
        if let Some(first) = probable
            .get(number)
            .and_then(|of_piece| logprobs(of_piece).get(0).cloned())
        {
            event["logprobs"] = first;
        }
        events.push(event);
    }
    events.push(json!({"type": "content-end", "index": index}));
}

fn citation(text: &str, source: &Citation) -> Value {
    let (start, end) = span(text, source);
    let document = json!({"id": source.url, "title": source.title, "url": source.url});
    json!({
        "start": start, "end": end, "text": source.text, "type": "TEXT_CONTENT",
        "sources": [{"type": "document", "id": source.url, "document": document}],
    })
}

fn logprobs(logprobs: &[(String, f64)]) -> Value {
    logprobs
        .iter()
        .map(|(token, logprob)| json!({"token_ids": [1], "text": token, "logprobs": [logprob]}))
        .collect()
}

fn finish(completion: &Completion) -> &'static str {
    match completion.why() {
        Stop::End => "COMPLETE",
        Stop::Sequence(_) => "STOP_SEQUENCE",
        Stop::Length => "MAX_TOKENS",
        Stop::ToolCalls => "TOOL_CALL",
        Stop::Filtered => "ERROR",
    }
}

/// Counts are floating-point numbers, and less is billed than was read.
fn usage(usage: Usage) -> Value {
    let float = |count: u64| Value::from(f64::from(u32::try_from(count).expect("a small count")));
    let mut counts = json!({
        "billed_units": {"input_tokens": float(usage.input), "output_tokens": float(usage.completion())},
        "tokens": {"input_tokens": float(usage.prompt()), "output_tokens": float(usage.completion())},
    });
    if usage.cached > 0 {
        counts["cached_tokens"] = float(usage.cached);
    }
    counts
}

pub(super) fn embed(ask: &Ask<'_>) -> Contracted {
    let request = ask.body;
    let list = |name: &str| request[name].as_array().map_or(0, Vec::len);
    let count = list("texts") + list("images") + list("inputs");
    let dimensions = request["output_dimension"].as_u64().unwrap_or(4);
    let mut embeddings = json!({});
    let kinds = request["embedding_types"]
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![json!("float")]);
    for kind in kinds.iter().filter_map(Value::as_str) {
        let value = if kind == "float" { json!(0.25) } else { json!(32) };
        let vector: Vec<_> = (0..dimensions).map(|_| value.clone()).collect();
        embeddings[kind] = json!(vec![vector; count]);
    }
    let mut body = json!({"id": id(ask), "embeddings": embeddings});
    if list("texts") > 0 {
        body["texts"] = request["texts"].clone();
    }
    body["meta"] = json!({"api_version": {"version": "2"}, "billed_units": {"input_tokens": 4 * count}});
    Contracted::json(200, &body)
}

pub(super) fn id(ask: &Ask<'_>) -> String {
    format!("c0000000-0000-0000-0000-{:012}", ask.number)
}
