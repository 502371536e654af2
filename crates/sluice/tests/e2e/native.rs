//! The native profile: built-in routes, and `ai-proxy` with `profile: native` (DESIGN §4).

use serde_json::{Value, json};
use sluice_testkit::{Call, FakeProvider, Gate, Gateway, Reply};

use crate::support::{chat, chat_stream, gateway, openai, put, put_route, stream_to_end};

const CHAT: &str = "/v1/chat/completions";

/// A client `native` with this plugin.
async fn client_of(plugin: &str, conf: Value) -> Gateway {
    let gateway = gateway().await;
    let consumer =
        json!({ "username": "native", "plugins": { "key-auth": { "key": "sk-native" }, plugin: conf } });
    gateway
        .admin()
        .put("/consumers", consumer)
        .await
        .expect_status(201);
    gateway
}

fn ask(gateway: &Gateway, body: &Value) -> Call {
    gateway
        .client()
        .post(CHAT)
        .header("authorization", "Bearer sk-native")
        .json(body)
}

fn stream() -> Value {
    chat_stream("conf:hello")
}

#[tokio::test]
async fn rate_limit_and_retry_headers_of_the_provider_are_kept() {
    let provider = FakeProvider::start();
    let gateway = client_of("ai-proxy", openai(&provider)).await;
    let refusal = json!({ "error": { "message": "slow down", "type": "rate_limit_error" } });
    provider.next(
        Reply::json(429, &refusal)
            .header("retry-after", "7")
            .header("x-internal", "1"),
    );
    let answer = ask(&gateway, &chat("hi")).send().await.expect_status(429).await;
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert_eq!(
        answer.header("x-internal"),
        None,
        "what is not listed stays behind"
    );
    assert_eq!(answer.json().await["error"]["message"], "slow down");
}

#[tokio::test]
async fn the_list_of_models_is_asked_for_where_the_provider_has_it() {
    let provider = FakeProvider::start();
    let addr = provider.addr();
    let gateway = gateway().await;
    for (name, endpoint, asked, expected) in [
        ("openai", "", "/v1/models", "/v1/models"),
        ("openai", "", "/v1/models/gpt-4o", "/v1/models/gpt-4o"),
        ("openrouter", "", "/v1/models", "/api/v1/models"),
        ("deepseek", "", "/v1/models", "/models"),
        ("gemini", "", "/v1/models", "/v1beta/models?pageSize=1000"),
        (
            "openai-compatible",
            "/custom/v1/chat/completions",
            "/v1/models",
            "/custom/v1/models",
        ),
        (
            "openai-compatible",
            "/base/v1",
            "/v1/models?limit=3",
            "/base/v1/models?limit=3",
        ),
    ] {
        let mut conf = openai(&provider);
        conf["provider"] = json!(name);
        conf["override"]["endpoint"] = json!(format!("http://{addr}{endpoint}"));
        let plugins = json!({ "key-auth": { "key": "sk-native" }, "ai-proxy": conf });
        put(
            &gateway,
            "/consumers",
            json!({ "username": "native", "plugins": plugins }),
        )
        .await;
        provider.next(Reply::json(200, &json!({ "object": "list", "data": [] })));
        let call = gateway
            .client()
            .get(asked)
            .header("authorization", "Bearer sk-native");
        call.send().await.expect_status(200).await.bytes().await;
        let seen = provider.last_request();
        let query = seen.query.map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{}{query}", seen.path);
        assert_eq!(
            (seen.method.as_str(), target.as_str()),
            ("GET", expected),
            "{name}{endpoint}"
        );
    }
}

#[tokio::test]
async fn the_callers_key_and_unlisted_headers_stay_behind() {
    let provider = FakeProvider::start();
    let gateway = client_of("ai-proxy", openai(&provider)).await;
    ask(&gateway, &chat("conf:hello"))
        .header("x-private", "1")
        .send()
        .await
        .expect_status(200)
        .await;
    let sent = provider.last_request();
    assert_eq!(sent.header("authorization"), Some("Bearer upstream-key"));
    assert_eq!(sent.header("x-private"), None);
    assert_eq!(sent.header("x-consumer-username"), None);
}

#[tokio::test]
async fn usage_is_asked_for_and_hidden_from_a_client_that_did_not_ask() {
    let provider = FakeProvider::start();
    let gateway = client_of("ai-proxy", openai(&provider)).await;
    let finished = stream_to_end(ask(&gateway, &stream())).await;
    assert!(finished.data().iter().all(|data| !data.contains("\"usage\":{")));
    assert_eq!(finished.data().last(), Some(&"[DONE]"));
    assert_eq!(
        provider.last_request().json()["stream_options"]["include_usage"],
        true
    );

    let mut body = stream();
    body["stream_options"] = json!({ "include_usage": true });
    let finished = stream_to_end(ask(&gateway, &body)).await;
    assert!(finished.data().iter().any(|data| data.contains("\"usage\":{")));
}

#[tokio::test]
async fn a_broken_stream_ends_with_an_error_event() {
    let provider = FakeProvider::start();
    let gateway = client_of("ai-proxy", openai(&provider)).await;
    let mut body = stream();
    body["messages"][0]["content"] = json!("conf:cut");
    let finished = stream_to_end(ask(&gateway, &body)).await;
    let last: Value = serde_json::from_str(finished.data().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "upstream_cut");
}

