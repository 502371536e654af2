//! The codec against the protocol: bodies that must come back as they were, streams checked by an independent reading
//! of the rules.

mod answers;
mod check;
mod foreign;
mod requests;
mod streams_in;
mod streams_out;
mod translated;

use serde_json::Value;

use super::OpenAiResponses;
use crate::chat::{ChatRequest, Drops, Unsayable};
use crate::codec::{Ask, ChatCodec as _, TargetRules};
use crate::provider::Quirks;

fn decode(body: &Value) -> ChatRequest {
    OpenAiResponses
        .decode_request(body.to_string().as_bytes(), &Ask::default())
        .unwrap()
}

fn refused(body: &Value) -> Unsayable {
    OpenAiResponses
        .decode_request(body.to_string().as_bytes(), &Ask::default())
        .unwrap_err()
}

fn try_encode(request: &ChatRequest, drops: &mut Drops) -> Result<Value, Unsayable> {
    let model = request.model.clone().unwrap_or_default();
    let rules = TargetRules {
        model: &model,
        quirks: &Quirks::NONE,
    };
    let json = OpenAiResponses.encode_request(request, &rules, drops)?;
    Ok(serde_json::from_str(json.text()).unwrap())
}

/// The request as a provider gets it, and what was left out.
fn encode(request: &ChatRequest) -> (Value, Vec<String>) {
    let mut drops = Drops::default();
    let body = try_encode(request, &mut drops).unwrap();
    let names = drops.names().iter().map(|name| name.to_string());
    (body, names.collect())
}
