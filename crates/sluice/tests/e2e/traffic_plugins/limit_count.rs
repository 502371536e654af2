//! `limit-count`, counted in process (compat §6.3).

use serde_json::{Value, json};
use sluice_testkit::{Call, Gateway, eventually};

use super::{put_plain, refusal, through, upstream};
use crate::support::{gateway, put, put_consumer};

/// Status, limit and remaining requests of a call.
async fn quota(call: Call) -> (u16, Option<String>, Option<String>) {
    let answer = call.send().await;
    let header = |name: &str| answer.header(name).map(str::to_owned);
    (
        answer.status.as_u16(),
        header("x-ratelimit-limit"),
        header("x-ratelimit-remaining"),
    )
}

fn counted(status: u16, limit: u32, remaining: u32) -> (u16, Option<String>, Option<String>) {
    (status, Some(limit.to_string()), Some(remaining.to_string()))
}

async fn status(gateway: &Gateway, target: &str) -> u16 {
    gateway.client().get(target).send().await.status.as_u16()
}

fn limit(count: u32, more: Value) -> Value {
    let mut conf = json!({ "count": count, "time_window": 60 });
    conf.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({ "limit-count": conf })
}

#[tokio::test]
async fn so_many_requests_pass_in_a_window() {
    let provider = upstream();
    for kind in ["fixed", "sliding"] {
        let gateway = through(&provider, limit(2, json!({ "window_type": kind }))).await;
        let client = gateway.client();
        assert_eq!(quota(client.get("/")).await, counted(200, 2, 1));
        let last = client.get("/").send().await;
        let reset: f64 = last.header("x-ratelimit-reset").unwrap().parse().unwrap();
        assert!((0.0..=60.0).contains(&reset), "{reset}");
        assert_eq!(quota(client.get("/")).await, counted(503, 2, 0));
        let page = client.get("/").send().await.text().await;
        assert!(
            page.contains("<title>503 Service Temporarily Unavailable</title>"),
            "{page}"
        );
        // Other routes, and edits of other resources, change nothing about it.
        put_plain(&gateway, "2", "/free", &provider, json!({})).await;
        assert_eq!(status(&gateway, "/free").await, 200);
        assert_eq!(quota(client.get("/")).await, counted(503, 2, 0));
        // Other settings count anew.
        put_plain(
            &gateway,
            "1",
            "/*",
            &provider,
            limit(3, json!({ "window_type": kind })),
        )
        .await;
        assert_eq!(quota(client.get("/")).await, counted(200, 3, 2));
    }
}

