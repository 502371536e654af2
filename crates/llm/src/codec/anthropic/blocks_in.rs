//! Blocks of content, read.

use serde_json::value::RawValue;

use super::{HERE, NATIVE};
use crate::chat::{
    CacheMark, Extension, Fields, Media, MediaKind, Part, PartKind, Reasoning, Signature, Source, ToolCall,
    ToolResult, Unsayable, items,
};

/// The parts of a `content` or `system`, which is a text or an array of blocks.
///
/// # Errors
/// [`Unsayable`] if it is neither, or a block is not what its type says.
pub(super) fn content(json: &RawValue) -> Result<Vec<Part>, Unsayable> {
    each(json, block)
}

fn each(
    json: &RawValue,
    read: impl Fn(&RawValue) -> Result<Part, Unsayable>,
) -> Result<Vec<Part>, Unsayable> {
    if json.get().starts_with('"') {
        let text: String =
            serde_json::from_str(json.get()).map_err(|_| Unsayable::new("must be a valid string"))?;
        return Ok(if text.is_empty() {
            Vec::new()
        } else {
            vec![plain(text)]
        });
    }
    let blocks = items(json).ok_or_else(|| Unsayable::new("must be a string or an array of blocks"))?;
    blocks
        .into_iter()
        .enumerate()
        .map(|(index, json)| read(json).map_err(|error| error.within(&format!("[{index}]"))))
        .collect()
}

fn plain(text: String) -> Part {
    Part::new(PartKind::Text(text), Extension::of(HERE))
}

/// One block of a message.
pub(super) fn block(json: &RawValue) -> Result<Part, Unsayable> {
    let mut fields = Fields::read(json)?;
    let kind: String = fields.need("type")?;
    let kind = match kind.as_str() {
        "thinking" => PartKind::Reasoning(Reasoning {
            text: fields.take("thinking")?.unwrap_or_default(),
            signature: signature(fields.take("signature")?),
            ..Reasoning::default()
        }),
        "redacted_thinking" => PartKind::Reasoning(Reasoning {
            signature: signature(Some(fields.need("data")?)),
            is_redacted: true,
            ..Reasoning::default()
        }),
        "tool_use" => PartKind::ToolCall(ToolCall {
            id: fields.need("id")?,
            name: fields.need("name")?,
            arguments: fields
                .raw("input")
                .map(|input| input.get().to_owned())
                .unwrap_or_default(),
            is_custom: false,
            signature: None,
        }),
        "tool_result" => PartKind::ToolResult(ToolResult {
            call_id: fields.need("tool_use_id")?,
            name: None,
            content: fields
                .raw("content")
                .map(|content| each(content, inner_block).map_err(|error| error.within("content")))
                .transpose()?
                .unwrap_or_default(),
            is_error: fields.take("is_error")?,
            is_custom: false,
        }),
        _ => return inner_block(json),
    };
    Ok(part(kind, fields))
}

/// One block that may stand within others too.
fn inner_block(json: &RawValue) -> Result<Part, Unsayable> {
    let mut fields = Fields::read(json)?;
    let kind: String = fields.need("type")?;
    let kind = match kind.as_str() {
        "text" => Some(PartKind::Text(fields.need("text")?)),
        "image" => media(&mut fields, MediaKind::Image)?,
        "document" => media(&mut fields, MediaKind::Document)?,
        "search_result" => return search_result(json),
        _ => None,
    };
    Ok(match kind {
        Some(kind) => part(kind, fields),
        None => Part::new(PartKind::Foreign, Fields::read(json)?.into_extension(HERE)),
    })
}

fn part(kind: PartKind, mut fields: Fields<'_>) -> Part {
    let cache = cache_mark(&mut fields);
    Part {
        kind,
        cache,
        extension: fields.into_extension(HERE),
    }
}

fn signature(text: Option<String>) -> Option<Signature> {
    text.filter(|text| !text.is_empty())
        .map(|text| Signature::unpack(&text, NATIVE))
}

