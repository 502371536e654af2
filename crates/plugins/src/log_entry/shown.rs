//! Variables as logs may show them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sluice_core::{Context, MASK, version_name};
use sluice_resource::Variables;

use super::llm::{self, Count};

/// The value of a variable.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Shown<'a> {
    Text(Cow<'a, str>),
    Count(Count),
    Json(Value),
    Raw(Box<RawValue>),
}

/// The value of a variable, keys of callers masked. Most are text, as in nginx.
pub(super) fn variable<'a>(cx: &'a Context, name: &str) -> Option<Shown<'a>> {
    if let Some(count) = llm::count(cx, name) {
        return Some(Shown::Count(count));
    }
    if name == "llm_request_body" {
        return cx
            .ai
            .as_ref()?
            .request
            .as_ref()
            .and_then(|body| llm::one_line(body.bytes()))
            .map(Shown::Raw);
    }
    if name.starts_with("post_arg.") {
        return cx.get_json(name).map(Shown::Json);
    }
    masked(cx, name).or_else(|| cx.get(name)).map(Shown::Text)
}

/// The value of a variable that would show a key. `None` for all others.
fn masked<'a>(cx: &'a Context, name: &str) -> Option<Cow<'a, str>> {
    let hidden = if let Some(header) = name.strip_prefix("http_") {
        cx.hides_header(&header.replace('_', "-").to_ascii_lowercase())
    } else {
        name.strip_prefix("arg_")
            .is_some_and(|argument| cx.hides_argument(argument))
    };
    if hidden {
        return cx.get(name).map(|_| Cow::Borrowed(MASK));
    }
    match name {
        "http_referer" => cx.request.header("referer").map(|from| cx.masked_url(from)),
        "args" | "query_string" => cx.request.query.as_deref().map(|query| cx.masked_query(query)),
        "request_uri" => Some(request_uri(cx)),
        "real_request_uri" => Some(received_target(cx)),
        "request" => {
            let target = received_target(cx);
            Some(Cow::Owned(format!(
                "{} {target} {}",
                cx.request.method,
                version_name(cx.request.version)
            )))
        }
        _ => None,
    }
}

/// Normalised path and query.
pub(super) fn request_uri(cx: &Context) -> Cow<'_, str> {
    with_query(cx, &cx.request.path, cx.request.query.as_deref())
}

/// Path and query as the client sent them.
fn received_target(cx: &Context) -> Cow<'_, str> {
    with_query(cx, cx.request.uri.path(), cx.request.uri.query())
}

fn with_query<'a>(cx: &Context, path: &'a str, query: Option<&str>) -> Cow<'a, str> {
    query.map_or(Cow::Borrowed(path), |query| {
        Cow::Owned(format!("{path}?{}", cx.masked_query(query)))
    })
}
