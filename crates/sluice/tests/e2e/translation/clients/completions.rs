//! OpenAI's older completions.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::neutral::{Ask, Seen, items, text};
use super::{Client, chat, json_events};

pub(super) struct Completions;

impl Client for Completions {
    fn name(&self) -> &'static str {
        "OpenAI completions"
    }

    fn path(&self, _: bool) -> String {
        "/v1/completions".to_owned()
    }

    fn body(&self, ask: &Ask) -> Option<Value> {
        let unsayable =
            ask.system.is_some() || ask.cached || ask.structured || ask.thinks || !ask.tools.is_empty();
        let prompt = ask.only_text().filter(|_| !unsayable)?;
        let mut body = json!({ "model": "m", "prompt": prompt });
        if let Some(stop) = ask.stop {
            body["stop"] = json!([stop]);
        }
        if ask.logprobs {
            body["logprobs"] = json!(1);
        }
        if ask.streams {
            body["stream"] = json!(true);
            body["stream_options"] = json!({ "include_usage": true });
        }
        Some(body)
    }

    fn whole(&self, answer: &Value) -> Seen {
        let choice = &answer["choices"][0];
        Seen {
            text: text(&choice["text"]).to_owned(),
            stop: chat::stop(&choice["finish_reason"]),
            usage: chat::usage(&answer["usage"]),
            logprobs: !items(&choice["logprobs"]["tokens"]).is_empty(),
            ..Seen::default()
        }
    }

    fn stream(&self, bytes: &Bytes) -> Seen {
        let (chunks, done) = json_events(bytes);
        let mut seen = Seen {
            is_ended: done,
            ..Seen::default()
        };
        for chunk in &chunks {
            let piece = self.whole(chunk);
            seen.text.push_str(&piece.text);
            seen.logprobs |= piece.logprobs;
            seen.usage = piece.usage.or(seen.usage);
            seen.error = seen.error.or(self.error(chunk));
            if chunk["choices"][0]["finish_reason"].is_string() {
                seen.stop = piece.stop;
            }
        }
        seen
    }

    fn error(&self, body: &Value) -> Option<String> {
        body["error"]["message"].as_str().map(str::to_owned)
    }

    fn shows_thoughts(&self) -> bool {
        false
    }
}
