//! AWS Bedrock: Converse, and models of Anthropic invoked, whole and as event streams. Asks for a valid signature.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};

use super::anthropic;
use super::completion::{Block, Citation, Completion, Stop, Usage};
use super::contract::{Ask, Content, Contracted};

const STRING: u8 = 7;

pub(super) fn converse(ask: &Ask<'_>, completion: &Completion, streams: bool) -> Contracted {
    for stranger in ["model", "stream"] {
        if ask.body.get(stranger).is_some() {
            let reason = format!("extraneous key [{stranger}] is not permitted");
            return error(400, "ValidationException", &reason, ask.number);
        }
    }
    let answer = if streams {
        stream(completion)
    } else {
        whole(completion)
    };
    answer.with_header("x-amzn-requestid", format!("req-fake-{}", ask.number))
}

/// Messages of Anthropic, whose events come packed in those of Bedrock.
pub(super) fn invoke(ask: &Ask<'_>, completion: &Completion, streams: bool) -> Contracted {
    let mut answer = anthropic::message(ask, completion, streams);
    answer.headers.clear();
    if let Content::Frames(frames) = &mut answer.content {
        for frame in frames {
            let packed = BASE64_STANDARD.encode(anthropic::data_of(frame));
            *frame = event("chunk", &json!({"bytes": packed, "p": "abcdefg"}));
        }
    }
    let kind = if streams {
        "application/vnd.amazon.eventstream"
    } else {
        "application/json"
    };
    answer
        .with_header("content-type", kind)
        .with_header("x-amzn-requestid", format!("req-fake-{}", ask.number))
}

fn whole(completion: &Completion) -> Contracted {
    let body = json!({
        "output": {"message": {"role": "assistant", "content": blocks(completion)}},
        "stopReason": stop_reason(completion),
        "usage": usage(completion.usage),
        "metrics": {"latencyMs": 7},
    });
    Contracted::json(200, &body).with_cut(completion)
}

fn stream(completion: &Completion) -> Contracted {
    let mut events = vec![("messageStart", json!({"role": "assistant"}))];
    for (index, (whole, block)) in blocks(completion).iter().zip(&completion.blocks).enumerate() {
        block_events(&mut events, index, whole, block);
    }
    events.push(("messageStop", json!({"stopReason": stop_reason(completion)})));
    events.push((
        "metadata",
        json!({"usage": usage(completion.usage), "metrics": {"latencyMs": 7}}),
    ));
    let frames = events
        .iter()
        .map(|(name, payload)| event(name, payload))
        .collect();
    Contracted::frames("application/vnd.amazon.eventstream", frames, completion.cut_after)
}

fn blocks(completion: &Completion) -> Vec<Value> {
    let mut calls = 0;
    let block = |block: &Block| match block {
        Block::Thinking { pieces, signature } => {
            let mut reasoning = json!({"text": pieces.concat()});
            if !signature.is_empty() {
                reasoning["signature"] = signature.clone().into();
            }
            json!({"reasoningContent": {"reasoningText": reasoning}})
        }
        Block::Redacted(data) => json!({"reasoningContent": {"redactedContent": data}}),
        Block::Text { pieces, citations } if citations.is_empty() => json!({"text": pieces.concat()}),
        Block::Text { pieces, citations } => {
            let citations: Vec<_> = citations.iter().map(citation).collect();
            json!({"citationsContent": {"content": [{"text": pieces.concat()}], "citations": citations}})
        }
        Block::ToolCall(call) => {
            calls += 1;
            let id = call.id_or("tooluse_", calls - 1);
            json!({"toolUse": {"toolUseId": id, "name": call.name, "input": call.object()}})
        }
    };
    completion.blocks.iter().map(block).collect()
}

fn citation(citation: &Citation) -> Value {
    json!({
        "title": citation.title, "sourceContent": [{"text": citation.text}],
        "location": {"web": {"url": citation.url}},
    })
}

