//! Plugins that let a service judge prompts and answers (compat §4.10–§4.12), and one of our own.

mod aliyun;
mod aws;
mod binary;
mod faults;
mod lakera;
mod native;
mod own;
mod refusals;
mod streams;

use serde_json::{Value, json};
use sluice_testkit::{Call, FakeProvider, Gateway, Recorded, Reply};

use crate::support::{openai, with_route};

const CHAT: &str = "/v1/chat/completions";

/// A route with a moderator before a provider.
async fn moderated(name: &str, conf: Value, provider: &FakeProvider) -> Gateway {
    with_route(json!({ name: conf, "ai-proxy": openai(provider) })).await
}

/// Sends a request and returns status, content type and body.
async fn answer(call: Call) -> (u16, String, String) {
    let answer = call.send().await;
    let content_type = answer.header("content-type").unwrap_or_default().to_owned();
    let status = answer.status.as_u16();
    (status, content_type, answer.text().await)
}

/// The text that a chat answer says.
fn said(body: &str) -> Value {
    let body: Value = serde_json::from_str(body).unwrap();
    body["choices"][0]["message"]["content"].clone()
}

/// A service that finds fault with texts that contain `needle`.
fn finds(needle: &'static str, verdict: fn(bool) -> Value) -> Reply {
    Reply::by(move |asked: &Recorded| {
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        Reply::json(200, &verdict(body.contains(needle)))
    })
}
