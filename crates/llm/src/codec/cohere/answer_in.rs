//! A provider's whole answer.

use super::super::common::with_nested;
use super::{PROTOCOL, finish, logprobs, messages_in};
use crate::chat::{ChatAnswer, Choice, Extension, Fields, Json, StopReason, Unsayable};
use crate::convert::AnswerError;
use crate::usage::{CohereUsage, Usage};

/// Reads an answer.
pub(super) fn decode(body: &[u8]) -> Result<ChatAnswer, AnswerError> {
    read(body).map_err(|_| AnswerError::Unreadable("it is no Cohere answer"))
}

fn read(body: &[u8]) -> Result<ChatAnswer, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    let id = fields.take::<String>("id")?;
    let mut message = fields
        .object("message")?
        .ok_or_else(|| Unsayable::new("`message` is missing"))?;
    let parts = messages_in::said(&mut message, id.as_deref().unwrap_or_default())?;
    let mut kept = Extension::of(PROTOCOL);
    let usage = fields
        .object("usage")?
        .map(|usage| self::usage(usage, body, &mut kept));
    let told = fields.take::<String>("finish_reason")?;
    let mut choice = Choice {
        parts,
        stop: told.as_deref().map_or(StopReason::Stop, finish::read),
        stop_sequence: None,
        logprobs: fields
            .peek("logprobs")
            .and_then(|pieces| logprobs::to_openai(&pieces.into())),
        extension: message.into_extension(PROTOCOL),
    };
    choice.stop = choice.stop.with_tools(choice.calls_tools());
    let mut extension = with_nested(fields, kept);
    if let Some(told) = told.filter(|told| finish::write(choice.stop) != told) {
        extension.push("finish_reason", Json::of(&told));
    }
    Ok(ChatAnswer {
        id,
        model: None,
        created: None,
        choices: vec![choice],
        usage,
        service_tier: None,
        extension,
    })
}

/// The counts; what else there is keeps its place as `usage.x`.
fn usage(mut usage: Fields<'_>, body: &[u8], extension: &mut Extension) -> Usage {
    #[derive(serde::Deserialize)]
    struct Body {
        usage: CohereUsage,
    }

    usage.raw("tokens");
    usage.raw("cached_tokens");
    for (name, value) in usage.into_extension(PROTOCOL).members(PROTOCOL) {
        extension.push(format!("usage.{name}"), value.clone());
    }
    serde_json::from_slice::<Body>(body).map_or_else(|_| Usage::default(), |body| body.usage.tally().usage())
}
