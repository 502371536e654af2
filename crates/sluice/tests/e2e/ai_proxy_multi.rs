//! `ai-proxy-multi`: weights, priorities, fallback, retries (compat §4.3).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_testkit::{Answer, FakeProvider, Gateway, Reply};

use crate::support::{chat, openai, put_route, with_route};

const CHAT: &str = "/v1/chat/completions";

/// An instance that names itself in `model`, so that the provider sees who was picked.
fn instance(provider: &FakeProvider, name: &str, weight: u32) -> Value {
    let mut instance = openai(provider);
    instance["name"] = json!(name);
    instance["weight"] = json!(weight);
    instance["options"] = json!({ "model": name });
    instance
}

async fn multi(instances: &[Value], members: Value) -> Gateway {
    let mut conf = members;
    conf["instances"] = json!(instances);
    with_route(json!({ "ai-proxy-multi": conf })).await
}

async fn call(gateway: &Gateway) -> Answer {
    gateway.client().post(CHAT).json(&chat("conf:hello")).send().await
}

/// Names of the instances that were called, in order.
fn called(provider: &FakeProvider) -> Vec<String> {
    let model = |body: Value| body["model"].as_str().unwrap().to_owned();
    provider
        .requests()
        .iter()
        .map(|request| model(request.json()))
        .collect()
}

#[tokio::test]
async fn weights_of_8_and_2_share_ten_requests() {
    let provider = FakeProvider::start();
    let gateway = multi(
        &[instance(&provider, "big", 8), instance(&provider, "small", 2)],
        json!({}),
    )
    .await;
    for _ in 0..10 {
        call(&gateway).await.expect_status(200).await.bytes().await;
    }
    let mut shares: BTreeMap<String, usize> = BTreeMap::new();
    for name in called(&provider) {
        *shares.entry(name).or_default() += 1;
    }
    assert_eq!(
        shares,
        BTreeMap::from([("big".to_owned(), 8), ("small".to_owned(), 2)])
    );
}

#[tokio::test]
async fn a_lower_priority_is_used_only_when_the_higher_failed() {
    let provider = FakeProvider::start();
    let mut first = instance(&provider, "first", 1);
    first["priority"] = json!(10);
    let spare = instance(&provider, "spare", 1);
    let gateway = multi(&[spare, first], json!({ "fallback_strategy": ["http_5xx"] })).await;
    call(&gateway).await.expect_status(200).await.bytes().await;
    provider.next(Reply::json(503, &json!({})));
    let answer = call(&gateway).await.expect_status(200).await;
    assert_eq!(
        answer.header("x-apisix-upstream-status"),
        None,
        "the last attempt succeeded"
    );
    assert_eq!(called(&provider), ["first", "first", "spare"]);
}

#[tokio::test]
async fn only_what_the_strategy_names_is_retried() {
    for (strategy, status, retried) in [
        (json!("http_429"), 429, true),
        (json!("http_429"), 500, false),
        (json!(["http_5xx"]), 503, true),
        (json!(["http_5xx"]), 429, false),
        (json!(["http_429", "http_5xx"]), 418, false),
    ] {
        let provider = FakeProvider::start();
        let instances = [instance(&provider, "a", 1), instance(&provider, "b", 1)];
        let gateway = multi(&instances, json!({ "fallback_strategy": strategy })).await;
        provider.next(Reply::json(status, &json!({ "from": "a" })));
        let answer = call(&gateway).await;
        let expected = if retried { 200 } else { status };
        assert_eq!(answer.status.as_u16(), expected, "{strategy} {status}");
        assert_eq!(
            provider.requests().len(),
            1 + usize::from(retried),
            "{strategy} {status}"
        );
    }
}

#[tokio::test]
async fn listed_statuses_fall_back_without_a_strategy() {
    let provider = FakeProvider::start();
    let instances = [instance(&provider, "a", 1), instance(&provider, "b", 1)];
    let gateway = multi(&instances, json!({ "fallback_http_statuses": [404] })).await;
    provider.next(Reply::json(404, &json!({})));
    call(&gateway).await.expect_status(200).await;
}

