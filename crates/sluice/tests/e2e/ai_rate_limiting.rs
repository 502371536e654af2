//! `ai-rate-limiting`: strategies, instances, rules, headers, windows (compat §4.4).

use serde_json::{Value, json};
use sluice_testkit::{Answer, FakeProvider, Gateway, Reply};

use crate::support::{chat, chat_stream, openai, put_route, stream_to_end, with_route};

const CHAT: &str = "/v1/chat/completions";

/// An answer with a usage of 3 prompt and 7 completion tokens.
fn ten_tokens() -> Reply {
    let usage = json!({ "prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10 });
    let choice =
        json!({ "index": 0, "message": { "role": "assistant", "content": "hi" }, "finish_reason": "stop" });
    Reply::json(
        200,
        &json!({ "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage }),
    )
}

async fn limited(provider: &FakeProvider, limiting: Value) -> Gateway {
    provider.always(ten_tokens());
    with_route(json!({ "ai-proxy": openai(provider), "ai-rate-limiting": limiting })).await
}

async fn call(gateway: &Gateway) -> Answer {
    gateway.client().post(CHAT).json(&chat("hi")).send().await
}

/// What is left according to the header, after the answer was read whole.
async fn remaining(gateway: &Gateway) -> Option<u64> {
    let answer = call(gateway).await;
    let left = answer
        .header("x-ai-ratelimit-remaining-ai-proxy-openai")
        .map(|left| left.parse().unwrap());
    answer.bytes().await;
    left
}

#[tokio::test]
async fn each_strategy_charges_its_tokens() {
    for (strategy, cost) in [
        ("total_tokens", 10),
        ("prompt_tokens", 3),
        ("completion_tokens", 7),
    ] {
        let provider = FakeProvider::start();
        let conf = json!({ "limit": 100, "time_window": 60, "limit_strategy": strategy });
        let gateway = limited(&provider, conf).await;
        assert_eq!(remaining(&gateway).await, Some(100));
        assert_eq!(remaining(&gateway).await, Some(100 - cost), "{strategy}");
    }
}

#[tokio::test]
async fn an_expression_prices_the_raw_usage() {
    let provider = FakeProvider::start();
    let conf = json!({
        "limit": 100, "time_window": 60, "limit_strategy": "expression",
        "cost_expr": "prompt_tokens + 2 * completion_tokens",
    });
    let gateway = limited(&provider, conf).await;
    assert_eq!(remaining(&gateway).await, Some(100));
    assert_eq!(remaining(&gateway).await, Some(83));
    provider.always(Reply::contract());
    let body = chat_stream("conf:hello");
    stream_to_end(gateway.client().post(CHAT).json(&body)).await;
    assert_eq!(
        remaining(&gateway).await,
        Some(83 - 17 - 20),
        "the stream of 10 and 5 tokens is charged like an answer"
    );
}

#[tokio::test]
async fn the_request_that_crosses_the_limit_is_served_and_the_next_is_not() {
    let provider = FakeProvider::start();
    let conf = json!({ "limit": 15, "time_window": 60, "rejected_code": 429, "rejected_msg": "slow down" });
    let gateway = limited(&provider, conf).await;
    assert_eq!(remaining(&gateway).await, Some(15));
    assert_eq!(remaining(&gateway).await, Some(5));
    let answer = call(&gateway).await.expect_status(429).await;
    assert_eq!(
        answer.header("x-ai-ratelimit-remaining-ai-proxy-openai"),
        Some("0")
    );
    assert_eq!(answer.json().await, json!({ "error_msg": "slow down" }));
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn answers_without_usage_and_failures_charge_nothing() {
    let provider = FakeProvider::start();
    let gateway = limited(&provider, json!({ "limit": 100, "time_window": 60 })).await;
    // First, on a connection that is not reused: there, a request that got no answer is sent once more.
    provider.next(Reply::hang_up());
    provider.next(Reply::json(200, &json!({ "choices": [] })));
    provider.next(Reply::json(500, &json!({ "usage": { "total_tokens": 50 } })));
    for _ in 0..3 {
        call(&gateway).await.bytes().await;
    }
    assert_eq!(remaining(&gateway).await, Some(100));
}

#[tokio::test]
async fn a_stream_is_charged_before_its_last_byte_is_released() {
    let provider = FakeProvider::start();
    let gateway = limited(&provider, json!({ "limit": 100, "time_window": 60 })).await;
    provider.always(Reply::contract());
    let body = chat_stream("conf:hello");
    for left in ["100", "85", "70", "55"] {
        let answer = gateway
            .client()
            .post(CHAT)
            .json(&body)
            .send()
            .await
            .expect_status(200)
            .await;
        assert_eq!(
            answer.header("x-ai-ratelimit-remaining-ai-proxy-openai"),
            Some(left)
        );
        answer.events().finish().await;
    }
}

#[tokio::test]
async fn rules_have_their_own_keys_headers_and_shared_counters() {
    let provider = FakeProvider::start();
    let conf = json!({
        "rejected_code": 429,
        "rules": [
            { "count": 15, "time_window": 60, "key": "${http_user}", "header_prefix": "User" },
            { "count": "${http_quota ?? 1000}", "time_window": 60, "key": "all" },
        ],
    });
    let gateway = limited(&provider, conf).await;
    let ask = |user: &'static str| {
        gateway
            .client()
            .post(CHAT)
            .header("user", user)
            .json(&chat("hi"))
            .send()
    };
    let first = ask("ann").await.expect_status(200).await;
    assert_eq!(first.header("x-ai-user-ratelimit-remaining"), Some("15"));
    assert_eq!(first.header("x-ai-2-ratelimit-limit"), Some("1000"));
    first.bytes().await;
    ask("ann").await.expect_status(200).await.bytes().await;
    ask("ann").await.expect_status(429).await;
    let other = ask("bob").await.expect_status(200).await;
    assert_eq!(other.header("x-ai-2-ratelimit-remaining"), Some("980"));
}

#[tokio::test]
async fn a_prefix_that_no_header_can_have_costs_only_the_headers() {
    let provider = FakeProvider::start();
    let rules = json!([{ "count": 1, "time_window": 60, "key": "k", "header_prefix": "not a token" }]);
    let gateway = limited(&provider, json!({ "rules": rules })).await;
    let first = call(&gateway).await;
    assert_eq!(first.status, 200);
    first.bytes().await;
    assert_eq!(call(&gateway).await.status, 503);
}

#[tokio::test]
async fn without_an_applicable_rule_the_request_fails_unless_degradation_is_allowed() {
    let provider = FakeProvider::start();
    let rules = json!([{ "count": 5, "time_window": 60, "key": "${http_user}" }]);
    let gateway = limited(&provider, json!({ "rules": rules })).await;
    call(&gateway).await.expect_status(500).await;
    let relaxed = json!({ "ai-proxy": openai(&provider), "ai-rate-limiting": { "rules": rules, "allow_degradation": true } });
    put_route(&gateway, "1", CHAT, relaxed).await;
    call(&gateway).await.expect_status(200).await;
}

#[tokio::test]
async fn an_unrelated_edit_keeps_counters_and_changed_settings_start_anew() {
    let provider = FakeProvider::start();
    let gateway = limited(&provider, json!({ "limit": 100, "time_window": 60 })).await;
    assert_eq!(remaining(&gateway).await, Some(100));
    gateway
        .admin()
        .patch("/routes/1", json!({ "desc": "edited" }))
        .await
        .expect_status(200);
    assert_eq!(remaining(&gateway).await, Some(90));
    let change = json!({ "plugins": { "ai-rate-limiting": { "rejected_code": 429 } } });
    gateway
        .admin()
        .patch("/routes/1", change)
        .await
        .expect_status(200);
    assert_eq!(remaining(&gateway).await, Some(100));
}

#[tokio::test]
async fn wrong_settings_are_refused_with_apisix_texts() {
    let gateway = crate::support::gateway().await;
    for (conf, text) in [
        (
            json!({ "limit": 1 }),
            r#"property "time_window" is required when "limit" is set"#,
        ),
        (
            json!({ "limit": 1, "time_window": 1, "rules": [] }),
            "value should match only one schema, but matches both schemas 1 and 2",
        ),
        (
            json!({ "limit": 1, "time_window": 1, "limit_strategy": "expression" }),
            "cost_expr is required when limit_strategy is 'expression'",
        ),
        (
            json!({ "limit": 1, "time_window": 1, "limit_strategy": "expression", "cost_expr": "os.exit()" }),
            "invalid cost_expr: ",
        ),
        (
            json!({ "limit": 0, "time_window": 1 }),
            r#"property "limit" validation failed: "#,
        ),
    ] {
        let route = json!({ "uri": "/x", "plugins": { "ai-rate-limiting": conf } });
        let answer = gateway.admin().put("/routes/1", route).await.expect_status(400);
        let message = answer.json()["error_msg"].as_str().unwrap().to_owned();
        let prefix = "failed to check the configuration of plugin ai-rate-limiting err: ";
        assert!(
            message
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with(text)),
            "{message}"
        );
    }
}
