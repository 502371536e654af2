//! `POST configs/validate` (compat §1.8).

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::support::{Admin, Answer, KEY};

impl Admin {
    async fn validate(&self, config: Value) -> Answer {
        self.post("configs/validate", config).await
    }

    async fn validate_yaml(&self, config: &str) -> Answer {
        let request = Request::post("/apisix/admin/configs/validate")
            .header("x-api-key", KEY)
            .header("content-type", "application/yaml; charset=utf-8")
            .body(Body::from(config.to_owned()));
        self.send(self.server.admin_router(), request.unwrap()).await
    }
}

#[track_caller]
fn faults(answer: &Answer) -> Vec<Value> {
    let report = answer.json();
    assert_eq!(
        (answer.status.as_u16(), &report["error_msg"]),
        (400, &json!("Configuration validation failed"))
    );
    report["errors"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_holds_is_an_empty_object() {
    let admin = Admin::start().await;
    let config = json!({
        "routes": [{"id": "r1", "uri": "/", "service_id": "elsewhere"}, {"id": 2, "uri": "/", "plugins": {}}],
        "services": [{"id": "s1"}],
        "consumers": [
            {"username": "jack", "plugins": {"key-auth": {"key": "a"}}},
            {"id": "jack/credentials/c1", "plugins": {"key-auth": {"key": "a"}}},
        ],
        "plugin_metadata": [{"id": "limit-count", "limit_header": "x"}],
        "secrets": [{"id": "vault/1", "uri": "http://a.b", "prefix": "p", "token": "t"}],
        "global_rules": [{"id": "1", "plugins": {"cors": {}}}],
        "upstreams": {}, "ssls": [],
        "routes_conf_version": 3,
        "something_else": 1,
    });
    admin.validate(config).await.is(200, json!({}));
    admin.validate(json!({})).await.is(200, json!({}));
    admin
        .validate_yaml("routes:\n- id: r1\n  uri: /\n  plugins: {cors: {}}\n")
        .await
        .is(200, json!({}));
    assert_eq!(admin.get("routes").await.json()["total"], 0);
}

#[tokio::test]
async fn all_faults_are_reported() {
    let admin = Admin::start().await;
    let answer = admin
        .validate(json!({
            "routes": [
                {"id": "r1", "uri": "/", "plugins": {}},
                {"id": "r2", "uri": "/", "plugins": {"nothing": {}}},
                {"id": "r1", "uri": "/", "plugins": {}},
                {"uri": "/", "host": "a", "hosts": ["b"]},
            ],
            "routes_conf_version": "3",
            "consumers": [
                {"username": "jack"},
                {"username": "jack"},
                {"id": "jack/credentials/c1", "plugins": {"cors": {}}},
                {"id": "jack/credentials/c1", "plugins": {}},
                7,
                {"id": "jack/keys/c1", "username": "jane"},
            ],
            "plugin_metadata": [{"id": "nothing"}, {}],
            "secrets": [{"id": "1"}, {"id": "other/1"}],
            "services": "x",
        }))
        .await;
    let item = |resource: &str, id: &str, index: usize, error: &str| json!({"resource_type": resource, "resource_id": id, "index": index, "error": error});
    let nameless = |resource: &str, index: usize, error: &str| json!({"resource_type": resource, "index": index, "error": error});
    let expected = [
        json!({"resource_type": "routes", "error": "routes_conf_version must be a number, got string"}),
        item("routes", "r2", 1, "unknown plugin [nothing]"),
        item("routes", "r1", 2, "found duplicate id r1 in routes"),
        nameless("routes", 3, "only one of host or hosts is allowed"),
        json!({"resource_type": "services", "error": "wrong type: expected array, got string"}),
        item(
            "consumers",
            "jack",
            1,
            "found duplicate username jack in consumers",
        ),
        item(
            "consumers",
            "jack/credentials/c1",
            2,
            "only supports auth type plugins in consumer credential",
        ),
        item(
            "consumers",
            "jack/credentials/c1",
            3,
            "found duplicate credential id jack/credentials/c1 in consumers",
        ),
        nameless(
            "consumers",
            4,
            "invalid configuration: wrong type: expected object, got number",
        ),
        item(
            "consumers",
            "jack/keys/c1",
            5,
            "invalid configuration: additional properties forbidden, found id",
        ),
        item("plugin_metadata", "nothing", 0, "invalid plugin name"),
        nameless("plugin_metadata", 1, "missing plugin name"),
        item("secrets", "1", 0, "secret id must be {manager}/{id}"),
        item("secrets", "other/1", 1, "invalid secret manager: other"),
    ];
    assert_eq!(faults(&answer), expected);
}

#[tokio::test]
async fn bodies_that_are_no_configuration() {
    let admin = Admin::start().await;
    let raw = async |body: &str| admin.raw("POST", "configs/validate", body.to_owned()).await;
    raw("")
        .await
        .refused(400, "invalid request body: empty request body");
    let fault = "invalid request body: Expected value but found invalid token at character 1";
    raw("x").await.refused(400, fault);
    raw("7")
        .await
        .refused(400, "invalid request body: expected object, got number");
    for yaml in ["a: [", "\t-", &"[".repeat(5000)] {
        admin
            .validate_yaml(yaml)
            .await
            .refused(400, "invalid request body: invalid yaml request body");
    }
    let answer = raw(&" ".repeat(1_572_865)).await;
    assert!(
        answer.text.contains("request size 1572865 is greater"),
        "{answer:?}"
    );
}
