//! Whole answers for clients, written.

use super::PROTOCOL;
use super::envelope::{Envelope, State, ended, failure, incomplete, tool_table, usage};
use super::marks;
use super::outputs::outputs;
use crate::chat::{ChatAnswer, Choice, Fields, Json, PartKind, StopReason};
use crate::codec::ReplyFacts;
use crate::error::{ErrorKind, PublicError};

/// Writes an answer. The protocol has one alternative: the first.
pub(super) fn write(answer: &ChatAnswer, facts: &ReplyFacts) -> Json {
    let request = Fields::from_slice(&facts.body).unwrap_or_default();
    let tools = tool_table(&request);
    let mut envelope = Envelope::new(facts, request);
    envelope.answered(answer.id.as_deref(), answer.model.as_deref(), &answer.extension);
    if let Some(created) = answer.created {
        envelope.created = created;
    }
    if let Some(tier) = &answer.service_tier {
        envelope.set("service_tier", Json::of(tier));
    }
    let choice = answer.choices.first();
    // A prompt that was blocked has no answer.
    let stop = choice.map_or(StopReason::ContentFilter, |choice| choice.stop);
    let (usual, reason) = ended(stop, choice.is_some_and(has_refused));
    let kept = |mark| answer.extension.kept(PROTOCOL, mark);
    let status = kept(marks::STATUS).and_then(|status| status.read::<String>());
    let told_error = answer.extension.get(PROTOCOL, "error").cloned();
    let error = told_error.or_else(|| {
        (stop == StopReason::Failed).then(|| {
            failure(&PublicError::new(
                ErrorKind::Upstream,
                "the provider failed within its answer",
            ))
        })
    });
    let output = choice.map(|choice| outputs(choice, &facts.id, &tools));
    envelope.json(&State {
        status: status.as_deref().unwrap_or(usual),
        error,
        incomplete: reason.map(incomplete),
        output: &output.unwrap_or_default(),
        usage: kept(marks::USAGE)
            .cloned()
            .or_else(|| answer.usage.as_ref().map(usage)),
    })
}

fn has_refused(choice: &Choice) -> bool {
    choice
        .parts
        .iter()
        .any(|part| matches!(part.kind, PartKind::Refusal(_)))
}
