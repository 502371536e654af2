//! A whole answer for a client.

use std::collections::HashSet;

use super::usage_out::UsageOut;
use super::{citations, custom, details};
use crate::chat::{
    ChatAnswer, Choice, Extension, Json, Media, MediaKind, Object, Part, PartKind, Reasoning,
    SignatureOrigin, StopReason, ToolCall, array,
};
use crate::codec::ReplyFacts;
use crate::protocol::Protocol;

const HERE: Protocol = Protocol::OpenAiChat;

/// What of the client's offer of tools the answer's form depends on.
struct Offer {
    /// It offers `functions`.
    is_legacy: bool,
    /// Custom tools among the others.
    custom: HashSet<String>,
}

/// Writes an answer. A client that offers `functions` reads its call as `function_call`.
pub(super) fn encode(answer: &ChatAnswer, facts: &ReplyFacts) -> Json {
    let offer = Offer {
        is_legacy: asks_for_functions(&facts.body),
        custom: custom::offered(&facts.body),
    };
    let choices: Vec<Json> = (0u32..)
        .zip(&answer.choices)
        .map(|(index, choice)| encode_choice(index, choice, &offer))
        .collect();
    let mut object = Object::new()
        .set(
            "id",
            &answer
                .id
                .clone()
                .unwrap_or_else(|| format!("chatcmpl-{}", facts.id)),
        )
        .set("object", "chat.completion")
        .set("created", &answer.created.unwrap_or(facts.created))
        .set("model", answer.model.as_deref().unwrap_or(&facts.model))
        .set("choices", &choices);
    // The provider's own words where it speaks this protocol: they say more.
    if answer.extension.get(HERE, "usage").is_none() {
        object = object.set_some("usage", answer.usage.as_ref().map(UsageOut::from));
    }
    object
        .set_some("service_tier", answer.service_tier.as_ref())
        .extend(&answer.extension, HERE)
        .finish()
}

/// Whether a client's body speaks of `functions`, which tools have replaced.
pub(super) fn asks_for_functions(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"\"functions\"").is_some()
        && crate::chat::Fields::from_slice(body)
            .is_ok_and(|fields| fields.peek("functions").is_some() && fields.peek("tools").is_none())
}

/// The `finish_reason` (llm-protocols §15).
pub(in crate::codec) fn finish_reason(reason: StopReason, is_legacy: bool) -> &'static str {
    match reason {
        StopReason::Stop | StopReason::StopSequence | StopReason::Pause => "stop",
        StopReason::Length | StopReason::ContextWindow => "length",
        StopReason::ToolCalls if is_legacy => "function_call",
        StopReason::ToolCalls => "tool_calls",
        StopReason::ContentFilter | StopReason::Refusal => "content_filter",
        StopReason::Failed => "error",
    }
}

fn encode_choice(index: u32, choice: &Choice, offer: &Offer) -> Json {
    let mut object = Object::new()
        .set("index", &index)
        .set("message", &message(choice, offer))
        .set("logprobs", &choice.logprobs)
        .set("finish_reason", finish_reason(choice.stop, offer.is_legacy));
    for (name, value) in choice.extension.members(HERE) {
        if name != "message" {
            object.put(name, value);
        }
    }
    object.finish()
}

/// What of a message is written in one piece, gathered from its parts.
#[derive(Default)]
struct Gathered<'a> {
    text: Option<String>,
    refusal: Option<String>,
    thoughts: Vec<&'a Reasoning>,
    details: Vec<Json>,
    is_signed: bool,
    calls: Vec<&'a Part>,
    images: Vec<Json>,
    annotations: Vec<Json>,
    beside: Vec<(&'a str, &'a Json)>,
}

impl<'a> Gathered<'a> {
    fn of(parts: &'a [Part]) -> Self {
        let mut all = Self::default();
        let mut number = 0;
        for part in parts {
            match &part.kind {
                PartKind::Text(text) => {
                    all.text.get_or_insert_default().push_str(text);
                    all.annotations.append(&mut citations::of_text(&part.extension));
                }
                PartKind::Refusal(text) => all.refusal.get_or_insert_default().push_str(text),
                PartKind::Reasoning(thought) => {
                    details::write(thought, number, &mut all.details);
                    number += 1;
                    all.is_signed |= thought.signature.is_some();
                    all.thoughts.push(thought);
                }
                PartKind::ToolCall(_) => all.calls.push(part),
                PartKind::Media(media) => all.images.extend(image(media, all.images.len())),
                PartKind::Foreign if details::is_detail(&part.extension) => {
                    all.details
                        .push(Object::new().extend(&part.extension, HERE).finish());
                    all.is_signed = true;
                    number += 1;
                }
                PartKind::Foreign => match foreign_image(&part.extension) {
                    Some(media) => all.images.extend(image(&media, all.images.len())),
                    None if part.extension.get(HERE, "type").is_none() => {
                        let members = part.extension.members(HERE).iter();
                        all.beside
                            .extend(members.map(|(name, value)| (name.as_str(), value)));
                    }
                    None => {}
                },
                PartKind::ToolResult(_) => {}
            }
        }
        all
    }

