use serde_json::json;
use sluice_core::{ReplyBody, Upstream};
use sluice_resource::CheckScope;

use super::*;
use crate::fixture::Fixture;

fn inline(port: u16) -> Value {
    json!({ "upstream": { "type": "roundrobin", "nodes": { format!("127.0.0.1:{port}"): 1 } } })
}

fn weighing(mut entry: Value, weight: u32) -> Value {
    entry["weight"] = json!(weight);
    entry
}

/// The port that a request goes to, or `route`, or the text of the failure.
async fn where_to(fixture: &Fixture, plugin: &dyn Plugin, uri: &str) -> String {
    let mut cx = fixture.context("GET", uri);
    let verdict = match plugin.access(&mut cx) {
        Step::Done(verdict) => verdict,
        Step::Wait(verdict) => verdict.await,
    };
    match verdict {
        Verdict::Continue => cx
            .upstream
            .map_or_else(|| "route".to_owned(), |chosen| port_of(&chosen)),
        Verdict::Fail(failure) => match failure.reply.body {
            ReplyBody::Text(text) => format!("{} {text}", failure.reply.status.as_u16()),
            _ => failure.reply.status.as_u16().to_string(),
        },
        Verdict::Reply(_) => panic!("it never answers"),
    }
}

fn port_of(upstream: &Upstream) -> String {
    upstream.configured.nodes[0]
        .address
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned()
}

async fn walk(plugin: &dyn Plugin, fixture: &Fixture, times: usize) -> Vec<String> {
    let mut seen = Vec::new();
    for _ in 0..times {
        seen.push(where_to(fixture, plugin, "/").await);
    }
    seen
}

#[tokio::test]
async fn weights_hold_over_a_cycle() {
    let fixture = Fixture::new();
    for (entries, expected) in [
        (json!([inline(1), weighing(inline(2), 2)]), vec!["2", "1", "2"]),
        (json!([weighing(inline(1), 3), {}]), vec!["1", "1", "route", "1"]),
        (json!([weighing(inline(1), 0), inline(2)]), vec!["2", "2"]),
        (json!([weighing(inline(1), 0)]), vec!["1", "1"]),
        (
            json!([weighing(inline(1), 0), weighing(inline(2), 0)]),
            vec!["1", "2", "1"],
        ),
        // The last of two weights for the route's upstream counts.
        (
            json!([{ "weight": 9 }, inline(1), { "weight": 1 }]),
            vec!["route", "1", "route", "1"],
        ),
    ] {
        let conf = json!({ "rules": [{ "weighted_upstreams": entries }] });
        let plugin = fixture.compile(definition, &conf).unwrap();
        assert_eq!(walk(&*plugin, &fixture, expected.len()).await, expected, "{conf}");
    }
}

#[tokio::test]
async fn the_position_outlives_a_recompile() {
    let fixture = Fixture::new();
    let conf = json!({ "rules": [{ "weighted_upstreams": [inline(1), inline(2)] }] });
    let first = fixture.compile(definition, &conf).unwrap();
    assert_eq!(walk(&*first, &fixture, 1).await, ["1"]);
    let again = fixture.compile(definition, &conf).unwrap();
    assert_eq!(walk(&*again, &fixture, 1).await, ["2"]);
}

#[tokio::test]
async fn the_first_rule_that_holds_is_taken() {
    let fixture = Fixture::new();
    let name = |name: &str| json!({ "vars": [["arg_name", "==", name]] });
    let conf = json!({ "rules": [
        { "match": [name("jack"), name("rose")], "weighted_upstreams": [inline(1)] },
        { "match": [{ "vars": [["arg_age", ">", 18], ["arg_ship", "==", "titanic"]] }], "weighted_upstreams": [inline(2)] },
        { "match": [], "weighted_upstreams": [inline(3)] },
    ] });
    let plugin = fixture.compile(definition, &conf).unwrap();
    for (uri, port) in [
        ("/?name=jack", "1"),
        ("/?name=rose&age=20&ship=titanic", "1"),
        ("/?age=20&ship=titanic", "2"),
        ("/?age=20", "route"),
    ] {
        assert_eq!(where_to(&fixture, &*plugin, uri).await, port, "{uri}");
    }
}

#[tokio::test]
async fn an_empty_match_keeps_the_outcome_before_it() {
    let fixture = Fixture::new();
    let first = json!({ "rules": [{ "match": [], "weighted_upstreams": [inline(1)] }] });
    let plugin = fixture.compile(definition, &first).unwrap();
    assert_eq!(where_to(&fixture, &*plugin, "/").await, "1");
}

#[tokio::test]
async fn nothing_to_choose_from() {
    let fixture = Fixture::new();
    for (conf, expected) in [
        (json!({}), "route"),
        (json!({ "rules": [{}] }), "route"),
        (json!({ "rules": [] }), "500"),
        (
            // Looked up before the match, and by its number.
            json!({ "rules": [{
                "match": [{ "vars": [["arg_a", "==", "1"]] }],
                "weighted_upstreams": [inline(1), { "upstream_id": 7 }],
            }] }),
            "500 failed to fetch upstream info by upstream id: 7",
        ),
        (
            json!({ "rules": [{ "weighted_upstreams": [{ "upstream": { "nodes": { "127.0.0.1": 1 } } }] }] }),
            "500",
        ),
        (
            json!({ "rules": [{ "weighted_upstreams": [
                { "upstream": { "service_name": "s", "discovery_type": "dns" } },
            ] }] }),
            "500",
        ),
    ] {
        let plugin = fixture.compile(definition, &conf).unwrap();
        assert_eq!(where_to(&fixture, &*plugin, "/").await, expected, "{conf}");
    }
}

#[tokio::test]
async fn inline_upstreams_are_cut_down() {
    let fixture = Fixture::new();
    let conf = json!({ "rules": [{ "weighted_upstreams": [{ "upstream": {
        "nodes": { "127.0.0.1:1": 1, "127.0.0.1:2": 1 }, "retries": 9, "retry_timeout": 3, "scheme": "grpc",
    } }] }] });
    let plugin = fixture.compile(definition, &conf).unwrap();
    let mut cx = fixture.context("GET", "/");
    assert!(matches!(plugin.access(&mut cx), Step::Done(Verdict::Continue)));
    let upstream = cx.upstream.unwrap();
    assert_eq!((upstream.retries, upstream.retry_timeout), (None, None));
    let origin = upstream.configured.nodes[0].origin.config();
    assert_eq!(origin.protocol, sluice_net::Protocol::Http1);
}

#[test]
fn configurations_are_checked() {
    let info = definition().unwrap().info;
    let vars = |vars: Value| json!({ "rules": [{ "match": [vars] }] });
    for (conf, error) in [
        (
            vars(json!({ "vars": [["arg_name", "123", "jack"]] })),
            "failed to validate the 'vars' expression: invalid operator '123'",
        ),
        (
            vars(json!({})),
            "failed to validate the 'vars' expression: missing argument rule",
        ),
        (
            json!({ "rules": [{ "weighted_upstreams": [] }] }),
            r#"property "rules" validation failed: failed to validate item 1: property "weighted_upstreams" validation failed: expect array to have at least 1 items"#,
        ),
    ] {
        assert_eq!(info.check(&conf, CheckScope::Main).unwrap_err(), error, "{conf}");
    }
}
