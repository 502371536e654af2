//! AWS Bedrock: Converse, whole and as an event stream. Asks for a valid signature.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};

use super::contract::Contracted;
use super::prompt::{Finish, Outcome, outcome, pieces};
use super::record::Recorded;
use super::sigv4;

const STRING: u8 = 7;

pub(super) fn answer(request: &Recorded, body: &Value, number: usize) -> Contracted {
    if let Err(reason) = sigv4::verify(request) {
        return error(403, "InvalidSignatureException", &reason, number);
    }
    for stranger in ["model", "stream"] {
        if body.get(stranger).is_some() {
            let reason = format!("extraneous key [{stranger}] is not permitted");
            return error(400, "ValidationException", &reason, number);
        }
    }
    match outcome(body) {
        Err(429) => error(429, "ThrottlingException", "fake error 429", number),
        Err(status @ 500..) => error(status, "InternalServerException", "fake error 500", number),
        Err(status) => error(status, "ValidationException", "fake error 400", number),
        Ok(outcome) if request.path.ends_with("/converse-stream") => stream(&outcome, number),
        Ok(outcome) => whole(&outcome, number),
    }
}

fn whole(outcome: &Outcome, number: usize) -> Contracted {
    let body = json!({
        "output": {"message": {"role": "assistant", "content": blocks(outcome)}},
        "stopReason": stop_reason(outcome.finish),
        "usage": usage(outcome),
        "metrics": {"latencyMs": 7},
    });
    Contracted::json(200, &body)
        .with_cut(outcome)
        .with_header("x-amzn-requestid", format!("req-fake-{number}"))
}

fn stream(outcome: &Outcome, number: usize) -> Contracted {
    let mut events = vec![("messageStart", json!({"role": "assistant"}))];
    for (index, block) in blocks(outcome).into_iter().enumerate() {
        block_events(&mut events, index, &block);
    }
    events.push(("messageStop", json!({"stopReason": stop_reason(outcome.finish)})));
    events.push((
        "metadata",
        json!({"usage": usage(outcome), "metrics": {"latencyMs": 7}}),
    ));
    let frames = events
        .iter()
        .map(|(name, payload)| event(name, payload))
        .collect();
    let mut answer = Contracted::events(frames, outcome.cut_after);
    answer.headers = vec![("content-type", "application/vnd.amazon.eventstream".into())];
    answer.with_header("x-amzn-requestid", format!("req-fake-{number}"))
}

fn blocks(outcome: &Outcome) -> Vec<Value> {
    let mut blocks = Vec::new();
    if let Some(reasoning) = outcome.reasoning {
        blocks.push(json!({"reasoningContent": {"reasoningText": {"text": reasoning, "signature": "c2ln"}}}));
    }
    if !outcome.text.is_empty() {
        blocks.push(json!({"text": outcome.text}));
    }
    for (index, city) in outcome.cities.iter().enumerate() {
        let id = format!("tooluse_{index}");
        blocks.push(json!({"toolUse": {"toolUseId": id, "name": "get_weather", "input": {"city": city}}}));
    }
    blocks
}

fn block_events(events: &mut Vec<(&'static str, Value)>, index: usize, block: &Value) {
    let mut delta = |delta: Value| {
        events.push((
            "contentBlockDelta",
            json!({"contentBlockIndex": index, "delta": delta}),
        ));
    };
    if let Some(text) = block["text"].as_str() {
        pieces(text)
            .into_iter()
            .for_each(|piece| delta(json!({"text": piece})));
    } else if let Some(text) = block["reasoningContent"]["reasoningText"]["text"].as_str() {
        for piece in pieces(text) {
            delta(json!({"reasoningContent": {"text": piece}}));
        }
        delta(json!({"reasoningContent": {"signature": "c2ln"}}));
    } else {
        let tool = &block["toolUse"];
        let start = json!({"toolUse": {"toolUseId": tool["toolUseId"], "name": tool["name"]}});
        events.push((
            "contentBlockStart",
            json!({"contentBlockIndex": index, "start": start}),
        ));
        for piece in pieces(&tool["input"].to_string()) {
            let delta = json!({"toolUse": {"input": piece}});
            events.push((
                "contentBlockDelta",
                json!({"contentBlockIndex": index, "delta": delta}),
            ));
        }
    }
    events.push(("contentBlockStop", json!({"contentBlockIndex": index})));
}

fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Tools => "tool_use",
    }
}

fn usage(outcome: &Outcome) -> Value {
    let usage = outcome.usage;
    json!({"inputTokens": usage.input, "outputTokens": usage.output, "totalTokens": usage.total()})
}

fn error(status: u16, kind: &'static str, message: &str, number: usize) -> Contracted {
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