#[tokio::test]
async fn retries_are_bounded_by_count_and_time() {
    let provider = FakeProvider::start();
    let instances = ["a", "b", "c"].map(|name| instance(&provider, name, 1));
    let gateway = multi(
        &instances,
        json!({ "fallback_strategy": ["http_5xx"], "max_retries": 1 }),
    )
    .await;
    provider.always(Reply::json(500, &json!({ "n": 1 })));
    let answer = call(&gateway).await.expect_status(500).await;
    assert_eq!(answer.header("x-apisix-upstream-status"), Some("500, 500"));
    assert_eq!(
        answer.json().await,
        json!({ "n": 1 }),
        "the last failure with its own status and body"
    );
    assert_eq!(provider.requests().len(), 2);

    let conf = json!({
        "instances": instances, "fallback_strategy": ["http_5xx"], "retry_on_failure_within_ms": 1,
    });
    put_route(&gateway, "1", CHAT, json!({ "ai-proxy-multi": conf })).await;
    provider.next(Reply::json(500, &json!({})).head_after(Duration::from_millis(20)));
    call(&gateway).await.expect_status(500).await;
    assert_eq!(provider.requests().len(), 3, "it failed too late to be retried");
}

#[tokio::test]
async fn a_network_failure_counts_as_5xx() {
    let provider = FakeProvider::start();
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut dead = instance(&provider, "dead", 1);
    dead["override"] = json!({ "endpoint": format!("http://{free}") });
    dead["priority"] = json!(1);
    let instances = [dead, instance(&provider, "alive", 1)];
    let gateway = multi(&instances, json!({ "fallback_strategy": ["http_5xx"] })).await;
    call(&gateway).await.expect_status(200).await;
    assert_eq!(called(&provider), ["alive"]);
}

#[tokio::test]
async fn one_instance_is_never_retried() {
    let provider = FakeProvider::start();
    let gateway = multi(
        &[instance(&provider, "only", 1)],
        json!({ "fallback_strategy": ["http_5xx"] }),
    )
    .await;
    provider.next(Reply::json(500, &json!({ "once": true })));
    let answer = call(&gateway).await.expect_status(500).await;
    assert_eq!(answer.json().await, json!({ "once": true }));
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn each_attempt_starts_from_the_clients_body() {
    let provider = FakeProvider::start();
    let mut first = instance(&provider, "first", 1);
    first["priority"] = json!(1);
    first["options"] = json!({ "model": "first", "temperature": 0.1 });
    let gateway = multi(
        &[first, instance(&provider, "second", 1)],
        json!({ "fallback_strategy": ["http_5xx"] }),
    )
    .await;
    provider.next(Reply::json(500, &json!({})));
    call(&gateway).await.expect_status(200).await;
    let sent = provider.requests();
    assert_eq!(sent[0].json()["temperature"], 0.1);
    assert_eq!(sent[1].json().get("temperature"), None);
}

#[tokio::test]
async fn a_quota_per_instance_spills_over_to_the_second() {
    let provider = FakeProvider::start();
    let plugins = json!({
        "ai-proxy-multi": {
            "fallback_strategy": "instance_health_and_rate_limiting",
            "instances": [
                { "priority": 1, "name": "a", "weight": 1, "provider": "openai", "auth": {},
                  "options": { "model": "a" }, "override": { "endpoint": format!("http://{}", provider.addr()) } },
                instance(&provider, "b", 1),
            ],
        },
        "ai-rate-limiting": { "instances": [{ "name": "a", "limit": 10, "time_window": 60 }] },
    });
    let gateway = with_route(plugins).await;
    for _ in 0..3 {
        call(&gateway).await.expect_status(200).await.bytes().await;
    }
    assert_eq!(called(&provider), ["a", "b", "b"], "each answer costs 15 tokens");
}

#[tokio::test]
async fn wrong_settings_are_refused_with_apisix_texts() {
    let provider = FakeProvider::start();
    let gateway = crate::support::gateway().await;
    let (a, b) = (instance(&provider, "a", 1), instance(&provider, "b", 1));
    let mut bad = b.clone();
    bad["override"]["endpoint"] = json!("ftp://x");
    for (conf, text) in [
        (
            json!({ "instances": [a, a] }),
            "duplicate instance name 'a' at instances[1] and instances[2]",
        ),
        (json!({ "instances": [a, bad] }), "invalid endpoint"),
        (
            json!({ "instances": [a, b], "balancer": { "algorithm": "chash", "hash_on": "header" } }),
            "must configure `hash_key` when balancer `hash_on` is not set to cookie",
        ),
        (
            json!({ "instances": [] }),
            r#"property "instances" validation failed: expect array to have at least 1 items"#,
        ),
    ] {
        let route = json!({ "uri": "/x", "plugins": { "ai-proxy-multi": conf } });
        let answer = gateway
            .admin()
            .put("/routes/1", route)
            .await
            .expect_status(400)
            .json();
        let expected = format!("failed to check the configuration of plugin ai-proxy-multi err: {text}");
        assert_eq!(answer["error_msg"], expected);
    }
}
