//! Gemini's `generateContent`, with streams of server-sent events or as one array.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::neutral::{
    Ask, Call, PDF, PICTURE, PNG, Piece, Say, Seen, Stopped, Tokens, WAV, items, number, text,
};
use super::{Client, UNREADABLE, json_events};

pub(super) struct Gemini {
    pub(super) sse: bool,
}

impl Client for Gemini {
    fn name(&self) -> &'static str {
        if self.sse { "Gemini" } else { "Gemini (array)" }
    }

    fn path(&self, streams: bool) -> String {
        match (streams, self.sse) {
            (false, _) => "/v1beta/models/m:generateContent".to_owned(),
            (true, false) => "/v1beta/models/m:streamGenerateContent".to_owned(),
            (true, true) => "/v1beta/models/m:streamGenerateContent?alt=sse".to_owned(),
        }
    }

    fn body(&self, ask: &Ask) -> Option<Value> {
        if ask.cached {
            return None;
        }
        let contents: Vec<_> = ask.turns.iter().map(content).collect();
        let mut body = json!({ "contents": contents });
        if let Some(system) = ask.system {
            body["systemInstruction"] = json!({ "parts": [{ "text": system }] });
        }
        if !ask.tools.is_empty() {
            let declarations: Vec<_> = ask
                .tools
                .iter()
                .map(|name| json!({ "name": name, "parametersJsonSchema": Ask::parameters() }))
                .collect();
            body["tools"] = json!([{ "functionDeclarations": declarations }]);
        }
        let mut config = json!({});
        if ask.structured {
            config["responseMimeType"] = json!("application/json");
            config["responseJsonSchema"] = Ask::schema();
        }
        if let Some(stop) = ask.stop {
            config["stopSequences"] = json!([stop]);
        }
        if ask.logprobs {
            config["responseLogprobs"] = json!(true);
        }
        if ask.thinks {
            config["thinkingConfig"] = json!({ "includeThoughts": true, "thinkingBudget": 2048 });
        }
        if config != json!({}) {
            body["generationConfig"] = config;
        }
        Some(body)
    }

    fn whole(&self, answer: &Value) -> Seen {
        let candidate = &answer["candidates"][0];
        let usage = &answer["usageMetadata"];
        let mut seen = Seen {
            usage: usage.is_object().then(|| Tokens {
                prompt: number(&usage["promptTokenCount"]),
                cached: Some(number(&usage["cachedContentTokenCount"])),
                completion: number(&usage["candidatesTokenCount"]) + number(&usage["thoughtsTokenCount"]),
            }),
            logprobs: !items(&candidate["logprobsResult"]["chosenCandidates"]).is_empty(),
            history: candidate["content"].clone(),
            ..Seen::default()
        };
        for part in items(&candidate["content"]["parts"]) {
            let said = text(&part["text"]);
            if part["thought"] == true {
                seen.thoughts.push_str(said);
            } else {
                seen.text.push_str(said);
            }
            if part["functionCall"].is_object() {
                let call = &part["functionCall"];
                seen.calls.push(Call {
                    id: text(&call["id"]).to_owned(),
                    name: text(&call["name"]).to_owned(),
                    arguments: call["args"].to_string(),
                });
            }
        }
        seen.stop = match (text(&candidate["finishReason"]), seen.calls.is_empty()) {
            ("STOP", true) => Stopped::End,
            ("STOP", false) => Stopped::Tools,
            ("MAX_TOKENS", _) => Stopped::Length,
            _ => Stopped::Unknown,
        };
        seen
    }

    fn stream(&self, bytes: &Bytes) -> Seen {
        let chunks = if self.sse {
            json_events(bytes).0
        } else {
            let Ok(array) = serde_json::from_slice::<Value>(bytes) else {
                return Seen {
                    error: Some(UNREADABLE.to_owned()),
                    ..Seen::default()
                };
            };
            items(&array).to_vec()
        };
        let mut parts = Vec::new();
        let mut answer = json!({ "candidates": [{}] });
        let mut error = None;
        for chunk in &chunks {
            error = error.or(chunk["error"]["message"].as_str().map(str::to_owned));
            let candidate = &chunk["candidates"][0];
            parts.extend(items(&candidate["content"]["parts"]).iter().cloned());
            for name in ["finishReason", "logprobsResult"] {
                if !candidate[name].is_null() && candidate[name]["chosenCandidates"] != json!([]) {
                    answer["candidates"][0][name] = candidate[name].clone();
                }
            }
            if chunk["usageMetadata"].is_object() {
                answer["usageMetadata"] = chunk["usageMetadata"].clone();
            }
        }
        answer["candidates"][0]["content"] = json!({ "role": "model", "parts": parts });
        Seen {
            error,
            is_ended: answer["candidates"][0]["finishReason"].is_string(),
            ..self.whole(&answer)
        }
    }

    fn error(&self, body: &Value) -> Option<String> {
        let error = if body.is_array() {
            &body[0]["error"]
        } else {
            &body["error"]
        };
        assert!(error["code"].is_u64() && error["status"].is_string(), "{body}");
        error["message"].as_str().map(str::to_owned)
    }
}

fn content(turn: &Say) -> Value {
    match turn {
        Say::User(pieces) => json!({ "role": "user", "parts": pieces.iter().map(part).collect::<Vec<_>>() }),
        Say::Model(content) => content.clone(),
        Say::Results(results) => {
            let result = |(id, name, pieces): &(String, String, Vec<Piece>)| {
                let said: Vec<_> = pieces
                    .iter()
                    .filter_map(|piece| match piece {
                        Piece::Text(text) => Some(*text),
                        _ => None,
                    })
                    .collect();
                let media: Vec<_> = pieces
                    .iter()
                    .filter(|piece| !matches!(piece, Piece::Text(_)))
                    .map(part)
                    .collect();
                let mut response = json!({ "name": name, "response": { "result": said.concat() } });
                if !id.is_empty() {
                    response["id"] = json!(id);
                }
                if !media.is_empty() {
                    response["parts"] = json!(media);
                }
                json!({ "functionResponse": response })
            };
            json!({ "role": "user", "parts": results.iter().map(result).collect::<Vec<_>>() })
        }
    }
}

fn part(piece: &Piece) -> Value {
    let held =
        |media_type: &str, data: &str| json!({ "inlineData": { "mimeType": media_type, "data": data } });
    match piece {
        Piece::Text(text) => json!({ "text": text }),
        Piece::Image => held("image/png", PNG),
        Piece::LinkedImage => json!({ "fileData": { "mimeType": "image/png", "fileUri": PICTURE } }),
        Piece::Document => held("application/pdf", PDF),
        Piece::Audio => held("audio/wav", WAV),
    }
}