/// Takes `cache_control` out if it is one that the model has words for.
pub(super) fn cache_mark(fields: &mut Fields<'_>) -> Option<CacheMark> {
    let mut control = Fields::read(fields.peek("cache_control")?).ok()?;
    let kind: Option<String> = control.take("type").ok()?;
    let ttl: Option<String> = control.take("ttl").ok()?;
    let ttl = match ttl.as_deref() {
        None => None,
        Some("5m") => Some(300),
        Some("1h") => Some(3600),
        Some(_) => return None,
    };
    if kind.as_deref() != Some("ephemeral") || !control.is_empty() {
        return None;
    }
    fields.raw("cache_control");
    Some(CacheMark { ttl })
}

/// An image or a document; `None` if its source is of a kind that only Anthropic has.
fn media<'a>(fields: &mut Fields<'a>, kind: MediaKind) -> Result<Option<PartKind>, Unsayable> {
    let raw = fields
        .raw("source")
        .ok_or_else(|| Unsayable::at("source", "`source` is required"))?;
    let mut source = Fields::read(raw).map_err(|error| error.within("source"))?;
    let told: String = source.need("type").map_err(|error| error.within("source"))?;
    let media_type = source
        .take("media_type")
        .map_err(|error| error.within("source"))?;
    let mut text = |name| {
        source
            .need::<String>(name)
            .map_err(|error| error.within("source"))
    };
    let source = match (told.as_str(), kind) {
        ("base64", _) => Source::Base64(text("data")?),
        ("text", MediaKind::Document) => Source::Text(text("data")?),
        ("url", _) => Source::Url(text("url")?),
        ("file", _) => Source::File(text("file_id")?),
        _ => return Ok(content_source(raw, fields)),
    };
    Ok(Some(PartKind::Media(Media {
        kind,
        source,
        media_type,
        name: fields.take("title")?,
        detail: None,
    })))
}

/// A document that is given as blocks. Its text is what other protocols see of it, if it is all text; the source as it
/// stands is kept beside.
fn content_source<'a>(raw: &'a RawValue, fields: &mut Fields<'a>) -> Option<PartKind> {
    let mut source = Fields::read(raw).ok()?;
    let texts = texts(source.raw("content")?)?;
    let media = Media {
        kind: MediaKind::Document,
        source: Source::Text(texts),
        media_type: None,
        name: fields.take("title").ok()?,
        detail: None,
    };
    fields.put_back("source", raw);
    Some(PartKind::Media(media))
}

/// A search result: for other protocols it is its text with title and source; the block as it stands is kept beside.
fn search_result(json: &RawValue) -> Result<Part, Unsayable> {
    let mut fields = Fields::read(json)?;
    let title: Option<String> = fields.take("title")?;
    let source: Option<String> = fields.take("source")?;
    let content = fields.raw("content").and_then(texts).unwrap_or_default();
    let lines = [title, source, Some(content)];
    let lines: Vec<String> = lines
        .into_iter()
        .flatten()
        .filter(|line| !line.is_empty())
        .collect();
    let mut whole = Fields::read(json)?;
    let cache = cache_mark(&mut whole);
    Ok(Part {
        kind: PartKind::Text(lines.join("\n")),
        cache,
        extension: whole.into_extension(HERE),
    })
}

/// The text of a content that is nothing but text.
fn texts(content: &RawValue) -> Option<String> {
    let parts = each(content, |json| {
        let mut fields = Fields::read(json)?;
        match fields.need::<String>("type")?.as_str() {
            "text" => Ok(plain(fields.need("text")?)),
            _ => Err(Unsayable::new("no text")),
        }
    });
    let texts: Vec<String> = parts
        .ok()?
        .into_iter()
        .filter_map(|part| match part.kind {
            PartKind::Text(text) => Some(text),
            _ => None,
        })
        .collect();
    Some(texts.join("\n"))
}
