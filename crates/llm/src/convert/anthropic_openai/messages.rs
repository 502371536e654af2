//! System prompt and messages (compat §5.4).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::tools::ToolNames;
use crate::convert::ConversionRefused;
use crate::lenient::Text;

const BILLING_HEADER: &str = "x-anthropic-billing-header:";

/// A message as OpenAI takes it.
#[derive(Serialize)]
pub(super) struct ChatMessage<'a> {
    role: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    /// A string as the client wrote it.
    Raw(&'a RawValue),
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: Cow<'a, str>,
}

#[derive(Serialize)]
struct ToolCall<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: CalledFunction<'a>,
}

#[derive(Serialize)]
struct CalledFunction<'a> {
    name: Cow<'a, str>,
    /// JSON text, as the client wrote it.
    arguments: &'a str,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Message<'a> {
    #[serde(default)]
    role: Text<'a>,
    content: Option<&'a RawValue>,
}

/// A content block of any type; the members that the converted types have.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Block<'a> {
    #[serde(default, rename = "type")]
    kind: Text<'a>,
    #[serde(default)]
    text: Text<'a>,
    #[serde(default)]
    id: Text<'a>,
    #[serde(default)]
    name: Text<'a>,
    #[serde(default)]
    tool_use_id: Text<'a>,
    source: Option<&'a RawValue>,
    input: Option<&'a RawValue>,
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Source<'a> {
    #[serde(default, rename = "type")]
    kind: Text<'a>,
    #[serde(default)]
    media_type: Text<'a>,
    #[serde(default)]
    data: Text<'a>,
    #[serde(default)]
    url: Text<'a>,
}

impl<'a> ChatMessage<'a> {
    fn new(role: impl Into<Cow<'a, str>>, content: Option<Content<'a>>) -> Self {
        Self {
            role: role.into(),
            tool_call_id: None,
            content,
            tool_calls: Vec::new(),
        }
    }
}

/// Converts `system` and `messages`, in this order.
pub(super) fn convert_messages<'a>(
    system: Option<&'a RawValue>,
    messages: &[&'a RawValue],
    names: &mut ToolNames,
) -> Result<Vec<ChatMessage<'a>>, ConversionRefused> {
    let mut out = Vec::with_capacity(messages.len() + 1);
    out.extend(system.and_then(convert_system));
    for (position, message) in messages.iter().enumerate() {
        let index = position + 1;
        if !message.get().starts_with('{') {
            // serde would take an array for an object whose names were left out.
            return Err(ConversionRefused::Message(index));
        }
        let message: Message<'a> =
            serde_json::from_str(message.get()).map_err(|_| ConversionRefused::Message(index))?;
        let role = message.role.0.ok_or(ConversionRefused::Message(index))?;
        let content = message.content.ok_or(ConversionRefused::Content(index))?;
        if is_string(content) {
            out.push(ChatMessage::new(role, Some(Content::Raw(content))));
            continue;
        }
        let blocks: Vec<Block<'a>> =
            serde_json::from_str(content.get()).map_err(|_| ConversionRefused::Content(index))?;
        if role == "assistant" {
            out.push(convert_assistant(blocks, names));
        } else {
            convert_user(role, blocks, &mut out);
        }
    }
    Ok(out)
}

fn convert_system(system: &RawValue) -> Option<ChatMessage<'_>> {
    let content = if is_string(system) {
        (system.get() != "\"\"").then_some(Content::Raw(system))
    } else {
        let blocks: Vec<Block<'_>> = serde_json::from_str(system.get()).ok()?;
        let texts = blocks.iter().filter_map(|block| block.text.as_str());
        let text: String = texts.map(without_billing_hash).collect();
        (!text.is_empty()).then_some(Content::Text(Cow::Owned(text)))
    };
    content.map(|content| ChatMessage::new("system", Some(content)))
}

/// Takes the entries `cch=…` out of the block in which Claude Code describes itself: they differ with every request
/// and would defeat the provider's prompt cache.
fn without_billing_hash(text: &str) -> Cow<'_, str> {
    let Some(entries) = text.strip_prefix(BILLING_HEADER) else {
        return Cow::Borrowed(text);
    };
    let kept: Vec<&str> = entries
        .split(';')
        .map(str::trim)
        .filter(|entry| !entry.is_empty() && !entry.starts_with("cch="))
        .collect();
    if kept.is_empty() {
        Cow::Borrowed("")
    } else {
        Cow::Owned(format!("{BILLING_HEADER} {};", kept.join("; ")))
    }
}

