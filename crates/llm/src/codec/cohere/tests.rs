//! The codec as a whole.

mod answers;
mod requests;
mod streams;

use serde_json::Value;

use super::Cohere;
use crate::chat::{ChatRequest, Drops, Json};
use crate::codec::{Ask, ChatCodec, TargetRules};
use crate::provider::Quirks;

fn value(json: &Json) -> Value {
    serde_json::from_str(json.text()).unwrap()
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn decode(body: &str) -> ChatRequest {
    Cohere.decode_request(body.as_bytes(), &Ask::default()).unwrap()
}

/// The request for a model, and what was left out of it.
fn encode(request: &ChatRequest, model: &str) -> (Value, Vec<String>) {
    let mut drops = Drops::default();
    let target = TargetRules {
        model,
        quirks: &Quirks::NONE,
    };
    let body = Cohere.encode_request(request, &target, &mut drops).unwrap();
    (
        value(&body),
        drops
            .names()
            .iter()
            .map(|name| name.clone().into_owned())
            .collect(),
    )
}