/// The events of one block. Only tool calls have one that starts them.
fn block_events(events: &mut Vec<(&'static str, Value)>, index: usize, whole: &Value, block: &Block) {
    let mut deltas = Vec::new();
    match block {
        Block::Thinking { pieces, signature } => {
            deltas.extend(
                pieces
                    .iter()
                    .map(|piece| json!({"reasoningContent": {"text": piece}})),
            );
            if !signature.is_empty() {
                deltas.push(json!({"reasoningContent": {"signature": signature}}));
            }
        }
        Block::Redacted(data) => deltas.push(json!({"reasoningContent": {"redactedContent": data}})),
        Block::Text { pieces, citations } => {
            deltas.extend(pieces.iter().map(|piece| json!({"text": piece})));
            deltas.extend(
                citations
                    .iter()
                    .map(|source| json!({"citation": citation(source)})),
            );
        }
        Block::ToolCall(call) => {
            let tool = &whole["toolUse"];
            let start = json!({"toolUse": {"toolUseId": tool["toolUseId"], "name": tool["name"]}});
            events.push((
                "contentBlockStart",
                json!({"contentBlockIndex": index, "start": start}),
            ));
            deltas.extend(
                call.arguments
                    .iter()
                    .map(|piece| json!({"toolUse": {"input": piece}})),
            );
        }
    }
    let deltas = deltas.into_iter();
    let deltas = deltas.map(|delta| json!({"contentBlockIndex": index, "delta": delta}));
    events.extend(deltas.map(|payload| ("contentBlockDelta", payload)));
    events.push(("contentBlockStop", json!({"contentBlockIndex": index})));
}

fn stop_reason(completion: &Completion) -> &'static str {
    match completion.why() {
        Stop::End => "end_turn",
        Stop::Sequence(_) => "stop_sequence",
        Stop::Length => "max_tokens",
        Stop::ToolCalls => "tool_use",
        Stop::Filtered => "content_filtered",
    }
}

/// As Anthropic's models count: what a cache was read for or written to is no part of the input.
fn usage(usage: Usage) -> Value {
    let mut counts = json!({
        "inputTokens": usage.input,
        "outputTokens": usage.completion(),
        "totalTokens": usage.total(),
    });
    if usage.cached + usage.cache_write > 0 {
        counts["cacheReadInputTokens"] = usage.cached.into();
        counts["cacheWriteInputTokens"] = usage.cache_write.into();
    }
    counts
}

pub(super) fn error(status: u16, kind: &'static str, message: &str, number: usize) -> Contracted {
    Contracted::json(status, &json!({"message": message}))
        .with_header("x-amzn-errortype", kind)
        .with_header("x-amzn-requestid", format!("req-fake-{number}"))
}

/// An event of a Converse stream, as it goes over the wire.
#[must_use]
pub fn event(name: &str, payload: &Value) -> Bytes {
    message(
        &[
            (":event-type", name),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ],
        payload,
    )
}

/// The exception that ends a Converse stream, as it goes over the wire.
#[must_use]
pub fn exception(name: &str, payload: &Value) -> Bytes {
    message(
        &[
            (":exception-type", name),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ],
        payload,
    )
}

/// The events of a Converse stream: name and payload. An exception is an event with its own name.
///
/// # Panics
///
/// Where the stream is not made of whole messages whose checksums hold.
#[must_use]
pub fn events(mut stream: &[u8]) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    while !stream.is_empty() {
        let number = |at: usize| {
            let bytes = stream.get(at..at + 4).expect("a whole message");
            u32::from_be_bytes(bytes.try_into().expect("four bytes"))
        };
        let (total, headers) = (number(0) as usize, number(4) as usize);
        assert_eq!(
            number(8),
            crc32fast::hash(&stream[..8]),
            "checksum of the prelude"
        );
        let checked = stream.get(..total - 4).expect("a whole message");
        assert_eq!(
            number(total - 4),
            crc32fast::hash(checked),
            "checksum of the message"
        );
        let name = name_of(&checked[12..12 + headers]);
        let payload = serde_json::from_slice(&checked[12 + headers..]).expect("a payload in JSON");
        events.push((name, payload));
        stream = &stream[total..];
    }
    events
}

fn name_of(mut headers: &[u8]) -> String {
    let mut names = Vec::new();
    while let [length, rest @ ..] = headers {
        let (name, rest) = rest.split_at(usize::from(*length));
        assert_eq!(rest[0], STRING, "type of a header");
        let length = usize::from(u16::from_be_bytes([rest[1], rest[2]]));
        let (value, rest) = rest[3..].split_at(length);
        if matches!(name, b":event-type" | b":exception-type") {
            names.push(String::from_utf8_lossy(value).into_owned());
        }
        headers = rest;
    }
    assert_eq!(names.len(), 1, "a message has one name: {names:?}");
    names.remove(0)
}

fn message(headers: &[(&str, &str)], payload: &Value) -> Bytes {
    let mut block = BytesMut::new();
    for (name, value) in headers {
        block.put_u8(name.len().try_into().expect("a short name"));
        block.put_slice(name.as_bytes());
        block.put_u8(STRING);
        block.put_u16(value.len().try_into().expect("a short value"));
        block.put_slice(value.as_bytes());
    }
    let payload = payload.to_string();
    let length = |length: usize| u32::try_from(length).expect("a short message");
    let mut out = BytesMut::new();
    out.put_u32(length(16 + block.len() + payload.len()));
    out.put_u32(length(block.len()));
    out.put_u32(crc32fast::hash(&out));
    out.put_slice(&block);
    out.put_slice(payload.as_bytes());
    out.put_u32(crc32fast::hash(&out));
    out.freeze()
}
