//! `limit-req` (compat §6.4).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_testkit::RedisServer;

use super::{limited, on_redis, put_limited, refusal, statuses, upstream, with};

fn conf(rate: f64, burst: u32, more: Value) -> Value {
    with(
        json!({ "rate": rate, "burst": burst, "key": "remote_addr" }),
        more,
    )
}

#[tokio::test]
async fn above_the_burst_requests_are_refused() {
    let provider = upstream();
    let redis = RedisServer::start().await;
    let slow = conf(0.01, 1, json!({ "nodelay": true }));
    for conf in [slow.clone(), on_redis(&redis, slow)] {
        let gateway = limited(&provider, "limit-req", conf.clone()).await;
        assert_eq!(statuses(&gateway, "/r").await, [200, 200, 503, 503]);
        let page = gateway.client().get("/r").send().await.text().await;
        assert!(
            page.contains("<title>503 Service Temporarily Unavailable</title>"),
            "{page}"
        );
        let spoken = with(conf, json!({ "rejected_code": 429, "rejected_msg": "too fast" }));
        put_limited(&gateway, "/r", &provider, "limit-req", spoken).await;
        assert_eq!(statuses(&gateway, "/r").await, [200, 200]);
        let refused = gateway.client().get("/r").send().await.expect_status(429).await;
        assert_eq!(refused.text().await, "{\"error_msg\":\"too fast\"}\n");
    }
    let keys = redis.command(&["KEYS", "*"]);
    assert!(
        keys.lines()
            .all(|key| key.starts_with("plugin-limit-req:v1:/apisix/routes/r:")),
        "{keys}"
    );
    assert!(keys.ends_with(":127.0.0.1"), "{keys}");
}

#[tokio::test]
async fn up_to_the_burst_requests_wait_for_their_turn() {
    let provider = upstream();
    let redis = RedisServer::start().await;
    let even = conf(5.0, 3, json!({}));
    for conf in [even.clone(), on_redis(&redis, even)] {
        let gateway = limited(&provider, "limit-req", conf).await;
        let start = Instant::now();
        let calls = [(); 3].map(|()| tokio::spawn(gateway.client().get("/r").send()));
        for call in calls {
            assert_eq!(call.await.unwrap().status, 200);
        }
        let took = start.elapsed();
        assert!(
            took >= Duration::from_millis(395),
            "the third waits two fifths of a second: {took:?}"
        );
    }
}

#[tokio::test]
async fn keys_tell_callers_apart() {
    let provider = upstream();
    let by = |key: &str, kind: &str| json!({ "rate": 0.01, "burst": 0, "key": key, "key_type": kind });
    for (key, kind, expected) in [
        ("http_user", "var", [200, 503, 200]),
        ("$http_user-$http_team", "var_combination", [200, 200, 200]),
        ("http_nothing", "var", [200, 503, 503]),
    ] {
        let gateway = limited(&provider, "limit-req", by(key, kind)).await;
        let mut found = [0; 3];
        for (status, (user, team)) in found.iter_mut().zip([("a", "1"), ("a", "2"), ("b", "1")]) {
            let call = gateway
                .client()
                .get("/r")
                .header("user", user)
                .header("team", team);
            *status = call.send().await.status.as_u16();
        }
        assert_eq!(found, expected, "{key}");
    }
}

#[tokio::test]
async fn wrong_configurations_are_refused() {
    let gateway = crate::support::gateway().await;
    for (bad, says) in [
        (json!({ "rate": 1, "burst": 0 }), "property \"key\" is required"),
        (
            conf(0.0, 0, json!({})),
            "property \"rate\" validation failed: expected 0 to be greater than 0",
        ),
        (
            conf(1.0, 0, json!({ "burst": -1 })),
            "property \"burst\" validation failed: expected -1 to be at least 0",
        ),
        (
            conf(1.0, 0, json!({ "key_type": "constant" })),
            "property \"key_type\" validation failed: matches none of the enum values",
        ),
        (
            conf(1.0, 0, json!({ "policy": "redis-sentinel" })),
            "property \"policy\" validation failed: matches none of the enum values",
        ),
        (
            conf(1.0, 0, json!({ "policy": "redis" })),
            "then clause did not match",
        ),
        (
            conf(1.0, 0, json!({ "policy": "redis-cluster" })),
            "else clause did not match",
        ),
        (
            conf(1.0, 0, json!({ "rejected_msg": "" })),
            "property \"rejected_msg\" validation failed",
        ),
    ] {
        let text = refusal(&gateway, "limit-req", bad).await;
        let expected = format!("failed to check the configuration of plugin limit-req err: {says}");
        assert!(text.starts_with(&expected), "{text}");
    }
}
