//! OpenAI Responses.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::neutral::{
    Ask, Call, PDF, PICTURE, PNG, Piece, Say, Seen, Stopped, Tokens, items, number, text,
};
use super::{Client, events};

pub(super) struct Responses;

impl Client for Responses {
    fn name(&self) -> &'static str {
        "OpenAI Responses"
    }

    fn path(&self, _: bool) -> String {
        "/v1/responses".to_owned()
    }

    fn body(&self, ask: &Ask) -> Option<Value> {
        if ask.cached || ask.stop.is_some() {
            return None;
        }
        let mut input = Vec::new();
        for turn in &ask.turns {
            match turn {
                Say::User(pieces) => input.push(json!({ "role": "user", "content": content(pieces)? })),
                Say::Model(output) => input.extend(items(output).iter().cloned()),
                Say::Results(results) => {
                    for (id, _, pieces) in results {
                        let output = match pieces.as_slice() {
                            [Piece::Text(text)] => json!(text),
                            pieces => content(pieces)?,
                        };
                        input
                            .push(json!({ "type": "function_call_output", "call_id": id, "output": output }));
                    }
                }
            }
        }
        let mut body = json!({ "model": "m", "input": input, "store": false });
        if let Some(system) = ask.system {
            body["instructions"] = json!(system);
        }
        if !ask.tools.is_empty() {
            body["tools"] = ask
                .tools
                .iter()
                .map(|name| json!({ "type": "function", "name": name, "parameters": Ask::parameters(), "strict": false }))
                .collect();
        }
        if ask.structured {
            let format =
                json!({ "type": "json_schema", "name": "place", "schema": Ask::schema(), "strict": true });
            body["text"] = json!({ "format": format });
        }
        if ask.logprobs {
            body["include"] = json!(["message.output_text.logprobs"]);
        }
        if ask.thinks {
            body["reasoning"] = json!({ "effort": "low", "summary": "auto" });
            body["include"] = json!(["reasoning.encrypted_content"]);
        }
        if ask.streams {
            body["stream"] = json!(true);
        }
        Some(body)
    }

    fn whole(&self, answer: &Value) -> Seen {
        let mut seen = Seen {
            usage: answer["usage"].is_object().then(|| Tokens {
                prompt: number(&answer["usage"]["input_tokens"]),
                cached: Some(number(&answer["usage"]["input_tokens_details"]["cached_tokens"])),
                completion: number(&answer["usage"]["output_tokens"]),
            }),
            history: answer["output"].clone(),
            ..Seen::default()
        };
        for item in items(&answer["output"]) {
            match text(&item["type"]) {
                "message" => {
                    for part in items(&item["content"]) {
                        seen.text.push_str(text(&part["text"]));
                        seen.logprobs |= !items(&part["logprobs"]).is_empty();
                    }
                }
                "reasoning" => {
                    for part in items(&item["summary"]).iter().chain(items(&item["content"])) {
                        seen.thoughts.push_str(text(&part["text"]));
                    }
                }
                "function_call" => seen.calls.push(Call {
                    id: text(&item["call_id"]).to_owned(),
                    name: text(&item["name"]).to_owned(),
                    arguments: text(&item["arguments"]).to_owned(),
                }),
                _ => {}
            }
        }
        seen.stop = match (text(&answer["status"]), seen.calls.is_empty()) {
            ("completed", true) => Stopped::End,
            ("completed", false) => Stopped::Tools,
            ("incomplete", _) => Stopped::Length,
            _ => Stopped::Unknown,
        };
        seen
    }

    fn stream(&self, bytes: &Bytes) -> Seen {
        let (mut said, mut error, mut last) = (String::new(), None, Value::Null);
        for (number, (name, data)) in events(bytes).into_iter().enumerate() {
            let Ok(event) = serde_json::from_str::<Value>(&data) else {
                continue;
            };
            assert_eq!(event["type"], *name);
            if name != "error" && name != "response.failed" {
                assert_eq!(event["sequence_number"], number, "{event}");
            }
            match &*name {
                "response.output_text.delta" => said.push_str(text(&event["delta"])),
                "error" => error = event["message"].as_str().map(str::to_owned),
                "response.completed" | "response.incomplete" => last = event["response"].clone(),
                "response.failed" => {
                    error = error.or(event["response"]["error"]["message"].as_str().map(str::to_owned));
                }
                _ => {}
            }
        }
        let seen = self.whole(&last);
        if last.is_object() {
            assert_eq!(said, seen.text, "what was streamed and what it came to");
        }
        Seen {
            text: said,
            error,
            is_ended: last.is_object(),
            ..seen
        }
    }

    fn error(&self, body: &Value) -> Option<String> {
        body["error"]["message"].as_str().map(str::to_owned)
    }
}

fn content(pieces: &[Piece]) -> Option<Value> {
    let part = |piece: &Piece| {
        Some(match piece {
            Piece::Text(text) => json!({ "type": "input_text", "text": text }),
            Piece::Image => {
                json!({ "type": "input_image", "image_url": format!("data:image/png;base64,{PNG}"), "detail": "auto" })
            }
            Piece::LinkedImage => json!({ "type": "input_image", "image_url": PICTURE, "detail": "auto" }),
            Piece::Document => {
                let data = format!("data:application/pdf;base64,{PDF}");
                json!({ "type": "input_file", "filename": "a.pdf", "file_data": data })
            }
            Piece::Audio => return None,
        })
    };
    pieces.iter().map(part).collect()
}