    /// The thoughts as one text: those of several parts stand apart.
    fn thought(&self) -> String {
        let texts: Vec<&str> = self
            .thoughts
            .iter()
            .map(|thought| thought.text.as_str())
            .filter(|text| !text.is_empty())
            .collect();
        texts.join(APART)
    }
}

/// What stands between two thoughts.
pub(super) const APART: &str = "\n\n";

fn message(choice: &Choice, offer: &Offer) -> Json {
    let all = Gathered::of(&choice.parts);
    let thought = all.thought();
    let mut object = Object::new()
        .set("role", "assistant")
        .set("content", &all.text)
        .set("refusal", &all.refusal)
        .set_some("reasoning_content", (!thought.is_empty()).then_some(&thought))
        .set_some("reasoning_details", all.is_signed.then_some(&all.details));
    if offer.is_legacy {
        object = object.set_some(
            "function_call",
            all.calls.iter().find_map(|part| function_call(part)),
        );
    } else if !all.calls.is_empty() {
        let calls: Vec<Json> = all
            .calls
            .iter()
            .filter_map(|part| shown_call(part, &offer.custom))
            .collect();
        object.put("tool_calls", &calls);
    }
    if !all.annotations.is_empty() {
        object.put("annotations", &all.annotations);
    }
    if !all.images.is_empty() {
        object.put("images", &array(&all.images));
    }
    let rest = choice.extension.get(HERE, "message").and_then(Json::read);
    let rest: serde_json::Map<String, serde_json::Value> = rest.unwrap_or_default();
    let mut names: Vec<&str> = Vec::new();
    for (name, value) in all.beside {
        if !names.contains(&name) {
            names.push(name);
            object.put(name, value);
        }
    }
    for (name, value) in rest.iter().filter(|(name, _)| !names.contains(&name.as_str())) {
        object.put(name, value);
    }
    object.finish()
}

/// An item of `tool_calls` in the form in which the client offers the tool.
fn shown_call(part: &Part, custom: &HashSet<String>) -> Option<Json> {
    let PartKind::ToolCall(call) = &part.kind else {
        return None;
    };
    match custom::unwrapped(call, custom) {
        Some(call) => tool_call(&Part::new(PartKind::ToolCall(call), part.extension.clone())),
        None => tool_call(part),
    }
}

/// An item of `tool_calls`.
pub(super) fn tool_call(part: &Part) -> Option<Json> {
    let PartKind::ToolCall(call) = &part.kind else {
        return None;
    };
    let (kind, called) = if call.is_custom {
        (
            "custom",
            Object::new()
                .set("name", &call.name)
                .set("input", &call.arguments),
        )
    } else {
        ("function", function(call))
    };
    let mut object = Object::new()
        .set("id", &call.id)
        .set("type", kind)
        .set(kind, &called.finish());
    if let Some(signature) = &call.signature {
        object.put(
            "extra_content",
            &extra_content(&signature.pack(SignatureOrigin::Gemini)),
        );
    }
    Some(object.extend(&part.extension, HERE).finish())
}

/// `extra_content`, in which Gemini's OpenAI endpoint puts the signature of the thought behind a call.
pub(super) fn extra_content(signature: &str) -> Json {
    let google = Object::new().set("thought_signature", signature).finish();
    Object::new().set("google", &google).finish()
}

fn function_call(part: &Part) -> Option<Json> {
    match &part.kind {
        PartKind::ToolCall(call) => Some(function(call).finish()),
        _ => None,
    }
}

fn function(call: &ToolCall) -> Object {
    let arguments = if call.arguments.is_empty() {
        "{}"
    } else {
        &call.arguments
    };
    Object::new().set("name", &call.name).set("arguments", arguments)
}

/// An item of `images`, in which OpenRouter and others hand out what a model drew.
pub(super) fn image(media: &Media, index: usize) -> Option<Json> {
    let url = media.url().filter(|_| media.kind == MediaKind::Image)?;
    let inner = Object::new().set("url", &url).finish();
    let object = Object::new().set("type", "image_url").set("image_url", &inner);
    Some(object.set("index", &index).finish())
}

/// The image in a part that only Gemini has, as a streamed one comes.
pub(super) fn foreign_image(extension: &Extension) -> Option<Media> {
    let json = extension.get(Protocol::GeminiGenerate, "inlineData")?;
    let data: InlineData = json.read()?;
    let url = format!("data:{};base64,{}", data.mime_type, data.data);
    data.mime_type
        .starts_with("image/")
        .then(|| Media::from_url(MediaKind::Image, &url))
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct InlineData {
    mime_type: String,
    data: String,
}
