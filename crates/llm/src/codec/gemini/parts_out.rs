//! Parts for a provider.

use super::super::common::{is_made, path};
use super::PROTOCOL;
use super::model::Generation;
use super::parts_in::guessed_type;
use super::signature::STAND_IN;
use crate::chat::{
    Extension, Json, Media, Object, Part, PartKind, Reasoning, Signature, SignatureOrigin, Source, ToolCall,
    ToolResult, Unsayable,
};

/// The parts of the model's side.
pub(super) fn model(parts: &[&Part], generation: Generation) -> Result<Vec<Json>, Unsayable> {
    let mut written = Vec::new();
    let mut parts = parts.iter().copied().peekable();
    let mut is_first_call = generation == Generation::Level;
    while let Some(part) = parts.next() {
        match &part.kind {
            PartKind::Text(text) if text.is_empty() => {}
            PartKind::Text(text) => {
                let signature = parts.peek().and_then(|next| signature_behind_text(next));
                if signature.is_some() {
                    parts.next();
                }
                written.push(text_part(text, false, signature, &part.extension));
            }
            PartKind::Reasoning(reasoning) => written.extend(thought(reasoning, part)),
            PartKind::ToolCall(call) => {
                let signature = match own(call.signature.as_ref()) {
                    Some(signature) => Some(signature.data.as_str()),
                    None => is_first_call.then_some(STAND_IN),
                };
                is_first_call = false;
                written.push(function_call(call, signature, &part.extension));
            }
            _ => written.extend(other(part)?),
        }
    }
    Ok(written)
}

/// The parts of the user's side, results of tools first.
pub(super) fn user(parts: &[&Part], generation: Generation) -> Result<Vec<Json>, Unsayable> {
    let mut written = Vec::new();
    let mut shown = Vec::new();
    for part in parts {
        match &part.kind {
            PartKind::ToolResult(result) => {
                let (response, media) = function_response(result, part, generation)?;
                written.push(response);
                shown.extend(media);
            }
            _ => {
                written.append(&mut shown);
                written.extend(other(part)?);
            }
        }
    }
    written.append(&mut shown);
    Ok(written)
}

/// A part that reads the same on both sides; nothing for one that is left out.
fn other(part: &Part) -> Result<Option<Json>, Unsayable> {
    Ok(match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => {
            (!text.is_empty()).then(|| text_part(text, false, None, &part.extension))
        }
        PartKind::Media(media) => Some(media_part(media, &part.extension)?),
        PartKind::Foreign if is_native(part) => {
            Some(Object::new().extend(&part.extension, PROTOCOL).finish())
        }
        PartKind::Foreign | PartKind::Reasoning(_) | PartKind::ToolCall(_) | PartKind::ToolResult(_) => None,
    })
}

fn is_native(part: &Part) -> bool {
    part.extension.protocol() == PROTOCOL
}

/// A signature, if it is Gemini's own.
fn own(signature: Option<&Signature>) -> Option<&Signature> {
    signature.filter(|signature| signature.origin == SignatureOrigin::Gemini)
}

/// The signature that a text bears: the decoder puts it behind, as a thought without text.
fn signature_behind_text(next: &Part) -> Option<&Signature> {
    match &next.kind {
        PartKind::Reasoning(reasoning) if reasoning.text.is_empty() => own(reasoning.signature.as_ref()),
        _ => None,
    }
}

/// A thought; nothing where Gemini did not think it, and other providers' thoughts mean nothing to it.
fn thought(reasoning: &Reasoning, part: &Part) -> Option<Json> {
    let signature = own(reasoning.signature.as_ref());
    let is_ours = signature.is_some() || is_native(part) && reasoning.signature.is_none();
    if !is_ours || reasoning.text.is_empty() && signature.is_none() {
        return None;
    }
    let is_thought = !reasoning.text.is_empty();
    Some(text_part(&reasoning.text, is_thought, signature, &part.extension))
}

