//! A client's request.

use serde_json::value::RawValue;

use super::super::common::{Calls, with_nested};
use super::{Ask, PROTOCOL, config_in, parts_in, tools};
use crate::chat::{ChatRequest, Extension, Fields, Part, PartKind, Role, Turn, Unsayable, items};

/// Reads a request. Names may be in camel or snake case.
pub(super) fn decode(body: &[u8], ask: &Ask<'_>) -> Result<ChatRequest, Unsayable> {
    let mut fields = Fields::from_slice(body)?.in_camel_case();
    let mut request = ChatRequest::new(Extension::of(PROTOCOL));
    request.model = match ask.model {
        Some(model) => Some(model.to_owned()),
        None => fields.take("model")?,
    };
    request.stream = ask.stream.unwrap_or(false);
    if let Some(instruction) = fields.raw("systemInstruction") {
        let turn = system(instruction).map_err(|error| error.within("systemInstruction"))?;
        request.turns.push(turn);
    }
    turns(&mut fields, &mut request)?;
    let (offered, choice) = (fields.items("tools")?, fields.object("toolConfig")?);
    let mut extension = Extension::of(PROTOCOL);
    if let Some(config) = fields.object("generationConfig")? {
        config_in::generation(config.in_camel_case(), &mut request, &mut extension)
            .map_err(|error| error.within("generationConfig"))?;
    }
    tools::decode(&offered.unwrap_or_default(), &mut request)?;
    if let Some(choice) = choice {
        tools::decode_config(choice.in_camel_case(), &mut request, &mut extension)
            .map_err(|error| error.within("toolConfig"))?;
    }
    request.service_tier = fields.take("serviceTier")?;
    request.store = fields.take("store")?;
    request.extension = with_nested(fields, extension);
    Ok(request)
}

fn system(instruction: &RawValue) -> Result<Turn, Unsayable> {
    if let Ok(text) = serde_json::from_str::<String>(instruction.get()) {
        let part = Part::new(PartKind::Text(text), Extension::of(PROTOCOL));
        return Ok(Turn::new(Role::System, vec![part], Extension::of(PROTOCOL)));
    }
    let mut fields = Fields::read(instruction)?.in_camel_case();
    let mut parts = Vec::new();
    for (index, part) in fields.items("parts")?.unwrap_or_default().iter().enumerate() {
        parts_in::read(part, &mut Calls::default(), &mut parts)
            .map_err(|error| error.within(&format!("parts[{index}]")))?;
    }
    fields.raw("role");
    Ok(Turn::new(Role::System, parts, fields.into_extension(PROTOCOL)))
}

fn turns(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Unsayable> {
    let Some(contents) = fields.raw("contents") else {
        return Err(Unsayable::at("contents", "`contents` is required"));
    };
    // One content need not stand in an array.
    let contents = items(contents).unwrap_or_else(|| vec![contents]);
    let mut calls = Calls::default();
    for (index, content) in contents.iter().enumerate() {
        turn(content, &mut calls, &mut request.turns)
            .map_err(|error| error.within(&format!("contents[{index}]")))?;
    }
    Ok(())
}

fn turn(content: &RawValue, calls: &mut Calls, turns: &mut Vec<Turn>) -> Result<(), Unsayable> {
    let mut fields = Fields::read(content)?.in_camel_case();
    let role = match fields.take::<String>("role")?.as_deref() {
        Some("model") => Role::Assistant,
        None | Some("user" | "function" | "tool" | "") => Role::User,
        Some("system") => Role::System,
        Some(other) => {
            return Err(Unsayable::at(
                "role",
                format!("`{other}` is no role; use `user` or `model`"),
            ));
        }
    };
    let mut parts = Vec::new();
    for (index, part) in fields.items("parts")?.unwrap_or_default().iter().enumerate() {
        parts_in::check(part)
            .and_then(|()| parts_in::read(part, calls, &mut parts))
            .map_err(|error| error.within(&format!("parts[{index}]")))?;
    }
    let extension = fields.into_extension(PROTOCOL);
    let (results, others): (Vec<_>, Vec<_>) = parts
        .into_iter()
        .partition(|part| matches!(part.kind, PartKind::ToolResult(_)));
    if !results.is_empty() {
        turns.push(Turn::new(Role::Tool, results, Extension::of(PROTOCOL)));
        if others.is_empty() {
            return Ok(());
        }
    }
    turns.push(Turn::new(role, others, extension));
    Ok(())
}
