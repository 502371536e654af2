//! Lists of models for callers with a provider of their own: the provider's, in the caller's dialect.

use serde_json::{Value, json};
use sluice_testkit::{Call, FakeProvider, Gateway};

use super::{answered, refused};
use crate::support::{gateway, put};
use crate::translation::target;

/// Providers with a model that each lists.
const PROVIDERS: [(&str, &str); 5] = [
    ("openai", "gpt-4o"),
    ("anthropic", "claude-sonnet-4-5"),
    ("gemini", "gemini-2.5-pro"),
    ("cohere", "gpt-4o"),
    ("ollama", "gpt-4o"),
];

async fn caller(gateway: &Gateway, provider: &FakeProvider, name: &str, more: Value) {
    let mut plugins = json!({ "key-auth": { "key": "sk-native" }, "ai-proxy": target(name, provider) });
    if let Some(more) = more.as_object() {
        for (name, conf) in more {
            plugins[name] = conf.clone();
        }
    }
    put(
        gateway,
        "/consumers",
        json!({ "username": "native", "plugins": plugins }),
    )
    .await;
}

fn openai(gateway: &Gateway, after: &str) -> Call {
    let call = gateway.client().get(&format!("/v1/models{after}"));
    call.header("authorization", "Bearer sk-native")
}

fn anthropic(gateway: &Gateway, after: &str) -> Call {
    let call = gateway.client().get(&format!("/v1/models{after}"));
    call.header("x-api-key", "sk-native")
        .header("anthropic-version", "2023-06-01")
}

fn gemini(gateway: &Gateway, after: &str) -> Call {
    let call = gateway.client().get(&format!("/v1beta/models{after}"));
    call.header("x-goog-api-key", "sk-native")
}

fn ollama(gateway: &Gateway) -> Call {
    gateway
        .client()
        .get("/api/tags")
        .header("authorization", "Bearer sk-native")
}

fn item<'v>(list: &'v Value, members: &str, name: &str, wanted: &str) -> &'v Value {
    let items = list[members]
        .as_array()
        .unwrap_or_else(|| panic!("no {members} in {list}"));
    let found = items.iter().find(|item| item[name] == wanted);
    found.unwrap_or_else(|| panic!("no {wanted} in {list}"))
}

#[tokio::test]
async fn every_dialect_gets_the_list_of_every_provider() {
    let (gateway, fake) = (gateway().await, FakeProvider::strict());
    for (provider, model) in PROVIDERS {
        caller(&gateway, &fake, provider, json!({})).await;
        let list = answered(openai(&gateway, "")).await;
        assert_eq!(list["object"], "list", "{provider}");
        assert_eq!(item(&list, "data", "id", model)["object"], "model", "{provider}");

        let list = answered(anthropic(&gateway, "")).await;
        assert_eq!(list["has_more"], false, "{provider}");
        assert_eq!(item(&list, "data", "id", model)["type"], "model", "{provider}");

        let list = answered(gemini(&gateway, "")).await;
        let shown = item(&list, "models", "name", &format!("models/{model}"));
        assert_eq!(
            shown["supportedGenerationMethods"][0], "generateContent",
            "{provider}"
        );

        let list = answered(ollama(&gateway)).await;
        let model = if provider == "ollama" { "qwen3:8b" } else { model };
        assert!(
            item(&list, "models", "name", model)["modified_at"].is_string(),
            "{provider}"
        );
    }
    assert_eq!(fake.refused(), Vec::<String>::new());
}

#[tokio::test]
async fn one_model_is_found_in_the_providers_list() {
    let (gateway, fake) = (gateway().await, FakeProvider::strict());
    for (provider, model) in PROVIDERS {
        caller(&gateway, &fake, provider, json!({})).await;
        let one = format!("/{model}");
        assert_eq!(answered(openai(&gateway, &one)).await["id"], model, "{provider}");
        assert_eq!(
            answered(anthropic(&gateway, &one)).await["id"],
            model,
            "{provider}"
        );
        let shown = answered(gemini(&gateway, &one)).await;
        assert_eq!(shown["name"], format!("models/{model}"), "{provider}");

        assert!(refused(openai(&gateway, "/nobody"), 404).await["error"]["message"].is_string());
        let missing = refused(anthropic(&gateway, "/nobody"), 404).await;
        assert_eq!(missing["error"]["type"], "not_found_error", "{provider}");
        let missing = refused(gemini(&gateway, "/nobody"), 404).await;
        assert_eq!(missing["error"]["status"], "NOT_FOUND", "{provider}");
    }
}

#[tokio::test]
async fn pages_are_those_of_the_dialect() {
    let (gateway, fake) = (gateway().await, FakeProvider::strict());
    caller(&gateway, &fake, "openai", json!({})).await;
    let page = answered(anthropic(&gateway, "?limit=1")).await;
    assert_eq!(
        (&page["data"][0]["id"], &page["has_more"]),
        (&json!("gpt-4o"), &json!(true))
    );
    let page = answered(gemini(&gateway, "?pageSize=2")).await;
    assert_eq!(page["nextPageToken"], "text-embedding-3-small");
}

#[tokio::test]
async fn what_the_caller_may_not_use_is_not_listed() {
    let (gateway, fake) = (gateway().await, FakeProvider::strict());
    let access = json!({ "allow": ["gpt-*"], "aliases": { "small": "gpt-4o-mini", "gone": "nobody" } });
    for provider in ["openai", "gemini"] {
        caller(&gateway, &fake, provider, json!({ "ai-models": access })).await;
        let list = answered(openai(&gateway, "")).await;
        let names: Vec<&Value> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| &model["id"])
            .collect();
        let expected: &[&str] = if provider == "openai" {
            &["gpt-4o", "gpt-4o-mini", "small"]
        } else {
            &[]
        };
        assert_eq!(names, expected, "{provider}");
        refused(openai(&gateway, "/gemini-2.5-pro"), 404).await;
    }
}

#[tokio::test]
async fn a_provider_that_gives_no_list_is_said_to_have_none() {
    let (gateway, fake) = (gateway().await, FakeProvider::strict());
    caller(&gateway, &fake, "openai", json!({})).await;
    fake.next(sluice_testkit::Reply::json(200, &json!({ "hello": "there" })));
    let answer = refused(anthropic(&gateway, ""), 502).await;
    assert_eq!(answer["type"], "error");
    fake.next(sluice_testkit::Reply::error(429, "slow down"));
    let answer = refused(anthropic(&gateway, ""), 429).await;
    assert_eq!(answer["error"]["type"], "rate_limit_error");
    assert_eq!(answer["error"]["message"], "slow down");
}
