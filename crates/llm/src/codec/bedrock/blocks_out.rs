//! Blocks of content, written for a provider.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::model::Model;
use super::signatures::{NATIVE, to_blob};
use super::{HERE, formats};
use crate::chat::{
    CacheMark, Drops, Json, Media, MediaKind, Object, Part, PartKind, Reasoning, Source, ToolCall,
    ToolResult, Unsayable, array,
};
use crate::codec::common::note_foreign;
use crate::protocol::Protocol;

/// Most marks of the prompt cache in a request.
const MAX_MARKS: usize = 4;

/// Writes blocks.
pub(super) struct Writer<'d, 'm> {
    /// What is left out.
    pub(super) drops: &'d mut Drops,
    client: Protocol,
    model: Model<'m>,
    marks: usize,
    documents: usize,
}

impl<'d, 'm> Writer<'d, 'm> {
    pub(super) fn new(client: Protocol, model: Model<'m>, drops: &'d mut Drops) -> Self {
        Self {
            drops,
            client,
            model,
            marks: 0,
            documents: 0,
        }
    }

    /// Whether the client speaks this protocol too: what it says stands as it is.
    pub(super) fn is_native(&self) -> bool {
        self.client == HERE
    }

    /// The blocks of a part: itself unless it is left out, and its mark of the prompt cache.
    ///
    /// # Errors
    /// [`Unsayable`] for media that Converse does not take.
    pub(super) fn blocks(&mut self, part: &Part) -> Result<Vec<Json>, Unsayable> {
        let mut blocks: Vec<Json> = self.block(part)?.into_iter().collect();
        if !blocks.is_empty() {
            blocks.extend(self.mark(part.cache));
        }
        Ok(blocks)
    }

    fn block(&mut self, part: &Part) -> Result<Option<Json>, Unsayable> {
        if part.kind == PartKind::Foreign {
            note_foreign(&part.extension, HERE, self.drops);
        } else {
            part.extension
                .drop_unless(HERE, "messages[].content[].", self.drops);
        }
        let more = &part.extension;
        let union = |name: &str, object: Object| {
            let inner = object.extend(more, HERE).finish();
            Some(Object::new().set(name, &inner).finish())
        };
        Ok(match &part.kind {
            // The block as it stands.
            PartKind::Text(_) | PartKind::Foreign if !more.members(HERE).is_empty() => {
                Some(Object::new().extend(more, HERE).finish())
            }
            PartKind::Text(text) | PartKind::Refusal(text) => {
                (!text.trim().is_empty()).then(|| Object::new().set("text", text).finish())
            }
            PartKind::Media(media) => {
                let object = self.media(media, part)?;
                union(formats::member(media.kind), object)
            }
            PartKind::Reasoning(reasoning) => self
                .reasoning(reasoning)
                .and_then(|object| union("reasoningContent", object)),
            PartKind::ToolCall(call) => union("toolUse", tool_use(call)),
            PartKind::ToolResult(result) => {
                let object = self.result(result)?;
                union("toolResult", object)
            }
            PartKind::Foreign => None,
        })
    }

    /// A mark of the prompt cache; for foreign clients only the first four, and only where the model knows marks.
    pub(super) fn mark(&mut self, mark: Option<CacheMark>) -> Option<Json> {
        let mut mark = mark?;
        self.marks += 1;
        if !self.is_native() {
            if self.marks > MAX_MARKS || !self.model.caches() {
                self.drops.note("cache_control");
                return None;
            }
            mark.ttl = mark.ttl.filter(|_| self.model.caches_longer());
        }
        let ttl = mark.ttl.map(|ttl| if ttl > 300 { "1h" } else { "5m" });
        let point = Object::new().set("type", "default").set_some("ttl", ttl);
        Some(Object::new().set("cachePoint", &point.finish()).finish())
    }

