//! Both sides of the codec.

mod answers;
mod requests;
mod requests_foreign;
mod requests_quirks;
mod streams_in;
mod streams_out;

use serde_json::Value;

use super::OpenAiChat;
use crate::chat::{ChatRequest, Drops, Unsayable};
use crate::codec::{Ask, ChatCodec, TargetRules};
use crate::provider::Quirks;

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn decode(body: &str) -> ChatRequest {
    OpenAiChat
        .decode_request(body.as_bytes(), &Ask::default())
        .unwrap()
}

/// The body that a provider of those quirks gets, and what was dropped.
fn encode(request: &ChatRequest, quirks: &'static Quirks) -> Result<(Value, Vec<String>), Unsayable> {
    encode_for(request, quirks, "m")
}

fn encode_for(
    request: &ChatRequest,
    quirks: &'static Quirks,
    model: &str,
) -> Result<(Value, Vec<String>), Unsayable> {
    let mut drops = Drops::default();
    let rules = TargetRules { model, quirks };
    let json = OpenAiChat.encode_request(request, &rules, &mut drops)?;
    let names = drops
        .names()
        .iter()
        .map(|name| name.clone().into_owned())
        .collect();
    Ok((value(json.text()), names))
}
