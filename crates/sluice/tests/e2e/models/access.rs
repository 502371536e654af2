//! `ai-models`: allow-lists, aliases and defaults.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway};

use super::{answered, ask, caller, chat_with, post, refused, with_providers};
use crate::support::{openai, put};

/// A registry of `gpt-4o`, `gpt-4o-mini` and `claude`, and the caller with this `ai-models`.
async fn restricted(fake: &FakeProvider, conf: Value) -> Gateway {
    let gateway = with_providers(&[fake]).await;
    for name in ["gpt-4o", "gpt-4o-mini", "claude"] {
        let model = json!({ "targets": [{ "provider": "a" }] });
        put(&gateway, &format!("/models/{name}"), model).await;
    }
    caller(&gateway, json!({ "ai-models": conf })).await;
    gateway
}

#[tokio::test]
async fn only_allowed_models_may_be_asked_for() {
    let fake = FakeProvider::start();
    let gateway = restricted(&fake, json!({ "allow": ["gpt-4o*"] })).await;
    answered(ask(&gateway, &chat_with("gpt-4o-mini", "conf:hello"))).await;
    let code = refused(ask(&gateway, &chat_with("claude", "hi")), 403).await;
    assert_eq!(code, "model_not_allowed");
    let call = post(&gateway, "/v1/messages", &chat_with("claude", "hi"));
    let answer = call.send().await.expect_status(403).await.json().await;
    assert_eq!(answer["error"]["type"], "permission_error");
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn a_refusal_can_hide_that_the_model_exists() {
    let fake = FakeProvider::start();
    let gateway = restricted(&fake, json!({ "allow": ["gpt-4o*"], "hide": true })).await;
    let code = refused(ask(&gateway, &chat_with("claude", "hi")), 404).await;
    assert_eq!(code, "model_not_found");
}

#[tokio::test]
async fn aliases_and_the_default_are_put_into_the_body() {
    let fake = FakeProvider::start();
    let conf = json!({ "default": "fast", "aliases": { "fast": "gpt-4o-mini" }, "allow": ["gpt-4o"] });
    let gateway = restricted(&fake, conf).await;
    answered(ask(&gateway, &chat_with("fast", "conf:hello"))).await;
    assert_eq!(fake.last_request().json()["model"], "gpt-4o-mini");
    let mut body = chat_with("", "conf:hello");
    body.as_object_mut().unwrap().remove("model");
    answered(ask(&gateway, &body)).await;
    assert_eq!(fake.last_request().json()["model"], "gpt-4o-mini", "the default");
    let code = refused(ask(&gateway, &chat_with("gpt-4o-mini", "hi")), 403).await;
    assert_eq!(code, "model_not_allowed", "the alias allows itself only");
}

#[tokio::test]
async fn a_caller_with_a_provider_of_its_own_is_restricted_too_and_not_routed() {
    let (own, fake) = (FakeProvider::start(), FakeProvider::start());
    let gateway = restricted(&fake, json!({ "allow": ["x"] })).await;
    let models = json!({ "aliases": { "mine": "own-model" }, "allow": ["x"] });
    caller(&gateway, json!({ "ai-models": models, "ai-proxy": openai(&own) })).await;
    answered(ask(&gateway, &chat_with("mine", "conf:hello"))).await;
    assert_eq!(own.last_request().json()["model"], "own-model");
    let code = refused(ask(&gateway, &chat_with("gpt-4o", "hi")), 403).await;
    assert_eq!(code, "model_not_allowed");
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn a_group_restricts_its_members() {
    let fake = FakeProvider::start();
    let gateway = restricted(&fake, json!({ "default": "claude" })).await;
    let group = json!({ "plugins": { "ai-models": { "allow": ["claude"] } } });
    put(&gateway, "/consumer_groups/g", group).await;
    let jack =
        json!({ "username": "jack", "group_id": "g", "plugins": { "key-auth": { "key": "sk-jack" } } });
    put(&gateway, "/consumers", jack).await;
    answered(ask(&gateway, &chat_with("claude", "conf:hello"))).await;
    let code = refused(ask(&gateway, &chat_with("gpt-4o", "hi")), 403).await;
    assert_eq!(code, "model_not_allowed");
}

#[tokio::test]
async fn a_stored_route_routes_by_the_registry_too() {
    let fake = FakeProvider::start();
    let gateway = restricted(&fake, json!({ "allow": ["claude"] })).await;
    let plugins = json!({ "key-auth": {}, "ai-router": {}, "ai-models": { "allow": ["*"] } });
    crate::support::put_route(&gateway, "1", "/llm/v1/chat/completions", plugins).await;
    let call = post(
        &gateway,
        "/llm/v1/chat/completions",
        &chat_with("claude", "conf:hello"),
    );
    answered(call).await;
    let call = post(&gateway, "/llm/v1/chat/completions", &chat_with("gpt-4o", "hi"));
    assert_eq!(
        refused(call, 403).await,
        "model_not_allowed",
        "the consumer's wins"
    );
}

#[tokio::test]
async fn a_model_in_the_path_is_renamed_and_refused_as_well() {
    let fake = FakeProvider::start();
    let conf = json!({ "aliases": { "fast": "gpt-4o-mini" }, "allow": ["gpt-4o*"] });
    let gateway = restricted(&fake, conf).await;
    let body = json!({ "contents": [{ "role": "user", "parts": [{ "text": "conf:hello" }] }] });
    let call = |model: &str| {
        post(
            &gateway,
            &format!("/v1beta/models/{model}:generateContent"),
            &body,
        )
    };
    let answer = answered(call("fast")).await;
    assert!(answer["candidates"][0]["content"]["parts"][0]["text"].is_string());
    assert_eq!(fake.last_request().json()["model"], "gpt-4o-mini");
    let refusal = call("claude").send().await.expect_status(403).await.json().await;
    assert_eq!(refusal["error"]["status"], "PERMISSION_DENIED");
}
