//! `reasoning_details`: thoughts with their signatures, in OpenRouter's form, which OpenAI-compatible clients keep and
//! send back (llm-protocols §13).

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Extension, Fields, Json, Object, Part, PartKind, Reasoning, Signature, SignatureOrigin};
use crate::codec::pieces::Pieces;
use crate::lenient::{Count, Text};
use crate::protocol::Protocol;

/// One detail.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Detail<'a> {
    #[serde(rename = "type", default)]
    kind: Text<'a>,
    text: Option<&'a RawValue>,
    summary: Option<&'a RawValue>,
    #[serde(default)]
    data: Text<'a>,
    #[serde(default)]
    signature: Text<'a>,
    #[serde(default)]
    format: Text<'a>,
    #[serde(default)]
    id: Text<'a>,
    pub(super) index: Option<Count>,
}

impl<'a> Detail<'a> {
    /// Reads a detail; `None` if it is none.
    pub(super) fn read(raw: &'a RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok()
    }

    /// The thought or its summary.
    pub(super) fn text(&self) -> Option<&'a RawValue> {
        self.text.or(self.summary)
    }

    /// Whether it is a summary.
    pub(super) fn is_summary(&self) -> bool {
        self.kind.as_str() == Some("reasoning.summary")
    }

    /// Whether it is a thought that the provider hid altogether, as Anthropic does.
    pub(super) fn is_redacted(&self) -> bool {
        self.is_encrypted() && self.origin() == Some(SignatureOrigin::Anthropic)
    }

    /// The provider's name for it.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_str()
    }

    /// The signature, if its origin is known.
    pub(super) fn signature(&self) -> Option<Signature> {
        Some(Signature::new(self.origin()?, self.opaque()?))
    }

    /// Whether it holds a signature that nobody here knows.
    pub(super) fn is_foreign(&self) -> bool {
        self.opaque().is_some() && self.origin().is_none()
    }

    fn is_encrypted(&self) -> bool {
        self.kind.as_str() == Some("reasoning.encrypted")
    }

    fn opaque(&self) -> Option<&str> {
        let opaque = self.signature.as_str().or(self.data.as_str());
        opaque.filter(|opaque| !opaque.is_empty())
    }

    fn origin(&self) -> Option<SignatureOrigin> {
        SignatureOrigin::from_name(self.format.as_str()?)
    }
}

/// The thoughts of a whole message: what its details say, else its text.
pub(super) fn thoughts(text: Option<&RawValue>, details: Option<&[&RawValue]>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut last_index = None;
    for raw in details.unwrap_or_default() {
        let Some(detail) = Detail::read(raw).filter(|detail| !detail.is_foreign()) else {
            parts.extend(foreign(raw));
            continue;
        };
        let index = detail.index.map(|index| index.0);
        let goes_on = index == last_index && !parts.is_empty();
        last_index = index;
        match parts.last_mut().map(|part| &mut part.kind) {
            Some(PartKind::Reasoning(open)) if goes_on && continues(open, &detail) => {
                extend(open, &detail);
            }
            _ => {
                let mut thought = Reasoning {
                    is_summary: detail.is_summary(),
                    is_redacted: detail.is_redacted(),
                    id: detail.id().map(str::to_owned),
                    ..Reasoning::default()
                };
                extend(&mut thought, &detail);
                parts.push(part(thought));
            }
        }
    }
    let is_shown =
        |part: &Part| matches!(&part.kind, PartKind::Reasoning(thought) if !thought.text.is_empty());
    if !parts.iter().any(is_shown)
        && let Some(text) = text
            .map(|text| Pieces::default().read(text))
            .filter(|text| !text.is_empty())
    {
        let thought = Reasoning {
            text,
            ..Reasoning::default()
        };
        parts.insert(0, part(thought));
    }
    parts
}

/// Whether a detail belongs to the thought before it: clients may send the pieces of a stream back one by one, and
/// OpenAI's summaries stand apart from what is encrypted.
pub(super) fn continues(open: &Reasoning, detail: &Detail<'_>) -> bool {
    open.signature.is_none()
        && !open.is_redacted
        && !detail.is_redacted()
        && (open.is_summary == detail.is_summary() || detail.is_encrypted())
        && (detail.id().is_none() || open.id.is_none() || open.id.as_deref() == detail.id())
}

fn extend(open: &mut Reasoning, detail: &Detail<'_>) {
    if let Some(text) = detail.text() {
        open.text.push_str(&Pieces::default().read(text));
    }
    if open.id.is_none() {
        open.id = detail.id().map(str::to_owned);
    }
    open.signature = detail.signature();
}

