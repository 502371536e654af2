//! `api-breaker` (compat §6.8.3).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply, eventually};

use super::{put_plain, refusal, through, upstream};
use crate::support::{chat, dead_addr, gateway, node, openai, put};

fn failing(status: u16) -> Reply {
    Reply::body(status, "text/plain", "broken")
}

async fn call(gateway: &Gateway, path: &str) -> u16 {
    let answer = gateway.client().get(path).send().await;
    let status = answer.status.as_u16();
    answer.bytes().await;
    status
}

fn breaker(failures: u64) -> Value {
    json!({
        "break_response_code": 599,
        "unhealthy": { "http_statuses": [500, 503], "failures": failures },
        "healthy": { "http_statuses": [200], "successes": 2 },
    })
}

#[tokio::test]
async fn failures_open_it_for_this_path_on_every_route() {
    let provider = upstream();
    let gateway = through(&provider, json!({ "api-breaker": breaker(2) })).await;
    provider.always(failing(503));
    assert_eq!(call(&gateway, "/a?q=1").await, 503);
    assert_eq!(call(&gateway, "/a?q=2").await, 503);
    provider.always(Reply::body(200, "text/plain", "ok"));
    let before = provider.requests().len();
    assert_eq!(call(&gateway, "/a").await, 599);
    assert_eq!(provider.requests().len(), before, "the upstream is left alone");
    assert_eq!(call(&gateway, "/b").await, 200);
    put_plain(
        &gateway,
        "2",
        "/a",
        &provider,
        json!({ "api-breaker": breaker(2) }),
    )
    .await;
    assert_eq!(call(&gateway, "/a").await, 599, "another route, the same path");
    let other_host = gateway.client().get("/a").header("host", "other.example");
    other_host.send().await.expect_status(200).await;
}

#[tokio::test]
async fn statuses_that_are_not_named_change_nothing() {
    let provider = upstream();
    let gateway = through(&provider, json!({ "api-breaker": breaker(2) })).await;
    for (status, seen) in [(503, 503), (404, 404), (502, 502), (200, 200), (500, 500)] {
        provider.next(failing(status));
        assert_eq!(call(&gateway, "/").await, seen);
    }
    assert_eq!(call(&gateway, "/").await, 599);
}

#[tokio::test]
async fn successes_forget_failures() {
    let provider = upstream();
    let gateway = through(&provider, json!({ "api-breaker": breaker(2) })).await;
    for _ in 0..3 {
        provider.next(failing(500));
        for status in [500, 200, 200] {
            assert_eq!(call(&gateway, "/").await, status);
        }
    }
}

/// Two seconds, counted in whole ones: it lasts less than three.
#[tokio::test]
async fn it_closes_by_itself_and_opens_for_longer() {
    let provider = upstream();
    let gateway = through(&provider, json!({ "api-breaker": breaker(1) })).await;
    provider.next(failing(500));
    assert_eq!(call(&gateway, "/").await, 500);
    let opened = Instant::now();
    eventually("the breaker to close", async || {
        (call(&gateway, "/").await == 200).then_some(())
    })
    .await;
    assert!(
        opened.elapsed() >= Duration::from_secs(2),
        "{:?}",
        opened.elapsed()
    );
    provider.next(failing(500));
    assert_eq!(call(&gateway, "/").await, 500);
    let opened = Instant::now();
    eventually("the breaker to close again", async || {
        (call(&gateway, "/").await == 200).then_some(())
    })
    .await;
    assert!(
        opened.elapsed() >= Duration::from_secs(4),
        "{:?}",
        opened.elapsed()
    );
}

async fn opened(gateway: &Gateway, provider: &FakeProvider, conf: Value) -> sluice_testkit::Answer {
    let mut conf = conf;
    conf["unhealthy"] = json!({ "failures": 1 });
    let path = format!("/{}", provider.requests().len());
    put_plain(gateway, "1", "/*", provider, json!({ "api-breaker": conf })).await;
    provider.next(failing(500));
    assert_eq!(call(gateway, &path).await, 500);
    gateway.client().get(&path).send().await
}

