//! Echo in OpenAI Responses (llm-protocols §4).

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::prompt::{Answer, Message, Text};
use super::{EchoError, EchoReply, EchoStamp, json_bytes, typed_frame};

#[derive(Deserialize)]
struct Request {
    input: Input,
    #[serde(default)]
    instructions: Text,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    max_output_tokens: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Items(Vec<Message>),
}

pub(super) fn answer(
    body: &[u8],
    stamp: EchoStamp<'_>,
    count: &dyn Fn(&str) -> u64,
) -> Result<EchoReply, EchoError> {
    let body: Value = serde_json::from_slice(body)?;
    let request = Request::deserialize(&body)?;
    let messages = match request.input {
        Input::Text(text) => vec![Message::user(text)],
        Input::Items(messages) => messages,
    };
    let answer = Answer::new(&request.instructions, &messages, request.max_output_tokens, count);
    let turn = Turn { stamp, body, answer };
    Ok(if request.stream == Some(true) {
        EchoReply::Stream(turn.frames())
    } else {
        EchoReply::Json(json_bytes(&turn.finished()))
    })
}

/// One request and the answer to it.
struct Turn<'a> {
    stamp: EchoStamp<'a>,
    /// The request, much of which a response repeats.
    body: Value,
    answer: Answer,
}

impl Turn<'_> {
    fn frames(&self) -> Vec<Bytes> {
        let item_id = self.item_id();
        let part = |kind: &str, member: &str, value: Value| {
            let mut event = json!({"type": kind, "item_id": item_id, "output_index": 0, "content_index": 0});
            event[member] = value;
            event
        };
        let text = |kind: &str, member: &str, text: &str| {
            let mut event = part(kind, member, text.into());
            event["logprobs"] = json!([]);
            event
        };
        let full = self.answer.text.as_str();
        let item_in_progress = json!({
            "id": item_id, "type": "message", "status": "in_progress", "role": "assistant", "content": [],
        });
        let unfinished = self.response("in_progress", json!([]), Value::Null);
        let finished = self.finished();
        let last = format!("response.{}", self.status());

        let mut events = vec![
            json!({"type": "response.created", "response": unfinished}),
            json!({"type": "response.in_progress", "response": unfinished}),
            json!({"type": "response.output_item.added", "output_index": 0, "item": item_in_progress}),
            part("response.content_part.added", "part", output_text("")),
        ];
        events.extend(
            self.answer
                .pieces()
                .iter()
                .map(|piece| text("response.output_text.delta", "delta", piece)),
        );
        events.extend([
            text("response.output_text.done", "text", full),
            part("response.content_part.done", "part", output_text(full)),
            json!({"type": "response.output_item.done", "output_index": 0, "item": self.item()}),
            json!({"type": last, "response": finished}),
        ]);
        let numbered = events.iter_mut().zip(0_u64..).map(|(event, number)| {
            event["sequence_number"] = number.into();
            typed_frame(event)
        });
        numbered.collect()
    }

    fn finished(&self) -> Value {
        let usage = json!({
            "input_tokens": self.answer.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": self.answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.answer.total_tokens(),
        });
        self.response(self.status(), json!([self.item()]), usage)
    }

    fn response(&self, status: &str, output: Value, usage: Value) -> Value {
        let repeated = |name: &str, otherwise: Value| match self.body.get(name) {
            Some(value) if !value.is_null() => value.clone(),
            _ => otherwise,
        };
        let incomplete = status == "incomplete";
        json!({
            "id": format!("resp_{}", self.stamp.id),
            "object": "response",
            "created_at": self.stamp.created,
            "status": status,
            "completed_at": (status == "completed").then_some(self.stamp.created),
            "error": null,
            "incomplete_details": incomplete.then(|| json!({"reason": "max_output_tokens"})),
            "instructions": repeated("instructions", Value::Null),
            "max_output_tokens": repeated("max_output_tokens", Value::Null),
            "model": repeated("model", "".into()),
            "output": output,
            "parallel_tool_calls": repeated("parallel_tool_calls", true.into()),
            "previous_response_id": repeated("previous_response_id", Value::Null),
            "reasoning": repeated("reasoning", json!({"effort": null, "summary": null})),
            "store": repeated("store", true.into()),
            "temperature": repeated("temperature", json!(1.0)),
            "text": repeated("text", json!({"format": {"type": "text"}})),
            "tool_choice": repeated("tool_choice", "auto".into()),
            "tools": repeated("tools", json!([])),
            "top_p": repeated("top_p", json!(1.0)),
            "truncation": repeated("truncation", "disabled".into()),
            "usage": usage,
            "metadata": repeated("metadata", json!({})),
        })
    }

    fn status(&self) -> &'static str {
        if self.answer.cut {
            "incomplete"
        } else {
            "completed"
        }
    }

    fn item(&self) -> Value {
        json!({
            "id": self.item_id(),
            "type": "message",
            "status": self.status(),
            "role": "assistant",
            "content": [output_text(&self.answer.text)],
        })
    }

    fn item_id(&self) -> String {
        format!("msg_{}", self.stamp.id)
    }
}

fn output_text(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}
