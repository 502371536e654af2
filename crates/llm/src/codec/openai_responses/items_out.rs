//! Turns of a conversation, written as the items of a request.

use super::PROTOCOL;
use super::content;
use super::marks;
use super::opaque;
use crate::chat::{
    Drops, Extension, Json, Object, Part, PartKind, Reasoning, Role, SignatureOrigin, ToolCall, ToolResult,
    Turn, Unsayable, array,
};
use crate::codec::TargetRules;

/// Whom a request is written for.
pub(super) struct Target<'a> {
    /// The provider and the model.
    pub(super) rules: &'a TargetRules<'a>,
    /// What is left out.
    pub(super) drops: &'a mut Drops,
}

/// Writes a turn's items.
pub(super) fn write(turn: &Turn, items: &mut Vec<Json>, target: &mut Target<'_>) -> Result<(), Unsayable> {
    target.drops.note_if(turn.name.is_some(), "name");
    turn.extension.drop_unless(PROTOCOL, "", target.drops);
    let mut writer = Writer {
        role: turn.role,
        items,
        open: None,
    };
    if turn.parts.is_empty() && marks::has(&turn.extension, marks::ITEM) {
        writer.open = Some(Message::new(&turn.extension));
    }
    for part in &turn.parts {
        writer.part(part, target)?;
    }
    writer.close(target.rules.quirks.developer_role);
    Ok(())
}

struct Writer<'a, 'i> {
    role: Role,
    items: &'i mut Vec<Json>,
    open: Option<Message<'a>>,
}

/// A message whose parts are being collected.
struct Message<'a> {
    /// Where what is kept of the item is.
    extension: &'a Extension,
    parts: Vec<Json>,
    /// The text, as long as it is all there is and may stand as a string.
    lone: Option<&'a str>,
}

impl<'a> Message<'a> {
    fn new(extension: &'a Extension) -> Self {
        Self {
            extension,
            parts: Vec::new(),
            lone: None,
        }
    }
}

impl<'a> Writer<'a, '_> {
    fn part(&mut self, part: &'a Part, target: &mut Target<'_>) -> Result<(), Unsayable> {
        let developer_role = target.rules.quirks.developer_role;
        let item = match &part.kind {
            PartKind::Foreign if part.extension.protocol() != PROTOCOL => {
                note_foreign(part, target.drops);
                None
            }
            PartKind::Foreign if marks::has(&part.extension, marks::ITEM) => {
                Some(marks::whole(&part.extension))
            }
            PartKind::Text(_) | PartKind::Refusal(_) | PartKind::Media(_) | PartKind::Foreign => {
                return self.content(part, target);
            }
            PartKind::Reasoning(thought) => reasoning(part, thought, target.drops),
            PartKind::ToolCall(call) => Some(tool_call(part, call, target.drops)),
            PartKind::ToolResult(result) => Some(tool_result(part, result, target)?),
        };
        if let Some(item) = item {
            self.close(developer_role);
            self.items.push(item);
        }
        Ok(())
    }

    fn content(&mut self, part: &'a Part, target: &mut Target<'_>) -> Result<(), Unsayable> {
        let Some(json) = content::write(part, self.role, target)? else {
            return Ok(());
        };
        if marks::has(&part.extension, marks::ITEM) {
            self.close(target.rules.quirks.developer_role);
        }
        let message = self.open.get_or_insert_with(|| Message::new(&part.extension));
        let is_own = part.extension.protocol() == PROTOCOL;
        message.lone = match &part.kind {
            PartKind::Text(text)
                if message.parts.is_empty()
                    && part.cache.is_none()
                    && (!is_own || marks::has(&part.extension, marks::STRING)) =>
            {
                Some(text)
            }
            _ => None,
        };
        message.parts.push(json);
        Ok(())
    }

    fn close(&mut self, developer_role: bool) {
        let Some(message) = self.open.take() else { return };
        let role = match self.role {
            Role::Developer if developer_role => "developer",
            Role::System | Role::Developer => "system",
            Role::Assistant => "assistant",
            Role::User | Role::Tool => "user",
        };
        let mut item = Object::new();
        match message.extension.kept(PROTOCOL, marks::ITEM) {
            Some(kept) => marks::put_kept(&mut item, kept),
            None => item.put("type", "message"),
        }
        item.put("role", role);
        match message.lone {
            Some(text) => item.put("content", text),
            None => item.put("content", &array(&message.parts)),
        }
        marks::put_rest(&mut item, message.extension, marks::MESSAGE);
        self.items.push(item.finish());
    }
}

