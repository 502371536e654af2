use crate::context::Profile;
use crate::plugin::Phase;
use crate::testing::Gateway;

use super::*;

/// Route 1 at `/r` with service, plugin config, and consumer jack in group g; each has the plugins that are named.
fn gateway(service: &[&str], config: &[&str], route: &[&str], group: &[&str], consumer: &[&str]) -> Gateway {
    let mut gateway = Gateway::new();
    gateway.put("/services/s", json!({"plugins": probes(service, "service")}));
    gateway.put("/plugin_configs/p", json!({"plugins": probes(config, "config")}));
    gateway.put("/consumer_groups/g", json!({"plugins": probes(group, "group")}));
    gateway.put(
        "/consumers/jack",
        json!({"group_id": "g", "plugins": probes(consumer, "consumer")}),
    );
    let plugins = probes(route, "route");
    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "service_id": "s", "plugin_config_id": "p", "plugins": plugins}),
    );
    gateway
}

fn merged_tags(gateway: &Gateway) -> Vec<String> {
    let merged = gateway
        .worker
        .merged(&gateway.snapshot(), &gateway.route("/r"), &gateway.caller("jack"));
    gateway.tags(merged.unwrap().steps(Phase::Access))
}

#[test]
fn each_layer_replaces_the_one_before() {
    let a: &[&str] = &["a"];
    let none: &[&str] = &[];
    for (layers, expected) in [
        ([a, none, none, none, none], "a=service"),
        ([a, a, none, none, none], "a=config"),
        ([a, a, a, none, none], "a=route"),
        ([a, a, a, a, none], "a=group"),
        ([a, a, a, a, a], "a=consumer"),
        ([a, none, none, none, a], "a=consumer"),
    ] {
        let [service, config, route, group, consumer] = layers;
        assert_eq!(
            merged_tags(&gateway(service, config, route, group, consumer)),
            [expected]
        );
    }
}

#[test]
fn layers_add_up() {
    let gateway = gateway(&["a"], &["b"], &["c"], &[], &["ai-proxy"]);
    assert_eq!(gateway.route_tags("/r"), ["a=service", "b=config", "c=route"]);
    assert_eq!(
        merged_tags(&gateway),
        ["ai-proxy=consumer", "a=service", "b=config", "c=route"]
    );
}

#[test]
fn plugins_are_replaced_whole() {
    let mut gateway = Gateway::new();
    gateway.put(
        "/services/s",
        json!({"plugins": {"a": {"tag": "service", "phases": ["log"]}}}),
    );
    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "service_id": "s", "plugins": {"a": {}}}),
    );
    assert_eq!(
        gateway.route_tags("/r"),
        ["a=-"],
        "neither tag nor phases are the service's"
    );
}

#[test]
fn a_disabled_plugin_hides_those_below() {
    let off = json!({"a": {"tag": 7, "_meta": {"disable": true}}});
    let mut gateway = gateway(&["a", "b"], &[], &["c"], &[], &[]);
    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "service_id": "s", "plugins": off}),
    );
    assert_eq!(gateway.problem("/routes/1"), None, "it need not hold its schema");
    assert_eq!(gateway.route_tags("/r"), ["b=service"]);

    gateway.put("/routes/1", json!({"uri": "/r", "service_id": "s"}));
    gateway.put("/consumers/jack", json!({"group_id": "g", "plugins": off}));
    assert_eq!(gateway.route_tags("/r"), ["a=service", "b=service"]);
    assert_eq!(merged_tags(&gateway), ["b=service"]);
}

#[test]
fn a_consumer_without_plugins_shares_the_route_s_pipeline() {
    let gateway = gateway(&["a"], &[], &[], &[], &[]);
    let route = gateway.route("/r");
    let merged = gateway
        .worker
        .merged(&gateway.snapshot(), &route, &gateway.caller("jack"))
        .unwrap();
    assert!(Arc::ptr_eq(&merged, &route.pipeline));
}

#[test]
fn auth_plugins_of_a_consumer_are_no_plugins_of_the_route() {
    let mut gateway = gateway(&["a"], &[], &[], &[], &[]);
    gateway.put(
        "/consumers/jack",
        json!({"group_id": "g", "plugins": {"key-auth": {"key": "k"}}}),
    );
    assert_eq!(merged_tags(&gateway), ["a=service"]);
}

