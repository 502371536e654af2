//! Parts of messages, as clients and providers write them.

use serde_json::value::RawValue;

use super::wire::{ContentChunk, is_text, thought_signature};
use crate::chat::{
    CacheMark, Extension, Fields, Json, Media, MediaKind, Part, PartKind, Reasoning, Signature,
    SignatureOrigin, Source, ToolCall, Unsayable, items,
};
use crate::codec::pieces::Pieces;
use crate::protocol::Protocol;

const HERE: Protocol = Protocol::OpenAiChat;

/// A text.
pub(super) fn text_part(text: impl Into<String>) -> Part {
    Part::new(PartKind::Text(text.into()), Extension::of(HERE))
}

/// What a provider's `content` says: text, or a list of chunks. What is neither is left out.
pub(super) fn content_parts(content: &RawValue) -> Vec<Part> {
    if is_text(&content) {
        return vec![text_part(Pieces::default().read(content))];
    }
    let mut parts = Vec::new();
    for raw in items(content).unwrap_or_default() {
        let Ok(chunk) = serde_json::from_str::<ContentChunk<'_>>(raw.get()) else {
            continue;
        };
        if let Some(thinking) = chunk.thinking {
            let text = super::wire::thinking_texts(thinking)
                .into_iter()
                .map(|text| Pieces::default().read(text))
                .collect();
            let thought = Reasoning {
                text,
                ..Reasoning::default()
            };
            parts.push(Part::new(PartKind::Reasoning(thought), Extension::of(HERE)));
        } else {
            parts.extend(part(raw).ok());
        }
    }
    parts
}

/// A part of a `content`.
///
/// # Errors
/// [`Unsayable`] if a known part is not what the protocol says.
pub(super) fn part(raw: &RawValue) -> Result<Part, Unsayable> {
    let mut fields = Fields::read(raw)?;
    let kind: String = match fields.take("type")? {
        Some(kind) => kind,
        None if fields.peek("text").is_some() => "text".to_owned(),
        None => return Err(Unsayable::at("type", "`type` is required")),
    };
    let kind = match kind.as_str() {
        "text" | "input_text" | "output_text" => PartKind::Text(fields.need("text")?),
        "refusal" => PartKind::Refusal(fields.need("refusal")?),
        "image_url" | "video_url" | "input_audio" | "file" => {
            return media_part(&kind, fields);
        }
        _ => {
            let mut extension = Extension::of(HERE);
            extension.push("type", Json::of(&kind));
            for (name, value) in fields.into_extension(HERE).members(HERE) {
                extension.push(name.clone(), value.clone());
            }
            return Ok(Part::new(PartKind::Foreign, extension));
        }
    };
    let cache = cache_mark(&mut fields);
    let mut part = Part::new(kind, fields.into_extension(HERE));
    part.cache = cache;
    Ok(part)
}

fn media_part(kind: &str, mut fields: Fields<'_>) -> Result<Part, Unsayable> {
    let url = fields
        .peek(kind)
        .and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let (media, rest) = if let Some(url) = url {
        fields.raw(kind);
        (Media::from_url(url_kind(kind), &url), Extension::of(HERE))
    } else {
        let inner = fields.object(kind)?;
        let mut inner = inner.ok_or_else(|| Unsayable::at(kind, format!("`{kind}` is required")))?;
        let media = media(kind, &mut inner).map_err(|error| error.within(kind))?;
        (media, inner.into_extension(HERE))
    };
    let cache = cache_mark(&mut fields);
    let mut extension = fields.into_extension(HERE);
    if let Some(rest) = object(&rest) {
        extension.push(kind, rest);
    }
    let mut part = Part::new(PartKind::Media(media), extension);
    part.cache = cache;
    Ok(part)
}

fn url_kind(kind: &str) -> MediaKind {
    match kind {
        "video_url" => MediaKind::Video,
        "input_audio" => MediaKind::Audio,
        "file" => MediaKind::Document,
        _ => MediaKind::Image,
    }
}