fn part(thought: Reasoning) -> Part {
    Part::new(PartKind::Reasoning(thought), Extension::of(Protocol::OpenAiChat))
}

/// A detail that stays what it is.
pub(super) fn foreign(raw: &RawValue) -> Option<Part> {
    Fields::read(raw)
        .ok()
        .map(|fields| Part::new(PartKind::Foreign, fields.into_extension(Protocol::OpenAiChat)))
}

/// Whether a foreign part is a detail.
pub(super) fn is_detail(extension: &Extension) -> bool {
    extension
        .get(Protocol::OpenAiChat, "type")
        .is_some_and(|kind| kind.text().starts_with("\"reasoning."))
}

/// Writes a thought as details, numbered `index`.
pub(super) fn write(thought: &Reasoning, index: u32, out: &mut Vec<Json>) {
    let format = thought
        .signature
        .as_ref()
        .map(|signature| signature.origin.name());
    let signature = thought
        .signature
        .as_ref()
        .map(|signature| signature.data.as_str());
    let begin = |kind: &str| Object::new().set("type", kind);
    let end = |object: Object| {
        object
            .set_some("id", thought.id.as_deref())
            .set_some("format", format)
            .set("index", &index)
            .finish()
    };
    // A summary and what is encrypted stand apart; a thought in full bears its signature.
    let is_apart = thought.is_summary || thought.is_redacted || thought.text.is_empty();
    if thought.is_summary {
        if !thought.text.is_empty() {
            out.push(end(begin("reasoning.summary").set("summary", &thought.text)));
        }
    } else if !thought.text.is_empty() {
        let signature = signature.filter(|_| !is_apart);
        out.push(end(begin("reasoning.text")
            .set("text", &thought.text)
            .set_some("signature", signature)));
    }
    if is_apart && let Some(data) = signature {
        out.push(end(begin("reasoning.encrypted").set("data", data)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(details: &str) -> (Vec<Part>, String) {
        let raw: Vec<&RawValue> = serde_json::from_str(details).unwrap();
        let parts = thoughts(None, Some(&raw));
        let mut out = Vec::new();
        for (index, part) in (0..).zip(&parts) {
            match &part.kind {
                PartKind::Reasoning(thought) => write(thought, index, &mut out),
                _ => out.push(
                    Object::new()
                        .extend(&part.extension, Protocol::OpenAiChat)
                        .finish(),
                ),
            }
        }
        (parts, Json::of(&out).text().to_owned())
    }

    #[test]
    fn details_come_back_as_they_were() {
        for details in [
            r#"[{"type":"reasoning.text","text":"hm","signature":"Eq/+=","format":"anthropic-claude-v1","index":0}]"#,
            r#"[{"type":"reasoning.encrypted","data":"x","format":"anthropic-claude-v1","index":0},{"type":"reasoning.text","text":"b","signature":"s","format":"anthropic-claude-v1","index":1}]"#,
            r#"[{"type":"reasoning.summary","summary":"s","id":"rs_1","format":"openai-responses-v1","index":0},{"type":"reasoning.encrypted","data":"e","id":"rs_1","format":"openai-responses-v1","index":0}]"#,
            r#"[{"type":"reasoning.encrypted","data":"e","format":"xai-responses-v1","index":0,"id":null}]"#,
            r#"[{"type":"reasoning.encrypted","data":"e","format":"google-gemini-v1","index":0}]"#,
        ] {
            let (_, written) = round_trip(details);
            assert_eq!(written, details);
        }
    }

    #[test]
    fn pieces_of_a_stream_are_one_thought() {
        let (parts, _) = round_trip(
            r#"[{"type":"reasoning.text","text":"a","format":"anthropic-claude-v1","index":0},
                {"type":"reasoning.text","text":"b","format":"anthropic-claude-v1","index":0},
                {"type":"reasoning.text","signature":"s","format":"anthropic-claude-v1","index":0},
                {"type":"reasoning.text","text":"c","signature":"t","format":"anthropic-claude-v1","index":1}]"#,
        );
        let texts: Vec<_> = parts
            .iter()
            .filter_map(|part| match &part.kind {
                PartKind::Reasoning(thought) => Some((thought.text.as_str(), thought.signature.is_some())),
                _ => None,
            })
            .collect();
        assert_eq!(texts, [("ab", true), ("c", true)]);
    }
}
