//! `traffic-split` (compat §6.8.1).

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use super::refusal;
use crate::support::{chat, dead_addr, gateway, node, openai, put, put_consumer, with_route};

/// An upstream that answers with its name.
fn named(name: &'static str) -> FakeProvider {
    let provider = FakeProvider::start();
    provider.always(Reply::body(200, "text/plain", name));
    provider
}

/// Route 1, `/*`, to `own`, split like this.
async fn split(gateway: &Gateway, own: &FakeProvider, rules: Value) {
    let plugins = json!({ "traffic-split": { "rules": rules } });
    let route = json!({ "uri": "/*", "plugins": plugins, "upstream": node(own.addr()) });
    put(gateway, "/routes/1", route).await;
}

async fn said(gateway: &Gateway, target: &str) -> String {
    let answer = gateway.client().get(target).send().await;
    match answer.status.as_u16() {
        200 => answer.text().await,
        status => format!("{status} {}", answer.text().await),
    }
}

async fn walk(gateway: &Gateway, times: usize) -> String {
    let mut seen = Vec::new();
    for _ in 0..times {
        seen.push(said(gateway, "/").await);
    }
    seen.join(" ")
}

fn inline(provider: &FakeProvider, weight: u32) -> Value {
    json!({ "upstream": node(provider.addr()), "weight": weight })
}

#[tokio::test]
async fn shares_are_exact() {
    let (own, canary) = (named("own"), named("canary"));
    let gateway = gateway().await;
    for (entries, expected) in [
        (
            json!([inline(&canary, 2), { "weight": 1 }]),
            "canary own canary canary own canary",
        ),
        (json!([inline(&canary, 0), { "weight": 1 }]), "own own own"),
        (json!([inline(&canary, 0)]), "canary canary"),
        (json!([{ "weight": 0 }, inline(&canary, 0)]), "own canary own"),
        (
            json!([{ "weight": 5 }, inline(&canary, 1), { "weight": 1 }]),
            "own canary own canary",
        ),
    ] {
        split(&gateway, &own, json!([{ "weighted_upstreams": entries }])).await;
        let times = expected.split(' ').count();
        assert_eq!(walk(&gateway, times).await, expected, "{entries}");
    }
}

#[tokio::test]
async fn turns_go_on_after_an_unrelated_edit() {
    let (own, canary) = (named("own"), named("canary"));
    let gateway = gateway().await;
    let rules = json!([{ "weighted_upstreams": [{}, inline(&canary, 1)] }]);
    split(&gateway, &own, rules.clone()).await;
    assert_eq!(walk(&gateway, 1).await, "own");
    put(
        &gateway,
        "/routes/2",
        json!({ "uri": "/other", "upstream": node(own.addr()) }),
    )
    .await;
    split(&gateway, &own, rules).await;
    assert_eq!(walk(&gateway, 2).await, "canary own");
}

