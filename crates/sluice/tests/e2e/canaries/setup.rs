//! A gateway full of secrets, and the mistakes that an operator may make with them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};
use sluice_testkit::{Client, FakeProvider, Gateway};

use super::sinks::Sinks;
use super::{
    ADMIN, CLIENT, LLM, LOGGER, METRICS, ODD_CLIENT, PASSWORD, PROVIDER_HEADER, PROVIDER_QUERY, VAULT, WRONG,
};
use crate::support::{binary, dead_addr, done, node};

/// An `ai-proxy` with secrets.
pub(super) fn ai_proxy(endpoint: &str) -> Value {
    let header = json!({ "Authorization": format!("Bearer {PROVIDER_HEADER}") });
    json!({
        "provider": "openai", "timeout": 200, "logging": { "summaries": true }, "override": { "endpoint": endpoint },
        "auth": { "header": header, "query": { "secret": PROVIDER_QUERY } },
    })
}

/// A gateway that says as much as it can.
pub(super) async fn start() -> Gateway {
    let keys = format!("[{{name: ci, key: {ADMIN}, role: admin}}]");
    let format = "$request|$request_uri|$args|$uri|$http_referer|$http_user_agent|$error|$upstream_addr";
    Gateway::builder(binary())
        .arg("--log-level")
        .arg("trace")
        .env("SLUICE_ADMIN_PASSWORD", PASSWORD)
        .env("SLUICE_ADMIN_KEYS", keys)
        .env("SLUICE_METRICS_USERNAME", "prom")
        .env("SLUICE_METRICS_PASSWORD", METRICS)
        .env("SLUICE_ACCESS_LOG_TARGET", "access.log")
        .env("SLUICE_ACCESS_LOG_FORMAT", format)
        .start()
        .await
}

/// A route to a provider, for callers with keys.
fn route(uri: &str, auth: Value, endpoint: &str) -> Value {
    json!({ "uri": uri, "plugins": { "key-auth": auth, "ai-proxy": ai_proxy(endpoint) } })
}

/// Stores everything that holds a secret. What the write replies say is a sink.
pub(super) async fn configure(
    gateway: &Gateway,
    provider: &FakeProvider,
    collector: &FakeProvider,
    sinks: &mut Sinks,
) {
    let endpoint = provider.url(LLM);
    let consumer = json!({ "key-auth": { "key": CLIENT }, "ai-proxy": ai_proxy(&provider.url("")) });
    let mut formatted = route("/ai", json!({}), &endpoint);
    formatted["plugin_config_id"] = json!("formats");
    let odd = json!({ "header": "x-odd-key", "query": "tok" });
    let closed = format!("http://{}", dead_addr());
    let no_tls = format!("https://{}", provider.addr());
    let plain = json!({ "uri": "/plain", "plugins": { "key-auth": {} }, "upstream": node(provider.addr()) });
    for (path, value) in [
        (
            "/global_rules/1",
            json!({ "plugins": loggers(gateway, collector) }),
        ),
        (
            "/plugin_configs/formats",
            json!({ "plugins": { "file-logger": formats(gateway) } }),
        ),
        ("/consumers", json!({ "username": "c", "plugins": consumer })),
        (
            "/consumers/c/credentials/odd",
            json!({ "plugins": { "key-auth": { "key": ODD_CLIENT } } }),
        ),
        ("/routes/ai", formatted),
        ("/routes/odd", route("/odd", odd, &endpoint)),
        ("/routes/closed", route("/closed", json!({}), &closed)),
        ("/routes/tls", route("/tls", json!({}), &no_tls)),
        ("/routes/name", route("/name", json!({}), "http://nobody.invalid")),
        ("/routes/plain", plain),
        ("/providers/canary", registered(&provider.url(""))),
        ("/models/canary", json!({ "targets": [{ "provider": "canary" }] })),
    ] {
        let answer = gateway.admin().put(path, value).await.expect_status(201);
        sinks.add(format!("reply to PUT {path}"), answer.body);
    }
    // Managers are shown as they are, to those who have the admin key (compat §1.11).
    let vault = json!({ "uri": "http://127.0.0.1:1", "prefix": "kv", "token": VAULT });
    gateway
        .admin()
        .put("/secrets/vault/1", vault)
        .await
        .expect_status(201);
}

