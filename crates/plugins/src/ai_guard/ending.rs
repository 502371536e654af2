//! How a stream ends that has begun and must not go on: with a refusal that continues what the client has read so far.

use serde_json::{Value, json};
use sluice_llm::{Protocol, StreamEvent};

use super::stream::Head;
use crate::moderation::Refuser;

/// What has to be known of a stream to end it.
#[derive(Default)]
pub(super) struct Ending {
    /// Chat: the last chunk. Responses: the event with the response as it began.
    base: Option<StreamEvent>,
    /// Chat: choices seen.
    choices: Vec<u32>,
    /// Anthropic and Bedrock: the content block that is open, and the next number.
    open: Option<u32>,
    next: u32,
    /// Anthropic and Bedrock: whether the message has begun.
    begun: bool,
}

impl Ending {
    /// Takes note of an event.
    pub(super) fn see(&mut self, protocol: Protocol, head: &Head<'_>, event: &StreamEvent) {
        let kind = head.kind.as_deref().unwrap_or_default();
        match protocol {
            Protocol::OpenAiChat => {
                for choice in head.choices.iter().flatten() {
                    if !self.choices.contains(&choice.index()) {
                        self.choices.push(choice.index());
                    }
                }
                self.base = Some(event.clone());
            }
            Protocol::AnthropicMessages => match (kind, head.index) {
                ("message_start", _) => self.begun = true,
                ("content_block_start", Some(index)) => {
                    self.open = Some(index);
                    self.next = index + 1;
                }
                ("content_block_stop", _) => self.open = None,
                _ => {}
            },
            Protocol::BedrockConverse => match (kind, head.index) {
                ("messageStart", _) => self.begun = true,
                ("contentBlockStart" | "contentBlockDelta", Some(index)) => {
                    self.open = Some(index);
                    self.next = index + 1;
                }
                ("contentBlockStop", _) => self.open = None,
                _ => {}
            },
            _ if matches!(kind, "response.created" | "response.in_progress") => {
                self.base = Some(event.clone())
            }
            _ => {}
        }
    }

    /// The events that end the stream by saying `text`; `number` is that of the next one.
    pub(super) fn events(
        &self,
        protocol: Protocol,
        text: &str,
        refuser: &Refuser,
        number: u64,
    ) -> Vec<StreamEvent> {
        let base = || -> Option<Value> { serde_json::from_slice(&self.base.as_ref()?.data()?).ok() };
        let events = match protocol {
            Protocol::OpenAiChat => base().and_then(|chunk| self.chat(chunk, text)),
            Protocol::AnthropicMessages if self.begun => Some(self.anthropic(text)),
            Protocol::BedrockConverse if self.begun => Some(self.bedrock(text)),
            Protocol::OpenAiResponses => base().and_then(|event| Self::responses(event, text, number)),
            _ => None,
        };
        events.unwrap_or_else(|| refuser.events(text))
    }

    fn chat(&self, mut chunk: Value, text: &str) -> Option<Vec<StreamEvent>> {
        let members = chunk.as_object_mut()?;
        members.remove("usage");
        let choices = self.choices.iter().map(|index| {
            json!({ "index": index, "delta": { "content": text }, "finish_reason": "content_filter" })
        });
        members.insert("choices".to_owned(), choices.collect());
        Some(vec![
            StreamEvent::sse(None, chunk.to_string().as_bytes()),
            StreamEvent::sse(None, b"[DONE]"),
        ])
    }

    fn anthropic(&self, text: &str) -> Vec<StreamEvent> {
        let stop = |index| json!({ "type": "content_block_stop", "index": index });
        let block = json!({ "type": "text", "text": "" });
        let said = json!({ "type": "text_delta", "text": text });
        let delta = json!({ "stop_reason": "refusal", "stop_sequence": null });
        let next = self.next;
        let events = [
            json!({ "type": "content_block_start", "index": next, "content_block": block }),
            json!({ "type": "content_block_delta", "index": next, "delta": said }),
            stop(next),
            json!({ "type": "message_delta", "delta": delta, "usage": { "output_tokens": 0 } }),
            json!({ "type": "message_stop" }),
        ];
        let events = self.open.map(stop).into_iter().chain(events);
        events
            .map(|event| StreamEvent::sse(event["type"].as_str(), event.to_string().as_bytes()))
            .collect()
    }

    /// Blocks of text have no event that begins them.
    fn bedrock(&self, text: &str) -> Vec<StreamEvent> {
        let stop = |index| ("contentBlockStop", json!({ "contentBlockIndex": index }));
        let next = self.next;
        let delta = json!({ "contentBlockIndex": next, "delta": { "text": text } });
        let usage = json!({ "inputTokens": 0, "outputTokens": 0, "totalTokens": 0 });
        let events = [
            ("contentBlockDelta", delta),
            stop(next),
            ("messageStop", json!({ "stopReason": "content_filtered" })),
            ("metadata", json!({ "usage": usage })),
        ];
        let events = self.open.map(stop).into_iter().chain(events);
        events
            .map(|(name, payload)| StreamEvent::bedrock(name, payload.to_string().as_bytes()))
            .collect()
    }

    /// The response as it began, ended by a refusal.
    fn responses(mut event: Value, text: &str, number: u64) -> Option<Vec<StreamEvent>> {
        let kind = "response.incomplete";
        let members = event.as_object_mut()?;
        members.insert("type".to_owned(), json!(kind));
        members.insert("sequence_number".to_owned(), json!(number));
        let response = members.get_mut("response")?.as_object_mut()?;
        let part = json!({ "type": "refusal", "refusal": text });
        let message = json!({
            "type": "message", "id": "msg_refused", "role": "assistant", "status": "incomplete", "content": [part],
        });
        response.insert("status".to_owned(), json!("incomplete"));
        response.insert(
            "incomplete_details".to_owned(),
            json!({ "reason": "content_filter" }),
        );
        response.insert("output".to_owned(), json!([message]));
        Some(vec![StreamEvent::sse(Some(kind), event.to_string().as_bytes())])
    }
}
