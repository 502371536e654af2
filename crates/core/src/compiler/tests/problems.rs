use sluice_resource::Schemas;

use crate::route::RouteUpstream;
use crate::testing::Gateway;

use super::*;

const BROKEN: &str = "failed to check the configuration of plugin a err: told to break";

fn broken() -> Value {
    json!({"uri": "/r", "plugins": {"a": {"tag": "new", "breaks": true}}})
}

#[test]
fn an_invalid_route_keeps_its_previous_form_until_it_is_fixed() {
    let mut gateway = Gateway::new();
    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "plugins": {"a": {"tag": "old"}}}),
    );
    gateway.put("/routes/1", broken());
    assert_eq!(gateway.problem("/routes/1").as_deref(), Some(BROKEN));
    assert_eq!(gateway.route_tags("/r"), ["a=old"]);

    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "plugins": {"a": {"tag": "fixed"}}}),
    );
    assert_eq!(gateway.problem("/routes/1"), None);
    assert_eq!(gateway.route_tags("/r"), ["a=fixed"]);
}

#[test]
fn the_previous_form_still_follows_what_it_refers_to() {
    let mut gateway = Gateway::new();
    gateway.put("/services/s", json!({"plugins": {"b": {"tag": "1"}}}));
    gateway.put("/routes/1", json!({"uri": "/r", "service_id": "s"}));
    gateway.put("/routes/1", broken());
    gateway.put("/services/s", json!({"plugins": {"b": {"tag": "2"}}}));
    assert_eq!(gateway.route_tags("/r"), ["b=2"]);
    assert_eq!(gateway.problem("/routes/1").as_deref(), Some(BROKEN));
}

#[test]
fn one_that_never_was_valid_is_just_not_there() {
    let mut gateway = Gateway::new();
    gateway.put("/routes/1", broken());
    assert!(gateway.route_on("", "/r").is_none());
    gateway.delete("/routes/1");
    assert!(gateway.snapshot().problems.is_empty());
}

#[test]
fn every_kind_notes_its_problem_and_forgets_it_when_deleted() {
    let plugins = broken()["plugins"].take();
    for (key, value) in [
        ("/routes/1", broken()),
        ("/services/1", json!({"plugins": plugins})),
        ("/plugin_configs/1", json!({"plugins": plugins})),
        ("/global_rules/1", json!({"plugins": plugins})),
        ("/consumer_groups/1", json!({"plugins": plugins})),
        ("/consumers/jack", json!({"plugins": plugins})),
        (
            "/consumers/jack/credentials/1",
            json!({"plugins": {"key-auth": {}}}),
        ),
        ("/upstreams/1", json!({"nodes": {"10.0.0.1:x": 1}})),
        ("/plugin_metadata/a", json!({"suffix": 7})),
    ] {
        let mut gateway = Gateway::new();
        gateway.put(key, value);
        assert!(gateway.problem(key).is_some(), "{key}");
        gateway.delete(key);
        assert!(gateway.snapshot().problems.is_empty(), "{key}");
    }
}

#[test]
fn every_kind_keeps_its_previous_form() {
    let mut gateway = Gateway::new();
    gateway.put("/services/s", json!({"plugins": {"a": {"tag": "service"}}}));
    gateway.put("/plugin_configs/p", json!({"plugins": {"b": {"tag": "config"}}}));
    gateway.put("/upstreams/u", json!({"nodes": {"10.0.0.1:1": 1}}));
    let route = json!({"uri": "/r", "service_id": "s", "plugin_config_id": "p", "upstream_id": "u"});
    gateway.put("/routes/1", route);
    gateway.put("/consumers/jack", json!({"plugins": {"key-auth": {"key": "k1"}}}));
    let before = gateway.route("/r");

    gateway.put("/services/s", json!({"plugins": broken()["plugins"]}));
    gateway.put("/plugin_configs/p", json!({"plugins": broken()["plugins"]}));
    gateway.put("/upstreams/u", json!({"nodes": [{"port": 1}]}));
    gateway.put(
        "/consumers/jack",
        json!({"plugins": {"key-auth": {"key": "k2"}, "a": {"breaks": true}}}),
    );
    assert_eq!(gateway.snapshot().problems.len(), 4);
    assert!(
        Arc::ptr_eq(&before, &gateway.route("/r")),
        "nothing was joined anew"
    );
    assert!(matches!(&before.upstream, RouteUpstream::To(upstream) if upstream.configured.nodes.len() == 1));
    let consumers = gateway.snapshot().consumers;
    assert!(consumers.find("key-auth", "k1").is_some());
    assert!(consumers.find("key-auth", "k2").is_none());
}

#[test]
fn malformed_members_of_routes() {
    for (member, value, problem) in [
        ("methods", json!(["GET", "GRAB"]), "GRAB"),
        ("remote_addr", json!("::/999"), "invalid remote_addr ::/999"),
        ("vars", json!([["a", "=~~", "b"]]), "invalid operator '=~~'"),
        (
            "plugins",
            json!({"a": {"_meta": {"filter": [["a", "<>", 1]]}}}),
            "invalid operator '<>'",
        ),
        ("upstream", json!({"nodes": {"10.0.0.1:x": 1}}), "invalid port x"),
    ] {
        let mut gateway = Gateway::new();
        gateway.put("/routes/1", json!({"uri": "/r", member: value}));
        let text = gateway.problem("/routes/1").unwrap_or_default();
        assert!(text.contains(problem), "{member}: {text}");
    }
}

#[test]
fn problems_do_not_show_secrets() {
    let mut gateway = Gateway::new();
    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "plugins": {"a": {"secret": "canary"}}}),
    );
    let problem = gateway.problem("/routes/1").unwrap();
    assert!(problem.contains("failed to match pattern"), "{problem}");
    assert!(!problem.contains("canary"), "{problem}");
}

#[test]
fn schemas_of_kinds_are_held_where_asked_for() {
    let route = json!({"uri": "/r", "priority": "high"});
    let mut gateway = Gateway::new();
    gateway.put("/routes/1", route.clone());
    assert_eq!(gateway.problem("/routes/1"), None);

    let mut strict = Gateway::new();
    strict.compiler = strict
        .compiler
        .with_schemas(Arc::new(Schemas::compile().unwrap()));
    strict.put("/routes/1", route);
    let problem = strict.problem("/routes/1").unwrap();
    assert!(
        problem.contains(r#"property "priority" validation failed"#),
        "{problem}"
    );
    strict.put(
        "/routes/1",
        json!({"uri": "/r", "id": "1", "create_time": 1, "plugins": {}}),
    );
    assert_eq!(strict.problem("/routes/1"), None);
}

#[test]
fn warnings_come_and_go_with_what_they_are_about() {
    let obsolete = json!({"uri": "/r", "plugins": {"ai-proxy": {"model": {"name": "m"}}}});
    let mut gateway = Gateway::new();
    gateway.put("/routes/1", obsolete.clone());
    let warning = |gateway: &Gateway| gateway.snapshot().warnings.get("/apisix/routes/1").cloned();
    assert!(warning(&gateway).is_some_and(|text| text.contains("obsolete")));
    gateway.put("/routes/1", json!({"uri": "/r", "plugins": {"ai-proxy": {}}}));
    assert_eq!(warning(&gateway), None);
    gateway.put("/routes/1", obsolete.clone());
    gateway.put("/routes/1", json!({"uri": "/r", "status": 0}));
    assert_eq!(warning(&gateway), None);
    gateway.put("/routes/1", obsolete);
    gateway.delete("/routes/1");
    assert_eq!(warning(&gateway), None);
}
