//! What the guard reads of stream events, and the events that it adds.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_llm::{Protocol, StreamEvent, TextKind};
use sluice_wire::{ObjectView, Splice};

use super::answer::Key;

/// What an event says beside its texts.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Head<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Option<Cow<'a, str>>,
    /// Anthropic and Bedrock: the content block.
    #[serde(default, alias = "contentBlockIndex")]
    pub(super) index: Option<u32>,
    /// Responses: the item.
    #[serde(default)]
    output_index: Option<u32>,
    #[serde(default)]
    pub(super) sequence_number: Option<u64>,
    #[serde(default)]
    pub(super) choices: Option<Vec<Choice>>,
    /// Gemini.
    #[serde(default)]
    candidates: Option<Vec<Choice>>,
    /// Ollama: whether it is the last line.
    #[serde(default)]
    done: Option<bool>,
}

/// A choice of a chat chunk, or a candidate of Gemini.
#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    index: Option<u32>,
    #[serde(default, alias = "finishReason")]
    finish_reason: Option<serde::de::IgnoredAny>,
}

/// The member with an event's number.
const NUMBER: &str = "sequence_number";

impl Choice {
    pub(super) fn index(&self) -> u32 {
        self.index.unwrap_or(0)
    }
}

/// Which texts end with an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// Those of these choices, items or blocks.
    Items(Vec<u32>),
    All,
}

impl Closing {
    pub(super) fn ends(&self, item: u32) -> bool {
        match self {
            Self::Items(items) => items.contains(&item),
            Self::All => true,
        }
    }
}

impl<'a> Head<'a> {
    /// `None` for what is no event of any protocol.
    pub(super) fn read(event: &'a StreamEvent, data: &'a [u8]) -> Option<Self> {
        if event.is_fragment() {
            return None;
        }
        let mut head: Self = serde_json::from_slice(data).ok()?;
        head.kind = head.kind.or_else(|| event.name().map(Cow::Borrowed));
        Some(head)
    }

    pub(super) fn closing(&self, protocol: Protocol) -> Closing {
        let kind = self.kind.as_deref().unwrap_or_default();
        match protocol {
            Protocol::OpenAiChat | Protocol::OpenAiCompletions | Protocol::GeminiGenerate => {
                let ended = self.choices.iter().chain(&self.candidates).flatten();
                let ended = ended.filter(|choice| choice.finish_reason.is_some());
                Closing::Items(ended.map(Choice::index).collect())
            }
            Protocol::AnthropicMessages => match kind {
                "content_block_stop" => Closing::Items(self.index.into_iter().collect()),
                "message_delta" | "message_stop" | "error" => Closing::All,
                _ => Closing::Items(Vec::new()),
            },
            Protocol::OllamaChat | Protocol::OllamaGenerate => match self.done {
                Some(true) => Closing::All,
                _ => Closing::Items(Vec::new()),
            },
            Protocol::CohereChat => match kind {
                "content-end" | "tool-call-end" => Closing::Items(self.index.into_iter().collect()),
                "content-start" | "tool-call-start" | "message-end" => Closing::All,
                _ => Closing::Items(Vec::new()),
            },
            Protocol::BedrockConverse => match kind {
                "contentBlockDelta" | "contentBlockStart" | "messageStart" => Closing::Items(Vec::new()),
                "contentBlockStop" => Closing::Items(self.index.into_iter().collect()),
                _ => Closing::All,
            },
            _ => match kind {
                "response.completed" | "response.incomplete" | "response.failed" | "error" => Closing::All,
                kind if kind.ends_with(".done") => Closing::Items(self.output_index.into_iter().collect()),
                _ => Closing::Items(Vec::new()),
            },
        }
    }
}

/// The numbers of events, in protocols that have any: without a gap, whatever is put in.
#[derive(Default)]
pub(super) struct Numbers {
    last: u64,
    added: u64,
}

impl Numbers {
    /// An event of the provider, numbered on.
    pub(super) fn passed(&mut self, event: StreamEvent, number: Option<u64>) -> StreamEvent {
        let Some(number) = number else { return event };
        self.last = number + self.added;
        if self.added == 0 {
            return event;
        }
        with_member(&event, NUMBER, self.last.to_string()).unwrap_or(event)
    }

    /// An event that is put in, made after one of the provider.
    pub(super) fn added(&mut self, event: StreamEvent) -> StreamEvent {
        if !contains(event.frame(), NUMBER.as_bytes()) {
            return event;
        }
        self.added += 1;
        self.last += 1;
        with_member(&event, NUMBER, self.last.to_string()).unwrap_or(event)
    }

    /// The number of an event that follows.
    pub(super) fn next(&self) -> u64 {
        self.last + 1
    }
}

fn with_member(event: &StreamEvent, name: &str, value: String) -> Option<StreamEvent> {
    let data = Bytes::from(event.data()?.into_owned());
    let object = ObjectView::parse(data).ok()?;
    let mut splice = Splice::new(&object);
    splice.set(name, value.into());
    Some(event.with_data(&splice.finish()))
}

