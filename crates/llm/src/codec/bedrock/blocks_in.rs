//! Blocks of content, read.

use serde_json::value::RawValue;

use super::signatures::{NATIVE, from_blob};
use super::{HERE, formats};
use crate::chat::{
    CacheMark, Extension, Fields, Json, Media, MediaKind, Part, PartKind, Reasoning, Signature, Source,
    ToolCall, ToolResult, Unsayable, items,
};

/// The parts of a `content` or `system`. Marks of the prompt cache are on the parts before them.
///
/// # Errors
/// [`Unsayable`] if it is no array, or a block is not what it says.
pub(super) fn content(json: &RawValue) -> Result<Vec<Part>, Unsayable> {
    each(json, block)
}

fn each(
    json: &RawValue,
    read: impl Fn(&RawValue) -> Result<Part, Unsayable>,
) -> Result<Vec<Part>, Unsayable> {
    let blocks = items(json).ok_or_else(|| Unsayable::new("must be an array of blocks"))?;
    let mut parts: Vec<Part> = Vec::with_capacity(blocks.len());
    for (index, json) in blocks.into_iter().enumerate() {
        if let Some(mark) = cache_point(json)
            && let Some(before) = parts.last_mut().filter(|part| part.cache.is_none())
        {
            before.cache = Some(mark);
            continue;
        }
        parts.push(read(json).map_err(|error| error.within(&format!("[{index}]")))?);
    }
    Ok(parts)
}

/// The mark that a block is, if the model has words for it.
pub(super) fn cache_point(json: &RawValue) -> Option<CacheMark> {
    let mut fields = Fields::read(json).ok()?;
    let mut point = fields.object("cachePoint").ok()??;
    let kind: String = point.take("type").ok()??;
    let ttl = match point.take::<String>("ttl").ok()?.as_deref() {
        None => None,
        Some("5m") => Some(300),
        Some("1h") => Some(3600),
        Some(_) => return None,
    };
    (kind == "default" && point.is_empty() && fields.is_empty()).then_some(CacheMark { ttl })
}

/// One block of a message.
fn block(json: &RawValue) -> Result<Part, Unsayable> {
    let mut fields = Fields::read(json)?;
    if let Some(mut call) = fields.object("toolUse")? {
        let within = |error: Unsayable| error.within("toolUse");
        let kind = PartKind::ToolCall(ToolCall {
            id: call.need("toolUseId").map_err(within)?,
            name: call.need("name").map_err(within)?,
            arguments: call
                .raw("input")
                .map(|input| input.get().to_owned())
                .unwrap_or_default(),
            is_custom: false,
            signature: None,
        });
        return Ok(Part::new(kind, call.into_extension(HERE)));
    }
    if let Some(result) = fields.object("toolResult")? {
        return tool_result(result).map_err(|error| error.within("toolResult"));
    }
    if let Some(thought) = fields.object("reasoningContent")? {
        return reasoning(thought).map_err(|error| error.within("reasoningContent"));
    }
    inner_block(json)
}

fn tool_result(mut fields: Fields<'_>) -> Result<Part, Unsayable> {
    let status: Option<String> = fields.take("status")?;
    let kind = PartKind::ToolResult(ToolResult {
        call_id: fields.need("toolUseId")?,
        name: None,
        content: fields
            .raw("content")
            .map(|content| each(content, inner_block).map_err(|error| error.within("content")))
            .transpose()?
            .unwrap_or_default(),
        is_error: status.map(|status| status == "error"),
        is_custom: false,
    });
    Ok(Part::new(kind, fields.into_extension(HERE)))
}

