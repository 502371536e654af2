//! Items of requests and answers, read.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::PROTOCOL;
use super::content;
use super::marks;
use super::opaque::Opaque;
use super::tools_in::flat_name;
use crate::chat::{
    Extension, Fields, Json, Part, PartKind, Reasoning, Role, Signature, ToolCall, ToolResult, Turn,
    Unsayable, items,
};

/// What an item is.
pub(super) enum Item {
    /// A message; a message of the model continues its turn.
    Message {
        role: Role,
        parts: Vec<Part>,
        /// What is kept of a message without parts.
        extension: Extension,
    },
    /// Something else that the model said.
    Said(Part),
    /// What a tool answered.
    Result(Part),
    /// Something else.
    Other(Part),
    /// The signature of a call that stands in an item of its own.
    CallSignature { call_id: String, signature: Signature },
}

/// Reads the items of `input` as turns: what the model said in a row is one turn, and so are results in a row.
pub(super) fn turns(items: &[&RawValue]) -> Result<Vec<Turn>, Unsayable> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut signatures = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let item = read(item).map_err(|error| error.within(&format!("input[{index}]")))?;
        let (role, parts, extension) = match item {
            Item::Message {
                role,
                parts,
                extension,
            } => (role, parts, extension),
            Item::Said(part) => (Role::Assistant, vec![part], Extension::of(PROTOCOL)),
            Item::Result(part) => (Role::Tool, vec![part], Extension::of(PROTOCOL)),
            Item::Other(part) => (Role::User, vec![part], Extension::of(PROTOCOL)),
            Item::CallSignature { call_id, signature } => {
                signatures.push((call_id, signature));
                continue;
            }
        };
        let continues = matches!(role, Role::Assistant | Role::Tool) && !parts.is_empty();
        match turns.last_mut() {
            Some(turn) if continues && turn.role == role && !turn.parts.is_empty() => {
                turn.parts.extend(parts);
            }
            _ => turns.push(Turn::new(role, parts, extension)),
        }
    }
    let parts = turns.iter_mut().flat_map(|turn| &mut turn.parts);
    sign_calls(parts, signatures);
    Ok(turns)
}

/// Gives calls the signatures that stood in items of their own.
pub(super) fn sign_calls<'a>(
    parts: impl Iterator<Item = &'a mut Part>,
    signatures: Vec<(String, Signature)>,
) {
    if signatures.is_empty() {
        return;
    }
    let mut signatures: std::collections::HashMap<_, _> = signatures.into_iter().collect();
    for part in parts {
        if let PartKind::ToolCall(call) = &mut part.kind {
            call.signature = signatures.remove(&call.id).or(call.signature.take());
        }
    }
}

/// Reads an item.
pub(super) fn read(json: &RawValue) -> Result<Item, Unsayable> {
    let mut fields = Fields::read(json)?;
    let kind = fields.peek("type").map(text).transpose()?;
    match kind.as_deref() {
        None if fields.peek("role").is_some() => message(fields),
        None if fields.peek("id").is_some() => Err(reference()),
        None => Err(Unsayable::at("type", "`type` is required")),
        Some("message") => message(fields),
        Some("function_call") => Ok(Item::Said(call(&mut fields, false)?)),
        Some("custom_tool_call") => Ok(Item::Said(call(&mut fields, true)?)),
        Some("function_call_output") => Ok(Item::Result(result(fields, false)?)),
        Some("custom_tool_call_output") => Ok(Item::Result(result(fields, true)?)),
        Some("reasoning") => reasoning(json, fields),
        Some("item_reference") => Err(reference()),
        Some(kind) => {
            let is_said = is_said(kind);
            let part = whole(json)?;
            Ok(if is_said {
                Item::Said(part)
            } else {
                Item::Other(part)
            })
        }
    }
}

/// Whether the model makes items of that type.
fn is_said(kind: &str) -> bool {
    let others = ["compaction", "mcp_list_tools", "mcp_approval_request", "program"];
    kind.ends_with("_call") || others.contains(&kind)
}

fn reference() -> Unsayable {
    Unsayable::at(
        "type",
        "an item_reference is only known to the provider that stored the item; send the item itself",
    )
}

/// An item that only this protocol has.
fn whole(json: &RawValue) -> Result<Part, Unsayable> {
    let mut extension = Fields::read(json)?.into_extension(PROTOCOL);
    marks::keep_flag(&mut extension, marks::ITEM);
    Ok(Part::new(PartKind::Foreign, extension))
}

fn message(mut fields: Fields<'_>) -> Result<Item, Unsayable> {
    let role: Cow<'_, str> = fields.need("role")?;
    let role = match &*role {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        "developer" => Role::Developer,
        other => {
            let message = format!("`{other}` is no role; it is user, assistant, system or developer");
            return Err(Unsayable::at("role", message));
        }
    };
    let mut parts = match fields.raw("content") {
        Some(json) => content::read(json, role).map_err(|error| error.within("content"))?,
        None => return Err(Unsayable::at("content", "`content` is required")),
    };
    let mut extension = Extension::of(PROTOCOL);
    let first = parts
        .first_mut()
        .map_or(&mut extension, |part| &mut part.extension);
    marks::keep_item(first, &mut fields);
    marks::push_rest(first, marks::MESSAGE, fields);
    Ok(Item::Message {
        role,
        parts,
        extension,
    })
}

