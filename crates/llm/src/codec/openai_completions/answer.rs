//! Whole answers, read and written.

use super::super::openai_chat::{UsageOut, finish_reason, stop_reason, tally};
use super::{logprobs, prompt};
use crate::chat::{ChatAnswer, Choice, Extension, Fields, Json, Object, Part, PartKind, StopReason};
use crate::codec::ReplyFacts;
use crate::convert::AnswerError;
use crate::error::error_in;
use crate::protocol::Protocol;

const HERE: Protocol = Protocol::OpenAiCompletions;

/// Reads an answer. Usage and probabilities stay among the extensions as they are, beside the canonical ones.
pub(super) fn decode(body: &[u8]) -> Result<ChatAnswer, AnswerError> {
    if error_in(body).is_some() {
        return Err(AnswerError::Unreadable("the provider says that it failed"));
    }
    let fields = Fields::from_slice(body);
    let mut fields = fields.map_err(|_| AnswerError::Unreadable("it is no JSON object"))?;
    fields.raw("object");
    let id: Option<String> = fields.take("id").unwrap_or_default();
    let model = fields.take("model").unwrap_or_default();
    let created = fields.take("created").unwrap_or_default();
    let usage = fields.peek("usage").and_then(tally).map(|tally| tally.usage());
    let mut choices = Vec::new();
    for raw in fields
        .items("choices")
        .ok()
        .flatten()
        .ok_or(AnswerError::NoChoices)?
    {
        let choice = Fields::read(raw).map_err(|_| AnswerError::Unreadable("a choice is no object"))?;
        choices.push(decode_choice(choice, choices.len() as u64));
    }
    choices.sort_by_key(|(index, _)| *index);
    Ok(ChatAnswer {
        id: id.filter(|id| !id.is_empty()),
        model,
        created,
        choices: choices.into_iter().map(|(_, choice)| choice).collect(),
        usage,
        service_tier: None,
        extension: fields.into_extension(HERE),
    })
}

fn decode_choice(mut fields: Fields<'_>, position: u64) -> (u64, Choice) {
    let index = fields.take("index").unwrap_or_default().unwrap_or(position);
    let text: Option<String> = fields.take("text").unwrap_or_default();
    let reason: Option<String> = fields.take("finish_reason").unwrap_or_default();
    let logprobs = fields.peek("logprobs").and_then(logprobs::to_chat);
    let text = Part::new(PartKind::Text(text.unwrap_or_default()), Extension::of(HERE));
    let choice = Choice {
        parts: vec![text],
        stop: reason
            .as_deref()
            .and_then(stop_reason)
            .unwrap_or(StopReason::Stop),
        stop_sequence: None,
        logprobs,
        extension: fields.into_extension(HERE),
    };
    (index, choice)
}

/// Writes an answer: its text, and nothing else of it.
pub(super) fn encode(answer: &ChatAnswer, facts: &ReplyFacts) -> Json {
    let is_own = answer.extension.protocol() == HERE;
    let echo = if is_own { None } else { prompt::echoed(&facts.body) };
    let echo = echo.unwrap_or_default();
    let choices: Vec<Json> = (0u32..)
        .zip(&answer.choices)
        .map(|(index, choice)| encode_choice(index, choice, &echo))
        .collect();
    let mut object = Object::new()
        .set(
            "id",
            &answer.id.clone().unwrap_or_else(|| format!("cmpl-{}", facts.id)),
        )
        .set("object", "text_completion")
        .set("created", &answer.created.unwrap_or(facts.created))
        .set("model", answer.model.as_deref().unwrap_or(&facts.model))
        .set("choices", &choices);
    if answer.extension.get(HERE, "usage").is_none() {
        object = object.set_some("usage", answer.usage.as_ref().map(UsageOut::from));
    }
    object.extend(&answer.extension, HERE).finish()
}

fn encode_choice(index: u32, choice: &Choice, echo: &str) -> Json {
    let mut text = echo.to_owned();
    for part in &choice.parts {
        if let PartKind::Text(more) | PartKind::Refusal(more) = &part.kind {
            text.push_str(more);
        }
    }
    let mut object = Object::new().set("text", &text).set("index", &index);
    if choice.extension.get(HERE, "logprobs").is_none() {
        let mut offset = echo.chars().count();
        let lists = choice.logprobs.as_ref();
        object.put(
            "logprobs",
            &lists.and_then(|lists| logprobs::from_chat(lists, &mut offset)),
        );
    }
    object = object.set("finish_reason", reason(choice.stop));
    object.extend(&choice.extension, HERE).finish()
}

/// The `finish_reason`, of which there are fewer than in chat.
pub(super) fn reason(stop: StopReason) -> &'static str {
    match stop {
        StopReason::ToolCalls => "stop",
        other => finish_reason(other, false),
    }
}
