//! Blocks of content, written for a provider.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{HERE, NATIVE};
use crate::chat::{
    CacheMark, Drops, Json, Media, MediaKind, Object, Part, PartKind, Reasoning, Source, ToolCall,
    ToolResult, Unsayable, array,
};
use crate::codec::common::note_foreign;
use crate::protocol::Protocol;

/// Most marks of the prompt cache in a request.
const MAX_MARKS: usize = 4;

/// Writes blocks.
pub(super) struct Writer<'d> {
    /// What is left out.
    pub(super) drops: &'d mut Drops,
    /// The client's protocol.
    pub(super) client: Protocol,
    marks: usize,
}

impl<'d> Writer<'d> {
    pub(super) fn new(client: Protocol, drops: &'d mut Drops) -> Self {
        Self {
            drops,
            client,
            marks: 0,
        }
    }

    /// Whether the client speaks this protocol too: what it says stands as it is.
    pub(super) fn is_native(&self) -> bool {
        self.client == HERE
    }

    /// The block of a part; `None` for what is left out.
    ///
    /// # Errors
    /// [`Unsayable`] for media that Anthropic does not take.
    pub(super) fn block(&mut self, part: &Part) -> Result<Option<Json>, Unsayable> {
        if part.extension.get(HERE, "type").is_some() {
            return Ok(Some(self.finish(Object::new(), part)));
        }
        let object = match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) => {
                if text.trim().is_empty() {
                    return Ok(None);
                }
                Object::new().set("type", "text").set("text", text)
            }
            PartKind::Media(media) => self.media(media, part)?,
            PartKind::Reasoning(reasoning) => match self.thinking(reasoning) {
                Some(object) => object,
                None => return Ok(None),
            },
            PartKind::ToolCall(call) => self.call(call),
            PartKind::ToolResult(result) => self.result(result)?,
            PartKind::Foreign => {
                note_foreign(&part.extension, HERE, self.drops);
                return Ok(None);
            }
        };
        Ok(Some(self.finish(object, part)))
    }

    /// Adds mark and extension of a part to its block.
    fn finish(&mut self, mut object: Object, part: &Part) -> Json {
        part.extension
            .drop_unless(HERE, "messages[].content[].", self.drops);
        object = object.extend(&part.extension, HERE);
        object.set_some("cache_control", self.mark(part.cache)).finish()
    }

    /// A mark of the prompt cache; only the first four of a foreign request.
    pub(super) fn mark(&mut self, mark: Option<CacheMark>) -> Option<Json> {
        let mark = mark?;
        self.marks += 1;
        if self.marks > MAX_MARKS && !self.is_native() {
            self.drops.note("cache_control");
            return None;
        }
        let ttl = mark.ttl.map(|ttl| if ttl > 300 { "1h" } else { "5m" });
        Some(
            Object::new()
                .set("type", "ephemeral")
                .set_some("ttl", ttl)
                .finish(),
        )
    }

    fn thinking(&mut self, reasoning: &Reasoning) -> Option<Object> {
        let signature = reasoning
            .signature
            .as_ref()
            .filter(|signature| signature.origin == NATIVE);
        let Some(signature) = signature else {
            self.drops
                .note_if(!reasoning.text.is_empty(), "reasoning_content");
            return None;
        };
        Some(if reasoning.is_redacted {
            Object::new()
                .set("type", "redacted_thinking")
                .set("data", &signature.data)
        } else {
            Object::new()
                .set("type", "thinking")
                .set("thinking", &reasoning.text)
                .set("signature", &signature.data)
        })
    }

    fn call(&mut self, call: &ToolCall) -> Object {
        Object::new()
            .set("type", "tool_use")
            .set("id", &call.id)
            .set("name", &call.name)
            .set("input", &call.object())
    }

    fn result(&mut self, result: &ToolResult) -> Result<Object, Unsayable> {
        let object = Object::new()
            .set("type", "tool_result")
            .set("tool_use_id", &result.call_id);
        let mut content = Vec::with_capacity(result.content.len());
        for part in &result.content {
            content.extend(self.block(part)?);
        }
        let object = match (plain_text(&result.content), content.is_empty()) {
            (_, true) => object,
            (Some(text), false) => object.set("content", text),
            (None, false) => object.set("content", &array(&content)),
        };
        Ok(object.set_some("is_error", result.is_error))
    }

    fn media(&mut self, media: &Media, part: &Part) -> Result<Object, Unsayable> {
        let (kind, source) = match media.kind {
            MediaKind::Image => ("image", self.image(media, part)?),
            MediaKind::Document => ("document", self.document(media, part)?),
            MediaKind::Audio => return Err(unsayable("audio cannot be sent to this model")),
            MediaKind::Video => return Err(unsayable("video cannot be sent to this model")),
        };
        self.drops
            .note_if(media.detail.is_some(), "messages[].content[].detail");
        let object = Object::new().set("type", kind);
        let object = match source {
            Some(source) => object.set("source", &source),
            None => object,
        };
        let title = media.name.as_ref().filter(|_| media.kind == MediaKind::Document);
        Ok(object.set_some("title", title))
    }

    fn image(&self, media: &Media, part: &Part) -> Result<Option<Json>, Unsayable> {
        let Source::Base64(data) = &media.source else {
            return self.elsewhere(media, part).map(Some);
        };
        let media_type = match media.media_type() {
            "image/jpg" => "image/jpeg",
            known @ ("image/jpeg" | "image/png" | "image/gif" | "image/webp") => known,
            other if self.is_native() => other,
            other => {
                return Err(unsayable(format!(
                    "images of type {other} cannot be sent to this model; it takes JPEG, PNG, GIF and WebP"
                )));
            }
        };
        Ok(Some(base64_source(media_type, data)))
    }

    /// The source of a document; `None` if the extension has it.
    fn document(&self, media: &Media, part: &Part) -> Result<Option<Json>, Unsayable> {
        if part.extension.get(HERE, "source").is_some() {
            return Ok(None);
        }
        let media_type = media.media_type().split(';').next().unwrap_or_default().trim();
        let text = match &media.source {
            Source::Text(text) => text.clone(),
            Source::Base64(data) if media_type == "application/pdf" || self.is_native() => {
                return Ok(Some(base64_source(media.media_type(), data)));
            }
            Source::Base64(data) if is_text(media_type) => STANDARD
                .decode(data)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| unsayable("a text document must be base64 of UTF-8"))?,
            Source::Base64(_) => {
                return Err(unsayable(format!(
                    "documents of type {media_type} cannot be sent to this model; it takes PDF and text"
                )));
            }
            Source::Url(_) | Source::File(_) => return self.elsewhere(media, part).map(Some),
        };
        let source = Object::new()
            .set("type", "text")
            .set("media_type", "text/plain")
            .set("data", &text);
        Ok(Some(source.finish()))
    }

    /// A source that is not in the request.
    fn elsewhere(&self, media: &Media, part: &Part) -> Result<Json, Unsayable> {
        match &media.source {
            Source::Url(url) if url.starts_with("http") || self.is_native() => {
                Ok(Object::new().set("type", "url").set("url", url).finish())
            }
            Source::File(id) if part.extension.protocol() == HERE => {
                Ok(Object::new().set("type", "file").set("file_id", id).finish())
            }
            Source::File(_) => Err(unsayable(
                "the file is stored with another provider; send its contents instead",
            )),
            _ => Err(unsayable("media must be at an http address or in the request")),
        }
    }
}

/// The text of a content that is one plain text and nothing beside.
pub(super) fn plain_text(parts: &[Part]) -> Option<&str> {
    match parts {
        [
            Part {
                kind: PartKind::Text(text),
                cache: None,
                extension,
            },
        ] if extension.members(HERE).is_empty() => Some(text),
        _ => None,
    }
}

fn base64_source(media_type: &str, data: &str) -> Json {
    Object::new()
        .set("type", "base64")
        .set("media_type", media_type)
        .set("data", data)
        .finish()
}

fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/") || matches!(media_type, "application/json" | "application/xml")
}

fn unsayable(message: impl Into<String>) -> Unsayable {
    Unsayable::at("messages", message)
}
