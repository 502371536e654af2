//! A client's request.

use serde_json::value::RawValue;

use super::super::common::{Calls, with_nested};
use super::{Ask, Form, PROTOCOL, format, options, tools};
use crate::chat::{
    ChatRequest, Extension, Fields, Json, Media, MediaKind, Part, PartKind, Reasoning, Role, Source,
    ToolResult, Turn, Unsayable,
};

/// Reads a request. Answers are streamed unless it says otherwise.
pub(super) fn decode(form: Form, body: &[u8], ask: &Ask<'_>) -> Result<ChatRequest, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    let mut request = ChatRequest::new(nothing());
    request.model = match ask.model {
        Some(model) => Some(model.to_owned()),
        None => fields.take("model")?,
    };
    request.stream = fields.take("stream")?.or(ask.stream).unwrap_or(true);
    request.turns = match form {
        Form::Chat => {
            for (index, tool) in fields.items("tools")?.unwrap_or_default().iter().enumerate() {
                let tool = tools::decode(tool).map_err(|error| error.within(&format!("tools[{index}]")))?;
                request.tools.push(tool);
            }
            messages(&mut fields)?
        }
        Form::Generate => prompt(&mut fields)?,
    };
    if let Some(asked) = fields.raw("format") {
        request.format = format::decode(asked)?;
    }
    request.reasoning = fields.raw("think").map(format::decode_think).transpose()?;
    let mut kept = nothing();
    if let Some(asked) = fields.object("options")? {
        options::decode(asked, &mut request.sampling, &mut kept).map_err(|error| error.within("options"))?;
    }
    request.sampling.logprobs = fields.take("logprobs")?;
    request.sampling.top_logprobs = fields.take("top_logprobs")?;
    // The server does not read the members of the other form.
    for name in match form {
        Form::Chat => ["prompt", "system", "images"].as_slice(),
        Form::Generate => ["messages", "tools"].as_slice(),
    } {
        fields.raw(name);
    }
    request.extension = with_nested(fields, kept);
    Ok(request)
}

fn nothing() -> Extension {
    Extension::of(PROTOCOL)
}

/// The system's text, and what the user says.
fn prompt(fields: &mut Fields<'_>) -> Result<Vec<Turn>, Unsayable> {
    let mut turns = Vec::new();
    if let Some(system) = fields.take::<String>("system")? {
        turns.push(Turn::new(Role::System, vec![text(system)], nothing()));
    }
    let prompt = fields.take::<String>("prompt")?;
    let images = fields.take::<Vec<String>>("images")?;
    if prompt.is_some() || images.is_some() {
        let mut parts: Vec<Part> = prompt.map(text).into_iter().collect();
        parts.extend(images.unwrap_or_default().into_iter().map(image));
        turns.push(Turn::new(Role::User, parts, nothing()));
    }
    Ok(turns)
}

fn text(text: String) -> Part {
    Part::new(PartKind::Text(text), nothing())
}

/// An image: base64, or a `data:` URL, which the server takes as well.
fn image(data: String) -> Part {
    let media = if data.starts_with("data:") {
        Media::from_url(MediaKind::Image, &data)
    } else {
        Media {
            kind: MediaKind::Image,
            source: Source::Base64(data),
            media_type: None,
            name: None,
            detail: None,
        }
    };
    Part::new(PartKind::Media(media), nothing())
}

fn messages(fields: &mut Fields<'_>) -> Result<Vec<Turn>, Unsayable> {
    let mut calls = Calls::default();
    let mut turns = Vec::new();
    for (index, raw) in fields.items("messages")?.unwrap_or_default().iter().enumerate() {
        let turn = message(raw, &mut calls).map_err(|error| error.within(&format!("messages[{index}]")))?;
        turns.push(turn);
    }
    Ok(turns)
}

fn message(raw: &RawValue, calls: &mut Calls) -> Result<Turn, Unsayable> {
    let mut fields = Fields::read(raw)?;
    let role = match fields.need::<String>("role")?.as_str() {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        other => {
            let message = format!("`{other}` is no role; use `system`, `user`, `assistant` or `tool`");
            return Err(Unsayable::at("role", message));
        }
    };
    let mut parts = Vec::new();
    if let Some(thoughts) = fields
        .take::<String>("thinking")?
        .filter(|thoughts| !thoughts.is_empty())
    {
        let reasoning = Reasoning {
            text: thoughts,
            ..Reasoning::default()
        };
        parts.push(Part::new(PartKind::Reasoning(reasoning), nothing()));
    }
    let content = fields.take::<String>("content")?.unwrap_or_default();
    if !content.is_empty() {
        parts.push(text(content));
    }
    let images = fields.take::<Vec<String>>("images")?.unwrap_or_default();
    parts.extend(images.into_iter().map(image));
    if role == Role::Tool {
        return result(fields, parts, calls);
    }
    for (index, call) in fields.items("tool_calls")?.unwrap_or_default().iter().enumerate() {
        let part = tools::decode_call(call, |id, name, _| calls.call(id, name))
            .map_err(|error| error.within(&format!("tool_calls[{index}]")))?;
        parts.push(part);
    }
    Ok(Turn::new(role, parts, fields.into_extension(PROTOCOL)))
}

/// A tool's message: it answers the call whose id it names, else the first open one of that tool, else the first.
fn result(mut fields: Fields<'_>, content: Vec<Part>, calls: &mut Calls) -> Result<Turn, Unsayable> {
    let id = fields.json("tool_call_id");
    let told = id.as_ref().and_then(Json::read::<String>);
    let name = fields.take::<String>("tool_name")?;
    let result = ToolResult {
        call_id: calls.answer(told.as_deref(), name.as_deref()),
        name,
        content,
        is_error: None,
        is_custom: false,
    };
    let part = Part::new(PartKind::ToolResult(result), nothing());
    let mut extension = fields.into_extension(PROTOCOL);
    if let Some(id) = id {
        extension.keep("tool_call_id", id);
    }
    Ok(Turn::new(Role::Tool, vec![part], extension))
}
