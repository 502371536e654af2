//! What a message holds: texts, media, marks for the cache.

use super::super::answer_out::APART;
use super::super::media_out;
use super::Messages;
use crate::chat::{Json, Object, Part, PartKind, Unsayable};
use crate::protocol::Protocol;
use crate::provider::ReasoningBack;

const HERE: Protocol = Protocol::OpenAiChat;

impl Messages<'_, '_, '_> {
    /// `content`: a string for text alone where that keeps what was said, else a list; `None` if nothing is left.
    /// Compatible servers often take no lists of texts.
    pub(super) fn content(&mut self, parts: &[&Part]) -> Result<Option<Json>, Unsayable> {
        let is_plain = |part: &&Part| {
            matches!(part.kind, PartKind::Text(_))
                && self.mark(part).is_none()
                && part.extension.members(HERE).is_empty()
        };
        let joins = parts.len() == 1 || !self.body.is_openai();
        if joins && !parts.is_empty() && parts.iter().all(is_plain) {
            return Ok(self.joined(parts));
        }
        let mut list = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let encoded = self
                .part(part)
                .map_err(|error| error.within(&format!("content[{index}]")))?;
            list.extend(encoded);
        }
        Ok((!list.is_empty()).then(|| Json::of(&list)))
    }

    /// Plain texts as one; `None` if they say nothing.
    pub(super) fn joined(&mut self, parts: &[&Part]) -> Option<Json> {
        let mut texts: Vec<&str> = Vec::new();
        for part in parts {
            part.extension
                .drop_unless(HERE, "messages.content.", self.body.drops);
            self.note_mark(part);
            match &part.kind {
                PartKind::Text(text) if is_said(text, part) => texts.push(text),
                _ => {}
            }
        }
        (!texts.is_empty()).then(|| Json::of(&texts.join(APART)))
    }

    pub(super) fn part(&mut self, part: &Part) -> Result<Option<Json>, Unsayable> {
        let is_own = part.extension.protocol() == HERE;
        let text = |text: &str| Object::new().set("type", "text").set("text", text);
        let (member, object) = match &part.kind {
            PartKind::Text(said) if !is_said(said, part) => return Ok(None),
            PartKind::Text(said) => ("", text(said)),
            PartKind::Refusal(said) => ("", Object::new().set("type", "refusal").set("refusal", said)),
            PartKind::Media(media) => match media_out::plain_text(media) {
                Some(said) => ("", text(&said)),
                None => {
                    let (member, inner) = media_out::encode(part, media, self.body.is_openai())?;
                    (member, Object::new().set("type", member).set(member, &inner))
                }
            },
            PartKind::Foreign if is_own => {
                return Ok(Some(Object::new().extend(&part.extension, HERE).finish()));
            }
            _ => {
                part.extension
                    .drop_unless(HERE, "messages.content.", self.body.drops);
                return Ok(None);
            }
        };
        part.extension
            .drop_unless(HERE, "messages.content.", self.body.drops);
        let mut object = self.marked(object, part);
        for (name, value) in part.extension.members(HERE) {
            if name != member {
                object.put(name, value);
            }
        }
        Ok(Some(object.finish()))
    }

    /// Adds the mark up to which the prompt is to be cached, or notes that it cannot be said.
    pub(super) fn marked(&mut self, object: Object, part: &Part) -> Object {
        self.note_mark(part);
        match self.mark(part) {
            Some((name, mark)) => object.set(name, &mark),
            None => object,
        }
    }

    /// How a part is marked: OpenRouter takes Anthropic's mark; OpenAI has one of its own, which only its newest models
    /// take, so that it is sent only for those who asked for it in that form.
    pub(super) fn mark(&self, part: &Part) -> Option<(&'static str, Json)> {
        let mark = part.cache?;
        if self.body.quirks.reasoning_back == ReasoningBack::Details {
            let ttl = mark.ttl.filter(|ttl| *ttl >= 3600).map(|_| "1h");
            let control = Object::new().set("type", "ephemeral").set_some("ttl", ttl);
            return Some(("cache_control", control.finish()));
        }
        let origin = part.extension.protocol();
        let is_kin = matches!(origin, Protocol::OpenAiChat | Protocol::OpenAiResponses);
        (self.body.is_openai() && is_kin).then(|| {
            let ttl = mark.ttl.map(lifetime);
            let point = Object::new().set("mode", "explicit").set_some("ttl", ttl);
            ("prompt_cache_breakpoint", point.finish())
        })
    }

    pub(super) fn note_mark(&mut self, part: &Part) {
        if part.cache.is_some() && self.mark(part).is_none() {
            self.body.drops.note(match part.extension.protocol() {
                Protocol::AnthropicMessages => "cache_control",
                Protocol::BedrockConverse => "cachePoint",
                _ => "prompt_cache_breakpoint",
            });
        }
    }
}

/// Whether a text is sent: an empty one says nothing, and some servers refuse it, but an OpenAI client may mean it.
pub(super) fn is_said(text: &str, part: &Part) -> bool {
    !text.is_empty() || part.extension.protocol() == HERE
}

/// Seconds as `12h` or `30m`.
fn lifetime(seconds: u32) -> String {
    if seconds.is_multiple_of(3600) {
        format!("{}h", seconds / 3600)
    } else {
        format!("{}m", seconds / 60)
    }
}
