//! A whole answer for a client.

use super::answer_in::{stop_word, tokens};
use super::{Form, PROTOCOL, clock, tools};
use crate::chat::{ChatAnswer, Choice, Json, Object, Part, PartKind};
use crate::codec::ReplyFacts;
use crate::usage::Usage;

/// Writes an answer: the first alternative, there is no place for others. The durations that Ollama tells are there if
/// Ollama answered.
pub(super) fn encode(form: Form, answer: &ChatAnswer, facts: &ReplyFacts) -> Json {
    let choice = answer.choices.first();
    let parts = choice.map(|choice| choice.parts.as_slice()).unwrap_or_default();
    let mut body = Object::new().set("model", answer.model.as_ref().unwrap_or(&facts.model));
    if answer.extension.get(PROTOCOL, "created_at").is_none() {
        body.put(
            "created_at",
            &clock::write(answer.created.unwrap_or(facts.created)),
        );
    }
    match form {
        Form::Chat => body.put("message", &message(parts, choice)),
        Form::Generate => {
            body.put("response", &text(parts));
            let thinking = thinking(parts);
            if !thinking.is_empty() {
                body.put("thinking", &thinking);
            }
        }
    }
    body.put("done", &true);
    if let Some(choice) = choice {
        match choice.extension.get(PROTOCOL, "done_reason") {
            Some(told) => body.put("done_reason", told),
            None => body.put("done_reason", stop_word(choice.stop)),
        }
        body = body.set_some("logprobs", choice.logprobs.as_ref().and_then(tokens));
    }
    body = body.extend(&answer.extension, PROTOCOL);
    if let Some(usage) = &answer.usage {
        put_usage(&mut body, usage);
    }
    body.finish()
}

fn message(parts: &[Part], choice: Option<&Choice>) -> Json {
    let mut message = Object::new()
        .set("role", "assistant")
        .set("content", &text(parts));
    let thinking = thinking(parts);
    if !thinking.is_empty() {
        message.put("thinking", &thinking);
    }
    let calls: Vec<Json> = parts
        .iter()
        .filter_map(|part| match &part.kind {
            PartKind::ToolCall(call) => Some(tools::encode_call(call, &part.extension)),
            _ => None,
        })
        .collect();
    if !calls.is_empty() {
        message.put("tool_calls", &calls);
    }
    for (name, value) in choice
        .map(|choice| choice.extension.members(PROTOCOL))
        .unwrap_or_default()
    {
        if name != "done_reason" {
            message.put(name, value);
        }
    }
    message.finish()
}

fn text(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn thinking(parts: &[Part]) -> String {
    let thoughts = parts.iter().filter_map(|part| match &part.kind {
        PartKind::Reasoning(reasoning) => Some(reasoning.text.as_str()),
        _ => None,
    });
    thoughts.collect()
}

/// Writes the counts.
pub(super) fn put_usage(body: &mut Object, usage: &Usage) {
    if usage.total_input() > 0 {
        body.put("prompt_eval_count", &usage.total_input());
    }
    body.put("eval_count", &usage.total_output());
}
