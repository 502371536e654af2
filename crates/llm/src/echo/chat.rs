//! Echo in OpenAI Chat Completions (llm-protocols §3).

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::prompt::{Answer, Message, Text};
use super::{EchoError, EchoReply, EchoStamp, data_frame, json_bytes};

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    max_completion_tokens: Option<u64>,
    #[serde(default)]
    max_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

pub(super) fn answer(
    body: &[u8],
    stamp: EchoStamp<'_>,
    count: &dyn Fn(&str) -> u64,
) -> Result<EchoReply, EchoError> {
    let request: Request = serde_json::from_slice(body)?;
    let max_tokens = request.max_completion_tokens.or(request.max_tokens);
    let answer = Answer::new(&Text::default(), &request.messages, max_tokens, count);
    let id = format!("chatcmpl-{}", stamp.id);
    if request.stream != Some(true) {
        return Ok(EchoReply::Json(json_bytes(&json!({
            "id": id,
            "object": "chat.completion",
            "created": stamp.created,
            "model": request.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": answer.text, "refusal": null},
                "logprobs": null,
                "finish_reason": finish_reason(&answer),
            }],
            "usage": usage(&answer),
        }))));
    }
    let asks_for_usage = request.stream_options.and_then(|options| options.include_usage) == Some(true);
    let chunks = Chunks {
        id,
        created: stamp.created,
        model: request.model,
        asks_for_usage,
    };
    Ok(EchoReply::Stream(chunks.frames(&answer)))
}

/// What all chunks of a stream have in common.
struct Chunks {
    id: String,
    created: i64,
    model: String,
    asks_for_usage: bool,
}

impl Chunks {
    fn frames(&self, answer: &Answer) -> Vec<Bytes> {
        let mut frames = vec![self.delta(
            &json!({"role": "assistant", "content": "", "refusal": null}),
            Value::Null,
        )];
        frames.extend(
            answer
                .pieces()
                .into_iter()
                .map(|piece| self.delta(&json!({"content": piece}), Value::Null)),
        );
        frames.push(self.delta(&json!({}), finish_reason(answer).into()));
        if self.asks_for_usage {
            frames.push(self.chunk(&json!([]), usage(answer)));
        }
        frames.push(Bytes::from_static(b"data: [DONE]\n\n"));
        frames
    }

    fn delta(&self, delta: &Value, finish_reason: Value) -> Bytes {
        let choices = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}]);
        self.chunk(&choices, Value::Null)
    }

    /// With usage asked for, every chunk has the member, and all but the last have `null` in it.
    fn chunk(&self, choices: &Value, usage: Value) -> Bytes {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if self.asks_for_usage {
            chunk["usage"] = usage;
        }
        data_frame(&chunk)
    }
}

fn finish_reason(answer: &Answer) -> &'static str {
    if answer.cut { "length" } else { "stop" }
}

fn usage(answer: &Answer) -> Value {
    json!({
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.total_tokens(),
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    })
}
