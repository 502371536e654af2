//! Which plugins and which upstream a route has in the end, and when plugins run (compat §2.5, §3.1, §3.2).

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Reply};

use super::get;
use crate::support::{dead_addr, gateway, node, put, put_consumer};

#[tokio::test]
async fn the_nearest_plugin_replaces_the_others_whole() {
    let gateway = gateway().await;
    let rewrite = |whom: &str| json!({ "response-rewrite": { "headers": { format!("x-{whom}"): "1" } } });
    let with_key = |mut plugins: Value| {
        plugins["key-auth"] = json!({});
        plugins
    };
    let consumer = |plugins: Value| {
        let mut plugins = plugins;
        plugins["key-auth"] = json!({ "key": "k" });
        json!({ "username": "c", "group_id": "g", "plugins": plugins })
    };
    let route = |plugins: Value| json!({ "uri": "/m", "service_id": "s", "plugin_config_id": "p", "plugins": plugins });
    put(
        &gateway,
        "/services/s",
        json!({ "plugins": with_key(rewrite("service")) }),
    )
    .await;
    put(
        &gateway,
        "/plugin_configs/p",
        json!({ "plugins": rewrite("config") }),
    )
    .await;
    put(
        &gateway,
        "/consumer_groups/g",
        json!({ "plugins": rewrite("group") }),
    )
    .await;
    put(&gateway, "/consumers", consumer(rewrite("consumer"))).await;
    put(&gateway, "/routes/1", route(rewrite("route"))).await;
    let sources = ["service", "config", "route", "group", "consumer"];
    let shown = async || {
        let answer = gateway.client().get("/m").header("apikey", "k").send().await;
        let has = |whom: &&str| answer.headers.contains_key(format!("x-{whom}"));
        sources.into_iter().filter(has).collect::<Vec<_>>()
    };
    assert_eq!(shown().await, ["consumer"]);
    put(&gateway, "/consumers", consumer(json!({}))).await;
    assert_eq!(shown().await, ["group"]);
    let nothing = json!({ "plugins": { "ip-restriction": { "blacklist": ["10.0.0.1"] } } });
    put(&gateway, "/consumer_groups/g", nothing).await;
    assert_eq!(shown().await, ["route"]);
    put(&gateway, "/routes/1", route(json!({}))).await;
    assert_eq!(shown().await, ["config"]);
    put(&gateway, "/plugin_configs/p", json!({ "plugins": {} })).await;
    assert_eq!(shown().await, ["service"]);
}

#[tokio::test]
async fn plugins_of_the_caller_run_their_rewrite_phase_too() {
    let provider = FakeProvider::start();
    provider.always(Reply::body(200, "text/plain", "ok"));
    let gateway = gateway().await;
    let rewrite = |value: &str| json!({ "headers": { "set": { "x-who": value } } });
    let group = json!({ "plugins": { "proxy-rewrite": rewrite("$consumer_group_id") } });
    put(&gateway, "/consumer_groups/g", group).await;
    put_consumer(&gateway, "alone").await;
    let grouped = json!({ "username": "grouped", "group_id": "g", "plugins": { "key-auth": { "key": "key-grouped" } } });
    put(&gateway, "/consumers", grouped).await;
    let route = json!({ "uri": "/who", "plugins": { "key-auth": {} }, "upstream": node(provider.addr()) });
    put(&gateway, "/routes/1", route).await;
    for (name, who) in [("alone", None), ("grouped", Some("g"))] {
        let call = gateway
            .client()
            .get("/who")
            .header("apikey", &format!("key-{name}"));
        call.send().await.expect_status(200).await;
        let sent = provider.last_request();
        assert_eq!(sent.header("x-who"), who);
        assert_eq!(sent.header("x-consumer-username"), Some(name));
    }
}