fn reasoning(mut fields: Fields<'_>) -> Result<Part, Unsayable> {
    let thought = if let Some(mut said) = fields.object("reasoningText")? {
        let signature: Option<String> = said.take("signature")?;
        Reasoning {
            text: said.need("text")?,
            signature: signature
                .filter(|signature| !signature.is_empty())
                .map(|signature| Signature::unpack(&signature, NATIVE)),
            ..Reasoning::default()
        }
    } else {
        let blob: String = fields.need("redactedContent")?;
        Reasoning {
            signature: Some(from_blob(&blob)),
            is_redacted: true,
            ..Reasoning::default()
        }
    };
    Ok(Part::new(
        PartKind::Reasoning(thought),
        fields.into_extension(HERE),
    ))
}

/// One block that may stand within others too. What only Converse has is kept as it is; where it has a text, that is
/// what other protocols see of it.
fn inner_block(json: &RawValue) -> Result<Part, Unsayable> {
    let mut fields = Fields::read(json)?;
    if fields.peek("text").is_some() {
        let kind = PartKind::Text(fields.need("text")?);
        return Ok(Part::new(kind, fields.into_extension(HERE)));
    }
    for kind in [
        MediaKind::Image,
        MediaKind::Document,
        MediaKind::Video,
        MediaKind::Audio,
    ] {
        let member = formats::member(kind);
        if let Some(media) = fields.object(member)? {
            return read_media(kind, media).map_err(|error| error.within(member));
        }
    }
    let text = match (
        fields.peek("json"),
        fields.peek("citationsContent"),
        fields.peek("searchResult"),
    ) {
        (Some(json), ..) => Some(json.get().to_owned()),
        (None, Some(cited), _) => Fields::read(cited)?.raw("content").map(texts),
        (None, None, Some(found)) => Some(search_result(found)?),
        (None, None, None) => None,
    };
    let kind = text.map_or(PartKind::Foreign, PartKind::Text);
    Ok(Part::new(kind, fields.into_extension(HERE)))
}

/// Title, source and text of a search result.
fn search_result(json: &RawValue) -> Result<String, Unsayable> {
    let mut fields = Fields::read(json)?;
    let title: Option<String> = fields.take("title")?;
    let source: Option<String> = fields.take("source")?;
    let content = fields.raw("content").map(texts);
    let lines: Vec<String> = [title, source, content].into_iter().flatten().collect();
    Ok(lines.join("\n"))
}

/// The texts of blocks.
fn texts(json: &RawValue) -> String {
    let blocks = items(json).unwrap_or_default();
    let texts: Vec<String> = blocks
        .into_iter()
        .filter_map(|block| Fields::read(block).ok()?.take("text").ok()?)
        .collect();
    texts.join("\n")
}

fn read_media(kind: MediaKind, mut fields: Fields<'_>) -> Result<Part, Unsayable> {
    let format: Option<String> = fields.take("format")?;
    let raw = fields
        .raw("source")
        .ok_or_else(|| Unsayable::at("source", "`source` is required"))?;
    let mut source = Fields::read(raw).map_err(|error| error.within("source"))?;
    let within = |error: Unsayable| error.within("source");
    let mut is_whole = true;
    let source = if let Some(data) = source.take("bytes").map_err(within)? {
        Source::Base64(data)
    } else if let Some(text) = source.take("text").map_err(within)? {
        Source::Text(text)
    } else if let Some(mut place) = source.object("s3Location").map_err(within)? {
        let uri = place.need("uri").map_err(within)?;
        is_whole = place.is_empty();
        Source::Url(uri)
    } else if let Some(content) = source.raw("content") {
        is_whole = false;
        Source::Text(texts(content))
    } else {
        return Err(Unsayable::at(
            "source",
            "must hold `bytes`, `text`, `content` or `s3Location`",
        ));
    };
    let media = Media {
        kind,
        source,
        media_type: format.map(|format| formats::media_type(kind, &format)),
        name: fields.take("name")?,
        detail: None,
    };
    let mut extension: Extension = fields.into_extension(HERE);
    if !is_whole {
        extension.push("source", Json::from(raw));
    }
    Ok(Part::new(PartKind::Media(media), extension))
}
