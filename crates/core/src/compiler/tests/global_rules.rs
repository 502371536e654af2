use crate::plugin::Phase;
use crate::testing::Gateway;

use super::*;

fn tags(gateway: &Gateway) -> Vec<String> {
    gateway.tags(gateway.snapshot().global.steps(Phase::Access))
}

#[test]
fn rules_are_united() {
    let mut gateway = Gateway::new();
    gateway.put(
        "/global_rules/1",
        json!({"plugins": probes(&["b", "only-global"], "1")}),
    );
    gateway.put("/global_rules/2", json!({"plugins": probes(&["a"], "2")}));
    assert_eq!(tags(&gateway), ["a=2", "b=1", "only-global=1"]);
    gateway.delete("/global_rules/1");
    assert_eq!(tags(&gateway), ["a=2"]);
}

#[test]
fn what_two_rules_name_is_dropped_from_both() {
    let mut gateway = Gateway::new();
    gateway.put("/global_rules/1", json!({"plugins": probes(&["a", "b"], "1")}));
    gateway.put("/global_rules/2", json!({"plugins": probes(&["b", "c"], "2")}));
    assert_eq!(tags(&gateway), ["a=1", "c=2"]);
    gateway.delete("/global_rules/2");
    assert_eq!(
        tags(&gateway),
        ["a=1", "b=1"],
        "it comes back when one rule is gone"
    );
}

#[test]
fn a_disabled_plugin_counts_as_named() {
    let mut gateway = Gateway::new();
    gateway.put("/global_rules/1", json!({"plugins": probes(&["a", "b"], "1")}));
    gateway.put(
        "/global_rules/2",
        json!({"plugins": {"b": {"_meta": {"disable": true}}}}),
    );
    assert_eq!(tags(&gateway), ["a=1"]);
}

#[test]
fn an_invalid_rule_keeps_its_plugins() {
    let mut gateway = Gateway::new();
    gateway.put("/global_rules/1", json!({"plugins": probes(&["a"], "1")}));
    gateway.put("/global_rules/1", json!({"plugins": {"a": {"breaks": true}}}));
    assert_eq!(tags(&gateway), ["a=1"]);
}

#[test]
fn prometheus_gives_way_to_the_route_s() {
    let mut gateway = Gateway::new();
    gateway.put(
        "/global_rules/1",
        json!({"plugins": probes(&["a", "prometheus"], "1")}),
    );
    let prefers = |name| {
        gateway
            .snapshot()
            .global
            .plugins()
            .get(name)
            .unwrap()
            .prefers_route
    };
    assert_eq!((prefers("prometheus"), prefers("a")), (true, false));
}
