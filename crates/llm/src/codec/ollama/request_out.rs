//! A request for a provider.

use super::super::common::{note_left_out, result_text};
use super::{Form, PROTOCOL, format, options, tools};
use crate::chat::{
    ChatRequest, Drops, Json, Media, MediaKind, Object, Part, PartKind, Role, Source, ToolResult, Turn,
    Unsayable,
};

/// Members that only `/api/generate` knows.
const GENERATE_ONLY: [&str; 4] = ["suffix", "template", "context", "raw"];

/// Writes a request. Whether to stream is always said, since the server's default differs from everybody else's.
pub(super) fn encode(
    form: Form,
    request: &ChatRequest,
    model: &str,
    drops: &mut Drops,
) -> Result<Json, Unsayable> {
    note_left_out(request, PROTOCOL, drops)?;
    drops.note_if(request.parallel_tool_calls == Some(false), "parallel_tool_calls");
    drops.note_if(request.service_tier.is_some(), "service_tier");
    drops.note_if(request.store == Some(true), "store");
    let mut body = Object::new().set("model", model);
    match form {
        Form::Chat => {
            let mut messages = Vec::new();
            for turn in &request.turns {
                turn_messages(turn, &mut messages)?;
            }
            body = body
                .set("messages", &messages)
                .set_some("tools", tools::encode(request, drops));
        }
        Form::Generate => body = prompt(request, body)?,
    }
    body = body
        .set_some("format", format::encode(request))
        .set_some("think", format::encode_think(request, model))
        .set_some("options", options::encode(request, drops))
        .set_some("logprobs", request.sampling.logprobs)
        .set_some("top_logprobs", request.sampling.top_logprobs)
        .set("stream", &request.stream);
    for (name, value) in request.extension.members(PROTOCOL) {
        if form == Form::Chat && GENERATE_ONLY.contains(&name.as_str()) {
            drops.note(name.clone());
        } else if !name.starts_with("options.") {
            body.put(name, value);
        }
    }
    Ok(body.finish())
}

/// What `/api/generate` can say of a conversation: a system's text and one turn of the user.
fn prompt(request: &ChatRequest, mut body: Object) -> Result<Object, Unsayable> {
    let refused = |what: &str| {
        Err(Unsayable::at(
            "messages",
            format!("Ollama's /api/generate takes {what}; use its /api/chat"),
        ))
    };
    if !request.tools.is_empty() {
        return refused("no tools");
    }
    let system = request.leading_system();
    if !system.is_empty() {
        let mut texts = Vec::new();
        for turn in system {
            texts.push(Said::of(&turn.parts)?.content);
        }
        body.put("system", &texts.join("\n"));
    }
    match request.turns.get(system.len()..).unwrap_or_default() {
        [] => {}
        [turn] if turn.role == Role::User => {
            let said = Said::of(&turn.parts)?;
            body.put("prompt", &said.content);
            if !said.images.is_empty() {
                body.put("images", &said.images);
            }
        }
        _ => return refused("a single turn of the user"),
    }
    Ok(body)
}

/// What parts say in Ollama's members.
#[derive(Default)]
struct Said<'a> {
    content: String,
    thinking: String,
    images: Vec<&'a str>,
    calls: Vec<Json>,
}

impl<'a> Said<'a> {
    fn of(parts: &'a [Part]) -> Result<Self, Unsayable> {
        let mut said = Self::default();
        for part in parts {
            match &part.kind {
                PartKind::Text(text) | PartKind::Refusal(text) => append(&mut said.content, text),
                PartKind::Media(media) => said.media(media)?,
                PartKind::Reasoning(reasoning) if !reasoning.is_redacted => {
                    append(&mut said.thinking, &reasoning.text);
                }
                PartKind::ToolCall(call) => said.calls.push(tools::encode_call(call, &part.extension)),
                PartKind::Reasoning(_) | PartKind::ToolResult(_) | PartKind::Foreign => {}
            }
        }
        Ok(said)
    }

    fn media(&mut self, media: &'a Media) -> Result<(), Unsayable> {
        match (media.kind, &media.source) {
            (MediaKind::Image, Source::Base64(data)) => self.images.push(data),
            (MediaKind::Document, Source::Text(text)) => append(&mut self.content, text),
            (MediaKind::Image, _) => {
                return Err(Unsayable::at(
                    "messages",
                    "Ollama takes images as base64 only, not by address",
                ));
            }
            (MediaKind::Audio | MediaKind::Video | MediaKind::Document, _) => {
                return Err(Unsayable::at("messages", "Ollama takes text and images only"));
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.content.is_empty() && self.thinking.is_empty() && self.images.is_empty() && self.calls.is_empty()
    }
}

/// Adds a text on a line of its own.
fn append(to: &mut String, text: &str) {
    if !to.is_empty() && !text.is_empty() {
        to.push('\n');
    }
    to.push_str(text);
}

fn turn_messages(turn: &Turn, messages: &mut Vec<Json>) -> Result<(), Unsayable> {
    let role = match turn.role {
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => {
            for part in &turn.parts {
                if let PartKind::ToolResult(result) = &part.kind {
                    messages.push(result_message(result, turn)?);
                }
            }
            return Ok(());
        }
    };
    let said = Said::of(&turn.parts)?;
    if said.is_empty() && turn.extension.protocol() != PROTOCOL {
        return Ok(());
    }
    let mut message = Object::new().set("role", role).set("content", &said.content);
    if !said.thinking.is_empty() {
        message.put("thinking", &said.thinking);
    }
    if !said.images.is_empty() {
        message.put("images", &said.images);
    }
    if !said.calls.is_empty() {
        message.put("tool_calls", &said.calls);
    }
    messages.push(message.extend(&turn.extension, PROTOCOL).finish());
    Ok(())
}

fn result_message(result: &ToolResult, turn: &Turn) -> Result<Json, Unsayable> {
    let said = Said::of(&result.content)?;
    let is_native = turn.extension.protocol() == PROTOCOL;
    let mut message = Object::new()
        .set("role", "tool")
        .set("content", &result_text(result))
        .set_some("tool_name", result.name.as_ref())
        .set_some("tool_call_id", turn.extension.kept(PROTOCOL, "tool_call_id"))
        .set_some("tool_call_id", (!is_native).then_some(&result.call_id));
    if !said.images.is_empty() {
        message.put("images", &said.images);
    }
    Ok(message.extend(&turn.extension, PROTOCOL).finish())
}
