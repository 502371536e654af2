//! A whole answer for a client.

use super::super::common::path;
use super::request_out::nothing;
use super::{PROTOCOL, finish, logprobs, parts_out, signature};
use crate::chat::{
    ChatAnswer, Choice, Extension, Json, Object, Part, PartKind, Reasoning, SignatureOrigin, StopReason,
    ToolCall,
};
use crate::codec::ReplyFacts;
use crate::usage::Usage;

/// Writes an answer.
pub(super) fn encode(answer: &ChatAnswer, facts: &ReplyFacts) -> Json {
    let mut body = Object::new();
    if !is_blocked(answer) {
        let candidates: Vec<Json> = (0..)
            .zip(&answer.choices)
            .map(|(index, choice)| candidate(index, choice))
            .collect();
        body.put("candidates", &candidates);
    }
    if let Some(usage) = &answer.usage {
        body.put("usageMetadata", &usage_metadata(usage, &answer.extension));
    }
    body.put("modelVersion", answer.model.as_ref().unwrap_or(&facts.model));
    body.put("responseId", answer.id.as_ref().unwrap_or(&facts.id));
    for (name, value) in answer.extension.members(PROTOCOL) {
        if !name.starts_with(USAGE) {
            body.put(name, value);
        }
    }
    body.finish()
}

/// What members of usage are kept under.
const USAGE: &str = "usageMetadata.";

/// Whether Gemini blocked the prompt, so that there are no candidates.
fn is_blocked(answer: &ChatAnswer) -> bool {
    let says_nothing = |choice: &Choice| choice.parts.is_empty() && choice.stop == StopReason::ContentFilter;
    answer.extension.get(PROTOCOL, "promptFeedback").is_some() && answer.choices.iter().all(says_nothing)
}

fn candidate(index: u32, choice: &Choice) -> Json {
    let mut parts = Vec::new();
    let mut rest = choice.parts.iter().peekable();
    while let Some(part) = rest.next() {
        let signed = rest.peek().and_then(|next| match (&part.kind, &next.kind) {
            (PartKind::Text(_), PartKind::Reasoning(reasoning)) => signature_of_text(reasoning),
            _ => None,
        });
        if let (PartKind::Text(text), Some(signature)) = (&part.kind, signed) {
            parts.push(parts_out::text_part(
                text,
                false,
                Some(signature),
                &part.extension,
            ));
            rest.next();
        } else {
            parts.extend(said(part));
        }
    }
    let mut written = Object::new();
    let content = Object::new().set("parts", &parts).set("role", "model");
    written.put("content", &content.finish());
    if choice.extension.get(PROTOCOL, "finishReason").is_none() {
        written.put("finishReason", finish::write(choice.stop));
    }
    written.put("index", &index);
    if choice.extension.get(PROTOCOL, "logprobsResult").is_none() {
        let result = choice.logprobs.as_ref().and_then(logprobs::from_openai);
        written = written.set_some("logprobsResult", result);
    }
    written.extend(&choice.extension, PROTOCOL).finish()
}

/// The signature of the text before a thought without text.
fn signature_of_text(reasoning: &Reasoning) -> Option<&crate::chat::Signature> {
    let signature = reasoning.signature.as_ref()?;
    (reasoning.text.is_empty() && signature.origin == SignatureOrigin::Gemini).then_some(signature)
}

/// A part of an answer.
pub(super) fn said(part: &Part) -> Option<Json> {
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => {
            Some(parts_out::text_part(text, false, None, &part.extension))
        }
        PartKind::Reasoning(reasoning) => thought(reasoning, &part.extension),
        PartKind::ToolCall(call) => Some(function_call(call, &part.extension)),
        PartKind::Foreign if part.extension.protocol() == PROTOCOL => {
            Some(Object::new().extend(&part.extension, PROTOCOL).finish())
        }
        PartKind::Foreign | PartKind::Media(_) | PartKind::ToolResult(_) => None,
    }
}

fn thought(reasoning: &Reasoning, extension: &Extension) -> Option<Json> {
    let signature = reasoning.signature.as_ref();
    if reasoning.text.is_empty() && signature.is_none() {
        return None;
    }
    let is_hidden = signature.is_some_and(|signature| signature.origin == SignatureOrigin::Gemini)
        && reasoning.text.is_empty();
    let written = Object::new()
        .set("text", &reasoning.text)
        .set_some("thought", (!is_hidden).then_some(true))
        .set_some(
            "thoughtSignature",
            signature.map(|signature| signature::write(signature, reasoning.is_redacted)),
        );
    Some(written.extend(extension, PROTOCOL).finish())
}

/// A call, whole; Gemini's servers write `args` even where there are none.
pub(super) fn function_call(call: &ToolCall, extension: &Extension) -> Json {
    let signature = call.signature.as_ref().map(|it| signature::write(it, false));
    let call = ToolCall {
        arguments: call.object().text().to_owned(),
        is_custom: false,
        ..call.clone()
    };
    parts_out::function_call(&call, signature.as_deref(), extension)
}

/// Usage in Gemini's counts: the candidates' exclude the thoughts.
pub(super) fn usage_metadata(usage: &Usage, extension: &Extension) -> Json {
    let kept = |name: &str| extension.get(PROTOCOL, &format!("{USAGE}{name}"));
    let tools: u64 = kept("toolUsePromptTokenCount").and_then(Json::read).unwrap_or(0);
    let prompt = usage.total_input().saturating_sub(tools);
    let positive = |count: u64| (count > 0).then_some(count);
    let mut written = Object::new()
        .set("promptTokenCount", &prompt)
        .set_some("cachedContentTokenCount", positive(usage.cache_read))
        .set(
            "candidatesTokenCount",
            &usage.total_output().saturating_sub(usage.reasoning),
        )
        .set_some("thoughtsTokenCount", positive(usage.reasoning))
        .set("totalTokenCount", &usage.total());
    for (name, value) in path(extension, PROTOCOL, USAGE) {
        written.put(name, value);
    }
    written.finish()
}

/// A thought's signature by itself, as a stream brings it.
pub(super) fn signature_part(signature: &crate::chat::Signature, is_redacted: bool) -> Option<Json> {
    let reasoning = Reasoning {
        signature: Some(signature.clone()),
        is_redacted,
        ..Reasoning::default()
    };
    thought(&reasoning, &nothing())
}
