//! Which node is asked, and what clients see when none answers (compat §8.2, §8.3).

use std::net::SocketAddr;

use serde_json::{Value, json};
use sluice_testkit::{Gate, Gateway, Reply, eventually};

use super::{answering, ok, page, to};
use crate::support::{binary, dead_addr, gateway, node, put};

#[tokio::test]
async fn weights_divide_requests_exactly() {
    let [heavy, light, never] = [answering(ok()), answering(ok()), answering(ok())];
    let nodes =
        json!({ heavy.addr().to_string(): 8, light.addr().to_string(): 2, never.addr().to_string(): 0 });
    // As many threads as there are cores: they share the balancer.
    let gateway = gateway().await;
    let route = json!({ "uri": "/*", "upstream": { "type": "roundrobin", "nodes": nodes } });
    put(&gateway, "/routes/1", route).await;
    for _ in 0..10 {
        gateway.client().get("/").send().await.expect_status(200).await;
    }
    let asked = [
        heavy.requests().len(),
        light.requests().len(),
        never.requests().len(),
    ];
    assert_eq!(asked, [8, 2, 0]);
}

#[tokio::test]
async fn a_consistent_hash_sends_the_same_key_to_the_same_node() {
    let providers = [answering(ok()), answering(ok()), answering(ok())];
    let nodes: Value = providers
        .iter()
        .map(|p| (p.addr().to_string(), json!(1)))
        .collect();
    let upstream = json!({ "type": "chash", "hash_on": "header", "key": "X-User", "nodes": nodes });
    let gateway = to(upstream).await;
    for user in 0..20 {
        for _ in 0..2 {
            let call = gateway
                .client()
                .get(&format!("/{user}"))
                .header("x-user", &user.to_string());
            call.send().await.expect_status(200).await;
        }
    }
    let counts: Vec<_> = providers.iter().map(|p| p.requests().len()).collect();
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    for provider in &providers {
        let paths: Vec<_> = provider
            .requests()
            .iter()
            .map(|request| request.path.clone())
            .collect();
        for path in &paths {
            assert_eq!(
                paths.iter().filter(|other| *other == path).count(),
                2,
                "both calls of {path} came here"
            );
        }
    }
}

#[tokio::test]
async fn a_dead_node_is_passed_over() {
    let provider = answering(ok());
    let nodes = json!({ dead_addr().to_string(): 1, provider.addr().to_string(): 1 });
    let gateway = to(json!({ "type": "roundrobin", "nodes": nodes })).await;
    for _ in 0..4 {
        let answer = gateway.client().get("/get").send().await.expect_status(200).await;
        assert_eq!(answer.header("x-apisix-upstream-status"), None);
        let body = "a body that no node has seen yet may go to any of them";
        gateway
            .client()
            .post("/post")
            .body(body)
            .send()
            .await
            .expect_status(200)
            .await;
        assert_eq!(provider.last_request().body, body);
    }
    let chunked =
        "POST /chunked HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
    for _ in 0..2 {
        let mut conn = gateway.client().raw().await;
        conn.write(chunked).await;
        assert!(conn.read_head().await.starts_with("HTTP/1.1 200 "));
        assert_eq!(provider.last_request().body, "body");
    }
    put(
        &gateway,
        "/routes/1",
        json!({ "uri": "/*", "upstream": { "type": "roundrobin", "nodes": nodes, "retries": 0 } }),
    )
    .await;
    let mut statuses = Vec::new();
    for _ in 0..2 {
        statuses.push(gateway.client().get("/").send().await.status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 502], "without retries the dead node shows");
}

/// Two nodes, of which the first is always asked first.
fn first_then(first: SocketAddr, second: SocketAddr) -> Value {
    let node = |addr: SocketAddr, priority: i32| json!({ "host": addr.ip().to_string(), "port": addr.port(), "weight": 1, "priority": priority });
    json!({ "type": "roundrobin", "nodes": [node(first, 1), node(second, 0)] })
}

#[tokio::test]
async fn what_a_node_may_have_seen_is_repeated_only_if_that_is_harmless() {
    let [first, second] = [answering(Reply::hang_up()), answering(ok())];
    let gateway = to(first_then(first.addr(), second.addr())).await;
    let client = gateway.client();
    client.get("/").send().await.expect_status(200).await;
    client
        .call(http::Method::PUT, "/")
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!((first.requests().len(), second.requests().len()), (2, 2));
    for call in [
        client.post("/"),
        client.post("/").body("x"),
        client.call(http::Method::PATCH, "/").body("x"),
    ] {
        let answer = call.send().await.expect_status(502).await;
        assert_eq!(answer.header("x-apisix-upstream-status"), Some("502"));
    }
    assert_eq!(
        (first.requests().len(), second.requests().len()),
        (5, 2),
        "nobody was charged twice"
    );
}

