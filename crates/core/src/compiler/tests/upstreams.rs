use std::time::Duration;

use http::HeaderValue;
use sluice_net::{Protocol, Scheme};

use crate::route::RouteUpstream;
use crate::testing::Gateway;
use crate::upstream::{HashKey, PassHost};

use super::*;

fn upstream(value: Value) -> Arc<Upstream> {
    let mut gateway = Gateway::new();
    gateway.put("/upstreams/1", value);
    gateway.put("/routes/1", json!({"uri": "/r", "upstream_id": 1}));
    assert_eq!(gateway.problem("/upstreams/1"), None);
    match &gateway.route("/r").upstream {
        RouteUpstream::To(upstream) => upstream.clone(),
        _ => panic!("no upstream"),
    }
}

fn addresses(upstream: &Upstream) -> Vec<&str> {
    upstream
        .configured
        .nodes
        .iter()
        .map(|node| &*node.address)
        .collect()
}

#[test]
fn defaults() {
    let upstream = upstream(json!({"nodes": {"a.example": 1, "10.0.0.2:81": 2}}));
    assert_eq!(addresses(&upstream), ["a.example:80", "10.0.0.2:81"]);
    assert_eq!(&*upstream.key, "/apisix/upstreams/1");
    assert_eq!(
        (
            upstream.retries(&upstream.configured),
            upstream.retry_timeout,
            upstream.timeouts
        ),
        (1, None, None)
    );
    assert!(upstream.hash_key.is_none());
    assert!(matches!(upstream.pass_host, PassHost::Pass));
    let config = upstream.configured.nodes[0].origin.config();
    assert_eq!(
        (config.scheme, config.protocol, config.tls.verify),
        (Scheme::Http, Protocol::Http1, false)
    );
    assert_eq!((config.pool.max_idle, config.pool.max_requests), (320, 1000));
    let weights: Vec<u32> = upstream
        .configured
        .balancer
        .nodes()
        .iter()
        .map(|node| node.weight)
        .collect();
    assert_eq!(weights, [1, 2]);
}

#[test]
fn nodes_as_a_list() {
    let nodes = json!([{"host": "a.example", "weight": 0, "priority": -1}, {"host": "[::1]", "port": 8443, "weight": 3}]);
    let upstream = upstream(json!({"scheme": "https", "nodes": nodes}));
    assert_eq!(addresses(&upstream), ["a.example:443", "[::1]:8443"]);
    let balanced: Vec<_> = upstream
        .configured
        .balancer
        .nodes()
        .iter()
        .map(|node| (node.weight, node.priority))
        .collect();
    assert_eq!(balanced, [(0, -1), (3, 0)]);
}

#[test]
fn addresses_with_brackets_in_a_map() {
    let upstream = upstream(json!({"nodes": {"[::1]": 1, "[::2]:81": 1}}));
    assert_eq!(addresses(&upstream), ["[::1]:80", "[::2]:81"]);
}

#[test]
fn schemes() {
    for (scheme, expected) in [
        ("http", (Scheme::Http, Protocol::Http1)),
        ("https", (Scheme::Https, Protocol::Http1)),
        ("grpc", (Scheme::Http, Protocol::Http2)),
        ("grpcs", (Scheme::Https, Protocol::Http2)),
    ] {
        let upstream = upstream(json!({"scheme": scheme, "nodes": {"a.example": 1}}));
        let config = upstream.configured.nodes[0].origin.config();
        assert_eq!((config.scheme, config.protocol), expected, "{scheme}");
    }
}

#[test]
fn the_host_that_nodes_see() {
    let node = upstream(json!({"pass_host": "node", "nodes": {"a.example": 1}}));
    assert!(matches!(node.pass_host, PassHost::Node));
    let rewrite = json!({"pass_host": "rewrite", "upstream_host": "b.example:81", "scheme": "https", "nodes": {"a.example": 1}});
    let rewrite = upstream(rewrite);
    let expected = HeaderValue::from_static("b.example:81");
    assert!(matches!(&rewrite.pass_host, PassHost::Rewrite(host) if *host == expected));
    assert_eq!(
        rewrite.configured.nodes[0].origin.config().sni.as_deref(),
        Some("b.example")
    );
}

