//! Ollama's chat and generate.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::neutral::{Ask, Call, PNG, Piece, Say, Seen, Stopped, Tokens, append, items, number, text};
use super::{Client, lines};

pub(super) struct Ollama;
pub(super) struct Generate;

impl Client for Ollama {
    fn name(&self) -> &'static str {
        "Ollama chat"
    }

    fn path(&self, _: bool) -> String {
        "/api/chat".to_owned()
    }

    fn body(&self, ask: &Ask) -> Option<Value> {
        let mut messages: Vec<_> = ask
            .system
            .iter()
            .map(|text| json!({ "role": "system", "content": text }))
            .collect();
        for turn in &ask.turns {
            match turn {
                Say::User(pieces) => {
                    let (said, images) = content(pieces)?;
                    let mut message = json!({ "role": "user", "content": said });
                    if !images.is_empty() {
                        message["images"] = json!(images);
                    }
                    messages.push(message);
                }
                Say::Model(message) => messages.push(message.clone()),
                Say::Results(results) => {
                    for (_, name, pieces) in results {
                        let [Piece::Text(text)] = pieces.as_slice() else {
                            return None;
                        };
                        messages.push(json!({ "role": "tool", "tool_name": name, "content": text }));
                    }
                }
            }
        }
        let mut body = common(ask)?;
        body["messages"] = json!(messages);
        if !ask.tools.is_empty() {
            body["tools"] = ask.tools.iter().map(|name| {
                json!({ "type": "function", "function": { "name": name, "parameters": Ask::parameters() } })
            }).collect();
        }
        Some(body)
    }

    fn whole(&self, answer: &Value) -> Seen {
        let message = &answer["message"];
        let calls: Vec<_> = items(&message["tool_calls"])
            .iter()
            .map(|call| Call {
                id: text(&call["id"]).to_owned(),
                name: text(&call["function"]["name"]).to_owned(),
                arguments: call["function"]["arguments"].to_string(),
            })
            .collect();
        Seen {
            text: text(&message["content"]).to_owned(),
            thoughts: text(&message["thinking"]).to_owned(),
            stop: stop(answer, calls.is_empty()),
            calls,
            usage: usage(answer),
            logprobs: !items(&answer["logprobs"]).is_empty(),
            history: message.clone(),
            ..Seen::default()
        }
    }

    fn stream(&self, bytes: &Bytes) -> Seen {
        let mut message = json!({ "role": "assistant", "content": "" });
        let mut seen = Seen::default();
        for line in lines(bytes) {
            let piece = self.whole(&line);
            append(&mut message["content"], &piece.text);
            if !piece.thoughts.is_empty() {
                append(&mut message["thinking"], &piece.thoughts);
            }
            if !piece.calls.is_empty() {
                let mut calls = items(&message["tool_calls"]).to_vec();
                calls.extend(items(&line["message"]["tool_calls"]).iter().cloned());
                message["tool_calls"] = json!(calls);
            }
            take(&mut seen, piece, &line);
        }
        let whole = self.whole(&json!({ "message": message }));
        if !whole.calls.is_empty() && seen.stop == Stopped::End {
            seen.stop = Stopped::Tools;
        }
        Seen {
            text: whole.text,
            thoughts: whole.thoughts,
            calls: whole.calls,
            history: whole.history,
            ..seen
        }
    }

    fn error(&self, body: &Value) -> Option<String> {
        body["error"].as_str().map(str::to_owned)
    }

    fn keeps_signatures(&self) -> bool {
        false
    }
}

impl Client for Generate {
    fn name(&self) -> &'static str {
        "Ollama generate"
    }

    fn path(&self, _: bool) -> String {
        "/api/generate".to_owned()
    }

    fn body(&self, ask: &Ask) -> Option<Value> {
        let [Say::User(pieces)] = ask.turns.as_slice() else {
            return None;
        };
        if !ask.tools.is_empty() {
            return None;
        }
        let (said, images) = content(pieces)?;
        let mut body = common(ask)?;
        body["prompt"] = json!(said);
        if !images.is_empty() {
            body["images"] = json!(images);
        }
        if let Some(system) = ask.system {
            body["system"] = json!(system);
        }
        Some(body)
    }

    fn whole(&self, answer: &Value) -> Seen {
        Seen {
            text: text(&answer["response"]).to_owned(),
            thoughts: text(&answer["thinking"]).to_owned(),
            stop: stop(answer, true),
            usage: usage(answer),
            logprobs: !items(&answer["logprobs"]).is_empty(),
            ..Seen::default()
        }
    }

    fn stream(&self, bytes: &Bytes) -> Seen {
        let mut seen = Seen::default();
        for line in lines(bytes) {
            let piece = self.whole(&line);
            seen.text.push_str(&piece.text);
            seen.thoughts.push_str(&piece.thoughts);
            take(&mut seen, piece, &line);
        }
        seen
    }

    fn error(&self, body: &Value) -> Option<String> {
        body["error"].as_str().map(str::to_owned)
    }
}

/// What a line says beside its piece of the answer.
fn take(seen: &mut Seen, piece: Seen, line: &Value) {
    assert!(!seen.is_ended, "a line behind the last");
    seen.logprobs |= piece.logprobs;
    seen.error = line["error"].as_str().map(str::to_owned);
    if line["done"] == true {
        seen.is_ended = true;
        seen.stop = piece.stop;
        seen.usage = piece.usage;
    }
}

fn common(ask: &Ask) -> Option<Value> {
    if ask.cached {
        return None;
    }
    // Ollama streams unless told otherwise.
    let mut body = json!({ "model": "m", "stream": ask.streams });
    if ask.structured {
        body["format"] = Ask::schema();
    }
    if let Some(stop) = ask.stop {
        body["options"] = json!({ "stop": [stop] });
    }
    if ask.logprobs {
        body["logprobs"] = json!(true);
    }
    if ask.thinks {
        body["think"] = json!(true);
    }
    Some(body)
}

fn content(pieces: &[Piece]) -> Option<(String, Vec<&'static str>)> {
    let (mut said, mut images) = (String::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Text(text) => said.push_str(text),
            Piece::Image => images.push(PNG),
            Piece::LinkedImage | Piece::Document | Piece::Audio => return None,
        }
    }
    Some((said, images))
}

fn stop(answer: &Value, is_text: bool) -> Stopped {
    match text(&answer["done_reason"]) {
        "stop" if is_text => Stopped::End,
        "stop" => Stopped::Tools,
        "length" => Stopped::Length,
        _ => Stopped::Unknown,
    }
}

fn usage(answer: &Value) -> Option<Tokens> {
    answer["eval_count"].is_u64().then(|| Tokens {
        prompt: number(&answer["prompt_eval_count"]),
        cached: None,
        completion: number(&answer["eval_count"]),
    })
}
