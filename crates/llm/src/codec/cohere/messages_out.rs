//! Messages for a provider.

use super::super::common::{path, result_text};
use super::messages_in::DOCUMENT;
use super::{PROTOCOL, tools};
use crate::chat::{
    Extension, Json, Media, MediaKind, Object, Part, PartKind, Role, Source, ToolResult, Turn, Unsayable,
};

/// Appends the messages of a turn.
pub(super) fn encode(turn: &Turn, messages: &mut Vec<Json>) -> Result<(), Unsayable> {
    match turn.role {
        Role::System | Role::Developer => said("system", turn, messages),
        Role::User => said("user", turn, messages),
        Role::Assistant => {
            assistant(turn, messages);
            Ok(())
        }
        Role::Tool => results(turn, messages),
    }
}

fn said(role: &str, turn: &Turn, messages: &mut Vec<Json>) -> Result<(), Unsayable> {
    let mut items = Vec::new();
    for part in &turn.parts {
        match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) => items.extend(text_item(text, &part.extension)),
            PartKind::Media(media) => items.push(media_item(media, &part.extension)?),
            PartKind::Foreign if part.extension.protocol() == PROTOCOL => {
                items.push(Item::Other(
                    Object::new().extend(&part.extension, PROTOCOL).finish(),
                ));
            }
            _ => {}
        }
    }
    if items.is_empty() && turn.extension.protocol() != PROTOCOL {
        return Ok(());
    }
    let message = Object::new().set("role", role).set("content", &content(items));
    messages.push(message.extend(&turn.extension, PROTOCOL).finish());
    Ok(())
}

/// A piece of a message's content.
enum Item {
    /// Text with nothing beside, which may stand alone in place of a list.
    Text(String),
    Other(Json),
}

/// A text; nothing for an empty one.
fn text_item(text: &str, extension: &Extension) -> Option<Item> {
    if text.is_empty() {
        return None;
    }
    let is_document = extension.kept(PROTOCOL, DOCUMENT).is_some();
    if !is_document && extension.members(PROTOCOL).is_empty() {
        return Some(Item::Text(text.to_owned()));
    }
    Some(Item::Other(if is_document {
        document(text, extension)
    } else {
        Object::new()
            .set("type", "text")
            .set("text", text)
            .extend(extension, PROTOCOL)
            .finish()
    }))
}

/// A document of a tool, as the decoder took it apart.
fn document(text: &str, extension: &Extension) -> Json {
    let mut document = Object::new();
    match Json::parse(text).filter(Json::is_object) {
        Some(data) => document.put("data", &data),
        None => document.put("data", text),
    }
    for (name, value) in path(extension, PROTOCOL, "document.") {
        document.put(name, value);
    }
    let mut written = Object::new()
        .set("type", "document")
        .set("document", &document.finish());
    for (name, value) in extension.members(PROTOCOL) {
        if !name.starts_with("document.") {
            written.put(name, value);
        }
    }
    written.finish()
}

fn media_item(media: &Media, extension: &Extension) -> Result<Item, Unsayable> {
    match (media.kind, &media.source) {
        (MediaKind::Image, Source::Base64(_) | Source::Url(_)) => {}
        (MediaKind::Document, Source::Text(text)) => return Ok(Item::Text(text.clone())),
        (MediaKind::Image, _) => {
            return Err(Unsayable::at(
                "messages",
                "Cohere stores no images; send its content or address",
            ));
        }
        (MediaKind::Audio | MediaKind::Video | MediaKind::Document, _) => {
            return Err(Unsayable::at("messages", "Cohere takes text and images only"));
        }
    }
    let image = Object::new()
        .set_some("url", media.url())
        .set_some("detail", media.detail.as_ref());
    let item = Object::new()
        .set("type", "image_url")
        .set("image_url", &image.finish());
    Ok(Item::Other(item.extend(extension, PROTOCOL).finish()))
}

/// One text as a string, anything else as a list.
fn content(mut items: Vec<Item>) -> Json {
    if let [Item::Text(text)] = items.as_mut_slice() {
        return Json::of(text);
    }
    let items: Vec<Json> = items
        .into_iter()
        .map(|item| match item {
            Item::Text(text) => Object::new().set("type", "text").set("text", &text).finish(),
            Item::Other(item) => item,
        })
        .collect();
    Json::of(&items)
}

/// The model's message. Thoughts of other providers are left out; what their models said before calling tools is the
/// plan.
fn assistant(turn: &Turn, messages: &mut Vec<Json>) {
    let is_native = turn.extension.protocol() == PROTOCOL;
    let calls_tools = turn
        .parts
        .iter()
        .any(|part| matches!(part.kind, PartKind::ToolCall(_)));
    let mut plan: Vec<&str> = Vec::new();
    let mut items = Vec::new();
    let mut calls = Vec::new();
    for part in &turn.parts {
        match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) if calls_tools && !is_native => {
                plan.extend((!text.is_empty()).then_some(text.as_str()));
            }
            PartKind::Text(text) | PartKind::Refusal(text) => items.extend(text_item(text, &part.extension)),
            PartKind::Reasoning(reasoning) if is_native && reasoning.is_summary => plan.push(&reasoning.text),
            PartKind::Reasoning(reasoning) if is_native => {
                items.push(Item::Other(thinking(&reasoning.text, part)));
            }
            PartKind::Foreign if part.extension.protocol() == PROTOCOL => {
                items.push(Item::Other(
                    Object::new().extend(&part.extension, PROTOCOL).finish(),
                ));
            }
            PartKind::ToolCall(call) => calls.push(tools::encode_call(call, &part.extension)),
            _ => {}
        }
    }
    let mut message = Object::new().set("role", "assistant");
    if !plan.is_empty() {
        message.put("tool_plan", &plan.join("\n"));
    }
    if !items.is_empty() || is_native && calls.is_empty() {
        message.put("content", &content(items));
    } else if plan.is_empty() && calls.is_empty() {
        return;
    }
    if !calls.is_empty() {
        message.put("tool_calls", &calls);
    }
    messages.push(message.extend(&turn.extension, PROTOCOL).finish());
}

/// A thought.
pub(super) fn thinking(text: &str, part: &Part) -> Json {
    Object::new()
        .set("type", "thinking")
        .set("thinking", text)
        .extend(&part.extension, PROTOCOL)
        .finish()
}

/// Results, one message each. Tools cannot show images, so those come in a message of the user's behind them.
fn results(turn: &Turn, messages: &mut Vec<Json>) -> Result<(), Unsayable> {
    let mut shown = Vec::new();
    for part in &turn.parts {
        let PartKind::ToolResult(result) = &part.kind else {
            continue;
        };
        for part in &result.content {
            if let PartKind::Media(media) = &part.kind {
                shown.push(media_item(media, &part.extension)?);
            }
        }
        let message = Object::new()
            .set("role", "tool")
            .set("tool_call_id", &result.call_id)
            .set("content", &result_content(result));
        messages.push(message.extend(&turn.extension, PROTOCOL).finish());
    }
    if !shown.is_empty() {
        messages.push(
            Object::new()
                .set("role", "user")
                .set("content", &content(shown))
                .finish(),
        );
    }
    Ok(())
}

fn result_content(result: &ToolResult) -> Json {
    let is_native = result
        .content
        .iter()
        .any(|part| part.extension.protocol() == PROTOCOL);
    if !is_native || result.is_error == Some(true) {
        return Json::of(&result_text(result));
    }
    let items = result.content.iter().filter_map(|part| match &part.kind {
        PartKind::Text(text) => text_item(text, &part.extension),
        _ => None,
    });
    content(items.collect())
}
