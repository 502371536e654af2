//! Streams of the protocols that native routes add, under a guard: each in its own framing.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use crate::support::{gateway, openai, put_route};

const LINES: &str = "application/x-ndjson";
const ARRAY: &str = "application/json";
const SSE: &str = "text/event-stream";

/// A protocol: the provider that speaks it, the path of a stream, how that is framed, and what its events are.
struct Spoken {
    provider: &'static str,
    path: &'static str,
    framing: &'static str,
    piece: fn(&str) -> Value,
    end: fn() -> Value,
    /// Where in an event a piece stands.
    text: &'static str,
}

fn gemini_piece(text: &str) -> Value {
    json!({ "candidates": [{ "index": 0, "content": { "role": "model", "parts": [{ "text": text }] } }] })
}

fn gemini_end() -> Value {
    json!({ "candidates": [{ "index": 0, "finishReason": "STOP" }], "usageMetadata": { "totalTokenCount": 3 } })
}

const ALL: [Spoken; 6] = [
    Spoken {
        provider: "ollama",
        path: "/api/chat",
        framing: LINES,
        piece: |text| json!({ "model": "m", "message": { "role": "assistant", "content": text }, "done": false }),
        end: || {
            let message = json!({ "role": "assistant", "content": "" });
            json!({ "model": "m", "message": message, "done": true, "done_reason": "stop", "eval_count": 3 })
        },
        text: "/message/content",
    },
    Spoken {
        provider: "ollama",
        path: "/api/generate",
        framing: LINES,
        piece: |text| json!({ "model": "m", "response": text, "done": false }),
        end: || json!({ "model": "m", "response": "", "done": true, "done_reason": "stop" }),
        text: "/response",
    },
    Spoken {
        provider: "gemini",
        path: "/v1beta/models/m:streamGenerateContent?alt=sse",
        framing: SSE,
        piece: gemini_piece,
        end: gemini_end,
        text: "/candidates/0/content/parts/0/text",
    },
    Spoken {
        provider: "gemini",
        path: "/v1beta/models/m:streamGenerateContent",
        framing: ARRAY,
        piece: gemini_piece,
        end: gemini_end,
        text: "/candidates/0/content/parts/0/text",
    },
    Spoken {
        provider: "cohere",
        path: "/v2/chat",
        framing: SSE,
        piece: |text| {
            let delta = json!({ "message": { "content": { "text": text } } });
            json!({ "type": "content-delta", "index": 0, "delta": delta })
        },
        end: || json!({ "type": "message-end", "delta": { "finish_reason": "COMPLETE" } }),
        text: "/delta/message/content/text",
    },
    Spoken {
        provider: "openai",
        path: "/v1/completions",
        framing: SSE,
        piece: |text| json!({ "id": "c", "choices": [{ "index": 0, "text": text, "finish_reason": null }] }),
        end: || json!({ "id": "c", "choices": [{ "index": 0, "text": "", "finish_reason": "stop" }] }),
        text: "/choices/0/text",
    },
];

impl Spoken {
    fn request(&self) -> Value {
        if self.provider == "gemini" {
            return json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] });
        }
        let (name, said) = match self.path {
            "/api/chat" | "/v2/chat" => ("messages", json!([{ "role": "user", "content": "hi" }])),
            _ => ("prompt", json!("hi")),
        };
        let mut body = json!({ "model": "m", "stream": true });
        body[name] = said;
        body
    }

    /// The provider's stream, which says these pieces.
    fn stream(&self, pieces: &[&str]) -> Reply {
        let pieces = pieces.iter().map(|piece| (self.piece)(piece));
        let events: Vec<_> = pieces
            .chain([(self.end)()])
            .map(|event| event.to_string())
            .collect();
        let frames: Vec<_> = match self.framing {
            LINES => events.iter().map(|event| format!("{event}\n")).collect(),
            ARRAY => {
                let first = |nth| if nth == 0 { "[" } else { "\n,\n" };
                let elements = events.iter().enumerate();
                let elements = elements.map(|(nth, event)| format!("{}{event}", first(nth)));
                elements.chain(["]".to_owned()]).collect()
            }
            _ => events.iter().map(|event| format!("data: {event}\n\n")).collect(),
        };
        Reply::frames(self.framing, frames)
    }

    /// The events of an answer in its framing.
    fn events(&self, body: &str) -> Vec<Value> {
        let read = |text: &str| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {body}"));
        match self.framing {
            ARRAY => serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}")),
            LINES => body.lines().map(read).collect(),
            _ => body
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .filter(|data| *data != "[DONE]")
                .map(read)
                .collect(),
        }
    }

    async fn guarded(&self, provider: &FakeProvider, conf: Value) -> Gateway {
        let gateway = gateway().await;
        let mut target = openai(provider);
        target["provider"] = json!(self.provider);
        target["profile"] = json!("native");
        put_route(
            &gateway,
            "1",
            "/*",
            json!({ "ai-guard": conf, "ai-proxy": target }),
        )
        .await;
        gateway
    }

    /// Sends a request for a stream; what it says, and its events.
    async fn ask(&self, gateway: &Gateway) -> (String, Vec<Value>) {
        let call = gateway.client().post(self.path).json(&self.request());
        let answer = call.send().await.expect_status(200).await;
        let media_type = answer.header("content-type").unwrap_or_default().to_owned();
        assert!(
            media_type.starts_with(self.framing),
            "{}: {media_type}",
            self.path
        );
        let events = self.events(&answer.text().await);
        let texts = events
            .iter()
            .filter_map(|event| event.pointer(self.text)?.as_str());
        (texts.collect(), events)
    }
}

#[tokio::test]
async fn finds_are_masked_wherever_they_are_cut() {
    for spoken in ALL {
        let provider = FakeProvider::start();
        let gateway = spoken.guarded(&provider, json!({ "mask": ["email"] })).await;
        for (pieces, expected) in [
            (
                &["Write to ja", "ne@example.or", "g today, or not"][..],
                "Write to [EMAIL_1] today, or not",
            ),
            (&["It is jane@example.org"], "It is [EMAIL_1]"),
        ] {
            provider.next(spoken.stream(pieces));
            let (said, events) = spoken.ask(&gateway).await;
            assert_eq!(said, expected, "{}", spoken.path);
            assert!(events.contains(&(spoken.end)()), "{}: {events:?}", spoken.path);
        }
    }
}

#[tokio::test]
async fn a_refusal_ends_the_stream() {
    for spoken in ALL {
        let provider = FakeProvider::start();
        let conf = json!({ "block": ["email"], "deny_message": "No more." });
        let gateway = spoken.guarded(&provider, conf).await;
        provider.next(spoken.stream(&["So far so good. ", "jane@exam", "ple.org, and", " more"]));
        let (said, _) = spoken.ask(&gateway).await;
        assert_eq!(said, "So far so good. No more.", "{}", spoken.path);
    }
}

#[tokio::test]
async fn a_refused_request_for_a_stream_is_told_in_its_framing() {
    for spoken in ALL {
        let provider = FakeProvider::start();
        let rules = json!([{ "pattern": "hi", "name": "hi", "action": "block" }]);
        let conf = json!({ "rules": rules, "deny_message": "No." });
        let gateway = spoken.guarded(&provider, conf).await;
        let (said, events) = spoken.ask(&gateway).await;
        assert_eq!(said, "No.", "{}: {events:?}", spoken.path);
        assert!(provider.requests().is_empty(), "{}", spoken.path);
    }
}