fn media(kind: &str, inner: &mut Fields<'_>) -> Result<Media, Unsayable> {
    match kind {
        "input_audio" => {
            let data: String = inner.need("data")?;
            let format: Option<String> = inner.take("format")?;
            let mut media = held(MediaKind::Audio, data);
            if let Some(format) = format {
                let subtype = if format == "mp3" { "mpeg" } else { &format };
                media.media_type = Some(format!("audio/{subtype}"));
            }
            Ok(media)
        }
        "file" => {
            let mut media = if let Some(id) = inner.take::<String>("file_id")? {
                Media {
                    source: Source::File(id),
                    ..held(MediaKind::Document, String::new())
                }
            } else {
                held(MediaKind::Document, inner.need("file_data")?)
            };
            media.name = inner.take("filename")?;
            Ok(media)
        }
        _ => {
            let url: String = inner.need("url")?;
            let mut media = Media::from_url(url_kind(kind), &url);
            media.detail = inner.take("detail")?;
            Ok(media)
        }
    }
}

/// A medium given as base64 or, by some clients, as a `data:` URL.
fn held(kind: MediaKind, data: String) -> Media {
    if data.starts_with("data:") || data.starts_with("http://") || data.starts_with("https://") {
        return Media::from_url(kind, &data);
    }
    Media {
        kind,
        source: Source::Base64(data),
        media_type: None,
        name: None,
        detail: None,
    }
}

/// The members of an extension as an object, if there are any.
fn object(extension: &Extension) -> Option<Json> {
    let members = extension.members(HERE).iter();
    let object = members.fold(crate::chat::Object::new(), |object, (name, value)| {
        object.set(name, value)
    });
    (!object.is_empty()).then(|| object.finish())
}

/// Takes out OpenAI's `prompt_cache_breakpoint`, or `cache_control`, which OpenRouter and others take over from
/// Anthropic. One that says more than a lifetime stays where it is.
pub(super) fn cache_mark(fields: &mut Fields<'_>) -> Option<CacheMark> {
    for (name, tag, word) in [
        ("prompt_cache_breakpoint", "mode", "explicit"),
        ("cache_control", "type", "ephemeral"),
    ] {
        let Some(raw) = fields.peek(name) else { continue };
        let Ok(mut inner) = Fields::read(raw) else {
            continue;
        };
        let is_known = inner.take::<String>(tag).ok().flatten().as_deref() == Some(word);
        let ttl = inner.take::<String>("ttl").ok().flatten();
        let seconds = ttl.as_deref().and_then(lifetime);
        if is_known && inner.is_empty() && ttl.is_some() == seconds.is_some() {
            fields.raw(name);
            return Some(CacheMark { ttl: seconds });
        }
    }
    None
}

/// Seconds of `30m` or `1h`.
fn lifetime(text: &str) -> Option<u32> {
    let minutes = text.strip_suffix('m').and_then(|count| count.parse::<u32>().ok());
    let hours = text.strip_suffix('h').and_then(|count| count.parse::<u32>().ok());
    minutes
        .and_then(|minutes| minutes.checked_mul(60))
        .or_else(|| hours?.checked_mul(3600))
}

/// A call of a tool; `made` is its id if it has none.
///
/// # Errors
/// [`Unsayable`] if it is not what the protocol says.
pub(super) fn call_part(raw: &RawValue, made: String) -> Result<Part, Unsayable> {
    let mut fields = Fields::read(raw)?;
    fields.raw("type");
    fields.raw("index");
    let id: Option<String> = fields.take("id")?;
    let custom = fields.object("custom")?;
    let is_custom = custom.is_some();
    let (member, mut inner) = match custom {
        Some(custom) => ("custom", custom),
        None => {
            let function = fields.object("function")?;
            (
                "function",
                function.ok_or_else(|| Unsayable::at("function", "`function` is required"))?,
            )
        }
    };
    let name = inner.need("name").map_err(|error| error.within(member))?;
    let arguments = match inner.raw(if is_custom { "input" } else { "arguments" }) {
        Some(text) if text.get().starts_with('"') => Pieces::default().read(text),
        Some(other) => other.get().to_owned(),
        None => String::new(),
    };
    let signature = fields
        .peek("extra_content")
        .and_then(thought_signature)
        .map(|signature| Signature::unpack(&signature, SignatureOrigin::Gemini));
    if signature.is_some() {
        fields.raw("extra_content");
    }
    let call = ToolCall {
        id: id.filter(|id| !id.is_empty()).unwrap_or(made),
        name,
        arguments,
        is_custom,
        signature,
    };
    Ok(Part::new(PartKind::ToolCall(call), fields.into_extension(HERE)))
}
