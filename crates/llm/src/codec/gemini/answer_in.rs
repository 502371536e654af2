//! A provider's whole answer.

use serde_json::value::RawValue;

use super::super::common::{derived_id, with_nested};
use super::parts_in::{self, Ids};
use super::{PROTOCOL, finish, logprobs};
use crate::chat::{ChatAnswer, Choice, Extension, Fields, Json, Part, PartKind, StopReason, Unsayable};
use crate::convert::AnswerError;
use crate::usage::{GeminiUsage, Usage};

/// Ids for the calls of one answer.
pub(super) struct AnswerIds<'a> {
    /// `responseId`; may be empty.
    pub(super) answer: &'a str,
    /// Calls so far.
    pub(super) calls: usize,
}

impl Ids for AnswerIds<'_> {
    fn call(&mut self, id: Option<String>, name: &str, arguments: &str) -> String {
        self.calls += 1;
        id.filter(|id| !id.is_empty())
            .unwrap_or_else(|| derived_id(self.answer, self.calls, name, arguments))
    }

    fn answer(&mut self, id: Option<&str>, _: Option<&str>) -> String {
        id.unwrap_or_default().to_owned()
    }
}

/// Reads an answer.
pub(super) fn decode(body: &[u8]) -> Result<ChatAnswer, AnswerError> {
    read(body)
        .map_err(|_| AnswerError::Unreadable("it is no Gemini answer"))?
        .ok_or(AnswerError::NoChoices)
}

fn read(body: &[u8]) -> Result<Option<ChatAnswer>, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    let id = fields.take::<String>("responseId")?;
    let model = fields.take::<String>("modelVersion")?;
    let mut nested = Extension::of(PROTOCOL);
    let usage = match fields.raw("usageMetadata") {
        Some(raw) => usage(raw, &mut nested)?,
        None => None,
    };
    let mut ids = AnswerIds {
        answer: id.as_deref().unwrap_or_default(),
        calls: 0,
    };
    let mut choices = Vec::new();
    for (position, raw) in (0..).zip(fields.items("candidates")?.unwrap_or_default()) {
        choices.push(choice(raw, position, &mut ids)?);
    }
    choices.sort_by_key(|(index, _)| *index);
    let mut choices: Vec<Choice> = choices.into_iter().map(|(_, choice)| choice).collect();
    if choices.is_empty() {
        if !is_blocked(fields.peek("promptFeedback")) {
            return Ok(None);
        }
        choices.push(blocked());
    }
    let extension = with_nested(fields, nested);
    Ok(Some(ChatAnswer {
        id,
        model,
        created: None,
        choices,
        usage,
        service_tier: None,
        extension,
    }))
}

/// Whether feedback says that the prompt was blocked.
pub(super) fn is_blocked(feedback: Option<&RawValue>) -> bool {
    feedback
        .and_then(|feedback| Fields::read(feedback).ok())
        .is_some_and(|feedback| feedback.peek("blockReason").is_some())
}

/// The one choice of an answer to a blocked prompt.
fn blocked() -> Choice {
    Choice {
        parts: Vec::new(),
        stop: StopReason::ContentFilter,
        stop_sequence: None,
        logprobs: None,
        extension: Extension::of(PROTOCOL),
    }
}

fn choice(raw: &RawValue, position: u64, ids: &mut AnswerIds<'_>) -> Result<(u64, Choice), Unsayable> {
    let mut fields = Fields::read(raw)?;
    let index = fields.take::<u64>("index")?.unwrap_or(position);
    let mut parts = Vec::new();
    if let Some(mut content) = fields.object("content")? {
        for part in content.items("parts")?.unwrap_or_default() {
            self::part(part, ids, &mut parts)?;
        }
    }
    let told = fields.take::<String>("finishReason")?;
    let reason = told.as_deref().map_or(StopReason::Stop, finish::read);
    let logprobs = fields
        .peek("logprobsResult")
        .and_then(|result| logprobs::to_openai(&result.into()));
    let mut choice = Choice {
        parts,
        stop: reason,
        stop_sequence: None,
        logprobs,
        extension: fields.into_extension(PROTOCOL),
    };
    choice.stop = reason.with_tools(choice.calls_tools());
    if let Some(told) = told.filter(|told| finish::write(choice.stop) != told) {
        choice.extension.push("finishReason", Json::of(&told));
    }
    Ok((index, choice))
}

/// Reads a part of an answer. What the model shows stays a part of Gemini's own.
pub(super) fn part(raw: &RawValue, ids: &mut impl Ids, parts: &mut Vec<Part>) -> Result<(), Unsayable> {
    let fields = Fields::read(raw)?;
    let is_shown = ["inlineData", "fileData", "functionResponse"]
        .iter()
        .any(|name| fields.peek(name).is_some());
    if is_shown {
        parts.push(Part::new(PartKind::Foreign, fields.into_extension(PROTOCOL)));
        return Ok(());
    }
    parts_in::read(raw, ids, parts)
}

/// Reads usage; what it says beyond the counts that the canonical form has keeps its place as `usageMetadata.x`.
fn usage(raw: &RawValue, extension: &mut Extension) -> Result<Option<Usage>, Unsayable> {
    const COUNTS: [&str; 5] = [
        "promptTokenCount",
        "cachedContentTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "totalTokenCount",
    ];
    let mut fields = Fields::read(raw)?;
    for name in COUNTS {
        fields.raw(name);
    }
    for (name, value) in fields.into_extension(PROTOCOL).members(PROTOCOL) {
        extension.push(format!("usageMetadata.{name}"), value.clone());
    }
    let usage = serde_json::from_str::<GeminiUsage<'_>>(raw.get()).ok();
    Ok(usage.map(|usage| usage.tally().usage()))
}
