//! Answers that say no in place of a model (compat §4.1.8).

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use crate::error::{Dialect, ErrorKind, PublicError};
use crate::protocol::Protocol;
use crate::stream_event::StreamEvent;

/// What a guard answers instead of the model: a whole answer or the events of a stream in the client's protocol, which
/// SDKs read like any other.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// Protocol of the client.
    pub protocol: Protocol,
    /// Id of the answer; APISIX makes it a random UUID.
    pub id: &'a str,
    /// The model that was asked for.
    pub model: &'a str,
    /// What is said.
    pub text: &'a str,
    /// The provider's usage object, if there was one.
    pub usage: Option<&'a Value>,
}

impl Refusal<'_> {
    /// As a whole answer.
    #[must_use]
    pub fn body(&self) -> Bytes {
        match self.protocol {
            Protocol::OpenAiChat
            | Protocol::OpenAiResponses
            | Protocol::AnthropicMessages
            | Protocol::BedrockConverse
            | Protocol::CohereChat
            | Protocol::GeminiGenerate
            | Protocol::OllamaChat
            | Protocol::OllamaGenerate
            | Protocol::OpenAiCompletions
            | Protocol::OpenAiEmbeddings => self.object("chat.completion").to_string().into(),
            other => self.error(other),
        }
    }

    /// As a stream in place of the whole answer. Protocols without event streams of text get the whole answer, and so do
    /// Bedrock's clients.
    #[must_use]
    pub fn stream(&self) -> Bytes {
        if self.protocol == Protocol::BedrockConverse {
            return self.body();
        }
        let events = self.events();
        if events.is_empty() {
            return self.body();
        }
        let mut out = BytesMut::new();
        for event in events {
            out.extend_from_slice(event.frame());
        }
        out.freeze()
    }

    /// As the events of a stream, which can take over where a stream has begun. None in protocols without streams of
    /// text.
    #[must_use]
    pub fn events(&self) -> Vec<StreamEvent> {
        match self.protocol {
            Protocol::OpenAiChat => {
                let chunk = self.chat("chat.completion.chunk", "delta", json!({ "content": self.text }));
                let done = StreamEvent::new(Bytes::from_static(b"data: [DONE]"));
                vec![StreamEvent::sse(None, chunk.to_string().as_bytes()), done]
            }
            Protocol::OpenAiResponses => {
                let (delta, completed) = ("response.output_text.delta", "response.completed");
                let response = self.object("response");
                vec![
                    event(delta, &json!({ "type": delta, "delta": self.text })),
                    event(completed, &json!({ "type": completed, "response": response })),
                ]
            }
            Protocol::AnthropicMessages => self.anthropic(),
            Protocol::BedrockConverse => self.bedrock(),
            Protocol::CohereChat => self.cohere(),
            Protocol::GeminiGenerate => vec![StreamEvent::sse(None, &self.body())],
            Protocol::OllamaChat | Protocol::OllamaGenerate => vec![StreamEvent::line(&self.body())],
            Protocol::OpenAiCompletions => {
                let done = StreamEvent::new(Bytes::from_static(b"data: [DONE]\n\n"));
                vec![StreamEvent::sse(None, &self.body()), done]
            }
            _ => Vec::new(),
        }
    }

    /// Where nothing is said that a text could stand in for, a refusal is an error. Nothing in protocols that no client
    /// speaks.
    fn error(&self, protocol: Protocol) -> Bytes {
        let dialect = match protocol {
            Protocol::AnthropicCountTokens => Dialect::Anthropic,
            Protocol::CohereEmbed | Protocol::CohereRerank => Dialect::Cohere,
            Protocol::GeminiBatchEmbed | Protocol::GeminiCountTokens | Protocol::GeminiEmbed => {
                Dialect::Gemini
            }
            Protocol::OllamaEmbed | Protocol::OllamaEmbeddings => Dialect::Ollama,
            Protocol::Passthrough | Protocol::VertexPredict => return Bytes::new(),
            _ => Dialect::OpenAi,
        };
        PublicError::new(ErrorKind::InvalidRequest, self.text.to_owned())
            .with_code("content_policy_violation")
            .body(dialect, None)
    }

    fn object(&self, chat_object: &str) -> Value {
        let text = self.text;
        match self.protocol {
            Protocol::OpenAiChat => self.chat(
                chat_object,
                "message",
                json!({ "role": "assistant", "content": text }),
            ),
            Protocol::OpenAiResponses => json!({
                "id": self.id, "object": "response", "status": "completed", "model": self.model,
                "output": [{
                    "type": "message", "role": "assistant",
                    "content": [{ "type": "output_text", "text": text }],
                }],
                "usage": self.usage_or(&["input_tokens", "output_tokens", "total_tokens"]),
            }),
            Protocol::AnthropicMessages => json!({
                "id": self.id, "type": "message", "role": "assistant", "model": self.model,
                "content": [{ "type": "text", "text": text }], "stop_reason": "end_turn",
                "usage": self.usage_or(&["input_tokens", "output_tokens"]),
            }),
            Protocol::BedrockConverse => json!({
                "output": { "message": { "role": "assistant", "content": [{ "text": text }] } },
                "stopReason": "end_turn",
                "usage": self.usage_or(&["inputTokens", "outputTokens", "totalTokens"]),
            }),
            Protocol::OpenAiEmbeddings => {
                json!({ "error": { "message": text, "type": "content_policy_violation" } })
            }
            Protocol::OpenAiCompletions => json!({
                "id": self.id, "object": "text_completion", "model": self.model,
                "choices": [{ "index": 0, "text": text, "logprobs": null, "finish_reason": "content_filter" }],
                "usage": self.usage_or(&["prompt_tokens", "completion_tokens", "total_tokens"]),
            }),
            Protocol::GeminiGenerate => {
                let content = json!({ "role": "model", "parts": [{ "text": text }] });
                json!({
                    "candidates": [{ "index": 0, "content": content, "finishReason": "SAFETY" }],
                    "usageMetadata": self.usage_or(&["promptTokenCount", "candidatesTokenCount", "totalTokenCount"]),
                    "modelVersion": self.model, "responseId": self.id,
                })
            }
            Protocol::CohereChat => json!({
                "id": self.id, "finish_reason": "COMPLETE",
                "message": { "role": "assistant", "content": [{ "type": "text", "text": text }] },
                "usage": self.cohere_usage(),
            }),
            Protocol::OllamaChat => json!({
                "model": self.model, "message": { "role": "assistant", "content": text },
                "done": true, "done_reason": "stop", "prompt_eval_count": 0, "eval_count": 0,
            }),
            Protocol::OllamaGenerate => json!({
                "model": self.model, "response": text,
                "done": true, "done_reason": "stop", "prompt_eval_count": 0, "eval_count": 0,
            }),
            _ => Value::Null,
        }
    }

    fn cohere_usage(&self) -> Value {
        let tokens = json!({ "tokens": { "input_tokens": 0, "output_tokens": 0 } });
        self.usage.cloned().unwrap_or(tokens)
    }

    fn cohere(&self) -> Vec<StreamEvent> {
        let typed = |name: &str, mut data: Value| {
            data["type"] = json!(name);
            event(name, &data)
        };
        let content = |content: Value| json!({ "index": 0, "delta": { "message": { "content": content } } });
        let end = json!({ "finish_reason": "COMPLETE", "usage": self.cohere_usage() });
        vec![
            typed(
                "message-start",
                json!({ "id": self.id, "delta": { "message": { "role": "assistant" } } }),
            ),
            typed("content-start", content(json!({ "type": "text", "text": "" }))),
            typed("content-delta", content(json!({ "text": self.text }))),
            typed("content-end", json!({ "index": 0 })),
            typed("message-end", json!({ "delta": end })),
        ]
    }

    fn chat(&self, object: &str, member: &str, message: Value) -> Value {
        let mut choice = json!({ "index": 0, "finish_reason": "stop" });
        choice[member] = message;
        json!({
            "id": self.id, "object": object, "model": self.model, "choices": [choice],
            "usage": self.usage_or(&["prompt_tokens", "completion_tokens", "total_tokens"]),
        })
    }

    /// Anthropic's events. The empty `content` of the first is an object, as APISIX prints it.
    fn anthropic(&self) -> Vec<StreamEvent> {
        let usage = self.usage_or(&["input_tokens", "output_tokens"]);
        let message = json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": {},
            "usage": usage,
        });
        let block = json!({ "type": "text", "text": "" });
        let text = json!({ "type": "text_delta", "text": self.text });
        let stop = json!({ "stop_reason": "end_turn" });
        [
            (
                "message_start",
                json!({ "type": "message_start", "message": message }),
            ),
            (
                "content_block_start",
                json!({ "type": "content_block_start", "index": 0, "content_block": block }),
            ),
            (
                "content_block_delta",
                json!({ "type": "content_block_delta", "index": 0, "delta": text }),
            ),
            (
                "content_block_stop",
                json!({ "type": "content_block_stop", "index": 0 }),
            ),
            (
                "message_delta",
                json!({ "type": "message_delta", "delta": stop, "usage": usage }),
            ),
            ("message_stop", json!({})),
        ]
        .map(|(name, data)| event(name, &data))
        .into()
    }

    fn bedrock(&self) -> Vec<StreamEvent> {
        let usage = self.usage_or(&["inputTokens", "outputTokens", "totalTokens"]);
        let delta = json!({ "contentBlockIndex": 0, "delta": { "text": self.text } });
        [
            ("messageStart", json!({ "role": "assistant" })),
            ("contentBlockDelta", delta),
            ("contentBlockStop", json!({ "contentBlockIndex": 0 })),
            ("messageStop", json!({ "stopReason": "end_turn" })),
            ("metadata", json!({ "usage": usage })),
        ]
        .map(|(name, payload)| StreamEvent::bedrock(name, payload.to_string().as_bytes()))
        .into()
    }

    fn usage_or(&self, zeroes: &[&str]) -> Value {
        match self.usage {
            Some(usage) => usage.clone(),
            None => zeroes.iter().map(|name| ((*name).to_owned(), json!(0))).collect(),
        }
    }
}

