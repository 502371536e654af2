//! A provider's whole answer, in either form.

use serde::Deserialize;

use super::super::common::derived_id;
use super::{PROTOCOL, clock, tools};
use crate::chat::{
    ChatAnswer, Choice, Extension, Fields, Json, Object, Part, PartKind, Reasoning, StopReason, Unsayable,
};
use crate::convert::AnswerError;
use crate::usage::{OllamaUsage, Usage};

/// Reads an answer.
pub(super) fn decode(body: &[u8]) -> Result<ChatAnswer, AnswerError> {
    read(body)
        .ok()
        .flatten()
        .ok_or(AnswerError::Unreadable("it is no Ollama answer"))
}

fn read(body: &[u8]) -> Result<Option<ChatAnswer>, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    let message = fields.object("message")?;
    let response = fields.take::<String>("response")?;
    if message.is_none() && response.is_none() {
        return Ok(None);
    }
    let model = fields.take::<String>("model")?;
    let created_at = fields
        .peek("created_at")
        .and_then(|at| serde_json::from_str::<String>(at.get()).ok());
    let created_at = created_at.unwrap_or_default();
    let mut parts = Vec::new();
    let mut kept = Extension::of(PROTOCOL);
    match message {
        Some(message) => self::message(message, &created_at, &mut parts, &mut kept)?,
        None => say(fields.take("thinking")?, response, &mut parts),
    }
    fields.raw("done");
    let told = fields.take::<String>("done_reason")?;
    let logprobs = fields.json("logprobs").and_then(|tokens| logprobs(&tokens));
    let usage = usage(&mut fields, body);
    let mut choice = Choice {
        parts,
        stop: StopReason::Stop,
        stop_sequence: None,
        logprobs,
        extension: kept,
    };
    choice.stop = stop(told.as_deref()).with_tools(choice.calls_tools());
    if let Some(told) = told.filter(|told| stop_word(choice.stop) != told) {
        choice.extension.push("done_reason", Json::of(&told));
    }
    Ok(Some(ChatAnswer {
        id: None,
        model,
        created: clock::read(&created_at),
        choices: vec![choice],
        usage,
        service_tier: None,
        extension: fields.into_extension(PROTOCOL),
    }))
}

fn message(
    mut message: Fields<'_>,
    created_at: &str,
    parts: &mut Vec<Part>,
    kept: &mut Extension,
) -> Result<(), Unsayable> {
    message.raw("role");
    say(message.take("thinking")?, message.take("content")?, parts);
    for (position, call) in message
        .items("tool_calls")?
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        parts.push(tools::decode_call(call, |id, name, arguments| {
            id.unwrap_or_else(|| derived_id(created_at, position, name, arguments))
        })?);
    }
    for (name, value) in message.into_extension(PROTOCOL).members(PROTOCOL) {
        kept.push(name.as_str(), value.clone());
    }
    Ok(())
}

fn say(thinking: Option<String>, text: Option<String>, parts: &mut Vec<Part>) {
    let nothing = || Extension::of(PROTOCOL);
    if let Some(text) = thinking.filter(|text| !text.is_empty()) {
        let reasoning = Reasoning {
            text,
            ..Reasoning::default()
        };
        parts.push(Part::new(PartKind::Reasoning(reasoning), nothing()));
    }
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        parts.push(Part::new(PartKind::Text(text), nothing()));
    }
}

/// Takes the counts out, if there are any.
fn usage(fields: &mut Fields<'_>, body: &[u8]) -> Option<Usage> {
    let prompt = fields.raw("prompt_eval_count");
    fields.raw("eval_count").or(prompt)?;
    read_usage(body)
}

/// The counts of an answer or of the last line of a stream; `None` if there are none.
pub(super) fn read_usage(body: &[u8]) -> Option<Usage> {
    let usage = serde_json::from_slice::<OllamaUsage>(body).ok()?.tally().usage();
    (usage.total() > 0).then_some(usage)
}

/// The reason of a `done_reason`.
pub(super) fn stop(reason: Option<&str>) -> StopReason {
    match reason {
        Some("length") => StopReason::Length,
        _ => StopReason::Stop,
    }
}

/// The `done_reason` of a reason.
pub(super) fn stop_word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Length | StopReason::ContextWindow => "length",
        _ => "stop",
    }
}

/// OpenAI's form of a list of tokens, whose items are the same.
pub(super) fn logprobs(tokens: &Json) -> Option<Json> {
    let is_something = tokens.is_array() && tokens.text() != "[]";
    is_something.then(|| Object::new().set("content", tokens).finish())
}

/// The list of tokens of OpenAI's form.
pub(super) fn tokens(logprobs: &Json) -> Option<Json> {
    #[derive(Deserialize)]
    struct OpenAi {
        content: Option<Json>,
    }

    logprobs.read::<OpenAi>()?.content.filter(Json::is_array)
}