#[tokio::test]
async fn the_answer_is_a_choice() {
    let provider = upstream();
    let gateway = gateway().await;
    let headers = json!([
        { "key": "Content-Type", "value": "application/json" },
        { "key": "X-Who", "value": "$remote_addr" },
        { "key": "X-Who", "value": "again" },
    ]);
    let conf = json!({
        "break_response_code": 502, "break_response_body": "{\"at\":\"$host\"}", "break_response_headers": headers,
    });
    let answer = opened(&gateway, &provider, conf).await.expect_status(502).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let who: Vec<_> = answer.headers.get_all("x-who").iter().collect();
    assert_eq!(who, ["127.0.0.1", "again"]);
    assert_eq!(
        answer.text().await,
        r#"{"at":"$host"}"#,
        "no variables in the body"
    );

    let conf = json!({ "break_response_code": 502, "break_response_headers": headers });
    let answer = opened(&gateway, &provider, conf).await.expect_status(502).await;
    assert_eq!(answer.header("x-who"), None, "headers come with a body only");
    assert!(answer.text().await.contains("<h1>502 Bad Gateway</h1>"));

    let conf = json!({ "break_response_code": 200, "break_response_body": "later" });
    let answer = opened(&gateway, &provider, conf).await.expect_status(200).await;
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.text().await, "later");

    let answer = opened(&gateway, &provider, json!({ "break_response_code": 200 })).await;
    assert_eq!(answer.expect_status(200).await.text().await, "");
}

#[tokio::test]
async fn nodes_that_cannot_be_reached_count() {
    let gateway = gateway().await;
    let conf = json!({ "break_response_code": 599, "unhealthy": { "http_statuses": [502], "failures": 1 } });
    let route = json!({ "uri": "/*", "plugins": { "api-breaker": conf }, "upstream": node(dead_addr()) });
    put(&gateway, "/routes/1", route).await;
    assert_eq!(call(&gateway, "/").await, 502);
    assert_eq!(call(&gateway, "/").await, 599);
}

/// Requests that the gateway refused have no status of an upstream.
#[tokio::test]
async fn refusals_do_not_count() {
    let provider = upstream();
    let mut conf = breaker(1);
    conf["unhealthy"]["http_statuses"] = json!([503]);
    let plugins = json!({ "api-breaker": conf, "limit-count": { "count": 1, "time_window": 60 } });
    let gateway = through(&provider, plugins).await;
    for status in [200, 503, 503] {
        assert_eq!(call(&gateway, "/").await, status);
    }
}

/// On native routes it speaks the client's dialect.
#[tokio::test]
async fn providers_are_left_alone_too() {
    let provider = FakeProvider::start();
    let error = json!({ "error": { "message": "overloaded", "type": "server_error" } });
    provider.always(Reply::json(500, &error));
    let mut proxy = openai(&provider);
    proxy["profile"] = json!("native");
    let conf = json!({ "break_response_code": 503, "break_response_body": "come back later", "unhealthy": { "failures": 1 } });
    let gateway = crate::support::with_route(json!({ "ai-proxy": proxy, "api-breaker": conf })).await;
    let call = || {
        gateway
            .client()
            .post("/v1/chat/completions")
            .json(&chat("hello"))
            .send()
    };
    call().await.expect_status(500).await.bytes().await;
    let sent = provider.requests().len();
    let refused = call().await.expect_status(503).await.json().await;
    assert_eq!(refused["error"]["code"], "breaker_open");
    assert_eq!(refused["error"]["message"], "come back later");
    assert_eq!(provider.requests().len(), sent);
}

#[tokio::test]
async fn bad_configurations_are_refused() {
    let gateway = gateway().await;
    let prefix = "failed to check the configuration of plugin api-breaker err: ";
    for (conf, error) in [
        (json!({}), r#"property "break_response_code" is required"#),
        (
            json!({ "break_response_code": 199 }),
            r#"property "break_response_code" validation failed: expected 199 to be at least 200"#,
        ),
        (
            json!({ "break_response_code": 500, "max_breaker_sec": 2 }),
            r#"property "max_breaker_sec" validation failed: expected 2 to be at least 3"#,
        ),
        (
            json!({ "break_response_code": 500, "unhealthy": { "http_statuses": [] } }),
            r#"property "unhealthy" validation failed: property "http_statuses" validation failed: expect array to have at least 1 items"#,
        ),
        (
            json!({ "break_response_code": 500, "healthy": { "successes": 0 } }),
            r#"property "healthy" validation failed: property "successes" validation failed: expected 0 to be at least 1"#,
        ),
        (
            json!({ "break_response_code": 500, "break_response_headers": [{ "key": "a" }] }),
            r#"property "break_response_headers" validation failed: failed to validate item 1: property "value" is required"#,
        ),
    ] {
        assert_eq!(
            refusal(&gateway, "api-breaker", conf).await,
            format!("{prefix}{error}")
        );
    }
}