fn event(name: &str, data: &Value) -> StreamEvent {
    StreamEvent::sse(Some(name), data.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use sluice_wire::{SsePart, SseSplitter};

    use super::*;
    use crate::answer::AnswerFacts;
    use crate::tap::{StreamEnd, StreamTap, TapOptions};

    fn refusal(protocol: Protocol) -> Refusal<'static> {
        Refusal {
            protocol,
            id: "1",
            model: "m",
            text: "no",
            usage: None,
        }
    }

    #[test]
    fn whole_answers_read_like_answers() {
        for protocol in [
            Protocol::OpenAiChat,
            Protocol::OpenAiResponses,
            Protocol::AnthropicMessages,
            Protocol::BedrockConverse,
        ] {
            let facts = AnswerFacts::read(protocol, &refusal(protocol).body(), true).unwrap();
            assert_eq!(facts.text.as_deref(), Some("no"), "{protocol}");
            assert_eq!(facts.usage.map(|usage| usage.counts.total), Some(0), "{protocol}");
        }
    }

    #[test]
    fn others_say_it_their_way() {
        assert_eq!(
            refusal(Protocol::OpenAiEmbeddings).body(),
            r#"{"error":{"message":"no","type":"content_policy_violation"}}"#
        );
        assert_eq!(refusal(Protocol::Passthrough).body(), "");
        assert_eq!(
            refusal(Protocol::BedrockConverse).stream(),
            refusal(Protocol::BedrockConverse).body()
        );
    }

    #[test]
    fn chat_streams_end_without_a_blank_line() {
        let stream = refusal(Protocol::OpenAiChat).stream();
        assert!(stream.starts_with(b"data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\""));
        assert!(stream.ends_with(b"\n\ndata: [DONE]"));
    }

    #[test]
    fn anthropic_streams_have_every_event() {
        let mut splitter = SseSplitter::new();
        splitter.push(refusal(Protocol::AnthropicMessages).stream());
        let mut names = Vec::new();
        while let Some(SsePart::Frame(frame)) = splitter.next_part() {
            let frame = sluice_wire::SseFrame::parse(&frame);
            names.push(frame.event.unwrap_or_default().to_owned());
        }
        assert_eq!(
            names,
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop"
            ]
        );
    }

    #[test]
    fn within_streams_it_is_told_event_by_event() {
        let tap = |protocol| {
            let mut tap = StreamTap::new(
                protocol,
                TapOptions {
                    keep_text: true,
                    ..TapOptions::default()
                },
            );
            for event in refusal(protocol).events() {
                tap.observe(event.frame());
            }
            tap
        };
        for protocol in [
            Protocol::OpenAiResponses,
            Protocol::AnthropicMessages,
            Protocol::BedrockConverse,
        ] {
            let tap = tap(protocol);
            assert_eq!(tap.end(), Some(StreamEnd::Complete), "{protocol}");
            assert_eq!(tap.text(), Some("no"), "{protocol}");
            assert_eq!(tap.usage().map(|usage| usage.counts.total), Some(0), "{protocol}");
        }
        let chat = refusal(Protocol::OpenAiChat).events();
        assert_eq!(chat.len(), 2);
        assert_eq!(chat[1].frame(), "data: [DONE]");
    }

    #[test]
    fn the_providers_usage_is_kept() {
        let usage = json!({"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8});
        let refusal = Refusal {
            usage: Some(&usage),
            ..refusal(Protocol::OpenAiChat)
        };
        let facts = AnswerFacts::read(Protocol::OpenAiChat, &refusal.body(), false).unwrap();
        assert_eq!(facts.usage.unwrap().counts.total, 8);
    }
}