fn convert_assistant<'a>(blocks: Vec<Block<'a>>, names: &mut ToolNames) -> ChatMessage<'a> {
    let mut text = String::new();
    let mut tool_calls = Vec::new();
    for block in blocks {
        match block.kind.as_str() {
            Some("text") => text.push_str(block.text.as_str().unwrap_or_default()),
            Some("tool_use") => tool_calls.push(ToolCall {
                id: block.id.0.unwrap_or_default(),
                kind: "function",
                function: CalledFunction {
                    name: names.send(block.name.0.unwrap_or_default()),
                    arguments: block.input.map_or("{}", RawValue::get),
                },
            }),
            _ => {}
        }
    }
    let content = (tool_calls.is_empty() || !text.is_empty()).then_some(Content::Text(Cow::Owned(text)));
    ChatMessage {
        tool_calls,
        ..ChatMessage::new("assistant", content)
    }
}

fn convert_user<'a>(role: Cow<'a, str>, blocks: Vec<Block<'a>>, out: &mut Vec<ChatMessage<'a>>) {
    let mut parts = Vec::new();
    let mut has_results = false;
    for block in blocks {
        if block.kind.as_str() == Some("tool_result") {
            has_results = true;
            let content = block
                .content
                .map_or(Content::Text(Cow::Borrowed("")), convert_result);
            out.push(ChatMessage {
                tool_call_id: block.tool_use_id.0,
                ..ChatMessage::new("tool", Some(content))
            });
        } else {
            parts.extend(convert_part(block));
        }
    }
    if !parts.is_empty() {
        out.push(ChatMessage::new(role, Some(Content::Parts(parts))));
    } else if !has_results {
        out.push(ChatMessage::new(role, Some(Content::Text(Cow::Borrowed("")))));
    }
}

/// Converts a tool's result: text, or parts if there is anything but text in it.
fn convert_result(content: &RawValue) -> Content<'_> {
    if is_string(content) {
        return Content::Raw(content);
    }
    let blocks: Vec<Block<'_>> = serde_json::from_str(content.get()).unwrap_or_default();
    let parts: Vec<_> = blocks.into_iter().filter_map(convert_part).collect();
    if parts.iter().any(|part| matches!(part, Part::ImageUrl { .. })) {
        return Content::Parts(parts);
    }
    let texts = parts.into_iter().filter_map(|part| match part {
        Part::Text { text } => Some(text),
        Part::ImageUrl { .. } => None,
    });
    Content::Text(Cow::Owned(texts.collect()))
}

fn convert_part(block: Block<'_>) -> Option<Part<'_>> {
    let default_type = match block.kind.as_str()? {
        "text" => return block.text.0.map(|text| Part::Text { text }),
        "image" => "image/png",
        "document" => "application/pdf",
        _ => return None,
    };
    let is_image = block.kind.as_str() == Some("image");
    let source: Source<'_> = serde_json::from_str(block.source?.get()).ok()?;
    let url = match source.kind.as_str()? {
        "base64" => {
            let media_type = source.media_type.as_str().unwrap_or(default_type);
            Cow::Owned(format!("data:{media_type};base64,{}", source.data.as_str()?))
        }
        "url" if is_image => source.url.0?,
        _ => return None,
    };
    Some(Part::ImageUrl {
        image_url: ImageUrl { url },
    })
}

fn is_string(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_billing_header_loses_its_hash() {
        for (text, expected) in [
            (
                "x-anthropic-billing-header: cc_version=2.1.197.fbe; cc_entrypoint=cli; cch=a112b;",
                "x-anthropic-billing-header: cc_version=2.1.197.fbe; cc_entrypoint=cli;",
            ),
            (
                "x-anthropic-billing-header: cch=1; a=b",
                "x-anthropic-billing-header: a=b;",
            ),
            ("x-anthropic-billing-header: cch=1;", ""),
            (
                "About x-anthropic-billing-header: cch=1;",
                "About x-anthropic-billing-header: cch=1;",
            ),
        ] {
            assert_eq!(without_billing_hash(text), expected);
        }
    }
}