/// An event that brings `text` as a piece of the text `key`, made after the last event that did.
pub(super) fn delta_event(
    protocol: Protocol,
    last: &StreamEvent,
    (kind, (item, part)): Key,
    text: &str,
) -> Option<StreamEvent> {
    match protocol {
        Protocol::OpenAiChat => chat_chunk(last, (kind, (item, part)), text),
        Protocol::AnthropicMessages => {
            let delta = match kind {
                TextKind::ToolArguments => json!({ "type": "input_json_delta", "partial_json": text }),
                TextKind::Reasoning => json!({ "type": "thinking_delta", "thinking": text }),
                _ => json!({ "type": "text_delta", "text": text }),
            };
            let data = json!({ "type": "content_block_delta", "index": item, "delta": delta }).to_string();
            Some(StreamEvent::sse(Some("content_block_delta"), data.as_bytes()))
        }
        Protocol::OpenAiCompletions => {
            let choice = json!({ "index": item, "text": text, "logprobs": null, "finish_reason": null });
            with_members(last, &["usage"], vec![("choices", json!([choice]))])
        }
        Protocol::GeminiGenerate => {
            let piece = match kind {
                TextKind::Reasoning => json!({ "text": text, "thought": true }),
                _ => json!({ "text": text }),
            };
            let content = json!({ "role": "model", "parts": [piece] });
            let candidate = json!({ "index": item, "content": content });
            with_members(last, &["usageMetadata"], vec![("candidates", json!([candidate]))])
        }
        Protocol::OllamaChat => {
            let name = if kind == TextKind::Reasoning {
                "thinking"
            } else {
                "content"
            };
            let mut message = json!({ "role": "assistant", "content": "" });
            message[name] = json!(text);
            with_members(last, &[], vec![("message", message), ("done", json!(false))])
        }
        Protocol::OllamaGenerate => {
            let thinks = kind == TextKind::Reasoning;
            let (said, thought) = if thinks { ("", text) } else { (text, "") };
            let mut members = vec![("response", json!(said)), ("done", json!(false))];
            members.extend(thinks.then(|| ("thinking", json!(thought))));
            with_members(last, if thinks { &[] } else { &["thinking"] }, members)
        }
        Protocol::CohereChat => Some(cohere_event(kind, item, text)),
        Protocol::BedrockConverse => {
            let delta = match kind {
                TextKind::ToolArguments => json!({ "toolUse": { "input": text } }),
                TextKind::Reasoning => json!({ "reasoningContent": { "text": text } }),
                _ => json!({ "text": text }),
            };
            let data = json!({ "contentBlockIndex": item, "delta": delta }).to_string();
            Some(StreamEvent::bedrock("contentBlockDelta", data.as_bytes()))
        }
        _ => with_member(last, "delta", Value::from(text).to_string()),
    }
}

fn chat_chunk(last: &StreamEvent, (kind, (item, part)): Key, text: &str) -> Option<StreamEvent> {
    let mut chunk: Value = serde_json::from_slice(&last.data()?).ok()?;
    let delta = match kind {
        TextKind::ToolArguments => {
            json!({ "tool_calls": [{ "index": part, "function": { "arguments": text } }] })
        }
        TextKind::Reasoning if contains(last.frame(), b"\"reasoning_content\"") => {
            json!({ "reasoning_content": text })
        }
        TextKind::Reasoning => json!({ "reasoning": text }),
        _ if part == 1 => json!({ "refusal": text }),
        _ => json!({ "content": text }),
    };
    let chunk_members = chunk.as_object_mut()?;
    chunk_members.remove("usage");
    let choice = json!({ "index": item, "delta": delta, "finish_reason": null });
    chunk_members.insert("choices".to_owned(), json!([choice]));
    Some(last.with_data(chunk.to_string().as_bytes()))
}

fn cohere_event(kind: TextKind, item: u32, text: &str) -> StreamEvent {
    let (name, message) = match kind {
        TextKind::ToolArguments => (
            "tool-call-delta",
            json!({ "tool_calls": { "function": { "arguments": text } } }),
        ),
        TextKind::Reasoning => ("content-delta", json!({ "content": { "thinking": text } })),
        _ if item == u32::MAX => ("tool-plan-delta", json!({ "tool_plan": text })),
        _ => ("content-delta", json!({ "content": { "text": text } })),
    };
    let mut data = json!({ "type": name, "delta": { "message": message } });
    if item != u32::MAX {
        data["index"] = json!(item);
    }
    StreamEvent::sse(Some(name), data.to_string().as_bytes())
}

/// The event without some members and with others.
fn with_members(
    event: &StreamEvent,
    without: &[&str],
    members: Vec<(&'static str, Value)>,
) -> Option<StreamEvent> {
    let mut data: Value = serde_json::from_slice(&event.data()?).ok()?;
    let object = data.as_object_mut()?;
    for name in without {
        object.remove(*name);
    }
    object.extend(members.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Some(event.with_data(data.to_string().as_bytes()))
}

pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The body without log probabilities, which spell out what was said token by token. `None` if it has none.
pub(super) fn without_logprobs(body: &[u8]) -> Option<Bytes> {
    if !contains(body, b"\"logprob\"") {
        return None;
    }
    let mut value = serde_json::from_slice(body).ok()?;
    clear_logprobs(&mut value);
    Some(value.to_string().into())
}

fn clear_logprobs(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::Array(entries) if name == "logprobs" => entries.clear(),
                    value if name == "logprobs" => *value = Value::Null,
                    value => clear_logprobs(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(clear_logprobs),
        _ => {}
    }
}
