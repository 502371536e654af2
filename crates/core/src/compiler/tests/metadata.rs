use crate::plugin::Phase;
use crate::router::Lookup;
use crate::testing::Gateway;

use super::*;

#[test]
fn carriers_are_compiled_again_and_nothing_else() {
    let mut gateway = Gateway::new();
    gateway.put("/services/s", json!({"plugins": {"a": {"tag": "s"}}}));
    gateway.put("/plugin_configs/p", json!({"plugins": {"a": {"tag": "p"}}}));
    gateway.put("/consumer_groups/g", json!({"plugins": {"a": {"tag": "g"}}}));
    gateway.put("/consumers/jack", json!({"plugins": {"a": {"tag": "c"}}}));
    gateway.put("/consumers/jill", json!({"plugins": {"b": {"tag": "c"}}}));
    gateway.put("/global_rules/1", json!({"plugins": {"a": {"tag": "rule"}}}));
    gateway.put(
        "/routes/1",
        json!({"uri": "/own", "plugins": {"a": {"tag": "r"}}}),
    );
    gateway.put("/routes/2", json!({"uri": "/service", "service_id": "s"}));
    gateway.put("/routes/3", json!({"uri": "/config", "plugin_config_id": "p"}));
    gateway.put(
        "/routes/4",
        json!({"uri": "/other", "plugins": {"b": {"tag": "r"}}}),
    );
    let (other, jill) = (gateway.route("/other"), gateway.caller("jill").consumer);

    gateway.put("/plugin_metadata/a", json!({"id": "a", "suffix": "!"}));
    assert_eq!(gateway.route_tags("/own"), ["a=r!"]);
    assert_eq!(gateway.route_tags("/service"), ["a=s!"]);
    assert_eq!(gateway.route_tags("/config"), ["a=p!"]);
    let snapshot = gateway.snapshot();
    assert_eq!(gateway.tags(snapshot.global.steps(Phase::Access)), ["a=rule!"]);
    let of = |set: &PluginSet| gateway.tags(&set.iter().cloned().collect::<Vec<_>>());
    assert_eq!(of(&gateway.caller("jack").consumer.plugins), ["a=c!"]);
    assert_eq!(of(&snapshot.consumers.group("g").unwrap().plugins), ["a=g!"]);
    assert!(Arc::ptr_eq(&other, &gateway.route("/other")));
    assert!(Arc::ptr_eq(&jill, &gateway.caller("jill").consumer));

    gateway.delete("/plugin_metadata/a");
    assert_eq!(gateway.route_tags("/own"), ["a=r"]);
}

#[test]
fn defaults_are_filled_in_and_mistakes_keep_the_previous() {
    let mut gateway = Gateway::new();
    gateway.put("/routes/1", json!({"uri": "/r", "plugins": {"a": {"tag": "r"}}}));
    gateway.put("/plugin_metadata/a", json!({}));
    assert_eq!(gateway.route_tags("/r"), ["a=r+"]);
    gateway.put("/plugin_metadata/a", json!({"suffix": 7}));
    assert!(gateway.problem("/plugin_metadata/a").is_some());
    assert_eq!(gateway.route_tags("/r"), ["a=r+"]);
}

#[test]
fn metadata_of_unknown_plugins_is_nobody_s() {
    let mut gateway = Gateway::new();
    gateway.put("/plugin_metadata/nobody-knows", json!({"suffix": 7}));
    assert!(gateway.snapshot().problems.is_empty());
}

#[test]
fn built_in_routes_follow() {
    let mut gateway = Gateway::new();
    let value = json!({"uri": "/v1/models", "plugins": {"a": {"tag": "builtin"}}});
    gateway
        .compiler
        .set_builtin(vec![BuiltinRoute {
            name: "models",
            value,
        }])
        .unwrap();
    let tags = |gateway: &Gateway| {
        let cx = gateway.context("GET", "/v1/models");
        let request = crate::router::RouteRequest {
            path: "/v1/models",
            host: "any",
            method: &cx.request.method,
            remote_addr: cx.request.peer.ip(),
            vars: &cx,
        };
        let Lookup::Found(found) = cx.snapshot.builtin.find(&request) else {
            panic!("not found")
        };
        assert_eq!(&*found.target.id, "builtin:models");
        assert_eq!(found.target.profile, crate::context::Profile::Native);
        assert!(found.target.llm_endpoint);
        gateway.tags(found.target.pipeline.steps(Phase::Access))
    };
    assert_eq!(tags(&gateway), ["a=builtin"]);
    gateway.put("/plugin_metadata/a", json!({}));
    assert_eq!(tags(&gateway), ["a=builtin+"]);
    assert!(
        gateway.route_on("", "/v1/models").is_none(),
        "it is no stored route"
    );
}

#[test]
fn a_built_in_route_that_does_not_compile_is_refused() {
    let mut gateway = Gateway::new();
    let value = json!({"uri": "/v1/models", "plugins": {"a": {"breaks": true}}});
    assert!(
        gateway
            .compiler
            .set_builtin(vec![BuiltinRoute {
                name: "models",
                value
            }])
            .is_err()
    );
}
