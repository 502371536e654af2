//! Sources of a text.

use serde_json::value::RawValue;

use crate::chat::{Extension, Fields, Json, Object, items};
use crate::protocol::Protocol;

const HERE: Protocol = Protocol::OpenAiChat;
const RESPONSES: Protocol = Protocol::OpenAiResponses;

/// The items of `annotations` that an annotation of a stream is: those of this protocol, or a citation of OpenAI
/// Responses.
pub(super) fn streamed(annotation: &Extension) -> Vec<Json> {
    if annotation.get(HERE, "annotations").is_some() {
        return of_text(annotation);
    }
    let whole = Object::new().extend(annotation, RESPONSES).finish();
    whole.read::<&RawValue>().and_then(nested).into_iter().collect()
}

/// The items of `annotations` that stand with a text, likewise.
pub(super) fn of_text(text: &Extension) -> Vec<Json> {
    let list = |protocol| {
        let list: Option<&RawValue> = text.get(protocol, "annotations").and_then(Json::read);
        list.and_then(items).unwrap_or_default()
    };
    let own = list(HERE).into_iter().map(Json::from);
    own.chain(list(RESPONSES).into_iter().filter_map(nested))
        .collect()
}

/// A citation as chat writes it: what Responses says beside its type stands in a member of that name.
fn nested(annotation: &RawValue) -> Option<Json> {
    let mut fields = Fields::read(annotation).ok()?;
    let kind = fields
        .json("type")
        .filter(|kind| kind.text() == "\"url_citation\"")?;
    let citation = Object::new().extend(&fields.into_extension(HERE), HERE).finish();
    Some(
        Object::new()
            .set("type", &kind)
            .set("url_citation", &citation)
            .finish(),
    )
}
