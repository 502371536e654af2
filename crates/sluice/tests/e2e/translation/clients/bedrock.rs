//! Bedrock's Converse.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::neutral::{
    Ask, Call, PDF, PNG, Piece, Say, Seen, Stopped, Tokens, append, items, number, text,
};
use super::{Client, UNREADABLE, binary_events};

pub(super) struct Bedrock;

impl Client for Bedrock {
    fn name(&self) -> &'static str {
        "Bedrock Converse"
    }

    fn path(&self, streams: bool) -> String {
        let method = if streams { "converse-stream" } else { "converse" };
        format!("/model/anthropic.claude-sonnet-4-5-20250929-v1:0/{method}")
    }

    fn body(&self, ask: &Ask) -> Option<Value> {
        if ask.logprobs {
            return None;
        }
        let mut messages = Vec::new();
        for turn in &ask.turns {
            messages.push(match turn {
                Say::User(pieces) => json!({ "role": "user", "content": content(pieces)? }),
                Say::Model(message) => message.clone(),
                Say::Results(results) => {
                    let result = |(id, _, pieces): &(String, String, Vec<Piece>)| {
                        Some(json!({ "toolResult": { "toolUseId": id, "content": content(pieces)? } }))
                    };
                    json!({ "role": "user", "content": results.iter().map(result).collect::<Option<Vec<_>>>()? })
                }
            });
        }
        let mut body = json!({ "messages": messages });
        if let Some(system) = ask.system {
            body["system"] = json!([{ "text": system }]);
        }
        if ask.cached {
            body["system"] = json!([{ "text": ask.system? }, { "cachePoint": { "type": "default" } }]);
        }
        if !ask.tools.is_empty() {
            let spec = |name: &String| json!({ "toolSpec": { "name": name, "inputSchema": { "json": Ask::parameters() } } });
            body["toolConfig"] = json!({ "tools": ask.tools.iter().map(spec).collect::<Vec<_>>() });
        }
        if ask.structured {
            let schema = json!({ "schema": Ask::schema().to_string(), "name": "place" });
            body["outputConfig"] =
                json!({ "textFormat": { "type": "json_schema", "structure": { "jsonSchema": schema } } });
        }
        if let Some(stop) = ask.stop {
            body["inferenceConfig"] = json!({ "stopSequences": [stop] });
        }
        if ask.thinks {
            body["inferenceConfig"] = json!({ "maxTokens": 9000 });
            body["additionalModelRequestFields"] =
                json!({ "thinking": { "type": "enabled", "budget_tokens": 2048 } });
        }
        Some(body)
    }

    fn whole(&self, answer: &Value) -> Seen {
        let message = &answer["output"]["message"];
        let usage = &answer["usage"];
        let mut seen = Seen {
            stop: match text(&answer["stopReason"]) {
                "end_turn" => Stopped::End,
                "stop_sequence" => Stopped::Sequence,
                "max_tokens" => Stopped::Length,
                "tool_use" => Stopped::Tools,
                _ => Stopped::Unknown,
            },
            usage: usage.is_object().then(|| Tokens {
                prompt: number(&usage["inputTokens"])
                    + number(&usage["cacheReadInputTokens"])
                    + number(&usage["cacheWriteInputTokens"]),
                cached: Some(number(&usage["cacheReadInputTokens"])),
                completion: number(&usage["outputTokens"]),
            }),
            history: message.clone(),
            ..Seen::default()
        };
        for block in items(&message["content"]) {
            seen.text.push_str(text(&block["text"]));
            seen.thoughts
                .push_str(text(&block["reasoningContent"]["reasoningText"]["text"]));
            if block["toolUse"].is_object() {
                let call = &block["toolUse"];
                seen.calls.push(Call {
                    id: text(&call["toolUseId"]).to_owned(),
                    name: text(&call["name"]).to_owned(),
                    arguments: call["input"].to_string(),
                });
            }
        }
        seen
    }

    fn stream(&self, bytes: &Bytes) -> Seen {
        let mut answer = json!({});
        let mut blocks: Vec<Value> = Vec::new();
        let mut input = String::new();
        let (mut error, mut is_ended) = (None, false);
        for (name, event) in binary_events(bytes) {
            let index = usize::try_from(number(&event["contentBlockIndex"])).unwrap();
            match &*name {
                "contentBlockStart" => {
                    assert_eq!(index, blocks.len());
                    blocks.push(event["start"].clone());
                    input.clear();
                }
                "contentBlockDelta" => {
                    if index == blocks.len() {
                        blocks.push(json!({}));
                    }
                    assert_eq!(index + 1, blocks.len());
                    let (block, delta) = (&mut blocks[index], &event["delta"]);
                    if let Some(more) = delta["text"].as_str() {
                        append(&mut block["text"], more);
                    }
                    input.push_str(text(&delta["toolUse"]["input"]));
                    let thought = &delta["reasoningContent"];
                    if let Some(more) = thought["text"].as_str() {
                        append(&mut block["reasoningContent"]["reasoningText"]["text"], more);
                    }
                    if thought["signature"].is_string() {
                        block["reasoningContent"]["reasoningText"]["signature"] =
                            thought["signature"].clone();
                    }
                    if thought["redactedContent"].is_string() {
                        block["reasoningContent"]["redactedContent"] = thought["redactedContent"].clone();
                    }
                }
                "contentBlockStop" if blocks[index]["toolUse"].is_object() => {
                    blocks[index]["toolUse"]["input"] =
                        serde_json::from_str(if input.is_empty() { "{}" } else { &input }).unwrap();
                }
                "messageStop" => {
                    answer["stopReason"] = event["stopReason"].clone();
                    is_ended = true;
                }
                "metadata" => answer["usage"] = event["usage"].clone(),
                UNREADABLE => error = Some(UNREADABLE.to_owned()),
                name if name.ends_with("Exception") => error = event["message"].as_str().map(str::to_owned),
                _ => {}
            }
        }
        answer["output"] = json!({ "message": { "role": "assistant", "content": blocks } });
        Seen {
            error,
            is_ended,
            ..self.whole(&answer)
        }
    }

    fn error(&self, body: &Value) -> Option<String> {
        body["message"].as_str().map(str::to_owned)
    }
}

fn content(pieces: &[Piece]) -> Option<Value> {
    let block = |piece: &Piece| {
        Some(match piece {
            Piece::Text(text) => json!({ "text": text }),
            Piece::Image => json!({ "image": { "format": "png", "source": { "bytes": PNG } } }),
            Piece::Document => {
                json!({ "document": { "format": "pdf", "name": "a", "source": { "bytes": PDF } } })
            }
            Piece::LinkedImage | Piece::Audio => return None,
        })
    };
    pieces.iter().map(block).collect()
}