#[tokio::test]
async fn global_rules_meet_every_request() {
    let gateway = gateway().await;
    let rule = json!({ "plugins": {
        "response-rewrite": { "headers": { "set": { "x-global": "1", "x-both": "global" } } },
        "ip-restriction": { "blacklist": ["127.0.0.1"], "message": "no", "_meta": { "filter": [["arg_deny", "==", "1"]] } },
    } });
    put(&gateway, "/global_rules/1", rule).await;
    let both =
        json!({ "response-rewrite": { "status_code": 200, "headers": { "set": { "x-both": "route" } } } });
    put(&gateway, "/routes/1", json!({ "uri": "/r", "plugins": both })).await;
    let client = gateway.client();
    let there = client.get("/r").send().await.expect_status(200).await;
    assert_eq!(
        (there.header("x-global"), there.header("x-both")),
        (Some("1"), Some("route")),
        "the route's run later"
    );
    let nowhere = client.get("/nowhere").send().await.expect_status(404).await;
    assert_eq!(
        (nowhere.header("x-global"), nowhere.header("x-both")),
        (Some("1"), Some("global"))
    );
    for target in ["/r?deny=1", "/nowhere?deny=1"] {
        let denied = client.get(target).send().await;
        let shown = (denied.status.as_u16(), denied.header("x-global").is_some());
        let status = if target.starts_with("/r") { 200 } else { 403 };
        assert_eq!(shown, (status, true), "{target}");
        assert_eq!(denied.json().await, json!({ "message": "no" }), "{target}");
    }
    gateway.admin().delete("/global_rules/1").await.expect_status(200);
    let after = client.get("/r").send().await;
    assert_eq!(
        (after.header("x-global"), after.header("x-both")),
        (None, Some("route"))
    );
}

/// Refuses everybody with 403, or the other way with 401: whichever runs first is seen.
fn refusing(restriction: Value, consumers: Value) -> Value {
    let mut plugins = json!({
        "ip-restriction": { "blacklist": ["127.0.0.1"] },
        "consumer-restriction": { "whitelist": ["nobody"] },
    });
    plugins["ip-restriction"]["_meta"] = restriction;
    plugins["consumer-restriction"]["_meta"] = consumers;
    plugins
}

#[tokio::test]
async fn meta_decides_whether_when_and_with_which_words_a_plugin_runs() {
    let gateway = gateway().await;
    let address = json!({ "message": "Your IP address is not allowed" }).to_string() + "\n";
    let words = json!({ "error": { "code": 7 } });
    for (restriction, consumers, status, body) in [
        (json!({}), json!({}), 403, Some(address.clone())),
        (json!({}), json!({ "priority": 3001 }), 401, None),
        (json!({ "priority": 2399 }), json!({}), 401, None),
        (json!({ "disable": true }), json!({}), 401, None),
        (
            json!({ "filter": [["arg_a", "==", "1"]] }),
            json!({}),
            403,
            Some(address),
        ),
        (json!({ "filter": [["arg_a", "==", "2"]] }), json!({}), 401, None),
        (
            json!({ "error_response": "plain words" }),
            json!({}),
            403,
            Some("plain words".to_owned()),
        ),
        (
            json!({ "error_response": words }),
            json!({}),
            403,
            Some(format!("{words}\n")),
        ),
    ] {
        let shown = format!("{restriction} {consumers}");
        let route = json!({ "uri": "/meta", "plugins": refusing(restriction, consumers) });
        put(&gateway, "/routes/1", route).await;
        let answer = gateway.client().get("/meta?a=1").send().await;
        assert_eq!(answer.status.as_u16(), status, "{shown}");
        if let Some(body) = body {
            assert_eq!(answer.text().await, body, "{shown}");
        }
    }
    let unknown = refusing(json!({ "prio": 1 }), json!({}));
    let refused = gateway
        .admin()
        .put("/routes/1", json!({ "uri": "/meta", "plugins": unknown }))
        .await;
    refused.expect_status(400);
}

#[tokio::test]
async fn a_disabled_plugin_need_not_be_configured() {
    let gateway = gateway().await;
    let off = json!({ "count": "many", "rejected_code": 7, "_meta": { "disable": true } });
    let plugins = json!({ "limit-count": off, "response-rewrite": { "status_code": 200, "body": "served" } });
    let route = |plugins: &Value| json!({ "uri": "/off", "plugins": plugins });
    put(&gateway, "/routes/1", route(&plugins)).await;
    assert_eq!(get(&gateway, "/off").await, "served");
    let mut on = plugins;
    on["limit-count"]["_meta"]["disable"] = json!(false);
    let refused = gateway.admin().put("/routes/1", route(&on)).await;
    refused.expect_status(400);
    assert_eq!(
        get(&gateway, "/off").await,
        "served",
        "what was stored stays in force"
    );
}

