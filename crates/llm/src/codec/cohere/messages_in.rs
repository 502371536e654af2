//! Messages as clients and providers write them.
//!
//! A `tool_plan` is read as a summary of thoughts: that tells it from `thinking`, and it is not part of what the model
//! answers.

use serde_json::value::RawValue;

use super::super::common::{Calls, derived_id};
use super::{PROTOCOL, tools};
use crate::chat::{
    Extension, Fields, Json, Media, MediaKind, Part, PartKind, Reasoning, Role, ToolResult, Turn, Unsayable,
    items,
};

/// Reads a client's message.
pub(super) fn decode(raw: &RawValue, calls: &mut Calls) -> Result<Turn, Unsayable> {
    let mut fields = Fields::read(raw)?;
    let role = match fields.need::<String>("role")?.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        other => {
            let message = format!("`{other}` is no role; use `system`, `user`, `assistant` or `tool`");
            return Err(Unsayable::at("role", message));
        }
    };
    if role == Role::Tool {
        return result(fields, calls);
    }
    let mut parts = Vec::new();
    plan(&mut fields, &mut parts)?;
    content(&mut fields, &mut parts)?;
    for (index, call) in fields.items("tool_calls")?.unwrap_or_default().iter().enumerate() {
        let part = tools::decode_call(call, |name, _| calls.call(None, name))
            .map_err(|error| error.within(&format!("tool_calls[{index}]")))?;
        parts.push(part);
    }
    Ok(Turn::new(role, parts, fields.into_extension(PROTOCOL)))
}

/// Reads what a provider's message says. What is not taken is left in `message`.
pub(super) fn said(message: &mut Fields<'_>, answer: &str) -> Result<Vec<Part>, Unsayable> {
    message.raw("role");
    let mut parts = Vec::new();
    plan(message, &mut parts)?;
    content(message, &mut parts)?;
    for (position, call) in message
        .items("tool_calls")?
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        parts.push(tools::decode_call(call, |name, arguments| {
            derived_id(answer, position, name, arguments)
        })?);
    }
    Ok(parts)
}

fn nothing() -> Extension {
    Extension::of(PROTOCOL)
}

fn plan(message: &mut Fields<'_>, parts: &mut Vec<Part>) -> Result<(), Unsayable> {
    if let Some(text) = message
        .take::<String>("tool_plan")?
        .filter(|text| !text.is_empty())
    {
        let plan = Reasoning {
            text,
            is_summary: true,
            ..Reasoning::default()
        };
        parts.push(Part::new(PartKind::Reasoning(plan), nothing()));
    }
    Ok(())
}

/// Takes `content`: a text, or a list of parts.
fn content(message: &mut Fields<'_>, parts: &mut Vec<Part>) -> Result<(), Unsayable> {
    let Some(content) = message.raw("content") else {
        return Ok(());
    };
    if let Ok(text) = serde_json::from_str::<String>(content.get()) {
        if !text.is_empty() {
            parts.push(Part::new(PartKind::Text(text), nothing()));
        }
        return Ok(());
    }
    let Some(items) = items(content) else {
        return Err(Unsayable::at("content", "must be a string or an array"));
    };
    for (index, raw) in items.iter().enumerate() {
        parts.push(part(raw).map_err(|error| error.within(&format!("content[{index}]")))?);
    }
    Ok(())
}

fn part(raw: &RawValue) -> Result<Part, Unsayable> {
    let mut fields = Fields::read(raw)?;
    let kind = fields
        .peek("type")
        .and_then(|kind| serde_json::from_str::<String>(kind.get()).ok());
    let kind = match kind.as_deref() {
        Some("text") => PartKind::Text(fields.need("text")?),
        Some("thinking") => {
            let text = fields.need("thinking")?;
            PartKind::Reasoning(Reasoning {
                text,
                ..Reasoning::default()
            })
        }
        Some("image_url") => PartKind::Media(image(&mut fields).map_err(|error| error.within("image_url"))?),
        Some("document") => return document(fields),
        _ => PartKind::Foreign,
    };
    if kind != PartKind::Foreign {
        fields.raw("type");
    }
    Ok(Part::new(kind, fields.into_extension(PROTOCOL)))
}

fn image(fields: &mut Fields<'_>) -> Result<Media, Unsayable> {
    let mut image = match fields.object("image_url") {
        Ok(image) => image.ok_or_else(|| Unsayable::new("`image_url` is required"))?,
        Err(error) => return Err(error),
    };
    let mut media = Media::from_url(MediaKind::Image, &image.need::<String>("url")?);
    media.detail = image.take("detail")?;
    Ok(media)
}

/// What is kept of a text that was a document.
pub(super) const DOCUMENT: &str = "document";

/// A document that a tool found: its data as text. The extension says that it was one, and its other members.
fn document(mut fields: Fields<'_>) -> Result<Part, Unsayable> {
    let mut document = fields
        .object("document")?
        .ok_or_else(|| Unsayable::at("document", "`document` is required"))?;
    let data = document.json("data").unwrap_or_else(|| Json::of(""));
    let text = data.read::<String>().unwrap_or_else(|| data.text().to_owned());
    fields.raw("type");
    let mut extension = fields.into_extension(PROTOCOL);
    extension.keep(DOCUMENT, Json::of(&true));
    for (name, value) in document.into_extension(PROTOCOL).members(PROTOCOL) {
        extension.push(format!("document.{name}"), value.clone());
    }
    Ok(Part::new(PartKind::Text(text), extension))
}

fn result(mut fields: Fields<'_>, calls: &mut Calls) -> Result<Turn, Unsayable> {
    let id = fields.take::<String>("tool_call_id")?;
    let mut parts = Vec::new();
    content(&mut fields, &mut parts)?;
    let result = ToolResult {
        call_id: id.unwrap_or_else(|| calls.answer(None, None)),
        name: None,
        content: parts,
        is_error: None,
        is_custom: false,
    };
    let part = Part::new(PartKind::ToolResult(result), nothing());
    Ok(Turn::new(Role::Tool, vec![part], fields.into_extension(PROTOCOL)))
}
