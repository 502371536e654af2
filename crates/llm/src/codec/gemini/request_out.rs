//! A request for a provider.

use super::super::common::note_left_out;
use super::model::{Generation, generation};
use super::{PROTOCOL, config_out, parts_out, tools};
use crate::chat::{ChatRequest, Drops, Extension, Json, Object, Part, PartKind, ToolKind, Turn, Unsayable};

/// Members of extensions that stand deeper than the top.
const NESTED: [&str; 2] = ["generationConfig.", "toolConfig."];

/// Writes a request. The model and whether the answer is a stream stand in the path.
pub(super) fn encode(request: &ChatRequest, model: &str, drops: &mut Drops) -> Result<Json, Unsayable> {
    note_left_out(request, PROTOCOL, drops)?;
    drops.note_if(request.parallel_tool_calls == Some(false), "parallel_tool_calls");
    let is_native = request.extension.protocol() == PROTOCOL;
    let mut system = system(request.leading_system())?;
    let mut contents = contents(request, generation(model))?;
    if contents.is_empty() && !system.is_empty() {
        // A conversation needs a user.
        contents.push(content("user", &std::mem::take(&mut system)));
    }
    let mut body = Object::new().set("contents", &contents);
    if !system.is_empty() {
        let mut instruction = Object::new().set("parts", &system);
        if let [turn] = request.leading_system() {
            instruction = instruction.extend(&turn.extension, PROTOCOL);
        }
        body.put("systemInstruction", &instruction.finish());
    }
    let has_functions = request
        .tools
        .iter()
        .any(|tool| !matches!(tool.kind, ToolKind::BuiltIn { .. }));
    body = body
        .set_some("tools", tools::encode(request, drops))
        .set_some("toolConfig", tools::encode_config(request, has_functions, drops))
        .set_some("generationConfig", config_out::encode(request, model, drops))
        .set_some("serviceTier", service_tier(request, is_native, drops))
        .set_some("store", request.store.filter(|_| is_native));
    drops.note_if(!is_native && request.store == Some(true), "store");
    for (name, value) in request.extension.members(PROTOCOL) {
        if !NESTED.iter().any(|prefix| name.starts_with(prefix)) {
            body.put(name, value);
        }
    }
    Ok(body.finish())
}

/// The texts before the conversation, one part each.
fn system(turns: &[Turn]) -> Result<Vec<Json>, Unsayable> {
    let mut written = Vec::new();
    for part in turns.iter().flat_map(|turn| &turn.parts) {
        match &part.kind {
            PartKind::Text(text) if !text.is_empty() => {
                written.push(parts_out::text_part(text, false, None, &part.extension));
            }
            PartKind::Media(_) => {
                return Err(Unsayable::at(
                    "messages",
                    "Gemini takes only text in system messages",
                ));
            }
            _ => {}
        }
    }
    Ok(written)
}

/// The conversation, sides alternating.
fn contents(request: &ChatRequest, generation: Generation) -> Result<Vec<Json>, Unsayable> {
    let mut contents: Vec<(&str, Vec<Json>)> = Vec::new();
    for side in request.sides() {
        let parts: Vec<&Part> = side.parts;
        let (role, parts) = if side.is_assistant {
            ("model", parts_out::model(&parts, generation)?)
        } else {
            ("user", parts_out::user(&parts, generation)?)
        };
        match contents.last_mut() {
            _ if parts.is_empty() => {}
            Some((last, before)) if *last == role => before.extend(parts),
            _ => contents.push((role, parts)),
        }
    }
    Ok(contents
        .iter()
        .map(|(role, parts)| content(role, parts))
        .collect())
}

fn content(role: &str, parts: &[Json]) -> Json {
    Object::new().set("role", role).set("parts", parts).finish()
}

/// The class of service in Gemini's word; its default goes unsaid.
fn service_tier(request: &ChatRequest, is_native: bool, drops: &mut Drops) -> Option<String> {
    let tier = request.service_tier.as_deref()?;
    match tier {
        _ if is_native => Some(tier.to_owned()),
        "flex" | "priority" | "standard" => Some(tier.to_owned()),
        "auto" | "default" => None,
        _ => {
            drops.note("service_tier");
            None
        }
    }
}

/// An extension with nothing in it.
pub(super) fn nothing() -> Extension {
    Extension::of(PROTOCOL)
}
