//! A provider's whole answer.

use serde_json::value::RawValue;

use super::details::thoughts;
use super::message_in::{call_part, content_parts};
use super::wire::{stop_reason, tally};
use crate::chat::{
    ChatAnswer, Choice, Extension, Fields, Json, Media, MediaKind, Part, PartKind, StopReason, items,
};
use crate::convert::AnswerError;
use crate::error::error_in;
use crate::protocol::Protocol;

const HERE: Protocol = Protocol::OpenAiChat;

/// Reads an answer. Its usage stays among the extensions as it is, beside the canonical one.
pub(super) fn decode(body: &[u8]) -> Result<ChatAnswer, AnswerError> {
    let unreadable = |_| AnswerError::Unreadable("it is no JSON object");
    if error_in(body).is_some() {
        return Err(AnswerError::Unreadable("the provider says that it failed"));
    }
    let mut fields = Fields::from_slice(body).map_err(unreadable)?;
    fields.raw("object");
    let text = |value: Option<String>| value.filter(|text| !text.is_empty());
    let id = text(fields.take("id").unwrap_or_default());
    let model = text(fields.take("model").unwrap_or_default());
    let created = fields.take::<f64>("created").unwrap_or_default();
    let service_tier = fields.take("service_tier").unwrap_or_default();
    let usage = fields.peek("usage").and_then(tally).or_else(|| {
        let mut groq = Fields::read(fields.peek("x_groq")?).ok()?;
        groq.raw("usage").and_then(tally)
    });
    let mut choices = Vec::new();
    for raw in fields
        .items("choices")
        .ok()
        .flatten()
        .ok_or(AnswerError::NoChoices)?
    {
        let choice = Fields::read(raw).map_err(|_| AnswerError::Unreadable("a choice is no object"))?;
        choices.push(decode_choice(choice, id.as_deref(), choices.len())?);
    }
    choices.sort_by_key(|(index, _)| *index);
    Ok(ChatAnswer {
        id,
        model,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates"
        )]
        created: created.map(|seconds| seconds as u64),
        choices: choices.into_iter().map(|(_, choice)| choice).collect(),
        usage: usage.map(|tally| tally.usage()),
        service_tier,
        extension: fields.into_extension(HERE),
    })
}

fn decode_choice(
    mut fields: Fields<'_>,
    answer_id: Option<&str>,
    position: usize,
) -> Result<(u64, Choice), AnswerError> {
    let index = fields
        .take("index")
        .unwrap_or_default()
        .unwrap_or(position as u64);
    let number = u32::try_from(index).unwrap_or_default();
    let reason = fields.take::<String>("finish_reason").unwrap_or_default();
    let logprobs = fields.json("logprobs");
    let message = fields
        .object("message")
        .map_err(|_| AnswerError::Unreadable("a message is no object"))?;
    let mut rest = Extension::of(HERE);
    let parts = match message {
        Some(message) => message_parts(message, answer_id, number, &mut rest),
        None => Vec::new(),
    };
    let sequence = ["stop_reason", "matched_stop"]
        .into_iter()
        .filter_map(|name| serde_json::from_str::<String>(fields.peek(name)?.get()).ok())
        .next();
    let mut extension = fields.into_extension(HERE);
    if !rest.is_empty() {
        let members = rest.members(HERE).iter();
        let message = members.fold(crate::chat::Object::new(), |object, (name, value)| {
            object.set(name, value)
        });
        extension.push("message", message.finish());
    }
    let calls_tools = parts
        .iter()
        .any(|part| matches!(part.kind, PartKind::ToolCall(_)));
    let reason = reason
        .as_deref()
        .and_then(stop_reason)
        .unwrap_or(StopReason::Stop);
    let (stop, stop_sequence) = match (reason, sequence) {
        (StopReason::Stop, Some(sequence)) if !calls_tools => (StopReason::StopSequence, Some(sequence)),
        (reason, _) => (reason.with_tools(calls_tools), None),
    };
    let choice = Choice {
        parts,
        stop,
        stop_sequence,
        logprobs,
        extension,
    };
    Ok((index, choice))
}

/// What a message says; what of it has no place goes to `rest`.
fn message_parts(
    mut message: Fields<'_>,
    answer_id: Option<&str>,
    choice: u32,
    rest: &mut Extension,
) -> Vec<Part> {
    message.raw("role");
    let details = message.items("reasoning_details").ok().flatten();
    let text = ["reasoning_content", "reasoning"].map(|name| message.raw(name));
    let text = text.into_iter().flatten().find(super::wire::is_text);
    let mut parts = thoughts(text, details.as_deref());
    parts.extend(message.raw("content").map(content_parts).unwrap_or_default());
    if let Some(annotations) = message.json("annotations").filter(|list| list.text().len() > 2) {
        annotate(&mut parts, annotations);
    }
    if let Ok(Some(refusal)) = message.take::<String>("refusal") {
        parts.push(Part::new(PartKind::Refusal(refusal), Extension::of(HERE)));
    }
    parts.extend(message.json("audio").map(|audio| whole("audio", audio)));
    parts.extend(
        message
            .raw("images")
            .and_then(items)
            .unwrap_or_default()
            .into_iter()
            .filter_map(image),
    );
    let mut calls = message.raw("tool_calls").and_then(items).unwrap_or_default();
    let call = message.raw("function_call").filter(|_| calls.is_empty());
    for (position, raw) in calls.drain(..).enumerate() {
        let made = super::wire::call_id(answer_id, choice, position);
        parts.extend(call_part(raw, made).ok());
    }
    if let Some(function) = call {
        let raw = crate::chat::Object::new().set("function", function).finish();
        let made = super::wire::call_id(answer_id, choice, 0);
        parts.extend(raw.read::<&RawValue>().and_then(|raw| call_part(raw, made).ok()));
    }
    for (name, value) in message.into_extension(HERE).members(HERE) {
        if !value.is_null() {
            rest.push(name.clone(), value.clone());
        }
    }
    parts
}

/// Puts annotations with the text that they are about.
fn annotate(parts: &mut Vec<Part>, annotations: Json) {
    let is_text = |part: &Part| matches!(part.kind, PartKind::Text(_));
    if !parts.iter().any(is_text) {
        parts.push(Part::new(PartKind::Text(String::new()), Extension::of(HERE)));
    }
    if let Some(text) = parts.iter_mut().rfind(|part| is_text(part)) {
        text.extension.push("annotations", annotations);
    }
}

fn whole(name: &str, value: Json) -> Part {
    let mut extension = Extension::of(HERE);
    extension.push(name, value);
    Part::new(PartKind::Foreign, extension)
}

/// An image that the model made. The part can also be handed on as it is, as an item of `images`.
fn image(raw: &RawValue) -> Option<Part> {
    let mut fields = Fields::read(raw).ok()?;
    let url: String = fields.object("image_url").ok()??.take("url").ok()??;
    let media = Media::from_url(MediaKind::Image, &url);
    Some(Part::new(PartKind::Media(media), Extension::of(HERE)))
}
