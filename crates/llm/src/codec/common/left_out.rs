//! What Gemini, Ollama and Cohere have no word for.

use crate::chat::{ChatRequest, Drops, Extension, Fields, PartKind, Unsayable};
use crate::protocol::Protocol;

/// Notes what is left out of any request for `protocol`: members of other protocols, names, cache marks, what is
/// stored.
///
/// # Errors
/// [`Unsayable`] if the request continues a stored answer: without it, it means something else.
pub(in crate::codec) fn note_left_out(
    request: &ChatRequest,
    protocol: Protocol,
    drops: &mut Drops,
) -> Result<(), Unsayable> {
    if request.previous_response.is_some() {
        return Err(Unsayable::at(
            "previous_response_id",
            "the provider does not store answers; send the whole conversation",
        ));
    }
    drops.note_if(request.end_user.is_some(), "user");
    drops.note_if(request.metadata.is_some(), "metadata");
    request.extension.drop_unless(protocol, "", drops);
    for turn in &request.turns {
        drops.note_if(turn.name.is_some(), "messages[].name");
        turn.extension.drop_unless(protocol, "messages[].", drops);
        for part in &turn.parts {
            drops.note_if(part.cache.is_some(), "cache_control");
            match &part.kind {
                PartKind::Foreign => note_foreign(&part.extension, protocol, drops),
                PartKind::Media(media) => {
                    let detail = media.detail.as_deref();
                    drops.note_if(
                        protocol != Protocol::CohereChat && detail.is_some_and(|detail| detail != "auto"),
                        "messages[].content[].detail",
                    );
                    part.extension
                        .drop_unless(protocol, "messages[].content[].", drops);
                }
                _ => part
                    .extension
                    .drop_unless(protocol, "messages[].content[].", drops),
            }
        }
    }
    for tool in &request.tools {
        drops.note_if(tool.cache.is_some(), "cache_control");
    }
    Ok(())
}

/// Notes a part that only another protocol has, by its type.
pub(in crate::codec) fn note_foreign(extension: &Extension, protocol: Protocol, drops: &mut Drops) {
    let own = extension.protocol();
    if own == protocol {
        return;
    }
    let kind = extension
        .get(own, "type")
        .and_then(|kind| kind.read::<String>())
        .or_else(|| extension.members(own).first().map(|(name, _)| name.clone()));
    match kind {
        Some(kind) => drops.note(format!("messages[].content[].{kind}")),
        None => drops.note("messages[].content[]"),
    }
}

/// The members of an extension whose names begin with `prefix`, without it.
pub(in crate::codec) fn path<'a>(
    extension: &'a Extension,
    protocol: Protocol,
    prefix: &'a str,
) -> impl Iterator<Item = (&'a str, &'a crate::chat::Json)> {
    extension
        .members(protocol)
        .iter()
        .filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value)))
}

/// What is left of an object, added to what was left of the objects in it. The latter is kept under paths, which no
/// member of the former may be taken for.
pub(in crate::codec) fn with_nested(fields: Fields<'_>, mut nested: Extension) -> Extension {
    let protocol = nested.protocol();
    for (name, value) in fields.into_extension(protocol).members(protocol) {
        if !name.contains('.') {
            nested.push(name.as_str(), value.clone());
        }
    }
    nested
}
