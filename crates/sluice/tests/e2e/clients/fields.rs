//! Whatever is wrong with a write is told at the field of the form that has it.

use super::*;

/// Method, path and body of a write, with the field at which it is refused.
type Wrong = (Method, &'static str, Value, &'static str);

/// Every endpoint that takes a form, with values that only deep checks find, too.
fn wrong_writes() -> Vec<Wrong> {
    let client = |member: &str, value: Value| {
        let mut body = json!({ "name": "x", "limits": {} });
        body[member] = value;
        body
    };
    let openai = |more: Value| {
        let mut provider = json!({ "type": "openai", "api_key": "sk" });
        for (name, value) in more.as_object().unwrap() {
            provider[name] = value.clone();
        }
        provider
    };
    let (post, put, patch) = (Method::POST, Method::PUT, Method::PATCH);
    let limits = |limits: Value| json!({ "limits": limits });
    vec![
        (post.clone(), "/clients", json!({}), "name"),
        (post.clone(), "/clients", client("nmae", json!("x")), "nmae"),
        (post.clone(), "/clients", client("active", json!("yes")), "active"),
        (post.clone(), "/clients", client("tags", json!([1])), "tags[0]"),
        (
            post.clone(),
            "/clients",
            client("group", json!("nobody")),
            "group",
        ),
        (
            post.clone(),
            "/clients",
            client("limits", json!({ "tokens_per_day": -1 })),
            "limits.tokens_per_day",
        ),
        (
            post.clone(),
            "/clients",
            client("limits", json!({ "tokens_a_day": 1 })),
            "limits.tokens_a_day",
        ),
        (
            post.clone(),
            "/clients",
            client(
                "limits",
                json!({ "time_zone": "Europe/Berlim", "tokens_per_day": 1 }),
            ),
            "limits.time_zone",
        ),
        (
            post.clone(),
            "/clients",
            client(
                "limits",
                json!({ "requests_per_minute": 100, "requests_per_hour": 10 }),
            ),
            "limits.requests_per_minute",
        ),
        (
            post.clone(),
            "/clients",
            client(
                "limits",
                json!({ "per_model": { "gpt-4o": { "tokens_per_day": "many" } } }),
            ),
            "limits.per_model.gpt-4o.tokens_per_day",
        ),
        (
            post.clone(),
            "/clients",
            client("allowed_addresses", json!(["nowhere"])),
            "allowed_addresses",
        ),
        (
            post.clone(),
            "/clients",
            client("provider", openai(json!({ "base_url": "ftp://x" }))),
            "provider.base_url",
        ),
        (
            post.clone(),
            "/clients",
            client("provider", openai(json!({ "kind": "x" }))),
            "provider.kind",
        ),
        (
            post.clone(),
            "/clients",
            client("provider", json!({ "api_key": "sk" })),
            "provider.type",
        ),
        (patch.clone(), "/clients/ann", json!({ "name": "x" }), "version"),
        (patch, "/clients/ann", json!({ "version": "1" }), "version"),
        (
            post.clone(),
            "/clients/bulk",
            json!({ "ids": ["ann"], "action": "paint" }),
            "action",
        ),
        (
            post.clone(),
            "/clients/bulk",
            json!({ "ids": ["ann"], "action": "tag" }),
            "tag",
        ),
        (
            post.clone(),
            "/clients/ann/keys",
            json!({ "style": "loud" }),
            "style",
        ),
        (
            post.clone(),
            "/clients/ann/keys",
            json!({ "style": "custom", "prefix": "a b" }),
            "prefix",
        ),
        (
            post.clone(),
            "/clients/ann/keys",
            json!({ "expires_at": 1 }),
            "expires_at",
        ),
        (
            post.clone(),
            "/clients/ann/keys/k/rotate",
            json!({ "grace_seconds": 99_999_999 }),
            "grace_seconds",
        ),
        (put.clone(), "/groups/a%20b", limits(json!({})), "id"),
        (
            put.clone(),
            "/groups/team",
            limits(json!({ "tokens_per_month": "x" })),
            "limits.tokens_per_month",
        ),
        (
            put.clone(),
            "/groups/team",
            json!({ "allowed_models": [""] }),
            "allowed_models.0",
        ),
        (put.clone(), "/groups/team", json!({ "members": 1 }), "members"),
        (post.clone(), "/providers", json!({ "name": "x" }), "type"),
        (post.clone(), "/providers", json!({ "type": "nobody" }), "type"),
        (
            post.clone(),
            "/providers",
            openai(json!({ "base_url": "ftp://x" })),
            "base_url",
        ),
        (
            post.clone(),
            "/providers",
            openai(json!({ "timeout_ms": -5 })),
            "timeout_ms",
        ),
        (
            post.clone(),
            "/providers",
            openai(json!({ "extra": { "nonsense": 1 } })),
            "extra.nonsense",
        ),
        (post.clone(), "/providers/test", json!({}), "id"),
        (put.clone(), "/models/m", json!({ "targets": [] }), "targets"),
        (
            put.clone(),
            "/models/m",
            json!({ "targets": [{ "provider": "nobody" }] }),
            "targets",
        ),
        (
            post.clone(),
            "/members",
            json!({ "name": "bob", "password": "a long password" }),
            "role",
        ),
        (
            post.clone(),
            "/members",
            json!({ "name": "bob", "password": "a long password", "role": "king" }),
            "role",
        ),
        (
            post.clone(),
            "/members",
            json!({ "name": "bob", "password": "x", "role": "admin" }),
            "password",
        ),
        (
            post.clone(),
            "/members",
            json!({ "name": "", "password": "a long password", "role": "admin" }),
            "name",
        ),
        (
            post.clone(),
            "/tokens",
            json!({ "name": "t", "role": "king" }),
            "role",
        ),
        (
            post.clone(),
            "/setup",
            json!({ "token": "t", "name": "a" }),
            "password",
        ),
        (
            put.clone(),
            "/resources/routes/r",
            json!({ "value": { "uri": 7 } }),
            "value.uri",
        ),
        (
            put.clone(),
            "/resources/routes/r",
            json!({ "value": { "uri": "/x", "plugins": { "limit-count": { "count": 0 } } } }),
            "value.plugins.limit-count.count",
        ),
        (
            put.clone(),
            "/resources/routes/r",
            json!({ "value": { "uri": "/x", "service_id": "s" } }),
            "value.service_id",
        ),
        (put, "/resources/routes/r", json!({}), "value"),
        (
            post.clone(),
            "/resources/routes/validate",
            json!({ "value": { "uri": "/x", "nonsense": 1 } }),
            "value.nonsense",
        ),
        (
            post,
            "/resources/upstreams/validate",
            json!({ "value": { "nodes": [{ "host": "a", "port": 1, "weight": -1 }] } }),
            "value.nodes",
        ),
    ]
}

#[tokio::test]
async fn every_write_tells_its_fault_at_the_field() {
    let site = Site::start().await;
    site.client(json!({ "id": "ann" })).await;
    let mut wrong = Vec::new();
    for (method, path, body, field) in wrong_writes() {
        let (status, refused) = site.call(method.clone(), path, body.clone()).await;
        let told = &refused["error"]["fields"][0];
        let said = told["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty());
        if status != 400 || told["field"] != field || !said {
            wrong.push(format!(
                "{method} {path} {body}: wants {field}, got {status} {refused}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(site.get("/clients").await["total"], 1, "nothing was written");
}
