//! OpenAI chat completions.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::neutral::{
    Ask, Call, PDF, PICTURE, PNG, Piece, Say, Seen, Stopped, Tokens, WAV, append, items, number, text,
};
use super::{Client, json_events};

pub(super) struct Chat;

impl Client for Chat {
    fn name(&self) -> &'static str {
        "OpenAI chat"
    }

    fn path(&self, _: bool) -> String {
        "/v1/chat/completions".to_owned()
    }

    fn body(&self, ask: &Ask) -> Option<Value> {
        if ask.cached {
            return None;
        }
        let mut messages: Vec<_> = ask
            .system
            .iter()
            .map(|text| json!({ "role": "system", "content": text }))
            .collect();
        for turn in &ask.turns {
            match turn {
                Say::User(pieces) => messages.push(json!({ "role": "user", "content": content(pieces) })),
                Say::Model(message) => messages.push(message.clone()),
                Say::Results(results) => {
                    for (id, _, pieces) in results {
                        let [Piece::Text(text)] = pieces.as_slice() else {
                            return None;
                        };
                        messages.push(json!({ "role": "tool", "tool_call_id": id, "content": text }));
                    }
                }
            }
        }
        let mut body = json!({ "model": "m", "messages": messages });
        if !ask.tools.is_empty() {
            body["tools"] = ask.tools.iter().map(|name| {
                json!({ "type": "function", "function": { "name": name, "parameters": Ask::parameters() } })
            }).collect();
        }
        if ask.structured {
            let schema = json!({ "name": "place", "schema": Ask::schema(), "strict": true });
            body["response_format"] = json!({ "type": "json_schema", "json_schema": schema });
        }
        if let Some(stop) = ask.stop {
            body["stop"] = json!([stop]);
        }
        if ask.logprobs {
            body["logprobs"] = json!(true);
        }
        if ask.thinks {
            body["reasoning_effort"] = json!("low");
        }
        if ask.streams {
            body["stream"] = json!(true);
            body["stream_options"] = json!({ "include_usage": true });
        }
        Some(body)
    }

    fn whole(&self, answer: &Value) -> Seen {
        let choice = &answer["choices"][0];
        let message = &choice["message"];
        // OpenAI takes neither back.
        let mut history = message.clone();
        if let Some(members) = history.as_object_mut() {
            members.remove("reasoning_content");
        }
        for call in history["tool_calls"].as_array_mut().into_iter().flatten() {
            call.as_object_mut().map(|call| call.remove("index"));
        }
        Seen {
            text: text(&message["content"]).to_owned(),
            thoughts: text(&message["reasoning_content"]).to_owned(),
            calls: items(&message["tool_calls"]).iter().map(call).collect(),
            stop: stop(&choice["finish_reason"]),
            usage: usage(&answer["usage"]),
            logprobs: !items(&choice["logprobs"]["content"]).is_empty(),
            history,
            ..Seen::default()
        }
    }

    fn stream(&self, bytes: &Bytes) -> Seen {
        let (chunks, done) = json_events(bytes);
        let mut message = json!({ "role": "assistant", "content": null });
        let mut answer = json!({ "choices": [{ "message": null }] });
        let mut error = None;
        for chunk in &chunks {
            if let Some(message) = chunk["error"]["message"].as_str() {
                error = Some(message.to_owned());
            }
            if chunk["usage"].is_object() {
                answer["usage"] = chunk["usage"].clone();
            }
            let choice = &chunk["choices"][0];
            if choice["finish_reason"].is_string() {
                answer["choices"][0]["finish_reason"] = choice["finish_reason"].clone();
            }
            if !items(&choice["logprobs"]["content"]).is_empty() {
                answer["choices"][0]["logprobs"] = choice["logprobs"].clone();
            }
            merge(&mut message, &choice["delta"]);
        }
        answer["choices"][0]["message"] = message;
        Seen {
            error,
            is_ended: done,
            ..self.whole(&answer)
        }
    }

    fn error(&self, body: &Value) -> Option<String> {
        body["error"]["message"].as_str().map(str::to_owned)
    }
}

fn content(pieces: &[Piece]) -> Value {
    if let [Piece::Text(text)] = pieces {
        return json!(text);
    }
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => json!({ "type": "text", "text": text }),
            Piece::Image => {
                json!({ "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{PNG}") } })
            }
            Piece::LinkedImage => json!({ "type": "image_url", "image_url": { "url": PICTURE } }),
            Piece::Document => {
                let data = format!("data:application/pdf;base64,{PDF}");
                json!({ "type": "file", "file": { "filename": "a.pdf", "file_data": data } })
            }
            Piece::Audio => json!({ "type": "input_audio", "input_audio": { "data": WAV, "format": "wav" } }),
        })
        .collect()
}

/// Puts a piece of a message to what came before, as clients do that keep what they do not know.
fn merge(message: &mut Value, delta: &Value) {
    for name in ["content", "reasoning_content"] {
        if let Some(more) = delta[name].as_str() {
            append(&mut message[name], more);
        }
    }
    for (list, joined) in [
        ("tool_calls", ["function", "arguments"]),
        ("reasoning_details", ["", "text"]),
    ] {
        for piece in items(&delta[list]) {
            if !message[list].is_array() {
                message[list] = json!([]);
            }
            let kept = message[list].as_array_mut().unwrap();
            let at = kept.iter().position(|item| item["index"] == piece["index"]);
            let Some(item) = at.and_then(|at| kept.get_mut(at)) else {
                kept.push(piece.clone());
                continue;
            };
            let [holder, name] = joined;
            let (into, from) = match holder {
                "" => (&mut *item, piece),
                holder => (&mut item[holder], &piece[holder]),
            };
            if let Some(more) = from[name].as_str() {
                append(&mut into[name], more);
            }
            for name in ["signature", "extra_content", "data"] {
                if !piece[name].is_null() {
                    item[name] = piece[name].clone();
                }
            }
        }
    }
}

fn call(call: &Value) -> Call {
    Call {
        id: text(&call["id"]).to_owned(),
        name: text(&call["function"]["name"]).to_owned(),
        arguments: text(&call["function"]["arguments"]).to_owned(),
    }
}

pub(super) fn stop(reason: &Value) -> Stopped {
    match text(reason) {
        "stop" => Stopped::End,
        "length" => Stopped::Length,
        "tool_calls" => Stopped::Tools,
        _ => Stopped::Unknown,
    }
}

pub(super) fn usage(usage: &Value) -> Option<Tokens> {
    usage.is_object().then(|| Tokens {
        prompt: number(&usage["prompt_tokens"]),
        cached: Some(number(&usage["prompt_tokens_details"]["cached_tokens"])),
        completion: number(&usage["completion_tokens"]),
    })
}