#[tokio::test]
async fn a_window_ends() {
    let provider = upstream();
    let short = json!({ "limit-count": { "count": 1, "time_window": 1 } });
    let gateway = through(&provider, short).await;
    assert_eq!(status(&gateway, "/").await, 200);
    assert_eq!(status(&gateway, "/").await, 503);
    eventually("the next window", async || {
        (status(&gateway, "/").await == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn refusals_and_headers_are_a_choice() {
    let provider = upstream();
    let conf = limit(
        1,
        json!({ "rejected_code": 429, "rejected_msg": "slow down", "show_limit_quota_header": false }),
    );
    let gateway = through(&provider, conf).await;
    assert_eq!(quota(gateway.client().get("/")).await, (200, None, None));
    let answer = gateway.client().get("/").send().await.expect_status(429).await;
    assert_eq!(answer.header("x-ratelimit-reset"), None);
    assert_eq!(answer.text().await, "{\"error_msg\":\"slow down\"}\n");

    let names = json!({ "limit_header": "X-L", "remaining_header": "X-Rem", "reset_header": "X-Res" });
    put(&gateway, "/plugin_metadata/limit-count", names).await;
    put_plain(&gateway, "1", "/*", &provider, limit(5, json!({}))).await;
    let answer = gateway.client().get("/").send().await.expect_status(200).await;
    assert_eq!(
        (answer.header("x-l"), answer.header("x-rem")),
        (Some("5"), Some("4"))
    );
    assert!(answer.header("x-res").is_some());
    assert_eq!(answer.header("x-ratelimit-limit"), None);
    gateway
        .admin()
        .delete("/plugin_metadata/limit-count")
        .await
        .expect_status(200);
    assert_eq!(
        quota(gateway.client().get("/")).await,
        counted(200, 5, 3),
        "the counter is the same"
    );
}

#[tokio::test]
async fn keys_tell_callers_apart() {
    let provider = upstream();
    let gateway = gateway().await;
    let client = gateway.client();
    let call = |user: &str, team: &str| client.get("/").header("x-user", user).header("x-team", team);
    for (key, key_type, statuses) in [
        ("http_x_user", "var", [200, 200, 503, 200]),
        (
            "$http_x_user-$http_x_team",
            "var_combination",
            [200, 200, 200, 200],
        ),
        ("all", "constant", [200, 503, 503, 503]),
        ("remote_addr", "var", [200, 503, 503, 503]),
        ("arg_nothing", "var", [200, 503, 503, 503]),
    ] {
        put_plain(
            &gateway,
            "1",
            "/*",
            &provider,
            limit(1, json!({ "key": key, "key_type": key_type })),
        )
        .await;
        let mut seen = Vec::new();
        for (user, team) in [("a", "1"), ("b", "1"), ("a", "2"), ("c", "1")] {
            seen.push(call(user, team).send().await.status.as_u16());
        }
        assert_eq!(seen, statuses, "{key}");
    }
}

#[tokio::test]
async fn what_shares_a_counter() {
    let provider = upstream();
    let gateway = gateway().await;
    // Two routes alone: one counter each.
    for id in ["a", "b"] {
        put_plain(&gateway, id, &format!("/{id}"), &provider, limit(1, json!({}))).await;
    }
    assert_eq!(
        [status(&gateway, "/a").await, status(&gateway, "/b").await],
        [200, 200]
    );
    assert_eq!(
        [status(&gateway, "/a").await, status(&gateway, "/b").await],
        [503, 503]
    );
    // A group: one for both.
    for id in ["a", "b"] {
        put_plain(
            &gateway,
            id,
            &format!("/{id}"),
            &provider,
            limit(1, json!({ "group": "g" })),
        )
        .await;
    }
    assert_eq!(
        [status(&gateway, "/a").await, status(&gateway, "/b").await],
        [200, 503]
    );
    // A service: one for all of its routes.
    let service =
        json!({ "plugins": limit(1, json!({})), "upstream": crate::support::node(provider.addr()) });
    put(&gateway, "/services/s", service).await;
    for id in ["a", "b"] {
        put(
            &gateway,
            &format!("/routes/{id}"),
            json!({ "uri": format!("/{id}"), "service_id": "s" }),
        )
        .await;
    }
    assert_eq!(
        [status(&gateway, "/a").await, status(&gateway, "/b").await],
        [200, 503]
    );
    // A consumer: one for all that it calls.
    put_consumer(&gateway, "free").await;
    let mut plugins = limit(1, json!({ "rejected_code": 429 }));
    plugins["key-auth"] = json!({ "key": "key-bound" });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "bound", "plugins": plugins }),
    )
    .await;
    for id in ["a", "b"] {
        put_plain(
            &gateway,
            id,
            &format!("/{id}"),
            &provider,
            json!({ "key-auth": {} }),
        )
        .await;
    }
    let call = async |target: &str, key: &str| {
        gateway
            .client()
            .get(target)
            .header("apikey", key)
            .send()
            .await
            .status
            .as_u16()
    };
    assert_eq!(
        [call("/a", "key-bound").await, call("/b", "key-bound").await],
        [200, 429]
    );
    assert_eq!(
        [call("/a", "key-free").await, call("/b", "key-free").await],
        [200, 200]
    );
}

#[tokio::test]
async fn rules_are_limits_of_their_own() {
    let provider = upstream();
    let rules = json!({ "limit-count": { "rejected_code": 429, "rules": [
        { "count": 1, "time_window": 60, "key": "$http_x_user", "header_prefix": "user" },
        { "count": "${http_x_allowed ?? 3}", "time_window": 60, "key": "$remote_addr" },
    ] } });
    let gateway = through(&provider, rules).await;
    let call = |user: &str| gateway.client().get("/").header("x-user", user);
    let first = call("a").send().await.expect_status(200).await;
    for (name, value) in [
        ("x-user-ratelimit-limit", Some("1")),
        ("x-user-ratelimit-remaining", Some("0")),
        ("x-2-ratelimit-limit", Some("3")),
        ("x-2-ratelimit-remaining", Some("2")),
        ("x-ratelimit-limit", None),
    ] {
        assert_eq!(first.header(name), value, "{name}");
    }
    call("a").send().await.expect_status(429).await;
    call("b").send().await.expect_status(200).await;
    let without = gateway.client().get("/").send().await.expect_status(200).await;
    assert_eq!(
        without.header("x-user-ratelimit-limit"),
        None,
        "a rule without a key does not apply"
    );
    gateway.client().get("/").send().await.expect_status(429).await;
}

#[tokio::test]
async fn limits_may_come_with_the_request() {
    let provider = upstream();
    let conf =
        json!({ "limit-count": { "count": "$http_x_count", "time_window": "${http_x_window ?? 60}" } });
    let gateway = through(&provider, conf).await;
    let call = |count: &str| gateway.client().get("/").header("x-count", count);
    assert_eq!(quota(call("2")).await, counted(200, 2, 1));
    assert_eq!(quota(call("1")).await, counted(200, 1, 0));
    assert_eq!(quota(call("1")).await, counted(503, 1, 0));
    for absurd in ["", "0", "-1", "many", "1.5", "99999999999999999999999"] {
        let answer = call(absurd).send().await.expect_status(500).await;
        assert!(answer.json().await["error_msg"].is_string(), "{absurd}");
    }
}

#[tokio::test]
async fn limits_that_cannot_be_are_refused() {
    let gateway = gateway().await;
    let rule = |key: &str| json!({ "count": 1, "time_window": 1, "key": key });
    for (conf, says) in [
        (json!({}), ""),
        (json!({ "count": 1 }), ""),
        (
            json!({ "count": 0, "time_window": 1 }),
            "property \"count\" validation failed: value should match only one schema, but matches none",
        ),
        (
            json!({ "count": 1.5, "time_window": 1 }),
            "property \"count\" validation failed",
        ),
        (json!({ "count": 1, "time_window": 1, "rules": [rule("a")] }), ""),
        (json!({ "group": "g", "rules": [rule("a")] }), ""),
        (
            json!({ "rules": [rule("a"), rule("a")] }),
            "duplicate key 'a' in rules",
        ),
        (
            json!({ "count": 1, "time_window": 1, "key_type": "x" }),
            "property \"key_type\" validation failed",
        ),
        (
            json!({ "count": 1, "time_window": 1, "rejected_code": 100 }),
            "property \"rejected_code\" validation failed",
        ),
    ] {
        let shown = conf.to_string();
        let text = refusal(&gateway, "limit-count", conf).await;
        assert!(
            text.contains(&format!("plugin limit-count err: {says}")),
            "{shown}: {text}"
        );
    }
}

#[tokio::test]
async fn parallel_requests_never_pass_the_limit() {
    let provider = upstream();
    let gateway = through(&provider, limit(10, json!({ "rejected_code": 429 }))).await;
    let calls: Vec<_> = (0..30)
        .map(|_| tokio::spawn(gateway.client().get("/").send()))
        .collect();
    let mut statuses = Vec::new();
    for call in calls {
        statuses.push(call.await.unwrap().status.as_u16());
    }
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        10,
        "{statuses:?}"
    );
    assert_eq!(provider.requests().len(), 10);
}

#[tokio::test]
async fn members_of_bodies_are_counted_apart() {
    let provider = upstream();
    let bodies = [
        json!({ "user": { "id": "ann" } }),
        json!({ "user": { "id": "ben" } }),
    ];
    for (key_type, key) in [
        ("var", "post_arg.user.id"),
        ("var_combination", "$post_arg.user.id"),
        ("var_combination", "${post_arg.user.id ?? nobody}"),
    ] {
        let gateway = through(&provider, limit(1, json!({ "key_type": key_type, "key": key }))).await;
        for body in &bodies {
            let call = gateway.client().post("/").json(body);
            assert_eq!(quota(call.clone()).await, counted(200, 1, 0), "{key}");
            assert_eq!(quota(call).await, counted(503, 1, 0), "{key}");
        }
        let sent = provider.requests();
        assert_eq!(
            sent.last().unwrap().json(),
            bodies[1],
            "the upstream is sent the body, too"
        );
    }
}
