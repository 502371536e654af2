//! `limit-conn` (compat §6.4).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_testkit::{Gate, Gateway, RedisServer, Reply, eventually};
use tokio::task::JoinHandle;

use super::{limited, on_redis, refusal, statuses, upstream, with};

fn conf(conn: u32, burst: u32, more: Value) -> Value {
    let conf = json!({ "conn": conn, "burst": burst, "key": "remote_addr", "default_conn_delay": 0.1 });
    with(conf, more)
}

async fn status(gateway: &Gateway, user: &str) -> u16 {
    let answer = gateway.client().get("/r").header("user", user).send().await;
    let status = answer.status.as_u16();
    answer.bytes().await;
    status
}

/// A call that is answered when its gate opens.
fn held(gateway: &Gateway, user: &str) -> JoinHandle<u16> {
    let call = gateway.client().get("/r").header("user", user);
    tokio::spawn(async move {
        let answer = call.send().await;
        let status = answer.status.as_u16();
        answer.bytes().await;
        status
    })
}

#[tokio::test]
async fn so_many_are_under_way_at_once() {
    let provider = upstream();
    let redis = RedisServer::start().await;
    let two = conf(2, 0, json!({ "rejected_code": 429, "rejected_msg": "wait" }));
    for conf in [two.clone(), on_redis(&redis, two)] {
        let gateway = limited(&provider, "limit-conn", conf).await;
        let gate = Gate::closed();
        let before = provider.requests().len();
        let reply = Reply::body(200, "text/plain", "late").head_gated(&gate);
        provider.next(reply.clone()).next(reply);
        let calls = [held(&gateway, "a"), held(&gateway, "b")];
        provider.wait_requests(before + 2).await;
        let refused = gateway.client().get("/r").send().await.expect_status(429).await;
        assert_eq!(refused.text().await, "{\"error_msg\":\"wait\"}\n");
        gate.open_for_good();
        for call in calls {
            assert_eq!(call.await.unwrap(), 200);
        }
        eventually("the places to be free", async || {
            (status(&gateway, "a").await == 200).then_some(())
        })
        .await;
        eventually("all places to be free", async || {
            let none = redis.command(&["EVAL", "return #redis.call('keys', '*')", "0"]);
            (none == "0").then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn the_next_request_of_a_client_finds_its_place_free() {
    let provider = upstream();
    let gateway = limited(&provider, "limit-conn", conf(1, 0, json!({}))).await;
    assert_eq!(statuses(&gateway, "/r").await, [200; 20]);
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place() {
    let provider = upstream();
    let gateway = limited(&provider, "limit-conn", conf(1, 0, json!({}))).await;
    let gate = Gate::closed();
    provider.next(Reply::body(200, "text/plain", "never").head_gated(&gate));
    let call = held(&gateway, "a");
    provider.wait_requests(1).await;
    assert_eq!(status(&gateway, "a").await, 503);
    call.abort();
    eventually("the place to be free", async || {
        (status(&gateway, "a").await == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn above_conn_requests_wait() {
    let provider = upstream();
    let more = json!({ "only_use_default_delay": true, "default_conn_delay": 0.3 });
    let gateway = limited(&provider, "limit-conn", conf(1, 2, more)).await;
    let gate = Gate::closed();
    provider.next(Reply::body(200, "text/plain", "late").head_gated(&gate));
    let first = held(&gateway, "a");
    provider.wait_requests(1).await;
    let start = Instant::now();
    assert_eq!(status(&gateway, "a").await, 200);
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(295),
        "the second waits one unit: {took:?}"
    );
    gate.open_for_good();
    assert_eq!(first.await.unwrap(), 200);
}

#[tokio::test]
async fn the_delay_follows_how_long_requests_take() {
    let provider = upstream();
    let gateway = limited(
        &provider,
        "limit-conn",
        conf(1, 1, json!({ "default_conn_delay": 60 })),
    )
    .await;
    // Fast requests halve the unit again and again.
    assert_eq!(statuses(&gateway, "/r").await, [200; 20]);
    let gate = Gate::closed();
    provider.next(Reply::body(200, "text/plain", "late").head_gated(&gate));
    let first = held(&gateway, "a");
    provider.wait_requests(21).await;
    let start = Instant::now();
    assert_eq!(status(&gateway, "a").await, 200);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    gate.open_for_good();
    assert_eq!(first.await.unwrap(), 200);
}

#[tokio::test]
async fn rules_are_limits_of_their_own() {
    let provider = upstream();
    let rules = json!([
        { "conn": 1, "burst": 0, "key": "user:${http_user}" },
        { "conn": 2, "burst": 0, "key": "all" },
    ]);
    let rules = json!({ "rules": rules, "default_conn_delay": 0.1 });
    let gateway = limited(&provider, "limit-conn", rules).await;
    let gate = Gate::closed();
    provider.next(Reply::body(200, "text/plain", "late").head_gated(&gate));
    let first = held(&gateway, "a");
    provider.wait_requests(1).await;
    assert_eq!(status(&gateway, "a").await, 503);
    assert_eq!(status(&gateway, "b").await, 200);
    provider.next(Reply::body(200, "text/plain", "late").head_gated(&gate));
    let second = held(&gateway, "b");
    provider.wait_requests(3).await;
    assert_eq!(status(&gateway, "c").await, 503, "all have two places");
    gate.open_for_good();
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (200, 200));
    assert_eq!(
        status(&gateway, "c").await,
        200,
        "a refused request keeps no place"
    );
}

#[tokio::test]
async fn without_an_applicable_rule_the_request_fails_unless_degradation_is_allowed() {
    let provider = upstream();
    for (degrades, expected) in [(false, 500), (true, 200)] {
        let rules = json!({
            "rules": [{ "conn": 1, "burst": 0, "key": "$http_nothing" }],
            "default_conn_delay": 0.1, "allow_degradation": degrades,
        });
        let gateway = limited(&provider, "limit-conn", rules).await;
        assert_eq!(statuses(&gateway, "/r").await, [expected]);
    }
}

#[tokio::test]
async fn wrong_configurations_are_refused() {
    let gateway = crate::support::gateway().await;
    for (bad, says) in [
        (
            json!({ "conn": 1, "burst": 0, "key": "a" }),
            "property \"default_conn_delay\" is required",
        ),
        (
            json!({ "default_conn_delay": 1 }),
            "value should match only one schema, but matches none",
        ),
        (
            conf(1, 0, json!({ "rules": [] })),
            "value should match only one schema, but matches both schemas 1 and 2",
        ),
        (
            conf(0, 0, json!({})),
            "property \"conn\" validation failed: expected 0 to be greater than 0",
        ),
        (
            conf(1, 0, json!({ "default_conn_delay": 0 })),
            "property \"default_conn_delay\" validation failed",
        ),
        (
            json!({ "rules": [{ "conn": 1 }], "default_conn_delay": 1 }),
            "property \"rules\" validation failed: failed to validate item 1: property \"burst\" is required",
        ),
        (
            conf(1, 0, json!({ "policy": "redis" })),
            "then clause did not match",
        ),
        (
            conf(1, 0, json!({ "policy": "redis-cluster" })),
            "else clause did not match",
        ),
    ] {
        let text = refusal(&gateway, "limit-conn", bad).await;
        let expected = format!("failed to check the configuration of plugin limit-conn err: {says}");
        assert!(text.starts_with(&expected), "{text}");
    }
}
