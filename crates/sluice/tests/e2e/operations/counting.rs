use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use super::{answered, post, refused};
use crate::ledger::entries;
use crate::support::put;
use crate::translation::{client_of, target};

fn anthropic() -> Value {
    json!({ "model": "m", "system": "Be brief.", "messages": [{ "role": "user", "content": "hello world" }] })
}

fn gemini() -> Value {
    json!({ "contents": [{ "role": "user", "parts": [{ "text": "hello world" }] }] })
}

async fn anthropic_count(gateway: &Gateway) -> u64 {
    let answer = answered(post(gateway, "/v1/messages/count_tokens").json(&anthropic())).await;
    answer["input_tokens"].as_u64().unwrap()
}

#[tokio::test]
async fn providers_that_count_are_asked() {
    let provider = FakeProvider::strict();
    let gateway = client_of("anthropic", &provider).await;
    let asked = post(&gateway, "/v1/messages/count_tokens")
        .header("anthropic-version", "2023-06-01")
        .json(&anthropic());
    assert!(answered(asked).await["input_tokens"].as_u64().unwrap() > 10);
    let sent = provider.last_request();
    assert_eq!(sent.path, "/v1/messages/count_tokens");
    assert_eq!(sent.json()["model"], "claude-sonnet-4-5");
    assert_eq!(provider.refused(), Vec::<String>::new());

    let provider = FakeProvider::strict();
    let gateway = client_of("vertex-anthropic", &provider).await;
    assert!(anthropic_count(&gateway).await > 10);
    let sent = provider.last_request();
    assert!(
        sent.path
            .ends_with("/publishers/anthropic/models/count-tokens:rawPredict"),
        "{}",
        sent.path
    );
    assert_eq!(sent.json()["model"], "claude-sonnet-4-5");
    assert_eq!(provider.refused(), Vec::<String>::new());

    let provider = FakeProvider::strict();
    let gateway = client_of("gemini", &provider).await;
    let nested =
        json!({ "generateContentRequest": { "model": "models/m", "contents": gemini()["contents"] } });
    for body in [gemini(), nested] {
        let answer = answered(post(&gateway, "/v1beta/models/m:countTokens").json(&body)).await;
        assert!(answer["totalTokens"].as_u64().unwrap() > 10, "{answer}");
    }
    let sent = provider.last_request();
    assert_eq!(sent.path, "/v1beta/models/gemini-2.5-flash:countTokens");
    assert_eq!(
        sent.json()["generateContentRequest"]["model"],
        "models/gemini-2.5-flash"
    );

    let provider = FakeProvider::strict();
    let gateway = client_of("openai", &provider).await;
    provider.next(Reply::json(
        200,
        &json!({ "object": "response.input_tokens", "input_tokens": 5 }),
    ));
    let body = json!({ "model": "m", "input": "hello world" });
    let answer = answered(post(&gateway, "/v1/responses/input_tokens").json(&body)).await;
    assert_eq!(answer["input_tokens"], 5);
    assert_eq!(provider.last_request().path, "/v1/responses/input_tokens");
}

#[tokio::test]
async fn others_are_counted_here_and_cost_nothing() {
    let provider = FakeProvider::strict();
    let mut gateway = client_of("openai", &provider).await;
    // Three tokens of a system prompt, two of the user's, and what turns cost.
    assert_eq!(anthropic_count(&gateway).await, 14);
    let answer = answered(post(&gateway, "/v1beta/models/m:countTokens").json(&gemini())).await;
    assert_eq!(answer, json!({ "totalTokens": 8 }));
    let conf = target("anthropic", &provider);
    let plugins = json!({ "key-auth": { "key": "sk-native" }, "ai-proxy": conf });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "native", "plugins": plugins }),
    )
    .await;
    let body = json!({ "model": "m", "instructions": "Be brief.", "input": "hello world" });
    let answer = answered(post(&gateway, "/v1/responses/input_tokens").json(&body)).await;
    assert_eq!(
        answer,
        json!({ "object": "response.input_tokens", "input_tokens": 14 })
    );
    assert_eq!(provider.requests().len(), 0);
    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
    let used: Vec<_> = entries(&gateway)
        .await
        .into_iter()
        .map(|entry| entry.usage.total())
        .collect();
    assert_eq!(used, [0, 0, 0]);
}

#[tokio::test]
async fn what_cannot_be_counted_is_refused_in_the_dialect() {
    let provider = FakeProvider::strict();
    let gateway = client_of("openai", &provider).await;
    let body = json!({ "model": "m", "messages": "hello" });
    let answer = refused(post(&gateway, "/v1/messages/count_tokens").json(&body), 400).await;
    assert_eq!(answer["error"]["type"], "invalid_request_error");
    let answer = refused(
        post(&gateway, "/v1beta/models/m:countTokens").json(&json!({ "contents": 7 })),
        400,
    )
    .await;
    assert_eq!(answer["error"]["status"], "INVALID_ARGUMENT");
}