#[test]
fn times_and_pool() {
    let upstream = upstream(json!({
        "nodes": {"a.example": 1},
        "retries": 0,
        "retry_timeout": 1.5,
        "timeout": {"connect": 1, "send": 0.5, "read": 300},
        "keepalive_pool": {"size": 5, "idle_timeout": 2, "requests": 7},
    }));
    assert_eq!(
        (upstream.retries(&upstream.configured), upstream.retry_timeout),
        (0, Some(Duration::from_millis(1500)))
    );
    let timeouts = upstream.timeouts.unwrap();
    assert_eq!(
        [timeouts.connect, timeouts.send, timeouts.read].map(|time| time.as_millis()),
        [1000, 500, 300_000]
    );
    let pool = &upstream.configured.nodes[0].origin.config().pool;
    assert_eq!(
        (pool.max_idle, pool.idle_timeout, pool.max_requests),
        (5, Duration::from_secs(2), 7)
    );
}

#[test]
fn hash_keys() {
    let key = |hash_on: &str, key: &str| {
        let nodes = json!({"a.example": 1});
        let value = json!({"type": "chash", "hash_on": hash_on, "key": key, "nodes": nodes});
        format!("{:?}", upstream(value).hash_key.clone().unwrap())
    };
    assert_eq!(
        key("vars", "arg_u"),
        format!("{:?}", HashKey::Variable("arg_u".to_owned()))
    );
    assert_eq!(
        key("header", "X_User"),
        format!("{:?}", HashKey::Header("x-user".to_owned()))
    );
    assert_eq!(
        key("cookie", "sid"),
        format!("{:?}", HashKey::Cookie("sid".to_owned()))
    );
    assert_eq!(key("consumer", "-"), "Consumer");
    assert!(key("vars_combinations", "$host$uri").starts_with("Combination("));
}

#[test]
fn balancers_outlive_edits_of_other_members() {
    let mut gateway = Gateway::new();
    gateway.put("/routes/1", json!({"uri": "/r", "upstream_id": 1}));
    let mut balancer = |desc: &str, weight: u32| {
        gateway.put(
            "/upstreams/1",
            json!({"desc": desc, "nodes": {"a.example": weight}}),
        );
        match &gateway.route("/r").upstream {
            RouteUpstream::To(upstream) => upstream.configured.balancer.clone(),
            _ => panic!("no upstream"),
        }
    };
    let first = balancer("one", 1);
    assert!(Arc::ptr_eq(&first, &balancer("two", 1)));
    assert!(!Arc::ptr_eq(&first, &balancer("two", 2)));
}

#[test]
fn plugins_find_stored_upstreams_by_id() {
    let mut gateway = Gateway::new();
    let ids = |gateway: &Gateway| -> Vec<String> {
        let upstreams = gateway.snapshot().upstreams;
        upstreams.keys().map(ToString::to_string).collect()
    };
    gateway.put("/upstreams/1", json!({"nodes": {"127.0.0.1:1": 1}}));
    gateway.put("/upstreams/2", json!({"nodes": {"127.0.0.1:2": 1}}));
    let before = gateway.snapshot();
    assert_eq!(ids(&gateway), ["1", "2"]);
    gateway.put("/upstreams/2", json!({"nodes": {"127.0.0.1:3": 1}}));
    let after = gateway.snapshot();
    assert!(Arc::ptr_eq(&before.upstreams["1"], &after.upstreams["1"]));
    assert_eq!(&*after.upstreams["2"].configured.nodes[0].address, "127.0.0.1:3");
    gateway.delete("/upstreams/1");
    assert_eq!(ids(&gateway), ["2"]);
}
