//! Cohere's chat.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::neutral::{
    Ask, Call, PICTURE, PNG, Piece, Say, Seen, Stopped, Tokens, append, items, number, text,
};
use super::{Client, events};

pub(super) struct Cohere;

impl Client for Cohere {
    fn name(&self) -> &'static str {
        "Cohere chat"
    }

    fn path(&self, _: bool) -> String {
        "/v2/chat".to_owned()
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
                Say::User(pieces) => messages.push(json!({ "role": "user", "content": content(pieces)? })),
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
            body["response_format"] = json!({ "type": "json_object", "json_schema": Ask::schema() });
        }
        if let Some(stop) = ask.stop {
            body["stop_sequences"] = json!([stop]);
        }
        if ask.logprobs {
            body["logprobs"] = json!(true);
        }
        if ask.thinks {
            body["thinking"] = json!({ "type": "enabled", "token_budget": 2048 });
        }
        if ask.streams {
            body["stream"] = json!(true);
        }
        Some(body)
    }

    fn whole(&self, answer: &Value) -> Seen {
        let message = &answer["message"];
        let tokens = &answer["usage"]["tokens"];
        let mut seen = Seen {
            text: text(&message["tool_plan"]).to_owned(),
            calls: items(&message["tool_calls"])
                .iter()
                .map(|call| Call {
                    id: text(&call["id"]).to_owned(),
                    name: text(&call["function"]["name"]).to_owned(),
                    arguments: text(&call["function"]["arguments"]).to_owned(),
                })
                .collect(),
            stop: match text(&answer["finish_reason"]) {
                "COMPLETE" => Stopped::End,
                "STOP_SEQUENCE" => Stopped::Sequence,
                "MAX_TOKENS" => Stopped::Length,
                "TOOL_CALL" => Stopped::Tools,
                _ => Stopped::Unknown,
            },
            usage: tokens.is_object().then(|| Tokens {
                prompt: number(&tokens["input_tokens"]),
                cached: Some(number(&answer["usage"]["cached_tokens"])),
                completion: number(&tokens["output_tokens"]),
            }),
            logprobs: !items(&answer["logprobs"]).is_empty(),
            history: message.clone(),
            ..Seen::default()
        };
        for part in items(&message["content"]) {
            seen.text.push_str(text(&part["text"]));
            seen.thoughts.push_str(text(&part["thinking"]));
        }
        seen
    }

    fn stream(&self, bytes: &Bytes) -> Seen {
        let mut message = json!({ "role": "assistant", "content": [], "tool_calls": [] });
        let mut answer = json!({});
        let (mut error, mut is_ended) = (None, false);
        for (name, data) in events(bytes) {
            let Ok(event) = serde_json::from_str::<Value>(&data) else {
                continue;
            };
            if !name.is_empty() {
                assert_eq!(event["type"], *name);
            }
            let delta = &event["delta"]["message"];
            match text(&event["type"]) {
                "content-start" => {
                    message["content"]
                        .as_array_mut()
                        .unwrap()
                        .push(delta["content"].clone());
                }
                "content-delta" => {
                    let part = message["content"].as_array_mut().unwrap().last_mut().unwrap();
                    for name in ["text", "thinking"] {
                        if let Some(more) = delta["content"][name].as_str() {
                            append(&mut part[name], more);
                        }
                    }
                    if event["logprobs"].is_object() {
                        answer["logprobs"] = json!([event["logprobs"]]);
                    }
                }
                "tool-plan-delta" => append(&mut message["tool_plan"], text(&delta["tool_plan"])),
                "tool-call-start" => {
                    message["tool_calls"]
                        .as_array_mut()
                        .unwrap()
                        .push(delta["tool_calls"].clone());
                }
                "tool-call-delta" => {
                    let call = message["tool_calls"].as_array_mut().unwrap().last_mut().unwrap();
                    append(
                        &mut call["function"]["arguments"],
                        text(&delta["tool_calls"]["function"]["arguments"]),
                    );
                }
                "message-end" => {
                    is_ended = true;
                    answer["finish_reason"] = event["delta"]["finish_reason"].clone();
                    answer["usage"] = event["delta"]["usage"].clone();
                    error = error.or(event["delta"]["error"].as_str().map(str::to_owned));
                }
                "" => error = event["message"].as_str().map(str::to_owned),
                _ => {}
            }
        }
        for list in ["content", "tool_calls"] {
            if items(&message[list]).is_empty() {
                message.as_object_mut().unwrap().remove(list);
            }
        }
        answer["message"] = message;
        Seen {
            is_ended: is_ended && error.is_none(),
            error,
            ..self.whole(&answer)
        }
    }

    fn error(&self, body: &Value) -> Option<String> {
        body["message"].as_str().map(str::to_owned)
    }

    fn keeps_signatures(&self) -> bool {
        false
    }
}

fn content(pieces: &[Piece]) -> Option<Value> {
    if let [Piece::Text(text)] = pieces {
        return Some(json!(text));
    }
    let part = |piece: &Piece| {
        Some(match piece {
            Piece::Text(text) => json!({ "type": "text", "text": text }),
            Piece::Image => {
                json!({ "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{PNG}") } })
            }
            Piece::LinkedImage => json!({ "type": "image_url", "image_url": { "url": PICTURE } }),
            Piece::Document | Piece::Audio => return None,
        })
    };
    pieces.iter().map(part).collect()
}
