//! The model registry: `providers` and `models`, `ai-router` and `ai-models`.

mod access;
mod fallback;
mod lists;
mod probes;
mod records;
mod registry;
mod responses;
mod rules;
mod strategies;
mod thoughts;

use serde_json::{Value, json};
use sluice_testkit::{Answer, Call, FakeProvider, Gateway};

use crate::support::{chat, gateway, put};

const CHAT: &str = "/v1/chat/completions";

/// A gateway with a caller `jack`, and OpenAI providers `a`, `b` and so on, one for each fake.
async fn with_providers(fakes: &[&FakeProvider]) -> Gateway {
    let gateway = gateway().await;
    caller(&gateway, json!({})).await;
    for (fake, id) in fakes.iter().zip(["a", "b", "c"]) {
        put(&gateway, &format!("/providers/{id}"), openai_provider(fake)).await;
    }
    gateway
}

/// A provider that calls a fake as OpenAI.
fn openai_provider(fake: &FakeProvider) -> Value {
    json!({ "type": "openai", "base_url": fake.url("/v1"), "auth": { "api_key": "sk-upstream" } })
}

/// The caller `jack` with more plugins.
async fn caller(gateway: &Gateway, plugins: Value) {
    let mut all = json!({ "key-auth": { "key": "sk-jack" } });
    for (name, conf) in plugins.as_object().unwrap() {
        all[name] = conf.clone();
    }
    put(
        gateway,
        "/consumers",
        json!({ "username": "jack", "plugins": all }),
    )
    .await;
}

/// A model `m` with a target of that name at each of these providers, and more members.
async fn model(gateway: &Gateway, providers: &[&str], members: Value) {
    let targets: Vec<Value> = providers
        .iter()
        .map(|id| json!({ "name": id, "provider": id, "model": format!("{id}-model") }))
        .collect();
    let mut model = json!({ "targets": targets });
    for (name, value) in members.as_object().unwrap() {
        model[name] = value.clone();
    }
    put(gateway, "/models/m", model).await;
}

/// A chat with a model.
fn chat_with(model: &str, text: &str) -> Value {
    let mut body = chat(text);
    body["model"] = json!(model);
    body
}

fn ask(gateway: &Gateway, body: &Value) -> Call {
    post(gateway, CHAT, body)
}

fn post(gateway: &Gateway, path: &str, body: &Value) -> Call {
    let call = gateway.client().post(path);
    call.header("authorization", "Bearer sk-jack").json(body)
}

fn get(gateway: &Gateway, path: &str) -> Call {
    gateway
        .client()
        .get(path)
        .header("authorization", "Bearer sk-jack")
}

/// Asks for `m`, expects an answer and reads it to its end.
async fn served(gateway: &Gateway) -> Value {
    answered(ask(gateway, &chat_with("m", "conf:hello"))).await
}

async fn answered(call: Call) -> Value {
    call.send().await.expect_status(200).await.json().await
}

/// The code of an error in OpenAI's dialect.
async fn refused(call: Call, status: u16) -> Value {
    let answer: Answer = call.send().await;
    answer.expect_status(status).await.json().await["error"]["code"].take()
}

/// How many requests each fake has had.
fn counts<const N: usize>(fakes: [&FakeProvider; N]) -> [usize; N] {
    fakes.map(|fake| fake.requests().len())
}