#[tokio::test]
async fn errors_of_the_gateway_speak_the_clients_dialect() {
    let gateway = client_of("key-auth", json!({ "key": "sk-native" })).await;
    let answer = ask(&gateway, &chat("hi"))
        .send()
        .await
        .expect_status(404)
        .await
        .json()
        .await;
    assert_eq!(
        answer["error"]["code"], "no_provider",
        "the client has no provider"
    );
    let call = gateway
        .client()
        .post("/v1/messages")
        .header("x-api-key", "wrong")
        .json(&chat("hi"));
    let answer = call.send().await.expect_status(401).await.json().await;
    assert_eq!(answer["type"], "error");
    assert_eq!(answer["error"]["type"], "authentication_error");
}

#[tokio::test]
async fn failover_is_free_until_the_first_event() {
    let provider = FakeProvider::start();
    let instance = |name: &str, priority: u32| {
        let mut instance = openai(&provider);
        instance["name"] = json!(name);
        instance["weight"] = json!(1);
        instance["priority"] = json!(priority);
        instance
    };
    let conf = json!({ "instances": [instance("a", 1), instance("b", 0)] });
    let gateway = client_of("ai-proxy-multi", conf).await;
    provider.next(Reply::events(["never sent"]).cut_after(0));
    let finished = stream_to_end(ask(&gateway, &stream())).await;
    assert_eq!(
        finished.data().last(),
        Some(&"[DONE]"),
        "the second instance took over"
    );
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn a_silent_stream_gets_its_head_and_keeps_the_client_waiting() {
    let provider = FakeProvider::start();
    let mut conf = openai(&provider);
    conf["first_byte_hold"] = json!(0);
    let gateway = client_of("ai-proxy", conf).await;
    let gate = Gate::closed();
    provider.next(Reply::events(["{\"n\":1}", "[DONE]"]).gated(&gate));
    let mut events = ask(&gateway, &stream())
        .send()
        .await
        .expect_status(200)
        .await
        .events();
    gate.open_for_good();
    assert_eq!(
        events.next().await.unwrap().data,
        "{\"n\":1}",
        "the head came before any event"
    );
}

#[tokio::test]
async fn standard_paths_say_what_they_mean() {
    let provider = FakeProvider::start();
    let gateway = client_of("ai-proxy", openai(&provider)).await;
    let call = gateway
        .client()
        .post("/v1/moderations")
        .header("authorization", "Bearer sk-native");
    call.json(&json!({ "input": "hello" }))
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(
        provider.last_request().path,
        "/v1/moderations",
        "a moderation looks like an embedding and is none"
    );
}

#[tokio::test]
async fn a_stored_route_can_choose_the_profile() {
    let provider = FakeProvider::start();
    let gateway = gateway().await;
    let mut conf = openai(&provider);
    conf["profile"] = json!("native");
    put_route(
        &gateway,
        "1",
        "/chat",
        json!({ "key-auth": {}, "ai-proxy": conf }),
    )
    .await;
    let answer = gateway
        .client()
        .post("/chat")
        .json(&chat("hi"))
        .send()
        .await
        .expect_status(401)
        .await;
    assert!(answer.header("server").unwrap().starts_with("sluice/"));
    assert_eq!(answer.json().await["error"]["code"], "missing_api_key");
}

#[tokio::test]
async fn a_stored_route_takes_precedence_over_a_built_in_one() {
    let provider = FakeProvider::start();
    let gateway = client_of("ai-proxy", openai(&provider)).await;
    put_route(
        &gateway,
        "1",
        CHAT,
        json!({ "key-auth": {}, "ai-proxy": openai(&provider) }),
    )
    .await;
    let answer = ask(&gateway, &chat("conf:hello"))
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.header("server"), Some("APISIX/3.18.0"));
}

#[tokio::test]
async fn what_a_provider_says_of_the_gateways_key_stays_here() {
    let provider = FakeProvider::start();
    let gateway = client_of("ai-proxy", openai(&provider)).await;
    let refusal = json!({ "error": { "message": "Incorrect API key provided: upstr****-key" } });
    provider.next(Reply::json(401, &refusal));
    let answer = ask(&gateway, &chat("hi"))
        .send()
        .await
        .expect_status(502)
        .await
        .json()
        .await;
    assert_eq!(answer["error"]["code"], "upstream_auth");
    assert!(!answer.to_string().contains("upstr****"));
}

#[tokio::test]
async fn operations_of_bedrock_that_are_not_spoken_here_are_refused() {
    let provider = FakeProvider::start();
    let gateway = client_of("ai-proxy", openai(&provider)).await;
    for operation in ["invoke", "invoke-with-response-stream", "nothing"] {
        let call = gateway
            .client()
            .post(&format!("/model/anthropic.claude/{operation}"))
            .header("authorization", "Bearer sk-native")
            .json(&chat("hi"));
        let answer = call.send().await.expect_status(400).await.text().await;
        assert!(answer.contains("no matching AI protocol"), "{answer}");
    }
    assert!(provider.requests().is_empty());
}