    fn reasoning(&mut self, reasoning: &Reasoning) -> Option<Object> {
        let signature = reasoning
            .signature
            .as_ref()
            .filter(|signature| signature.origin == NATIVE);
        let is_usable = self.is_native() || (signature.is_some() && self.model.claude.is_some());
        if !is_usable || (signature.is_none() && reasoning.text.is_empty()) {
            self.drops
                .note_if(!reasoning.text.is_empty(), "reasoning_content");
            return None;
        }
        Some(match signature {
            Some(signature) if reasoning.is_redacted => {
                Object::new().set("redactedContent", &to_blob(signature))
            }
            signature => {
                let text = Object::new()
                    .set("text", &reasoning.text)
                    .set_some("signature", signature.map(|signature| &signature.data));
                Object::new().set("reasoningText", &text.finish())
            }
        })
    }

    fn result(&mut self, result: &ToolResult) -> Result<Object, Unsayable> {
        let mut content = Vec::with_capacity(result.content.len());
        for part in &result.content {
            content.extend(self.blocks(part)?);
        }
        let status = result
            .is_error
            .map(|failed| if failed { "error" } else { "success" });
        Ok(Object::new()
            .set("toolUseId", &result.call_id)
            .set("content", &array(&content))
            .set_some("status", status))
    }

    fn media(&mut self, media: &Media, part: &Part) -> Result<Object, Unsayable> {
        self.drops
            .note_if(media.detail.is_some(), "messages[].content[].detail");
        let told = media.media_type.is_some() || media.kind == MediaKind::Image || !self.is_native();
        let format = match formats::format(media) {
            Some(format) => Some(format).filter(|_| told),
            None if self.is_native() => Some(media.format()),
            None => {
                return Err(unsayable(format!(
                    "media of type {} cannot be sent to this model",
                    media.media_type()
                )));
            }
        };
        let mut object = Object::new().set_some("format", format);
        if media.kind == MediaKind::Document {
            object = object.set("name", &self.document_name(media));
        }
        if part.extension.get(HERE, "source").is_some() {
            return Ok(object);
        }
        let source = match &media.source {
            Source::Base64(data) => Object::new().set("bytes", data),
            Source::Text(text) if self.is_native() => Object::new().set("text", text),
            Source::Text(text) => Object::new().set("bytes", &STANDARD.encode(text)),
            Source::Url(url) if url.starts_with("s3://") => {
                Object::new().set("s3Location", &Object::new().set("uri", url).finish())
            }
            Source::Url(_) => {
                return Err(unsayable(
                    "this model's provider fetches nothing from addresses; send the data itself in base64",
                ));
            }
            Source::File(_) => {
                return Err(unsayable(
                    "the file is stored with another provider; send its contents instead",
                ));
            }
        };
        Ok(object.set("source", &source.finish()))
    }

    /// The name of a document, which must be there: letters, digits, spaces, hyphens and brackets, no two spaces in a
    /// row. Each name may occur once.
    fn document_name(&mut self, media: &Media) -> String {
        if let (true, Some(name)) = (self.is_native(), &media.name) {
            return name.clone();
        }
        self.documents += 1;
        let told = media.name.as_deref().unwrap_or("document");
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-()[]".contains(letter);
        let name: String = told
            .chars()
            .take(100)
            .map(|letter| if allowed(letter) { letter } else { ' ' })
            .collect();
        let words: Vec<&str> = name.split_whitespace().collect();
        let name = words.join(" ");
        let name = if name.is_empty() { "document" } else { &name };
        if self.documents == 1 {
            return name.to_owned();
        }
        format!("{name} ({})", self.documents)
    }
}

/// A call as it stands in `toolUse`.
pub(super) fn tool_use(call: &ToolCall) -> Object {
    Object::new()
        .set("toolUseId", &call.id)
        .set("name", &call.name)
        .set("input", &call.object())
}

fn unsayable(message: impl Into<String>) -> Unsayable {
    Unsayable::at("messages", message)
}