#[tokio::test]
async fn the_first_rule_that_holds_decides() {
    let (own, first, second) = (named("own"), named("first"), named("second"));
    let gateway = gateway().await;
    let rules = json!([
        {
            "match": [
                { "vars": [["arg_name", "==", "jack"], ["http_x_age", ">", 18]] },
                { "vars": [["post_arg.model", "~~", "^gpt"]] },
            ],
            "weighted_upstreams": [inline(&first, 1)],
        },
        { "match": [{ "vars": [["cookie_who", "in", ["rose", "cal"]]] }], "weighted_upstreams": [inline(&second, 1)] },
    ]);
    split(&gateway, &own, rules).await;
    for (target, headers, body, expected) in [
        ("/?name=jack", &[("x-age", "20")][..], "", "first"),
        ("/?name=jack", &[("x-age", "17")], "", "own"),
        ("/?name=jack", &[("cookie", "who=rose")], "", "second"),
        ("/", &[], r#"{"model":"gpt-4o"}"#, "first"),
        ("/", &[], r#"{"model":"claude"}"#, "own"),
        ("/", &[], "", "own"),
    ] {
        let call = gateway
            .client()
            .post(target)
            .header("content-type", "application/json");
        let call = headers
            .iter()
            .fold(call, |call, (name, value)| call.header(name, value));
        let answer = call.body(body).send().await.expect_status(200).await;
        assert_eq!(answer.text().await, expected, "{target} {headers:?} {body}");
    }
}

#[tokio::test]
async fn a_match_without_items_keeps_the_outcome_before_it() {
    let (own, first, second) = (named("own"), named("first"), named("second"));
    let gateway = gateway().await;
    let rules = json!([
        { "match": [{ "vars": [["arg_a", "==", "1"]] }], "weighted_upstreams": [inline(&first, 1)] },
        { "match": [], "weighted_upstreams": [inline(&second, 1)] },
    ]);
    split(&gateway, &own, rules).await;
    assert_eq!(said(&gateway, "/?a=1").await, "first");
    assert_eq!(said(&gateway, "/").await, "own", "the first did not hold");
    let rules = json!([{ "match": [], "weighted_upstreams": [inline(&second, 1)] }]);
    split(&gateway, &own, rules).await;
    assert_eq!(said(&gateway, "/").await, "second");
}

#[tokio::test]
async fn stored_upstreams_are_looked_up_per_request() {
    let (own, canary, later) = (named("own"), named("canary"), named("later"));
    let gateway = gateway().await;
    let vars = json!([{ "vars": [["arg_canary", "==", "1"]] }]);
    let entry = json!({ "upstream_id": "canary", "upstream": node(dead_addr()) });
    split(
        &gateway,
        &own,
        json!([{ "match": vars, "weighted_upstreams": [entry] }]),
    )
    .await;
    let missing = "500 failed to fetch upstream info by upstream id: canary";
    assert_eq!(said(&gateway, "/?canary=1").await, missing);
    assert_eq!(said(&gateway, "/").await, missing, "looked up before the match");

    put(&gateway, "/upstreams/canary", node(canary.addr())).await;
    assert_eq!(said(&gateway, "/?canary=1").await, "canary");
    assert_eq!(said(&gateway, "/").await, "own");
    put(&gateway, "/upstreams/canary", node(later.addr())).await;
    assert_eq!(said(&gateway, "/?canary=1").await, "later", "an edit is seen");

    let refused = gateway
        .admin()
        .delete("/upstreams/canary")
        .await
        .expect_status(400);
    let text = "can not delete this upstream, plugin in route [1] is still using it now";
    assert_eq!(refused.json()["error_msg"], text);
    let forced = gateway.admin().delete("/upstreams/canary?force=true").await;
    forced.expect_status(200);
    assert_eq!(said(&gateway, "/?canary=1").await, missing);
}

/// An id may be a number, and one that stands twice counts once, with its last weight.
#[tokio::test]
async fn ids_are_text_or_numbers() {
    let (own, canary) = (named("own"), named("canary"));
    let gateway = gateway().await;
    put(&gateway, "/upstreams/7", node(canary.addr())).await;
    let entries = json!([{ "upstream_id": 7, "weight": 9 }, {}, { "upstream_id": "7", "weight": 1 }]);
    split(&gateway, &own, json!([{ "weighted_upstreams": entries }])).await;
    assert_eq!(walk(&gateway, 4).await, "canary own canary own");
}

#[tokio::test]
async fn stored_upstreams_keep_their_retries_and_inline_ones_do_not() {
    let (own, live) = (named("own"), named("live"));
    let gateway = gateway().await;
    let nodes = json!([
        { "host": "127.0.0.1", "port": dead_addr().port(), "weight": 1, "priority": 1 },
        { "host": "127.0.0.1", "port": live.addr().port(), "weight": 1, "priority": 0 },
    ]);
    let unretried = json!({ "type": "roundrobin", "nodes": nodes, "retries": 0 });
    put(&gateway, "/upstreams/u", unretried.clone()).await;
    let by_id = json!([{ "weighted_upstreams": [{ "upstream_id": "u" }] }]);
    split(&gateway, &own, by_id).await;
    assert!(said(&gateway, "/").await.starts_with("502 "));
    let inside = json!([{ "weighted_upstreams": [{ "upstream": unretried }] }]);
    split(&gateway, &own, inside).await;
    assert_eq!(said(&gateway, "/").await, "live", "as many tries as nodes");
}

#[tokio::test]
async fn inline_upstreams_choose_the_host_and_the_node() {
    let (own, canary) = (named("own"), named("canary"));
    let gateway = gateway().await;
    let mut upstream = node(canary.addr());
    upstream["pass_host"] = json!("rewrite");
    upstream["upstream_host"] = json!("canary.example");
    let rules = json!([{ "weighted_upstreams": [{ "upstream": upstream }] }]);
    split(&gateway, &own, rules).await;
    assert_eq!(said(&gateway, "/").await, "canary");
    assert_eq!(canary.last_request().header("host"), Some("canary.example"));

    let nodes = json!({ own.addr().to_string(): 1, canary.addr().to_string(): 1 });
    let hashed = json!({ "type": "chash", "key": "arg_user", "hash_on": "vars", "nodes": nodes });
    split(
        &gateway,
        &own,
        json!([{ "weighted_upstreams": [{ "upstream": hashed }] }]),
    )
    .await;
    let mut seen = std::collections::BTreeSet::new();
    for user in 0..32 {
        let target = format!("/?user={user}");
        let once = said(&gateway, &target).await;
        assert_eq!(said(&gateway, &target).await, once);
        seen.insert(once);
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[tokio::test]
async fn upstreams_that_cannot_be_used_fail_the_request() {
    let own = named("own");
    let gateway = gateway().await;
    for (upstream, status) in [
        (json!({ "nodes": { "127.0.0.1": 1 } }), "500"),
        (json!({ "service_name": "s", "discovery_type": "dns" }), "500"),
        (node(dead_addr()), "502"),
        (json!({ "nodes": { "no-such-host.invalid:80": 1 } }), "502"),
    ] {
        let rules = json!([{ "weighted_upstreams": [{ "upstream": upstream }] }]);
        split(&gateway, &own, rules).await;
        let got = said(&gateway, "/").await;
        assert!(got.starts_with(status), "{upstream}: {got}");
    }
    split(&gateway, &own, json!([])).await;
    assert!(said(&gateway, "/").await.starts_with("500 <html>"));
    assert!(own.requests().is_empty());
    let route = json!({ "uri": "/*", "plugins": { "traffic-split": {} }, "upstream": node(own.addr()) });
    put(&gateway, "/routes/1", route).await;
    assert_eq!(said(&gateway, "/").await, "own");
}

#[tokio::test]
async fn the_route_needs_no_upstream_unless_it_names_one() {
    let canary = named("canary");
    let gateway = gateway().await;
    put(&gateway, "/upstreams/stored", node(canary.addr())).await;
    put(&gateway, "/upstreams/gone", node(canary.addr())).await;
    let of = |entry: Value| json!({ "traffic-split": { "rules": [{ "weighted_upstreams": [entry] }] } });
    let inside = json!({ "upstream": node(canary.addr()) });
    for (path, upstream_id, entry) in [
        ("/free", None, &inside),
        ("/alone", None, &json!({ "weight": 1 })),
        ("/bound", Some("gone"), &inside),
        ("/stored", Some("gone"), &json!({ "upstream_id": "stored" })),
    ] {
        let mut route = json!({ "uri": path, "plugins": of(entry.clone()) });
        if let Some(id) = upstream_id {
            route["upstream_id"] = json!(id);
        }
        put(&gateway, &format!("/routes{path}"), route).await;
    }
    let gone = gateway.admin().delete("/upstreams/gone?force=true").await;
    gone.expect_status(200);
    for (path, expected) in [
        ("/free", "canary"),
        ("/alone", "503"),
        ("/bound", "502"),
        ("/stored", "canary"),
    ] {
        let got = said(&gateway, path).await;
        assert!(got.starts_with(expected), "{path}: {got}");
    }
}

#[tokio::test]
async fn callers_and_global_rules_split_too() {
    let (own, canary) = (named("own"), named("canary"));
    let gateway = gateway().await;
    let rules = json!({ "rules": [{ "weighted_upstreams": [inline(&canary, 1)] }] });
    put_consumer(&gateway, "rose").await;
    let jack = json!({
        "username": "jack",
        "plugins": { "key-auth": { "key": "key-jack" }, "traffic-split": rules },
    });
    put(&gateway, "/consumers", jack).await;
    let route = json!({ "uri": "/*", "plugins": { "key-auth": {} }, "upstream": node(own.addr()) });
    put(&gateway, "/routes/1", route).await;
    let as_caller = async |key: &str| {
        let answer = gateway.client().get("/").header("apikey", key).send().await;
        answer.expect_status(200).await.text().await
    };
    assert_eq!(as_caller("key-jack").await, "canary");
    assert_eq!(as_caller("key-rose").await, "own");
    put(
        &gateway,
        "/global_rules/1",
        json!({ "plugins": { "traffic-split": rules } }),
    )
    .await;
    assert_eq!(as_caller("key-rose").await, "canary");
}

#[tokio::test]
async fn ai_routes_are_not_split() {
    let (provider, canary) = (FakeProvider::start(), named("canary"));
    let rules = json!([{ "weighted_upstreams": [inline(&canary, 1)] }]);
    let gateway =
        with_route(json!({ "ai-proxy": openai(&provider), "traffic-split": { "rules": rules } })).await;
    let call = gateway.client().post("/v1/chat/completions").json(&chat("hello"));
    call.send().await.expect_status(200).await.bytes().await;
    assert_eq!((provider.requests().len(), canary.requests().len()), (1, 0));
}

#[tokio::test]
async fn bad_configurations_are_refused() {
    let gateway = gateway().await;
    let prefix = "failed to check the configuration of plugin traffic-split err: ";
    let rule = |rule: Value| json!({ "rules": [rule] });
    let entry = |entry: Value| rule(json!({ "weighted_upstreams": [entry] }));
    let item = r#"property "rules" validation failed: failed to validate item 1: property "weighted_upstreams" validation failed: "#;
    for (conf, error) in [
        (
            rule(json!({ "match": [{ "vars": [["arg_name", "123", "jack"]] }] })),
            "failed to validate the 'vars' expression: invalid operator '123'".to_owned(),
        ),
        (
            rule(json!({ "match": [{}] })),
            "failed to validate the 'vars' expression: missing argument rule".to_owned(),
        ),
        (
            rule(json!({ "weighted_upstreams": [] })),
            format!("{item}expect array to have at least 1 items"),
        ),
        (
            rule(json!({ "weighted_upstreams": vec![json!({}); 21] })),
            format!("{item}expect array to have at most 20 items"),
        ),
        (
            entry(json!({ "weight": -1 })),
            format!(
                r#"{item}failed to validate item 1: property "weight" validation failed: expected -1 to be at least 0"#
            ),
        ),
        (
            entry(json!({ "upstream": { "type": "roundrobin" } })),
            format!(
                r#"{item}failed to validate item 1: property "upstream" validation failed: value should match only one schema, but matches none"#
            ),
        ),
    ] {
        assert_eq!(
            refusal(&gateway, "traffic-split", conf).await,
            format!("{prefix}{error}")
        );
    }
}
