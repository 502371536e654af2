//! The smoke scenario of the compatibility reference, line by line (compat §13). Each mock answer costs 10 tokens.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use crate::support::{chat, openai, put_route};

/// An answer that costs 10 tokens.
fn ten_tokens() -> Reply {
    let usage = json!({ "prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10 });
    let message = json!({ "role": "assistant", "content": "hi" });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    Reply::json(
        200,
        &json!({ "id": "c", "object": "chat.completion", "model": "gpt-4", "choices": [choice], "usage": usage }),
    )
}

fn key(name: &str) -> Value {
    json!({ "key-auth": { "key": format!("key-{name}") } })
}

/// Status, and the three quota headers of an instance.
async fn quota(gateway: &Gateway, uri: &str, who: &str, instance: &str) -> (u16, Vec<String>) {
    let answer = gateway
        .client()
        .post(uri)
        .header("apikey", &format!("key-{who}"))
        .json(&chat("hi"))
        .send()
        .await;
    let header = |what: &str| {
        answer
            .header(&format!("x-ai-ratelimit-{what}-{instance}"))
            .unwrap_or("-")
            .to_owned()
    };
    let headers = vec![header("limit"), header("remaining")];
    (answer.status.as_u16(), headers)
}

fn expect(limit: &str, remaining: &str) -> Vec<String> {
    vec![limit.to_owned(), remaining.to_owned()]
}

#[tokio::test]
async fn lines_1_to_7_groups_consumers_and_routes() {
    let provider = FakeProvider::start();
    provider.always(ten_tokens());
    let gateway = crate::support::gateway().await;
    let admin = gateway.admin();
    let limit = |limit: u32, code: u32| json!({ "limit": limit, "time_window": 60, "rejected_code": code });
    admin
        .put(
            "/consumer_groups/g1",
            json!({ "plugins": { "ai-rate-limiting": limit(15, 429) } }),
        )
        .await
        .expect_status(201);
    for name in ["c1", "c2"] {
        let consumer = json!({ "username": name, "group_id": "g1", "plugins": key(name) });
        let stored = admin.put("/consumers", consumer).await.expect_status(201).json();
        let shown = stored["value"]["plugins"]["key-auth"]["key"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_ne!(shown, format!("key-{name}"), "write replies show ciphertext");
        let read = admin
            .get(&format!("/consumers/{name}"))
            .await
            .expect_status(200)
            .json();
        assert_eq!(read["value"]["plugins"]["key-auth"]["key"], format!("key-{name}"));
    }
    let mut conf = openai(&provider);
    conf["options"] = json!({ "model": "gpt-4" });
    let plugins = json!({ "key-auth": {}, "ai-proxy": conf, "ai-rate-limiting": limit(1000, 503) });
    put_route(&gateway, "cg", "/cg", plugins).await;

    let instance = "ai-proxy-openai";
    let answer = gateway
        .client()
        .post("/cg")
        .header("apikey", "key-c1")
        .json(&chat("hi"))
        .send()
        .await;
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(answer.header("x-ai-ratelimit-limit-ai-proxy-openai"), Some("15"));
    assert_eq!(
        answer.header("x-ai-ratelimit-remaining-ai-proxy-openai"),
        Some("15")
    );
    assert_eq!(answer.header("x-ai-ratelimit-reset-ai-proxy-openai"), Some("60"));
    answer.bytes().await;
    assert_eq!(
        quota(&gateway, "/cg", "c2", instance).await,
        (200, expect("15", "5")),
        "the group's counter is shared"
    );
    assert_eq!(
        quota(&gateway, "/cg", "c1", instance).await,
        (429, expect("15", "0"))
    );
    let answer = gateway
        .client()
        .post("/cg")
        .header("apikey", "key-c2")
        .json(&chat("hi"))
        .send()
        .await;
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(
        answer
            .text()
            .await
            .contains("<title>429 Too Many Requests</title>")
    );

    let mut plugins = key("c3");
    plugins["ai-rate-limiting"] = limit(15, 430);
    admin
        .put("/consumers", json!({ "username": "c3", "plugins": plugins }))
        .await
        .expect_status(201);
    assert_eq!(
        quota(&gateway, "/cg", "c3", instance).await,
        (200, expect("15", "15"))
    );
    assert_eq!(
        quota(&gateway, "/cg", "c3", instance).await,
        (200, expect("15", "5"))
    );
    assert_eq!(
        quota(&gateway, "/cg", "c3", instance).await,
        (430, expect("15", "0"))
    );
}

fn instance(provider: &FakeProvider, name: &str, priority: i32) -> Value {
    let mut instance = openai(provider);
    instance["name"] = json!(name);
    instance["weight"] = json!(1);
    instance["priority"] = json!(priority);
    instance
}

#[tokio::test]
async fn line_8_quota_moves_calls_to_the_second_instance() {
    let provider = FakeProvider::start();
    provider.always(ten_tokens());
    let plugins = json!({
        "ai-proxy-multi": {
            "fallback_strategy": ["rate_limiting"],
            "instances": [instance(&provider, "a", 9), instance(&provider, "b", 0)],
        },
        "ai-rate-limiting": { "limit": 5, "time_window": 60 },
    });
    let gateway = crate::support::with_route(plugins).await;
    let call = || {
        gateway
            .client()
            .post("/v1/chat/completions")
            .json(&chat("hi"))
            .send()
    };
    let first = call().await.expect_status(200).await;
    assert_eq!(first.header("x-ai-ratelimit-remaining-a"), Some("5"));
    assert_eq!(first.header("x-ai-ratelimit-remaining-b"), None);
    first.bytes().await;
    let second = call().await.expect_status(200).await;
    assert_eq!(second.header("x-ai-ratelimit-remaining-a"), Some("0"));
    assert_eq!(second.header("x-ai-ratelimit-remaining-b"), Some("5"));
    second.bytes().await;
    let third = call().await.expect_status(503).await;
    assert_eq!(third.text().await, "all servers tried");
}

#[tokio::test]
async fn line_9_when_all_instances_fail_the_answer_is_502_with_the_last_body() {
    let provider = FakeProvider::start();
    provider.always(Reply::json(500, &json!({ "error": "boom" })));
    let plugins = json!({
        "ai-proxy-multi": {
            "fallback_strategy": ["http_5xx"],
            "instances": [instance(&provider, "a", 0), instance(&provider, "b", 0)],
        },
    });
    let gateway = crate::support::with_route(plugins).await;
    let answer = gateway
        .client()
        .post("/v1/chat/completions")
        .json(&chat("hi"))
        .send()
        .await
        .expect_status(502)
        .await;
    assert_eq!(answer.header("x-apisix-upstream-status"), Some("500, 500"));
    assert_eq!(answer.json().await, json!({ "error": "boom" }));
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn line_10_an_anthropic_client_on_an_openai_provider() {
    let provider = FakeProvider::start();
    let gateway = crate::support::gateway().await;
    put_route(
        &gateway,
        "m",
        "/v1/messages",
        json!({ "ai-proxy": openai(&provider) }),
    )
    .await;
    let mut body = json!({
        "model": "claude", "max_tokens": 32, "system": "be brief",
        "messages": [{ "role": "user", "content": "conf:hello" }],
    });
    let answer = gateway
        .client()
        .post("/v1/messages")
        .json(&body)
        .send()
        .await
        .expect_status(200)
        .await
        .json()
        .await;
    assert_eq!(answer["type"], "message");
    assert_eq!(
        answer["content"][0],
        json!({ "type": "text", "text": "Hello from the upstream." })
    );
    let sent = provider.last_request();
    assert_eq!(sent.path, "/v1/chat/completions");
    assert_eq!(
        sent.json()["messages"][0],
        json!({ "role": "system", "content": "be brief" })
    );

    body["stream"] = json!(true);
    let answer = gateway
        .client()
        .post("/v1/messages")
        .json(&body)
        .send()
        .await
        .expect_status(200)
        .await;
    let finished = answer.events().finish().await;
    let names = finished.names();
    assert_eq!(names.first(), Some(&"message_start"));
    assert_eq!(names.last(), Some(&"message_stop"));
    assert!(names.contains(&"content_block_delta"));
}

#[tokio::test]
async fn line_11_a_deleted_consumer_takes_its_credentials_along() {
    let provider = FakeProvider::start();
    let gateway = crate::support::with_route(json!({ "key-auth": {}, "ai-proxy": openai(&provider) })).await;
    let admin = gateway.admin();
    admin
        .put("/consumers", json!({ "username": "jack" }))
        .await
        .expect_status(201);
    admin
        .put(
            "/consumers/jack/credentials/one",
            json!({ "plugins": key("jack") }),
        )
        .await
        .expect_status(201);
    let call = || {
        gateway
            .client()
            .post("/v1/chat/completions")
            .header("apikey", "key-jack")
            .json(&chat("conf:hello"))
            .send()
    };
    call().await.expect_status(200).await;
    let deleted = admin.delete("/consumers/jack").await.expect_status(200).json();
    assert_eq!(deleted["deleted"], "1");
    let answer = call().await.expect_status(401).await;
    assert_eq!(answer.header("www-authenticate"), Some("apikey realm=\"key\""));
    assert_eq!(
        answer.json().await,
        json!({ "message": "Invalid API key in request" })
    );
}
