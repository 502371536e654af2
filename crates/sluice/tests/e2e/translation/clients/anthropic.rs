//! Anthropic Messages.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::neutral::{
    Ask, Call, PDF, PICTURE, PNG, Piece, Say, Seen, Stopped, Tokens, append, items, number, text,
};
use super::{Client, events};

pub(super) struct Anthropic;

impl Client for Anthropic {
    fn name(&self) -> &'static str {
        "Anthropic Messages"
    }

    fn path(&self, _: bool) -> String {
        "/v1/messages".to_owned()
    }

    fn body(&self, ask: &Ask) -> Option<Value> {
        if ask.logprobs {
            return None;
        }
        let mut messages = Vec::new();
        for turn in &ask.turns {
            messages.push(match turn {
                Say::User(pieces) => json!({ "role": "user", "content": content(pieces)? }),
                Say::Model(content) => json!({ "role": "assistant", "content": content }),
                Say::Results(results) => {
                    let result = |(id, _, pieces): &(String, String, Vec<Piece>)| {
                        Some(json!({ "type": "tool_result", "tool_use_id": id, "content": content(pieces)? }))
                    };
                    json!({ "role": "user", "content": results.iter().map(result).collect::<Option<Vec<_>>>()? })
                }
            });
        }
        let mut body = json!({ "model": "m", "max_tokens": 9000, "messages": messages });
        if let Some(system) = ask.system {
            body["system"] = json!(system);
        }
        if ask.cached {
            let block =
                json!({ "type": "text", "text": ask.system?, "cache_control": { "type": "ephemeral" } });
            body["system"] = json!([block]);
        }
        if !ask.tools.is_empty() {
            body["tools"] = ask
                .tools
                .iter()
                .map(|name| json!({ "name": name, "input_schema": Ask::parameters() }))
                .collect();
        }
        if ask.structured {
            body["output_config"] = json!({ "format": { "type": "json_schema", "schema": Ask::schema() } });
        }
        if let Some(stop) = ask.stop {
            body["stop_sequences"] = json!([stop]);
        }
        if ask.thinks {
            body["thinking"] = json!({ "type": "enabled", "budget_tokens": 2048 });
        }
        if ask.streams {
            body["stream"] = json!(true);
        }
        Some(body)
    }

    fn whole(&self, answer: &Value) -> Seen {
        let mut seen = Seen {
            stop: match text(&answer["stop_reason"]) {
                "end_turn" => Stopped::End,
                "stop_sequence" => Stopped::Sequence,
                "max_tokens" => Stopped::Length,
                "tool_use" => Stopped::Tools,
                _ => Stopped::Unknown,
            },
            usage: answer["usage"].is_object().then(|| tokens(&answer["usage"])),
            history: answer["content"].clone(),
            ..Seen::default()
        };
        for block in items(&answer["content"]) {
            match text(&block["type"]) {
                "text" => seen.text.push_str(text(&block["text"])),
                "thinking" => seen.thoughts.push_str(text(&block["thinking"])),
                "tool_use" => seen.calls.push(Call {
                    id: text(&block["id"]).to_owned(),
                    name: text(&block["name"]).to_owned(),
                    arguments: block["input"].to_string(),
                }),
                _ => {}
            }
        }
        seen
    }

    fn stream(&self, bytes: &Bytes) -> Seen {
        let mut answer = json!({ "content": [] });
        let (mut error, mut is_ended, mut open) = (None, false, None);
        for (name, data) in events(bytes) {
            let Ok(event) = serde_json::from_str::<Value>(&data) else {
                continue;
            };
            assert_eq!(event["type"], *name);
            assert!(!is_ended, "an event behind the last");
            match &*name {
                "message_start" => answer["usage"] = event["message"]["usage"].clone(),
                "content_block_start" => {
                    assert_eq!(
                        open.replace((event["index"].clone(), String::new())),
                        None,
                        "two blocks at once"
                    );
                    let blocks = answer["content"].as_array_mut().unwrap();
                    assert_eq!(event["index"], blocks.len());
                    blocks.push(event["content_block"].clone());
                }
                "content_block_delta" => {
                    let (index, input) = open.as_mut().unwrap();
                    assert_eq!(event["index"], *index);
                    let block = answer["content"].as_array_mut().unwrap().last_mut().unwrap();
                    let delta = &event["delta"];
                    for name in ["text", "thinking"] {
                        if let Some(more) = delta[name].as_str() {
                            append(&mut block[name], more);
                        }
                    }
                    if delta["signature"].is_string() {
                        block["signature"] = delta["signature"].clone();
                    }
                    input.push_str(text(&delta["partial_json"]));
                }
                "content_block_stop" => {
                    let (_, input) = open.take().unwrap();
                    if !input.is_empty() {
                        let block = answer["content"].as_array_mut().unwrap().last_mut().unwrap();
                        block["input"] = serde_json::from_str(&input).unwrap();
                    }
                }
                "message_delta" => {
                    answer["stop_reason"] = event["delta"]["stop_reason"].clone();
                    for (name, value) in event["usage"].as_object().unwrap() {
                        answer["usage"][name] = value.clone();
                    }
                }
                "message_stop" => is_ended = true,
                "error" => error = event["error"]["message"].as_str().map(str::to_owned),
                _ => {}
            }
        }
        Seen {
            error,
            is_ended,
            ..self.whole(&answer)
        }
    }

    fn error(&self, body: &Value) -> Option<String> {
        assert_eq!(body["type"], "error");
        body["error"]["message"].as_str().map(str::to_owned)
    }
}

fn tokens(usage: &Value) -> Tokens {
    let cached = number(&usage["cache_read_input_tokens"]);
    Tokens {
        prompt: number(&usage["input_tokens"]) + cached + number(&usage["cache_creation_input_tokens"]),
        cached: Some(cached),
        completion: number(&usage["output_tokens"]),
    }
}

fn content(pieces: &[Piece]) -> Option<Value> {
    if let [Piece::Text(text)] = pieces {
        return Some(json!(text));
    }
    let block = |piece: &Piece| {
        let held = |media_type: &str, data: &str| json!({ "type": "base64", "media_type": media_type, "data": data });
        Some(match piece {
            Piece::Text(text) => json!({ "type": "text", "text": text }),
            Piece::Image => json!({ "type": "image", "source": held("image/png", PNG) }),
            Piece::LinkedImage => json!({ "type": "image", "source": { "type": "url", "url": PICTURE } }),
            Piece::Document => json!({ "type": "document", "source": held("application/pdf", PDF) }),
            Piece::Audio => return None,
        })
    };
    pieces.iter().map(block).collect()
}
