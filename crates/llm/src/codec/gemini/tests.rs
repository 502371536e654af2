//! The codec as a whole.

mod answers;
mod from_others;
mod requests;
mod round_trips;
mod streams;

use serde_json::Value;

use super::{Gemini, PROTOCOL};
use crate::chat::{ChatRequest, Drops, Json};
use crate::codec::{Ask, ChatCodec, TargetRules};
use crate::provider::Quirks;

fn target(model: &str) -> TargetRules<'_> {
    TargetRules {
        model,
        quirks: &Quirks::NONE,
    }
}

fn value(json: &Json) -> Value {
    serde_json::from_str(json.text()).unwrap()
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn decode(body: &str) -> ChatRequest {
    let ask = Ask {
        model: Some("gemini-2.5-flash"),
        stream: Some(false),
    };
    Gemini.decode_request(body.as_bytes(), &ask).unwrap()
}

/// The request for a model, and what was left out of it.
fn encode(request: &ChatRequest, model: &str) -> (Value, Vec<String>) {
    let mut drops = Drops::default();
    let body = Gemini
        .encode_request(request, &target(model), &mut drops)
        .unwrap();
    let drops = drops
        .names()
        .iter()
        .map(|name| name.clone().into_owned())
        .collect();
    (value(&body), drops)
}
