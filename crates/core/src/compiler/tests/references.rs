use http::StatusCode;

use crate::route::RouteUpstream;
use crate::testing::Gateway;

use super::*;

/// Address of the first node of the upstream that a route leads to.
fn address(gateway: &Gateway, path: &str) -> String {
    match &gateway.route(path).upstream {
        RouteUpstream::To(upstream) => upstream.configured.nodes[0].address.to_string(),
        RouteUpstream::Missing => "missing".to_owned(),
        RouteUpstream::None => "none".to_owned(),
    }
}

fn upstream(port: u16) -> Value {
    json!({"nodes": {format!("10.0.0.1:{port}"): 1}})
}

#[test]
fn a_missing_service_is_404_until_it_comes() {
    let mut gateway = Gateway::new();
    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "service_id": 7, "plugins": {"a": {}}}),
    );
    assert_eq!(gateway.route("/r").dangling, Some(StatusCode::NOT_FOUND));
    assert!(gateway.route("/r").service.is_none());
    gateway.put("/services/7", json!({"upstream": upstream(1)}));
    assert_eq!(gateway.route("/r").dangling, None);
    assert_eq!(address(&gateway, "/r"), "10.0.0.1:1");
    gateway.delete("/services/7");
    assert_eq!(gateway.route("/r").dangling, Some(StatusCode::NOT_FOUND));
    assert_eq!(
        gateway.problem("/routes/1"),
        None,
        "a dangling reference is no defect of the route"
    );
}

#[test]
fn a_missing_plugin_config_is_503_and_comes_first() {
    let mut gateway = Gateway::new();
    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "service_id": "s", "plugin_config_id": "p"}),
    );
    assert_eq!(
        gateway.route("/r").dangling,
        Some(StatusCode::SERVICE_UNAVAILABLE)
    );
    gateway.put("/plugin_configs/p", json!({"plugins": {}}));
    assert_eq!(gateway.route("/r").dangling, Some(StatusCode::NOT_FOUND));
    gateway.put("/services/s", json!({}));
    assert_eq!(gateway.route("/r").dangling, None);
    gateway.delete("/plugin_configs/p");
    assert_eq!(
        gateway.route("/r").dangling,
        Some(StatusCode::SERVICE_UNAVAILABLE)
    );
}

#[test]
fn a_missing_upstream_leaves_the_route_in_place() {
    let mut gateway = Gateway::new();
    gateway.put("/routes/1", json!({"uri": "/r", "upstream_id": 1}));
    assert_eq!(address(&gateway, "/r"), "missing");
    gateway.put("/upstreams/1", upstream(1));
    assert_eq!(address(&gateway, "/r"), "10.0.0.1:1");
    gateway.put("/upstreams/1", upstream(2));
    assert_eq!(address(&gateway, "/r"), "10.0.0.1:2");
    gateway.delete("/upstreams/1");
    assert_eq!(address(&gateway, "/r"), "missing");
}

#[test]
fn the_route_s_upstream_wins_over_the_service_s() {
    let mut gateway = Gateway::new();
    gateway.put("/upstreams/u", upstream(1));
    gateway.put("/services/by-id", json!({"upstream_id": "u"}));
    gateway.put("/services/inline", json!({"upstream": upstream(2)}));
    gateway.put(
        "/services/both",
        json!({"upstream_id": "u", "upstream": upstream(2)}),
    );
    gateway.put("/services/none", json!({}));
    let route = |uri: &str, service: &str| json!({"uri": uri, "service_id": service});
    let with = |uri: &str, service: &str, member: &str, value: Value| {
        let mut route = route(uri, service);
        route[member] = value;
        route
    };
    gateway.put("/routes/1", route("/1", "by-id"));
    gateway.put("/routes/2", route("/2", "inline"));
    gateway.put("/routes/3", route("/3", "both"));
    gateway.put("/routes/4", route("/4", "none"));
    gateway.put("/routes/5", with("/5", "by-id", "upstream", upstream(3)));
    gateway.put("/routes/6", with("/6", "inline", "upstream_id", json!("u")));
    let all: Vec<_> = (1..=6).map(|n| address(&gateway, &format!("/{n}"))).collect();
    assert_eq!(
        all,
        [
            "10.0.0.1:1",
            "10.0.0.1:2",
            "10.0.0.1:1",
            "none",
            "10.0.0.1:3",
            "10.0.0.1:1"
        ]
    );
}

#[test]
fn an_upstream_reaches_routes_through_their_service() {
    let mut gateway = Gateway::new();
    gateway.put("/services/s", json!({"upstream_id": "u"}));
    gateway.put("/routes/1", json!({"uri": "/r", "service_id": "s"}));
    assert_eq!(address(&gateway, "/r"), "missing");
    gateway.put("/upstreams/u", upstream(1));
    assert_eq!(address(&gateway, "/r"), "10.0.0.1:1");
}

#[test]
fn disabled_routes_are_not_matched() {
    let mut gateway = Gateway::new();
    gateway.put("/routes/1", json!({"uri": "/r", "status": 1}));
    assert!(gateway.route_on("", "/r").is_some());
    gateway.put("/routes/1", json!({"uri": "/r", "status": 0}));
    assert!(gateway.route_on("", "/r").is_none());
    gateway.put("/routes/1", json!({"uri": "/r"}));
    assert!(gateway.route_on("", "/r").is_some());
    gateway.delete("/routes/1");
    assert!(gateway.route_on("", "/r").is_none());
}

#[test]
fn equals_are_tried_in_the_order_of_their_creation() {
    let mut gateway = Gateway::new();
    gateway.put("/routes/2", json!({"uri": "/r"}));
    gateway.put("/routes/1", json!({"uri": "/r"}));
    assert_eq!(&*gateway.route("/r").id, "2");
    gateway.put_again(1, "/routes/2", json!({"uri": "/r", "name": "edited"}));
    assert_eq!(gateway.route("/r").name.as_deref(), Some("edited"));
}

#[test]
fn snapshots_know_whether_bodies_are_looked_into() {
    let mut gateway = Gateway::new();
    gateway.put("/routes/1", json!({"uri": "/r", "vars": [["arg_x", "==", "1"]]}));
    assert!(!gateway.snapshot().matches_bodies);
    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "vars": [["post_arg.model", "==", "m"]]}),
    );
    assert!(gateway.snapshot().matches_bodies);
    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "vars": [["graphql_root_fields", "has", "owner"]]}),
    );
    assert!(gateway.snapshot().matches_bodies);
    gateway.delete("/routes/1");
    assert!(!gateway.snapshot().matches_bodies);
}

#[test]
fn keys_that_are_no_resources_are_passed_over() {
    let mut gateway = Gateway::new();
    for key in ["/routes/", "/gen_id", "/plugins", "/ssls/1", "", "routes/1"] {
        gateway.put(key, json!({"uri": "/r"}));
    }
    assert!(gateway.route_on("", "/r").is_none());
    assert!(gateway.compiler.sources.is_empty());
}