#[tokio::test]
async fn a_filter_skips_a_plugin_in_all_its_phases() {
    let gateway = gateway().await;
    let plugins = json!({
        "request-id": { "_meta": { "filter": [["http_x_id", "==", "yes"]] } },
        "response-rewrite": { "status_code": 200, "_meta": { "filter": [["status", "==", 503]] } },
    });
    put(&gateway, "/routes/1", json!({ "uri": "/f", "plugins": plugins })).await;
    let client = gateway.client();
    let without = client.get("/f").send().await.expect_status(200).await;
    assert_eq!(without.header("x-request-id"), None);
    let with = client
        .get("/f")
        .header("x-id", "yes")
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(with.header("x-request-id").map(str::len), Some(36));
}

#[tokio::test]
async fn references_that_lead_nowhere_have_their_statuses() {
    let provider = FakeProvider::start();
    let gateway = gateway().await;
    let admin = gateway.admin();
    put(&gateway, "/services/s", json!({ "name": "s" })).await;
    put(&gateway, "/upstreams/u", node(provider.addr())).await;
    put(&gateway, "/plugin_configs/p", json!({ "plugins": {} })).await;
    put(&gateway, "/consumer_groups/g", json!({ "plugins": {} })).await;
    let consumer = json!({ "username": "c", "group_id": "g", "plugins": { "key-auth": { "key": "k" } } });
    put(&gateway, "/consumers", consumer).await;
    for (id, route) in [
        ("service", json!({ "service_id": "s" })),
        ("upstream", json!({ "upstream_id": "u" })),
        ("config", json!({ "plugin_config_id": "p", "plugins": {} })),
        ("group", json!({ "plugins": { "key-auth": {} } })),
        ("nothing", json!({ "plugins": { "request-id": {} } })),
        (
            "no-nodes",
            json!({ "upstream": { "type": "roundrobin", "nodes": {} } }),
        ),
    ] {
        let mut route = route;
        route["uri"] = json!(format!("/{id}"));
        put(&gateway, &format!("/routes/{id}"), route).await;
    }
    for path in [
        "/services/s",
        "/upstreams/u",
        "/plugin_configs/p",
        "/consumer_groups/g",
    ] {
        admin.delete(path).await.expect_status(400);
        admin
            .delete(&format!("{path}?force=true"))
            .await
            .expect_status(200);
    }
    let client = gateway.client().with_header("apikey", "k");
    for (id, status) in [
        ("service", 404),
        ("upstream", 502),
        ("config", 503),
        ("group", 503),
        ("nothing", 503),
        ("no-nodes", 503),
    ] {
        let answer = client.get(&format!("/{id}")).send().await;
        assert_eq!(answer.status.as_u16(), status, "{id}");
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn a_route_takes_over_the_upstream_of_its_service_unless_it_has_one() {
    let [service, own, named] = [
        FakeProvider::start(),
        FakeProvider::start(),
        FakeProvider::start(),
    ];
    let gateway = gateway().await;
    put(&gateway, "/upstreams/named", node(named.addr())).await;
    put(
        &gateway,
        "/services/s",
        json!({ "upstream": node(service.addr()) }),
    )
    .await;
    put(&gateway, "/services/n", json!({ "upstream_id": "named" })).await;
    for (id, route) in [
        ("taken", json!({ "service_id": "s" })),
        ("own", json!({ "service_id": "s", "upstream": node(own.addr()) })),
        (
            "own-over-id",
            json!({ "service_id": "n", "upstream": node(own.addr()) }),
        ),
        ("id", json!({ "service_id": "s", "upstream_id": "named" })),
        (
            "both",
            json!({ "upstream": node(own.addr()), "upstream_id": "named" }),
        ),
    ] {
        let mut route = route;
        route["uri"] = json!(format!("/{id}"));
        put(&gateway, &format!("/routes/{id}"), route).await;
    }
    for provider in [&service, &own, &named] {
        provider.always(Reply::body(200, "text/plain", "ok"));
    }
    for (id, provider) in [
        ("taken", &service),
        ("own", &own),
        ("own-over-id", &own),
        ("id", &named),
        ("both", &named),
    ] {
        assert_eq!(get(&gateway, &format!("/{id}")).await, "ok");
        assert_eq!(provider.last_request().path, format!("/{id}"));
    }
    put(&gateway, "/upstreams/named", node(dead_addr())).await;
    assert_eq!(
        get(&gateway, "/id").await,
        "502",
        "routes see the change of an upstream that they refer to"
    );
}