/// A part of text.
pub(super) fn text_part(
    text: &str,
    is_thought: bool,
    signature: Option<&Signature>,
    extension: &Extension,
) -> Json {
    Object::new()
        .set("text", text)
        .set_some("thought", is_thought.then_some(true))
        .set_some(
            "thoughtSignature",
            signature.map(|signature| signature.data.as_str()),
        )
        .extend(extension, PROTOCOL)
        .finish()
}

/// A call. Ids that were made because the client gave none are left out.
pub(super) fn function_call(call: &ToolCall, signature: Option<&str>, extension: &Extension) -> Json {
    let has_arguments = call.is_custom || !call.arguments.trim().is_empty();
    let object = Object::new()
        .set_some("id", (!is_made(&call.id)).then_some(&call.id))
        .set("name", &call.name)
        .set_some("args", has_arguments.then(|| call.object()));
    Object::new()
        .set("functionCall", &object.finish())
        .set_some("thoughtSignature", signature)
        .extend(extension, PROTOCOL)
        .finish()
}

/// A result, and its media where the model does not take them within.
fn function_response(
    result: &ToolResult,
    part: &Part,
    generation: Generation,
) -> Result<(Json, Vec<Json>), Unsayable> {
    const PREFIX: &str = "functionResponse.";
    let mut media = Vec::new();
    for content in &result.content {
        if let PartKind::Media(it) = &content.kind {
            media.push(media_part(it, &content.extension)?);
        }
    }
    let is_within = generation == Generation::Level || is_native(part);
    let (within, behind) = if is_within {
        (media, Vec::new())
    } else {
        (Vec::new(), media)
    };
    let mut response = Object::new()
        .set_some("id", (!is_made(&result.call_id)).then_some(&result.call_id))
        .set("name", result.name.as_ref().unwrap_or(&result.call_id))
        .set("response", &response(result));
    if !within.is_empty() {
        response.put("parts", &within);
    }
    for (name, value) in path(&part.extension, PROTOCOL, PREFIX) {
        response.put(name, value);
    }
    let mut written = Object::new().set("functionResponse", &response.finish());
    for (name, value) in part.extension.members(PROTOCOL) {
        if !name.starts_with(PREFIX) {
            written.put(name, value);
        }
    }
    Ok((written.finish(), behind))
}

/// What a tool said as the object that Gemini wants: an object as it is, anything else under `output` or `error`.
fn response(result: &ToolResult) -> Json {
    let text = result.text();
    if result.is_error == Some(true) {
        return Object::new().set("error", &text).finish();
    }
    match Json::parse(text.trim()) {
        Some(json) if json.is_object() => json,
        _ => Object::new().set("output", &text).finish(),
    }
}

fn media_part(media: &Media, extension: &Extension) -> Result<Json, Unsayable> {
    let is_native = extension.protocol() == PROTOCOL;
    let name = media.name.as_ref().filter(|_| is_native);
    let object = match &media.source {
        Source::Text(text) => Object::new().set("text", text),
        Source::Base64(data) => {
            let data = Object::new()
                .set("mimeType", media.media_type())
                .set("data", data)
                .set_some("displayName", name);
            Object::new().set("inlineData", &data.finish())
        }
        Source::File(id) if !is_native && !id.contains("://") => {
            return Err(Unsayable::at(
                "messages",
                format!("the file `{id}` is stored with another provider; send its content"),
            ));
        }
        Source::Url(uri) | Source::File(uri) => {
            let media_type = match &media.media_type {
                Some(told) => Some(told.as_str()),
                None if is_native => None,
                None => Some(guessed_type(uri).unwrap_or_else(|| media.media_type())),
            };
            let data = Object::new()
                .set_some("mimeType", media_type)
                .set("fileUri", uri)
                .set_some("displayName", name);
            Object::new().set("fileData", &data.finish())
        }
    };
    Ok(object.extend(extension, PROTOCOL).finish())
}
