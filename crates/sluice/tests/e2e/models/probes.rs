//! "Test this provider" and "list its models".

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use super::with_providers;
use crate::support::{dead_addr, gateway, put};

async fn test(gateway: &Gateway, id: &str, body: Value) -> Value {
    let path = format!("/providers/{id}/test");
    let mut report = gateway.admin().post(&path, body).await.expect_status(200).json();
    let latency = report.as_object_mut().unwrap().remove("latency_ms").unwrap();
    assert!(latency.as_u64().unwrap() < 20_000);
    report
}

#[tokio::test]
async fn a_test_asks_for_a_few_tokens_and_reports() {
    let fake = FakeProvider::start();
    let gateway = with_providers(&[&fake]).await;
    let report = test(&gateway, "a", json!({ "model": "gpt-4o" })).await;
    assert_eq!(
        report,
        json!({
            "ok": true, "status": 200, "model": "gpt-4o", "answered_model": "gpt-4o", "error_class": null,
            "message": "the provider answered",
        })
    );
    let sent = fake.last_request();
    assert_eq!(sent.path, "/v1/chat/completions");
    assert_eq!(sent.header("authorization"), Some("Bearer sk-upstream"));
    assert_eq!(sent.json()["max_completion_tokens"], 16);
}

#[tokio::test]
async fn without_a_model_the_first_that_the_provider_lists_is_asked() {
    let fake = FakeProvider::start();
    let gateway = with_providers(&[&fake]).await;
    let report = test(&gateway, "a", json!({})).await;
    assert_eq!(
        (&report["ok"], &report["model"]),
        (&json!(true), &json!("gpt-4o"))
    );
    let paths: Vec<_> = fake.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/v1/models", "/v1/chat/completions"]);
}

#[tokio::test]
async fn failures_are_told_in_clear_words_and_without_keys() {
    let fake = FakeProvider::start();
    let gateway = with_providers(&[&fake]).await;
    let error = |message: &str| json!({ "error": { "message": message, "code": "x" } });
    for (reply, class, message) in [
        (
            Reply::json(401, &error("Incorrect API key provided: sk-up***am")),
            json!("auth"),
            "the provider refuses the credentials",
        ),
        (
            Reply::json(402, &error("pay")),
            json!("auth"),
            "the provider refuses the account: it wants to be paid",
        ),
        (
            Reply::json(429, &error("slow down")),
            json!("rate_limit"),
            "the provider answered 429: slow down",
        ),
        (
            Reply::body(502, "text/html", "<html>"),
            json!("server_error"),
            "the provider answered 502",
        ),
        (
            Reply::raw("nonsense"),
            Value::Null,
            "the provider cannot be reached: it does not answer with HTTP",
        ),
    ] {
        fake.next(reply);
        let report = test(&gateway, "a", json!({ "model": "m" })).await;
        assert_eq!(
            (&report["ok"], &report["error_class"], &report["message"]),
            (&json!(false), &class, &json!(message))
        );
        assert!(!report.to_string().contains("sk-up"));
    }
    let dead = json!({ "type": "openai", "base_url": format!("http://{}", dead_addr()) });
    put(&gateway, "/providers/dead", dead).await;
    let report = test(&gateway, "dead", json!({ "model": "m" })).await;
    assert_eq!(
        report["message"],
        "the provider cannot be reached: nobody takes the connection"
    );
    let answer = gateway.admin().post("/providers/nobody/test", json!({})).await;
    assert_eq!(
        answer.expect_status(404).json()["error_msg"],
        "no provider [nobody] is in force"
    );
}

#[tokio::test]
async fn providers_of_every_kind_are_tested_in_their_own_words() {
    let fake = FakeProvider::start();
    let gateway = gateway().await;
    let anthropic = json!({ "type": "anthropic", "base_url": fake.url(""), "auth": { "api_key": "sk-ant" } });
    put(&gateway, "/providers/a", anthropic).await;
    assert_eq!(
        test(&gateway, "a", json!({ "model": "claude" })).await["ok"],
        true
    );
    let sent = fake.last_request();
    assert_eq!(sent.path, "/v1/messages");
    assert_eq!(sent.header("x-api-key"), Some("sk-ant"));
    assert!(sent.header("anthropic-version").is_some());
    put(&gateway, "/providers/e", json!({ "type": "echo" })).await;
    assert_eq!(test(&gateway, "e", json!({})).await["ok"], true);
}

#[tokio::test]
async fn a_providers_models_are_listed_in_one_form() {
    let fake = FakeProvider::start();
    let gateway = with_providers(&[&fake]).await;
    let list = gateway
        .admin()
        .get("/providers/a/models")
        .await
        .expect_status(200)
        .json();
    assert_eq!(list["total"], 3);
    assert_eq!(
        list["list"][0],
        json!({ "id": "gpt-4o", "display_name": null, "owned_by": "fake", "context_window": null })
    );
    for (kind, path, query, answer) in [
        (
            "gemini",
            "/v1beta/models",
            Some("pageSize=1000"),
            json!({ "models": [{ "name": "models/gemini-x", "displayName": "X", "inputTokenLimit": 7 }] }),
        ),
        (
            "anthropic",
            "/v1/models",
            Some("limit=1000"),
            json!({ "data": [{ "type": "model", "id": "gemini-x", "display_name": "X", "max_input_tokens": 7 }] }),
        ),
        (
            "openrouter",
            "/api/v1/models",
            None,
            json!({ "data": [{ "id": "gemini-x", "display_name": "X", "context_length": 7 }] }),
        ),
    ] {
        let provider = json!({ "type": kind, "base_url": fake.url(""), "auth": { "api_key": "k" } });
        put(&gateway, "/providers/x", provider).await;
        fake.next(Reply::json(200, &answer));
        let list = gateway.admin().get("/providers/x/models").await;
        let model = json!({ "id": "gemini-x", "display_name": "X", "owned_by": null, "context_window": 7 });
        assert_eq!(list.expect_status(200).json()["list"], json!([model]), "{kind}");
        let asked = fake.last_request();
        assert_eq!(
            (asked.path.as_str(), asked.query.as_deref()),
            (path, query),
            "{kind}"
        );
    }
    fake.next(Reply::json(
        401,
        &json!({ "error": { "message": "key sk-up***am" } }),
    ));
    let answer = gateway
        .admin()
        .get("/providers/a/models")
        .await
        .expect_status(502)
        .json();
    assert_eq!(answer["error_msg"], "the provider refuses the credentials");
    gateway
        .admin()
        .get("/providers/nobody/models")
        .await
        .expect_status(404);
}