#[test]
fn unknown_plugins_and_those_for_global_rules_are_skipped() {
    let mut gateway = Gateway::new();
    let plugins = json!({"nobody-knows": {"x": 1}, "only-global": {"tag": 7}, "a": {}});
    gateway.put("/routes/1", json!({"uri": "/r", "plugins": plugins}));
    assert_eq!(gateway.problem("/routes/1"), None);
    assert_eq!(gateway.route_tags("/r"), ["a=-"]);
}

#[test]
fn meta_priority_sorts_anew() {
    let mut gateway = Gateway::new();
    let plugins = json!({"a": {}, "b": {}, "c": {"_meta": {"priority": 25}}});
    gateway.put("/routes/1", json!({"uri": "/r", "plugins": plugins}));
    assert_eq!(gateway.route_tags("/r"), ["a=-", "c=-", "b=-"]);
}

#[test]
fn meta_is_compiled() {
    let mut gateway = Gateway::new();
    let meta = json!({"filter": [["arg_x", "==", "1"]], "error_response": {"e": 1}});
    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "plugins": {"a": {"_meta": meta}}}),
    );
    let route = gateway.route("/r");
    let entry = route.pipeline.plugins().get("a").unwrap();
    assert_eq!(entry.error_response, Some(json!({"e": 1})));
    assert!(gateway.context("GET", "/r?x=1").passes_filter(entry));
    assert!(!gateway.context("GET", "/r?x=2").passes_filter(entry));
}

#[test]
fn hosts_of_the_service_count_where_the_route_has_none() {
    let mut gateway = Gateway::new();
    gateway.put("/services/s", json!({"hosts": ["s.example"]}));
    gateway.put("/routes/1", json!({"uri": "/a", "service_id": "s"}));
    gateway.put(
        "/routes/2",
        json!({"uri": "/b", "service_id": "s", "host": "r.example"}),
    );
    let on = |host, path| gateway.route_on(host, path).is_some();
    assert_eq!((on("s.example", "/a"), on("r.example", "/a")), (true, false));
    assert_eq!((on("s.example", "/b"), on("r.example", "/b")), (false, true));

    gateway.put("/services/s", json!({"hosts": ["t.example"]}));
    assert!(gateway.route_on("s.example", "/a").is_none());
    assert!(gateway.route_on("t.example", "/a").is_some());
}

#[test]
fn names_and_websocket_of_the_service() {
    let mut gateway = Gateway::new();
    gateway.put("/services/s", json!({"name": "shop", "enable_websocket": true}));
    gateway.put("/routes/1", json!({"uri": "/r", "service_id": "s"}));
    gateway.put(
        "/routes/2",
        json!({"uri": "/off", "name": "n", "service_id": "s", "enable_websocket": false}),
    );
    let route = gateway.route("/r");
    let service = route.service.as_ref().unwrap();
    assert_eq!((&*service.id, service.name.as_deref()), ("s", Some("shop")));
    assert_eq!((route.name.as_deref(), route.websocket), (None, true));
    let off = gateway.route("/off");
    assert_eq!((off.name.as_deref(), off.websocket), (Some("n"), false));
}

#[test]
fn the_profile_is_that_of_the_plugin_which_wins() {
    let mut gateway = Gateway::new();
    gateway.put(
        "/plugin_configs/p",
        json!({"plugins": {"ai-proxy": {"profile": "native"}}}),
    );
    gateway.put("/routes/1", json!({"uri": "/native", "plugin_config_id": "p"}));
    gateway.put(
        "/routes/2",
        json!({"uri": "/own", "plugin_config_id": "p", "plugins": {"ai-proxy": {}}}),
    );
    gateway.put(
        "/routes/3",
        json!({"uri": "/other", "plugins": {"a": {"profile": "native"}}}),
    );
    let profile = |path| gateway.route(path).profile;
    assert_eq!(
        [profile("/native"), profile("/own"), profile("/other")],
        [Profile::Native, Profile::Apisix, Profile::Apisix]
    );
    let llm = |path| gateway.route(path).llm_endpoint;
    assert_eq!([llm("/native"), llm("/own"), llm("/other")], [true, true, false]);
}
