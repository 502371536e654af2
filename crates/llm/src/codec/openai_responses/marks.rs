//! Names under which the spelling of requests and answers is kept, and members that stand deeper than what they are
//! noted with.

use super::PROTOCOL;
use crate::chat::{Extension, Fields, Json, Object};

/// Members of an item that mean nothing elsewhere: its type, id and status. Also marks the first part of a message, and
/// foreign parts that are items and not content.
pub(super) const ITEM: &str = "item";
/// The content was a string and no list.
pub(super) const STRING: &str = "string";
/// The whole input was a string, or an empty list.
pub(super) const INPUT: &str = "input";
/// The turn stood in `instructions`.
pub(super) const INSTRUCTIONS: &str = "instructions";
/// The `type` of a content part that is not the usual one of its role.
pub(super) const TYPE: &str = "type";
/// The item, verbatim.
pub(super) const RAW: &str = "raw";
/// Address or data of a medium, verbatim.
pub(super) const SOURCE: &str = "source";
/// Name of a tool within its namespace.
pub(super) const NAME: &str = "name";
/// Name of the namespace of a tool that is called; members of the namespace of a tool on offer.
pub(super) const NAMESPACE: &str = "namespace";
/// The `include` of a request, verbatim.
pub(super) const INCLUDE: &str = "include";
/// The member that names the end user.
pub(super) const END_USER: &str = "end_user";
/// Lists that were there and empty.
pub(super) const ANNOTATIONS: &str = "annotations";
/// The same.
pub(super) const LOGPROBS: &str = "logprobs";

/// Usage and status of a response, verbatim.
pub(super) const USAGE: &str = "usage";
/// The same.
pub(super) const STATUS: &str = "status";

/// What members of a message begin with where they are noted with its first part.
pub(super) const MESSAGE: &str = "message.";

/// Keeps that something was the case.
pub(super) fn keep_flag(extension: &mut Extension, mark: &'static str) {
    extension.keep(mark, Json::of(&true));
}

/// Whether something of this protocol was marked.
pub(super) fn has(extension: &Extension, mark: &str) -> bool {
    extension.kept(PROTOCOL, mark).is_some()
}

/// Keeps the members of an item that mean nothing elsewhere.
pub(super) fn keep_item(extension: &mut Extension, fields: &mut Fields<'_>) {
    let mut item = Object::new();
    for name in ["type", "id", "status"] {
        if let Some(value) = fields.json(name) {
            item.put(name, &value);
        }
    }
    extension.keep(ITEM, item.finish());
}

/// An item that only this protocol has.
pub(super) fn whole(extension: &Extension) -> Json {
    match extension.kept(PROTOCOL, RAW) {
        Some(raw) => raw.clone(),
        None => Object::new().extend(extension, PROTOCOL).finish(),
    }
}

/// Adds what is left of an object to the extension of what stands around it, each member behind `prefix`.
pub(super) fn push_rest(extension: &mut Extension, prefix: &str, rest: Fields<'_>) {
    let rest = rest.into_extension(PROTOCOL);
    for (name, value) in rest.members(PROTOCOL) {
        extension.push(format!("{prefix}{name}"), value.clone());
    }
}

/// Writes the members behind `prefix` back to where they stood.
pub(super) fn put_rest(object: &mut Object, extension: &Extension, prefix: &str) {
    for (name, value) in extension.members(PROTOCOL) {
        if let Some(name) = name.strip_prefix(prefix) {
            object.put(name, value);
        }
    }
}

/// Writes the members of a kept object.
pub(super) fn put_kept(object: &mut Object, kept: &Json) {
    let members = kept.fields().unwrap_or_default().into_extension(PROTOCOL);
    for (name, value) in members.members(PROTOCOL) {
        object.put(name, value);
    }
}