#[tokio::test]
async fn errors_of_nodes_pass_and_are_not_repeated() {
    let [first, second] = [answering(Reply::body(503, "text/plain", "busy")), answering(ok())];
    let gateway = to(first_then(first.addr(), second.addr())).await;
    let answer = gateway.client().get("/").send().await.expect_status(503).await;
    assert_eq!(answer.header("x-apisix-upstream-status"), Some("503"));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.text().await, "busy");
    assert_eq!(second.requests().len(), 0);
    first.next(Reply::body(404, "text/plain", "none"));
    let answer = gateway.client().get("/").send().await.expect_status(404).await;
    assert_eq!(answer.header("x-apisix-upstream-status"), None);
}

#[tokio::test]
async fn upstreams_that_do_not_answer_have_their_pages() {
    let silent = answering(ok().head_gated(&Gate::closed()));
    let garbled = answering(Reply::raw("nonsense\r\n\r\n"));
    let gateway = gateway().await;
    let timeout = json!({ "connect": 1, "send": 1, "read": 0.1 });
    let mut slow = node(silent.addr());
    slow["timeout"] = timeout.clone();
    let mut hasty = first_then(silent.addr(), silent.addr());
    hasty["retry_timeout"] = json!(0.05);
    let mut twice = first_then(silent.addr(), silent.addr());
    twice["timeout"] = timeout.clone();
    for (route, title, upstream_status) in [
        (
            json!({ "upstream": node(dead_addr()) }),
            "502 Bad Gateway",
            Some("502"),
        ),
        (
            json!({ "upstream": first_then(dead_addr(), dead_addr()) }),
            "502 Bad Gateway",
            Some("502, 502"),
        ),
        (
            json!({ "upstream": node(garbled.addr()) }),
            "502 Bad Gateway",
            Some("502"),
        ),
        (
            json!({ "upstream": { "nodes": {} } }),
            "503 Service Temporarily Unavailable",
            None,
        ),
        (json!({ "upstream": slow }), "504 Gateway Time-out", Some("504")),
        (
            json!({ "upstream": twice }),
            "504 Gateway Time-out",
            Some("504, 504"),
        ),
        (
            json!({ "upstream": node(silent.addr()), "timeout": timeout }),
            "504 Gateway Time-out",
            Some("504"),
        ),
        (
            json!({ "upstream": hasty, "timeout": timeout }),
            "502 Bad Gateway",
            Some("504"),
        ),
    ] {
        let mut route = route;
        route["uri"] = json!("/*");
        let shown = route.to_string();
        put(&gateway, "/routes/1", route).await;
        let answer = gateway.client().get("/").send().await;
        assert_eq!(
            answer.header("x-apisix-upstream-status"),
            upstream_status,
            "{shown}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8"),
            "{shown}"
        );
        assert_eq!(answer.text().await, page(title), "{shown}");
    }
}

#[tokio::test]
async fn every_attempt_shows_where_the_configuration_says_so() {
    let provider = answering(ok());
    let gateway = Gateway::builder(binary())
        .env("SLUICE_APISIX_SHOW_UPSTREAM_STATUS_IN_RESPONSE_HEADER", "true")
        .env("SLUICE_APISIX_ENABLE_SERVER_TOKENS", "false")
        .start()
        .await;
    let upstream = first_then(dead_addr(), provider.addr());
    put(
        &gateway,
        "/routes/1",
        json!({ "uri": "/*", "upstream": upstream }),
    )
    .await;
    let answer = gateway.client().get("/").send().await.expect_status(200).await;
    assert_eq!(answer.header("x-apisix-upstream-status"), Some("502, 200"));
    assert_eq!(answer.header("server"), Some("APISIX"));
}

#[tokio::test]
async fn upstreams_shared_by_routes_change_for_all_of_them() {
    let [old, new] = [answering(ok()), answering(ok())];
    let gateway = gateway().await;
    put(&gateway, "/upstreams/u", node(old.addr())).await;
    for id in ["a", "b"] {
        put(
            &gateway,
            &format!("/routes/{id}"),
            json!({ "uri": format!("/{id}"), "upstream_id": "u" }),
        )
        .await;
    }
    let ask = async || {
        for target in ["/a", "/b"] {
            gateway.client().get(target).send().await.expect_status(200).await;
        }
        (old.requests().len(), new.requests().len())
    };
    assert_eq!(ask().await, (2, 0));
    put(&gateway, "/upstreams/u", node(new.addr())).await;
    assert_eq!(ask().await, (2, 2));
    let both =
        json!({ "type": "least_conn", "nodes": { old.addr().to_string(): 1, new.addr().to_string(): 1 } });
    put(&gateway, "/upstreams/u", both).await;
    eventually("both nodes to be asked", async || {
        ask().await;
        (old.requests().len() > 2 && new.requests().len() > 2).then_some(())
    })
    .await;
}
