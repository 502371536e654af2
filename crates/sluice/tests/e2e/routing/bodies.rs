//! Filters, templates and expressions that look into request bodies which nothing else reads (compat §2.4, §3.2).

use bytes::Bytes;
use serde_json::{Value, json};
use sluice_testkit::{Answer, FakeProvider, Gateway, Reply};

use crate::support::{dead_addr, gateway, node, put, put_consumer};

/// A gateway with a route to a plain upstream, which carries these plugins.
async fn with_plugins(provider: &FakeProvider, plugins: Value) -> Gateway {
    provider.always(Reply::body(200, "text/plain", "ok"));
    let gateway = gateway().await;
    let route = json!({ "uri": "/*", "upstream": node(provider.addr()), "plugins": plugins });
    put(&gateway, "/routes/1", route).await;
    gateway
}

async fn ask(gateway: &Gateway, body: &Value) -> Answer {
    gateway.client().post("/asked").json(body).send().await
}

fn when_model_is_m() -> Value {
    json!({ "filter": [["post_arg.model", "==", "m"]] })
}

#[tokio::test]
async fn filters_read_what_they_look_into() {
    let provider = FakeProvider::start();
    let gateway = with_plugins(
        &provider,
        json!({
            "proxy-rewrite": { "uri": "/rewritten", "_meta": when_model_is_m() },
            "response-rewrite": { "headers": { "set": { "x-seen": "route" } }, "_meta": when_model_is_m() },
        }),
    )
    .await;
    let rule = json!({ "echo": { "headers": { "x-rule": "global" }, "after_body": "!", "_meta": when_model_is_m() } });
    put(&gateway, "/global_rules/1", json!({ "plugins": rule })).await;
    let seen = async |body: Value| {
        let answer = ask(&gateway, &body).await.expect_status(200).await;
        let headers = (
            answer.header("x-seen").is_some(),
            answer.header("x-rule").is_some(),
        );
        let text = answer.text().await;
        let arrived = provider.last_request();
        assert_eq!(arrived.json(), body, "the upstream gets the body all the same");
        (arrived.path, headers, text)
    };
    let rewritten = ("/rewritten".to_owned(), (true, true), "ok!".to_owned());
    let as_it_was = ("/asked".to_owned(), (false, false), "ok".to_owned());
    assert_eq!(
        seen(json!({ "model": "m", "text": "x".repeat(300_000) })).await,
        rewritten
    );
    assert_eq!(seen(json!({ "model": "other" })).await, as_it_was);
    assert_eq!(seen(json!(["m"])).await, as_it_was);
    let broken = gateway
        .client()
        .post("/asked")
        .body(Bytes::from_static(b"{\"model\": \"m\""));
    let answer = broken.send().await.expect_status(200).await;
    assert_eq!(answer.header("x-seen"), None);
    answer.bytes().await;
}

#[tokio::test]
async fn filters_of_late_phases_and_of_consumers_do_too() {
    let provider = FakeProvider::start();
    let gateway = with_plugins(
        &provider,
        json!({
            "key-auth": {},
            "response-rewrite": { "headers": { "set": { "x-seen": "route" } }, "_meta": when_model_is_m() },
        }),
    )
    .await;
    put_consumer(&gateway, "jack").await;
    let consumer = json!({
        "username": "jane",
        "plugins": {
            "key-auth": { "key": "key-jane" },
            "mocking": { "response_example": "mocked", "_meta": when_model_is_m() },
        },
    });
    put(&gateway, "/consumers", consumer).await;
    for (key, model, seen, text) in [
        ("key-jack", "m", Some("route"), "ok"),
        ("key-jack", "other", None, "ok"),
        ("key-jane", "m", Some("route"), "mocked"),
        ("key-jane", "other", None, "ok"),
    ] {
        let call = gateway.client().post("/asked").header("apikey", key);
        let answer = call
            .json(&json!({ "model": model }))
            .send()
            .await
            .expect_status(200)
            .await;
        assert_eq!(answer.header("x-seen"), seen, "{key} {model}");
        assert_eq!(answer.text().await, text, "{key} {model}");
    }
}

#[tokio::test]
async fn templates_and_expressions_do_too() {
    let provider = FakeProvider::start();
    let gateway = with_plugins(
        &provider,
        json!({
            "proxy-rewrite": { "uri": "/to/$post_arg.model", "headers": { "set": { "x-user": "${post_arg.user.id}" } } },
            "response-rewrite": {
                "vars": [["post_arg.model", "~~", "^gpt"]],
                "headers": { "set": { "x-model": "$post_arg.model" } },
            },
        }),
    )
    .await;
    let body = json!({ "model": "gpt 4", "user": { "id": 7 } });
    let answer = ask(&gateway, &body).await.expect_status(200).await;
    assert_eq!(answer.header("x-model"), Some("gpt 4"));
    answer.bytes().await;
    let arrived = provider.last_request();
    assert_eq!(
        (arrived.path.as_str(), arrived.header("x-user"), arrived.json()),
        ("/to/gpt%204", Some("7"), body)
    );
    let answer = ask(&gateway, &json!({ "model": "other" }))
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.header("x-model"), None);
    answer.bytes().await;
    assert_eq!(provider.last_request().path, "/to/other");
}

#[tokio::test]
async fn a_breaker_reads_the_body_when_it_refuses() {
    let gateway = gateway().await;
    let breaker = json!({
        "break_response_code": 599, "break_response_body": "broken",
        "break_response_headers": [{ "key": "x-model", "value": "$post_arg.model" }],
        "unhealthy": { "http_statuses": [502], "failures": 1 },
    });
    let route = json!({ "uri": "/*", "upstream": node(dead_addr()), "plugins": { "api-breaker": breaker } });
    put(&gateway, "/routes/1", route).await;
    let body = json!({ "model": "m" });
    ask(&gateway, &body).await.expect_status(502).await.bytes().await;
    let refused = ask(&gateway, &body).await.expect_status(599).await;
    assert_eq!(refused.header("x-model"), Some("m"));
    assert_eq!(refused.text().await, "broken");
}