fn call(fields: &mut Fields<'_>, is_custom: bool) -> Result<Part, Unsayable> {
    let id = match fields.take::<String>("call_id")? {
        Some(id) if !id.is_empty() => id,
        // Some servers have one id for both.
        _ => match fields.peek("id").map(text).transpose()? {
            Some(id) if !id.is_empty() => id.into_owned(),
            _ => return Err(Unsayable::at("call_id", "`call_id` is required")),
        },
    };
    let name: String = fields.need("name")?;
    let arguments = match fields.raw(if is_custom { "input" } else { "arguments" }) {
        Some(json) => text_of(json),
        None => String::new(),
    };
    let mut extension = Extension::of(PROTOCOL);
    marks::keep_item(&mut extension, fields);
    let name = match fields.take::<String>("namespace")? {
        Some(namespace) => {
            let flat = flat_name(&namespace, &name);
            extension.keep(marks::NAMESPACE, Json::of(&namespace));
            extension.keep(marks::NAME, Json::of(&name));
            flat
        }
        None => name,
    };
    marks::push_rest(&mut extension, "", std::mem::take(fields));
    let call = ToolCall {
        id,
        name,
        arguments,
        is_custom,
        signature: None,
    };
    Ok(Part::new(PartKind::ToolCall(call), extension))
}

fn result(mut fields: Fields<'_>, is_custom: bool) -> Result<Part, Unsayable> {
    let call_id = fields.need("call_id")?;
    let content = match fields.raw("output") {
        Some(json) => content::read(json, Role::Tool).map_err(|error| error.within("output"))?,
        None => return Err(Unsayable::at("output", "`output` is required")),
    };
    let mut extension = Extension::of(PROTOCOL);
    marks::keep_item(&mut extension, &mut fields);
    let namespace: Option<String> = fields.take("namespace")?;
    let name: Option<String> = fields.take("name")?;
    if let Some(namespace) = &namespace {
        extension.keep(marks::NAMESPACE, Json::of(namespace));
    }
    if let Some(name) = &name {
        extension.keep(marks::NAME, Json::of(name));
    }
    marks::push_rest(&mut extension, "", fields);
    let name = match (namespace, name) {
        (Some(namespace), Some(name)) => Some(flat_name(&namespace, &name)),
        (_, name) => name,
    };
    let result = ToolResult {
        call_id,
        name,
        content,
        is_error: None,
        is_custom,
    };
    Ok(Part::new(PartKind::ToolResult(result), extension))
}

/// A thought, or the signature of a call. One that says nothing but its id is for its provider only.
fn reasoning(json: &RawValue, mut fields: Fields<'_>) -> Result<Item, Unsayable> {
    let (signature, is_redacted) = match fields.take::<Cow<'_, str>>("encrypted_content")?.as_deref() {
        None | Some("") => (None, false),
        Some(opaque) => match Opaque::read(opaque) {
            Opaque::Call { call_id, signature } => return Ok(Item::CallSignature { call_id, signature }),
            Opaque::Thought {
                signature,
                is_redacted,
            } => (Some(signature), is_redacted),
        },
    };
    let content = texts(fields.raw("content"));
    let summary = texts(fields.raw("summary"));
    let is_summary = content.is_empty();
    let text = if is_summary { summary } else { content };
    let mut extension = Extension::of(PROTOCOL);
    extension.keep(marks::RAW, Json::from(json));
    if text.is_empty() && signature.is_none() {
        marks::keep_flag(&mut extension, marks::ITEM);
        return Ok(Item::Said(Part::new(PartKind::Foreign, extension)));
    }
    let thought = Reasoning {
        text,
        is_summary,
        signature,
        is_redacted,
        id: fields.take("id")?,
    };
    Ok(Item::Said(Part::new(PartKind::Reasoning(thought), extension)))
}

/// The texts of a list of parts, as paragraphs.
fn texts(list: Option<&RawValue>) -> String {
    let parts = list.and_then(items).unwrap_or_default();
    let texts = parts.into_iter().filter_map(|part| {
        let mut part = Fields::read(part).ok()?;
        part.take::<String>("text").ok()?
    });
    let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
    texts.join("\n\n")
}

fn text(json: &RawValue) -> Result<Cow<'_, str>, Unsayable> {
    serde_json::from_str::<Cow<'_, str>>(json.get()).map_err(|_| Unsayable::at("type", "must be a string"))
}

/// A string, or whatever else stands there as JSON.
pub(super) fn text_of(json: &RawValue) -> String {
    serde_json::from_str(json.get()).unwrap_or_else(|_| json.get().to_owned())
}
