//! A client's messages.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::value::RawValue;

use super::details::thoughts;
use super::message_in::{cache_mark, call_part, part, text_part};
use super::wire::is_text;
use crate::chat::{
    CacheMark, Extension, Fields, Object, Part, PartKind, Role, ToolResult, Turn, Unsayable, items,
};
use crate::protocol::Protocol;

const HERE: Protocol = Protocol::OpenAiChat;

/// Reads the messages, one turn each.
pub(super) fn decode(messages: &[&RawValue]) -> Result<Vec<Turn>, Unsayable> {
    let mut calls = Calls::default();
    messages
        .iter()
        .enumerate()
        .map(|(index, raw)| {
            turn(raw, index, &mut calls).map_err(|error| error.within(&format!("messages[{index}]")))
        })
        .collect()
}

/// Calls that were seen, for what their results do not say.
#[derive(Default)]
struct Calls {
    /// Made ids of those of the legacy `function_call` that wait for their results, by name.
    functions: HashMap<String, VecDeque<String>>,
    /// Ids of those of custom tools.
    custom: HashSet<String>,
}

fn turn(raw: &RawValue, index: usize, calls: &mut Calls) -> Result<Turn, Unsayable> {
    let mut fields = Fields::read(raw)?;
    let role: String = fields.need("role")?;
    let mut turn = match role.as_str() {
        "system" => said(Role::System, &mut fields)?,
        "developer" => said(Role::Developer, &mut fields)?,
        "user" => said(Role::User, &mut fields)?,
        "assistant" => assistant(&mut fields, index, calls)?,
        "tool" => {
            let call_id = fields.need("tool_call_id")?;
            result(call_id, &mut fields, calls)?
        }
        "function" => {
            let name: String = fields.need("name")?;
            let call = calls.functions.get_mut(&name).and_then(VecDeque::pop_front);
            let call_id = call.unwrap_or_else(|| format!("call_{name}"));
            let mut turn = result(call_id, &mut fields, calls)?;
            if let Some(PartKind::ToolResult(result)) = turn.parts.first_mut().map(|part| &mut part.kind) {
                result.name = Some(name);
            }
            turn
        }
        _ => return Err(Unsayable::at("role", format!("there is no role `{role}`"))),
    };
    turn.name = fields.take("name")?;
    let mark = cache_mark(&mut fields);
    turn.extension = fields.into_extension(HERE);
    mark_last(&mut turn, mark);
    Ok(turn)
}

/// A mark on a message is one on its last part.
fn mark_last(turn: &mut Turn, mark: Option<CacheMark>) {
    if let Some(last) = turn.parts.last_mut().filter(|_| mark.is_some()) {
        last.cache = mark;
    }
}

fn said(role: Role, fields: &mut Fields<'_>) -> Result<Turn, Unsayable> {
    Ok(Turn::new(role, content(fields)?, Extension::of(HERE)))
}

/// `content`: a text, or a list of parts.
fn content(fields: &mut Fields<'_>) -> Result<Vec<Part>, Unsayable> {
    let Some(raw) = fields.raw("content") else {
        return Ok(Vec::new());
    };
    if raw.get().starts_with('"') {
        let text: String = serde_json::from_str(raw.get())
            .map_err(|_| Unsayable::at("content", "the text is no Unicode: a surrogate stands alone"))?;
        return Ok(vec![text_part(text)]);
    }
    let parts =
        items(raw).ok_or_else(|| Unsayable::at("content", "must be a string or an array of parts"))?;
    parts
        .into_iter()
        .enumerate()
        .map(|(index, raw)| part(raw).map_err(|error| error.within(&format!("content[{index}]"))))
        .collect()
}

fn assistant(fields: &mut Fields<'_>, index: usize, calls: &mut Calls) -> Result<Turn, Unsayable> {
    let details = fields.items("reasoning_details").ok().flatten();
    let text = ["reasoning_content", "reasoning"].map(|name| fields.raw(name));
    let text = text.into_iter().flatten().find(is_text);
    let mut parts = thoughts(text, details.as_deref());
    parts.extend(content(fields)?);
    if let Some(refusal) = fields.take::<String>("refusal")? {
        parts.push(Part::new(PartKind::Refusal(refusal), Extension::of(HERE)));
    }
    for (at, raw) in fields
        .items("tool_calls")?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let call = call_part(raw, format!("call_{index}_{at}"));
        let call = call.map_err(|error| error.within(&format!("tool_calls[{at}]")))?;
        if let PartKind::ToolCall(called) = &call.kind
            && called.is_custom
        {
            calls.custom.insert(called.id.clone());
        }
        parts.push(call);
    }
    if let Some(function) = fields.raw("function_call") {
        let call = Object::new().set("function", function).finish();
        let raw: Option<&RawValue> = call.read();
        let id = format!("call_{index}");
        if let Some(raw) = raw {
            let part = call_part(raw, id.clone()).map_err(|error| error.within("function_call"))?;
            if let PartKind::ToolCall(call) = &part.kind {
                calls
                    .functions
                    .entry(call.name.clone())
                    .or_default()
                    .push_back(id);
            }
            parts.push(part);
        }
    }
    Ok(Turn::new(Role::Assistant, parts, Extension::of(HERE)))
}

fn result(call_id: String, fields: &mut Fields<'_>, calls: &Calls) -> Result<Turn, Unsayable> {
    let result = ToolResult {
        is_custom: calls.custom.contains(&call_id),
        call_id,
        name: None,
        content: content(fields)?,
        is_error: None,
    };
    let part = Part::new(PartKind::ToolResult(result), Extension::of(HERE));
    Ok(Turn::new(Role::Tool, vec![part], Extension::of(HERE)))
}