/// A provider of the model registry with secrets.
fn registered(base_url: &str) -> Value {
    json!({
        "type": "openai", "base_url": base_url, "timeout": 200,
        "auth": { "api_key": PROVIDER_HEADER, "query": { "secret": PROVIDER_QUERY } },
        "headers": { "x-more": PROVIDER_QUERY },
    })
}

fn loggers(gateway: &Gateway, collector: &FakeProvider) -> Value {
    let file = gateway.dir().join("logger.log");
    json!({
        "file-logger": { "path": file, "include_req_body": true, "include_resp_body": true },
        "http-logger": { "uri": collector.url("/collect"), "auth_header": LOGGER, "batch_max_size": 1 },
        "prometheus": {},
    })
}

/// Every variable that could show a key.
fn formats(gateway: &Gateway) -> Value {
    json!({
        "path": gateway.dir().join("formatted.log"),
        "log_format": {
            "a": "$request", "b": "$request_uri", "c": "$args", "d": "$query_string", "e": "$http_referer",
            "f": "$real_request_uri", "g": "$http_apikey", "h": "$arg_key", "agent": "$http_user_agent",
        },
    })
}

/// Mistakes of an operator. What is said about them is a sink.
pub(super) async fn misconfigure(gateway: &Gateway, sinks: &mut Sinks) {
    let admin = gateway.admin();
    let wrong = |pointer: &str, value: Value| {
        let mut conf = ai_proxy("http://127.0.0.1:1");
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        conf.pointer_mut(parent).unwrap()[name] = value;
        conf
    };
    for conf in [
        wrong("/provider", json!("nobody")),
        wrong("/auth/header/Authorization", json!([PROVIDER_HEADER])),
        wrong("/auth/token", json!(PROVIDER_HEADER)),
    ] {
        let answer = admin
            .put(
                "/routes/wrong",
                json!({ "uri": "/w", "plugins": { "ai-proxy": conf } }),
            )
            .await;
        sinks.add("refusal of a route", answer.expect_status(400).body);
    }
    let mut provider = registered("http://127.0.0.1:1");
    provider["auth"]["api_key"] = json!([PROVIDER_HEADER]);
    let answer = admin.put("/providers/wrong", provider).await.expect_status(400);
    sinks.add("refusal of a provider", answer.body);
    for path in ["/providers/canary/test", "/providers/nobody/test"] {
        let answer = admin.post(path, json!({ "model": "m" })).await;
        sinks.add("test of a provider", answer.body);
    }
    let twin = json!({ "username": "twin", "plugins": { "key-auth": { "key": CLIENT } } });
    sinks.add(
        "refusal of a consumer",
        admin.put("/consumers", twin).await.expect_status(400).body,
    );

    let client = Client::new(gateway.admin_addr());
    let routes = "/apisix/admin/routes";
    let basic = format!("Basic {}", STANDARD.encode(format!("prom:{WRONG}")));
    for call in [
        client.get(&format!("{routes}?api_key={WRONG}")),
        client.get(routes).header("x-api-key", WRONG),
        client.get(routes).header("cookie", &format!("x_api_key={WRONG}")),
        client.get("/metrics").header("authorization", &basic),
    ] {
        let refused = call.send().await.expect_status(401).await;
        sinks.add("refusal of a key", refused.bytes().await);
    }
    done(client.get(&format!("{routes}/ai?api_key={ADMIN}")), 200).await;
    let patch = client
        .call(Method::PATCH, &format!("{routes}/ai"))
        .header("x-api-key", ADMIN);
    let patched = patch
        .json(&json!({ "desc": "changed" }))
        .send()
        .await
        .expect_status(200)
        .await;
    sinks.add("reply to PATCH", patched.bytes().await);
}
