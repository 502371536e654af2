//! Variables over request bodies: `post_arg_<name>` and `post_arg.<path>` (compat §2.4).
//!
//! A body is looked into only when it has been read already: what is configured to look into it sees to that
//! ([`Snapshot::matches_bodies`](crate::Snapshot), [`Context::read_body_for_variables`](crate::Context)).

use std::borrow::Cow;

use serde_json::Value;
use sluice_wire::{Kind, Member, ObjectView};

use super::json_path::{self, Step};
use super::multipart;
use crate::request::{Request, form_field};

/// What a body is made of, as its content type says; JSON unless it says otherwise.
enum Form {
    Json,
    UrlEncoded,
    Multipart,
}

/// A field of a form (`post_arg_<name>`): nothing in other bodies.
pub(super) fn form_argument<'a>(request: &'a Request, name: &str) -> Option<Cow<'a, str>> {
    match form_of(request) {
        Form::UrlEncoded => url_encoded(request, name),
        Form::Json | Form::Multipart => None,
    }
}

/// The text of a member (`post_arg.<path>`); arrays and objects have none.
pub(super) fn text<'a>(request: &'a Request, path: &str) -> Option<Cow<'a, str>> {
    match form_of(request) {
        Form::UrlEncoded => url_encoded(request, path),
        Form::Multipart => multipart_field(request, path),
        Form::Json if json_path::is_one(path) => None,
        Form::Json => {
            let (first, rest) = split(path)?;
            let member = request.body.json()?.as_object()?.get(first)?;
            match rest {
                None => text_of(&member),
                Some(rest) => below(&member, rest, &|member| {
                    text_of(&member).map(|text| Cow::Owned(text.into_owned()))
                }),
            }
        }
    }
}

/// The value of a member, or the array of all that a JSONPath finds; nothing found is no value.
pub(super) fn json(request: &Request, path: &str) -> Option<Value> {
    match form_of(request) {
        Form::UrlEncoded | Form::Multipart => {
            text(request, path).map(|text| Value::String(text.into_owned()))
        }
        Form::Json if json_path::is_one(path) => find_all(request, path),
        Form::Json => {
            let (first, rest) = split(path)?;
            let member = request.body.json()?.as_object()?.get(first)?;
            match rest {
                None => value_of(&member),
                Some(rest) => below(&member, rest, &|member| value_of(&member)),
            }
        }
    }
}

fn form_of(request: &Request) -> Form {
    match request.header("content-type") {
        Some(form) if form.starts_with("application/x-www-form-urlencoded") => Form::UrlEncoded,
        Some(form) if form.starts_with("multipart/form-data") => Form::Multipart,
        _ => Form::Json,
    }
}

fn url_encoded(request: &Request, name: &str) -> Option<Cow<'static, str>> {
    let body = std::str::from_utf8(request.body.bytes()?).ok()?;
    form_field(body, name).map(Cow::Owned)
}

fn multipart_field<'a>(request: &'a Request, name: &str) -> Option<Cow<'a, str>> {
    let boundary = multipart::boundary(request.header("content-type")?)?;
    multipart::field(request.body.bytes()?, boundary, name).map(Cow::Borrowed)
}

/// Builds a tree of no more than the member with which the path begins.
fn find_all(request: &Request, path: &str) -> Option<Value> {
    let steps = json_path::parse(path)?;
    let body = request.body.json()?;
    let (root, steps) = match &*steps {
        [Step::Name(name), rest @ ..] => (value_of(&body.as_object()?.get(name)?)?, rest),
        all => (serde_json::from_slice(body.bytes()).ok()?, all),
    };
    let found: Vec<Value> = json_path::find(&root, steps).into_iter().cloned().collect();
    (!found.is_empty()).then_some(Value::Array(found))
}

/// The first name of a dotted path, and the rest if there is one. Empty names do not count.
fn split(path: &str) -> Option<(&str, Option<&str>)> {
    let path = path.trim_matches('.');
    match path.split_once('.') {
        Some((first, rest)) => Some((first, Some(rest))),
        None => (!path.is_empty()).then_some((path, None)),
    }
}

/// What `read` makes of the member at `path` below `member`. Dots descend into objects only, as in APISIX.
fn below<T>(member: &Member<'_>, path: &str, read: &dyn Fn(Member<'_>) -> Option<T>) -> Option<T> {
    if member.kind() != Kind::Object {
        return None;
    }
    let object = ObjectView::parse(member.raw_bytes()).ok()?;
    let (first, rest) = split(path)?;
    let member = object.get(first)?;
    match rest {
        None => read(member),
        Some(rest) => below(&member, rest, read),
    }
}

fn text_of<'a>(member: &Member<'a>) -> Option<Cow<'a, str>> {
    match member.kind() {
        Kind::String => member.as_str(),
        Kind::Number | Kind::True | Kind::False => std::str::from_utf8(member.raw()).ok().map(Cow::Borrowed),
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}

fn value_of(member: &Member<'_>) -> Option<Value> {
    serde_json::from_slice(member.raw()).ok()
}

#[cfg(test)]
mod tests;