/// Notes a part that only another protocol has by its type there.
fn note_foreign(part: &Part, drops: &mut Drops) {
    let extension = &part.extension;
    let kind = extension.get(extension.protocol(), "type");
    match kind.and_then(|kind| kind.read::<String>()) {
        Some(kind) => drops.note(kind),
        None => extension.drop_unless(PROTOCOL, "", drops),
    }
}

/// A thought that the provider knows again: one that it signed, or one of its own items. Others are left out.
fn reasoning(part: &Part, thought: &Reasoning, drops: &mut Drops) -> Option<Json> {
    let is_foreign = |origin| origin != SignatureOrigin::OpenAi;
    if thought
        .signature
        .as_ref()
        .is_some_and(|signature| is_foreign(signature.origin))
    {
        drops.note("reasoning");
        return None;
    }
    if let Some(raw) = part.extension.kept(PROTOCOL, marks::RAW) {
        return Some(raw.clone());
    }
    let Some(signature) = &thought.signature else {
        drops.note("reasoning");
        return None;
    };
    let summary = summary(&thought.text);
    let item = Object::new()
        .set("type", "reasoning")
        .set_some("id", thought.id.as_ref())
        .set("summary", &summary)
        .set(
            "encrypted_content",
            &opaque::thought(signature, thought.is_redacted),
        );
    Some(item.finish())
}

/// A summary of one part, or of none.
fn summary(text: &str) -> Json {
    let part = (!text.is_empty()).then(|| {
        Object::new()
            .set("type", "summary_text")
            .set("text", text)
            .finish()
    });
    array(part.as_slice())
}

fn tool_call(part: &Part, call: &ToolCall, drops: &mut Drops) -> Json {
    part.extension.drop_unless(PROTOCOL, "", drops);
    let (kind, member) = match call.is_custom {
        true => ("custom_tool_call", "input"),
        false => ("function_call", "arguments"),
    };
    let arguments = match call.arguments.trim() {
        "" if !call.is_custom && part.extension.protocol() != PROTOCOL => "{}",
        _ => &call.arguments,
    };
    let mut item = Object::new();
    match part.extension.kept(PROTOCOL, marks::ITEM) {
        Some(kept) => marks::put_kept(&mut item, kept),
        None => item.put("type", kind),
    }
    item.put("call_id", &call.id);
    match part.extension.kept(PROTOCOL, marks::NAME) {
        Some(name) => item.put("name", name),
        None => item.put("name", &call.name),
    }
    if let Some(namespace) = part.extension.kept(PROTOCOL, marks::NAMESPACE) {
        item.put("namespace", namespace);
    }
    item.put(member, arguments);
    item.extend(&part.extension, PROTOCOL).finish()
}

fn tool_result(part: &Part, result: &ToolResult, target: &mut Target<'_>) -> Result<Json, Unsayable> {
    part.extension.drop_unless(PROTOCOL, "", target.drops);
    let mut item = Object::new();
    match part.extension.kept(PROTOCOL, marks::ITEM) {
        Some(kept) => marks::put_kept(&mut item, kept),
        None if result.is_custom => item.put("type", "custom_tool_call_output"),
        None => item.put("type", "function_call_output"),
    }
    item.put("call_id", &result.call_id);
    for (mark, name) in [(marks::NAME, "name"), (marks::NAMESPACE, "namespace")] {
        if let Some(kept) = part.extension.kept(PROTOCOL, mark) {
            item.put(name, kept);
        }
    }
    item.put("output", &output(part, result, target)?);
    Ok(item.extend(&part.extension, PROTOCOL).finish())
}

/// What a tool answered: a string where it was one or where text is all there is, else a list.
fn output(part: &Part, result: &ToolResult, target: &mut Target<'_>) -> Result<Json, Unsayable> {
    let is_own = part.extension.protocol() == PROTOCOL;
    let was_string = |part: &Part| marks::has(&part.extension, marks::STRING);
    let is_text = result
        .content
        .iter()
        .all(|part| matches!(part.kind, PartKind::Text(_)) && part.cache.is_none());
    // The protocol has no member for failures.
    let failed = result.is_error == Some(true);
    if (is_own && result.content.first().is_some_and(was_string)) || (!is_own && is_text) {
        let text = result.text();
        return Ok(Json::of(&if failed { format!("ERROR: {text}") } else { text }));
    }
    let mut parts = Vec::new();
    if failed {
        let note = Object::new().set("type", "input_text").set("text", "ERROR:");
        parts.push(note.finish());
    }
    for part in &result.content {
        parts.extend(content::write(part, Role::Tool, target)?);
    }
    Ok(array(&parts))
}
