//! `ai-request-rewrite`.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use crate::support::{dead_addr, done, gateway, node, put};

/// A plain route whose bodies a model rewrites.
async fn rewriting(model: &str, upstream: &FakeProvider) -> Gateway {
    let gateway = gateway().await;
    let rewrite = json!({
        "prompt": "Replace names.", "provider": "openai",
        "auth": { "header": { "Authorization": "Bearer upstream-key" } },
        "options": { "model": "gpt-4" },
        "override": { "endpoint": format!("http://{model}") },
    });
    let route = json!({
        "uri": "/anything", "upstream": node(upstream.addr()), "plugins": { "ai-request-rewrite": rewrite },
    });
    put(&gateway, "/routes/1", route).await;
    gateway
}

#[tokio::test]
async fn the_models_text_becomes_the_body() {
    let (model, upstream) = (FakeProvider::start(), FakeProvider::start());
    upstream.always(Reply::json(200, &json!({})));
    let gateway = rewriting(&model.addr().to_string(), &upstream).await;
    let call = gateway.client().post("/anything").body("conf:hello");
    done(call.header("x-own", "1"), 200).await;
    let asked = model.last_request();
    assert_eq!(asked.path, "/v1/chat/completions");
    assert_eq!(asked.header("authorization"), Some("Bearer upstream-key"));
    assert_eq!(asked.header("x-own"), None, "the client's headers stay behind");
    let body = asked.json();
    assert_eq!(body["model"], "gpt-4");
    assert_eq!(
        body["messages"],
        json!([{ "role": "system", "content": "Replace names." }, { "role": "user", "content": "conf:hello" }])
    );
    assert_eq!(upstream.last_request().body, "Hello from the upstream.");
}

#[tokio::test]
async fn without_a_text_there_is_no_request() {
    let (model, upstream) = (FakeProvider::start(), FakeProvider::start());
    let gateway = rewriting(&model.addr().to_string(), &upstream).await;
    for reply in [
        Reply::json(500, &json!({})),
        Reply::json(200, &json!({ "choices": [] })),
        Reply::body(200, "text/plain", "what"),
        Reply::hang_up(),
    ] {
        model.always(reply);
        let answer = gateway.client().post("/anything").body("x").send().await;
        let page = answer.expect_status(500).await.text().await;
        assert!(page.contains("<h1>500 Internal Server Error</h1>"), "{page}");
    }
    let answer = gateway.client().post("/anything").body("").send().await;
    let page = answer.expect_status(400).await.text().await;
    assert!(page.contains("<h1>400 Bad Request</h1>"), "{page}");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_model_that_is_not_there() {
    let upstream = FakeProvider::start();
    let gateway = rewriting(&dead_addr().to_string(), &upstream).await;
    done(gateway.client().post("/anything").body("x"), 500).await;
}

#[tokio::test]
async fn what_cannot_work_is_refused_when_written() {
    let gateway = gateway().await;
    let put = async |conf: Value| {
        let route = json!({ "uri": "/a", "plugins": { "ai-request-rewrite": conf } });
        let answer = gateway.admin().put("/routes/1", route).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        answer.text()
    };
    let text = put(json!({ "prompt": "p", "provider": "openai-compatible", "auth": {} })).await;
    assert!(
        text.contains("override.endpoint is required for openai-compatible provider"),
        "{text}"
    );
    let text = put(json!({ "provider": "openai", "auth": {} })).await;
    assert!(text.contains(r#"property \"prompt\" is required"#), "{text}");
    let text = put(json!({ "prompt": "p", "provider": "openai", "auth": {}, "timeout": 60001 })).await;
    assert!(
        text.contains(r#"property \"timeout\" validation failed"#),
        "{text}"
    );
}
