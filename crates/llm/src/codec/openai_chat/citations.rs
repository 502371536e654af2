//! Sources of a text.

use crate::chat::{Extension, Json, Object};
use crate::protocol::Protocol;

/// The items of `annotations` that an annotation is: of this protocol, or a citation of OpenAI Responses.
pub(super) fn annotations(annotation: &Extension) -> Option<Json> {
    if let Some(annotations) = annotation.get(Protocol::OpenAiChat, "annotations") {
        return Some(annotations.clone());
    }
    let responses = Protocol::OpenAiResponses;
    let kind = annotation.get(responses, "type")?;
    if kind.text() != "\"url_citation\"" {
        return None;
    }
    let mut citation = Object::new();
    for (name, value) in annotation.members(responses) {
        if name != "type" {
            citation.put(name, value);
        }
    }
    let item = Object::new()
        .set("type", kind)
        .set("url_citation", &citation.finish());
    Some(Json::of(&[item.finish()]))
}
