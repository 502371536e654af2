//! Echo in Anthropic Messages (llm-protocols §6).

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::prompt::{Answer, Message, Text};
use super::{EchoError, EchoReply, EchoStamp, json_bytes, typed_frame};

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    system: Text,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    max_tokens: Option<u64>,
}

pub(super) fn answer(
    body: &[u8],
    stamp: EchoStamp<'_>,
    count: &dyn Fn(&str) -> u64,
) -> Result<EchoReply, EchoError> {
    let request: Request = serde_json::from_slice(body)?;
    let answer = Answer::new(&request.system, &request.messages, request.max_tokens, count);
    let stop_reason = if answer.cut { "max_tokens" } else { "end_turn" };
    let message = |content: Value, stop_reason: Value, output_tokens: u64| {
        json!({
            "id": format!("msg_{}", stamp.id),
            "type": "message",
            "role": "assistant",
            "model": request.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": null,
            "usage": usage(answer.input_tokens, output_tokens),
        })
    };
    Ok(if request.stream == Some(true) {
        let start = message(json!([]), Value::Null, 0);
        EchoReply::Stream(frames(&start, &answer, stop_reason))
    } else {
        let content = json!([{"type": "text", "text": answer.text}]);
        EchoReply::Json(json_bytes(&message(
            content,
            stop_reason.into(),
            answer.output_tokens,
        )))
    })
}

fn frames(start: &Value, answer: &Answer, stop_reason: &str) -> Vec<Bytes> {
    let delta = |text: String| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
    let mut events = vec![
        json!({"type": "message_start", "message": start}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ];
    events.extend(answer.pieces().into_iter().map(delta));
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason, "stop_sequence": null},
            "usage": usage(answer.input_tokens, answer.output_tokens),
        }),
        json!({"type": "message_stop"}),
    ]);
    events.iter().map(typed_frame).collect()
}

fn usage(input_tokens: u64, output_tokens: u64) -> Value {
    json!({
        "input_tokens": input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    })
}
