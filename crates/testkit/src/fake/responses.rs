//! OpenAI responses.

use serde_json::{Value, json};

use super::contract::{Contracted, named};
use super::prompt::{Finish, Outcome, pieces};

pub(super) fn respond(request: &Value, outcome: &Outcome, number: usize) -> Contracted {
    let response = Response {
        request,
        outcome,
        number,
    };
    if request["stream"] == json!(true) {
        return response.stream();
    }
    Contracted::json(200, &response.finished()).with_cut(outcome)
}

struct Response<'a> {
    request: &'a Value,
    outcome: &'a Outcome,
    number: usize,
}

impl Response<'_> {
    fn object(&self, status: &str, output: Value, usage: Value) -> Value {
        json!({
            "id": format!("resp_{}", self.number),
            "object": "response",
            "created_at": 1_700_000_000,
            "status": status,
            "error": null,
            "incomplete_details": if status == "incomplete" { json!({"reason": "max_output_tokens"}) } else { Value::Null },
            "instructions": self.request["instructions"],
            "metadata": {},
            "model": self.request["model"],
            "output": output,
            "parallel_tool_calls": true,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": usage,
        })
    }

    fn finished(&self) -> Value {
        let usage = self.outcome.usage;
        let usage = json!({
            "input_tokens": usage.input,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.total(),
        });
        let status = if self.outcome.finish == Finish::Length {
            "incomplete"
        } else {
            "completed"
        };
        self.object(status, self.items().into(), usage)
    }

    /// Thoughts, then the text or the calls.
    fn items(&self) -> Vec<Value> {
        let mut items = Vec::new();
        if let Some(reasoning) = self.outcome.reasoning {
            let summary = json!([{"type": "summary_text", "text": reasoning}]);
            items.push(json!({"id": "rs_0", "type": "reasoning", "summary": summary}));
        }
        for (index, city) in self.outcome.cities.iter().enumerate() {
            items.push(json!({
                "id": format!("fc_{index}"),
                "type": "function_call",
                "status": "completed",
                "call_id": format!("call_{index}"),
                "name": "get_weather",
                "arguments": json!({"city": city}).to_string(),
            }));
        }
        if self.outcome.cities.is_empty() {
            items.push(json!({
                "id": "msg_0",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [text_part(self.outcome.text)],
            }));
        }
        items
    }

    fn stream(&self) -> Contracted {
        let open = self.object("in_progress", json!([]), Value::Null);
        let mut events = vec![
            json!({"type": "response.created", "response": open}),
            json!({"type": "response.in_progress", "response": open}),
        ];
        for (index, item) in self.items().into_iter().enumerate() {
            item_events(&mut events, index, &item);
        }
        let finished = self.finished();
        let kind = format!("response.{}", finished["status"].as_str().unwrap_or_default());
        events.push(json!({"type": kind, "response": finished}));
        let frames = events.into_iter().enumerate().map(|(number, mut event)| {
            event["sequence_number"] = number.into();
            named(&event)
        });
        Contracted::events(frames.collect(), self.outcome.cut_after)
    }
}

fn item_events(events: &mut Vec<Value>, index: usize, item: &Value) {
    let id = &item["id"];
    let mut opened = item.clone();
    opened["status"] = "in_progress".into();
    match item["type"].as_str() {
        Some("message") => {
            opened["content"] = json!([]);
            events.push(json!({"type": "response.output_item.added", "output_index": index, "item": opened}));
            let text = item["content"][0]["text"].as_str().unwrap_or_default();
            let mut event = |kind: &str, members: Value| {
                let mut event = json!({
                    "type": kind, "item_id": id, "output_index": index, "content_index": 0,
                });
                if let (Value::Object(event), Value::Object(members)) = (&mut event, members) {
                    event.extend(members);
                }
                events.push(event);
            };
            event("response.content_part.added", json!({"part": text_part("")}));
            for piece in pieces(text) {
                event(
                    "response.output_text.delta",
                    json!({"delta": piece, "logprobs": []}),
                );
            }
            event("response.output_text.done", json!({"text": text, "logprobs": []}));
            event("response.content_part.done", json!({"part": text_part(text)}));
        }
        Some("function_call") => {
            opened["arguments"] = "".into();
            events.push(json!({"type": "response.output_item.added", "output_index": index, "item": opened}));
            let arguments = item["arguments"].as_str().unwrap_or_default();
            for piece in pieces(arguments) {
                events.push(json!({
                    "type": "response.function_call_arguments.delta",
                    "item_id": id, "output_index": index, "delta": piece,
                }));
            }
            events.push(json!({
                "type": "response.function_call_arguments.done",
                "item_id": id, "output_index": index, "name": item["name"], "arguments": arguments,
            }));
        }
        _ => events.push(json!({"type": "response.output_item.added", "output_index": index, "item": item})),
    }
    events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}
