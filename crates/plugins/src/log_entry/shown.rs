//! Variables as logs may show them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sluice_core::Context;
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
    cx.logged(name).map(Shown::Text)
}
