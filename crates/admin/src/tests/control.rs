//! The control API (compat §10).

use serde_json::json;
use sluice_upstream::{CheckType, CheckedNode, CheckerReport, Counter, Status};

use super::support::{Admin, Answer};

impl Admin {
    async fn look(&self, path: &str) -> Answer {
        self.control("GET", path, "*/*").await
    }
}

#[tokio::test]
async fn schemas() {
    let admin = Admin::start().await;
    let schema = admin.look("/v1/schema").await.json();
    for name in [
        "route",
        "service",
        "upstream",
        "consumer",
        "consumer_group",
        "plugins",
        "ssl",
        "stream_route",
    ] {
        assert_eq!(schema["main"][name]["type"], "object", "{name}");
    }
    assert_eq!(schema["plugins"]["key-auth"]["priority"], 2500);
    assert_eq!(schema["stream_plugins"], json!({}));
}

#[tokio::test]
async fn resources_without_their_secrets() {
    let admin = Admin::start().await;
    admin.look("/v1/routes").await.is(200, json!([]));
    let auth = json!({"header": {"Authorization": "Bearer canary"}, "query": {"a": "canary"}});
    admin
        .has(
            "routes/1",
            json!({"uri": "/", "plugins": {"ai-proxy": {"auth": auth, "provider": "openai"}}}),
        )
        .await;
    admin.has("services/s", json!({"name": "x"})).await;
    admin.has("upstreams/u", json!({"nodes": {"a:1": 1}})).await;
    let one = admin.look("/v1/route/1").await;
    let shown = &one.value()["plugins"]["ai-proxy"];
    assert_eq!(
        *shown,
        json!({"auth": {"header": {"Authorization": "***"}, "query": {"a": "***"}}, "provider": "openai"})
    );
    assert_eq!(one.json()["key"], "/apisix/routes/1");
    assert!(one.json()["createdIndex"].is_u64() && one.json()["modifiedIndex"].is_u64());
    let all = admin.look("/v1/routes").await;
    assert!(!all.text.contains("canary"));
    assert_eq!(all.json(), json!([one.json()]));
    assert_eq!(admin.look("/v1/services").await.json()[0]["value"]["name"], "x");
    assert_eq!(
        admin.look("/v1/upstreams").await.json(),
        json!([admin.look("/v1/upstream/u").await.json()])
    );
    assert_eq!(
        admin.look("/v1/service/s").await.json()["key"],
        "/apisix/services/s"
    );
    admin.look("/v1/route/9").await.refused(404, "route[9] not found");
    admin
        .look("/v1/service/9")
        .await
        .refused(404, "service[9] not found");
    admin
        .look("/v1/upstream/9")
        .await
        .refused(404, "upstream[9] not found");
}

#[tokio::test]
async fn metadata() {
    let admin = Admin::start().await;
    admin.look("/v1/plugin_metadatas").await.is(200, json!([]));
    admin
        .look("/v1/plugin_metadata/limit-count")
        .await
        .refused(404, "plugin metadata[limit-count] not found");
    admin
        .has("plugin_metadata/limit-count", json!({"limit_header": "x"}))
        .await;
    admin
        .store
        .put("/plugin_metadata/disabled", json!({"id": "disabled"}), None)
        .await
        .unwrap();
    let metadata = json!({"limit_header": "x", "id": "limit-count"});
    admin
        .look("/v1/plugin_metadata/limit-count")
        .await
        .is(200, metadata.clone());
    admin
        .look("/v1/plugin_metadatas")
        .await
        .is(200, json!([metadata]));
}

#[tokio::test]
async fn health_checks() {
    let admin = Admin::start().await;
    admin.has("upstreams/1", json!({"nodes": {"a:1": 1}})).await;
    admin.look("/v1/healthcheck").await.is(200, json!([]));
    admin.look("/v1/healthcheck/").await.is(200, json!([]));
    let page = admin.control("GET", "/v1/healthcheck", "text/html,*/*").await;
    assert!(page.text.contains("<table"), "{page:?}");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    admin
        .look("/v1/healthcheck/upstreams/1")
        .await
        .refused(404, "no checker for upstreams[1]");
    admin
        .look("/v1/healthcheck/routes/1")
        .await
        .refused(404, "routes[1] not found");
    admin
        .look("/v1/healthcheck/stream_routes/1")
        .await
        .refused(404, "stream_routes[1] not found");
    admin
        .look("/v1/healthcheck/consumers/1")
        .await
        .refused(400, "invalid src type consumers");
    admin
        .look("/v1/healthcheck/routes")
        .await
        .refused(404, "missing src id for src type routes");
}

/// An upstream with a node that is up and one that is down.
fn report(name: &str) -> CheckerReport {
    let node = |ip: [u8; 4], status| CheckedNode {
        ip: ip.into(),
        port: 80,
        hostname: "one.test".into(),
        host_header: None,
        status,
        counter: Counter {
            tcp_failure: 2,
            ..Counter::default()
        },
    };
    CheckerReport {
        name: name.into(),
        kind: CheckType::Tcp,
        nodes: vec![
            node([10, 0, 0, 1], Status::MostlyHealthy),
            node([10, 0, 0, 2], Status::Unhealthy),
        ],
    }
}

#[tokio::test]
async fn health_checks_under_way() {
    let plugin = "/apisix/routes/1#plugins['ai-proxy-multi'].instances[0]";
    let admin = Admin::with(|state| {
        state.checks = Box::new(move || vec![report("/apisix/upstreams/<1>"), report(plugin)]);
    })
    .await;
    let all = admin.look("/v1/healthcheck").await.json();
    assert_eq!(
        all[0],
        json!({
            "name": "/apisix/upstreams/<1>",
            "type": "tcp",
            "nodes": [
                {"ip": "10.0.0.1", "port": 80, "hostname": "one.test", "status": "mostly_healthy",
                 "counter": {"success": 0, "http_failure": 0, "tcp_failure": 2, "timeout_failure": 0}},
                {"ip": "10.0.0.2", "port": 80, "hostname": "one.test", "status": "unhealthy",
                 "counter": {"success": 0, "http_failure": 0, "tcp_failure": 2, "timeout_failure": 0}},
            ],
        })
    );
    admin.has("routes/1", json!({"uri": "/", "plugins": {}})).await;
    admin.has("routes/11", json!({"uri": "/11", "plugins": {}})).await;
    admin
        .look("/v1/healthcheck/routes/1")
        .await
        .is(200, all[1].clone());
    admin
        .look("/v1/healthcheck/routes/11")
        .await
        .refused(404, "no checker for routes[11]");
    let page = admin.control("GET", "/v1/healthcheck", "text/html").await.text;
    assert!(page.contains("<td>/apisix/upstreams/&lt;1&gt;</td>"), "{page}");
    assert_eq!(page.matches("#FF0000").count(), 2, "nodes that are down are red");
}

#[tokio::test]
async fn the_rest() {
    let admin = Admin::start().await;
    admin
        .control("PUT", "/v1/plugins/reload", "*/*")
        .await
        .is_text(200, "done");
    admin.control("POST", "/v1/gc", "*/*").await.is_text(200, "");
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/v1/"),
        ("GET", "/v1/nothing"),
        ("GET", "/v1/gc"),
        ("GET", "/v1/plugins/reload"),
        ("PUT", "/v1/routes"),
        ("DELETE", "/v1/route/1"),
        ("GET", "/apisix/admin/routes"),
    ] {
        admin.control(method, path, "*/*").await.is_page(404);
    }
    admin.look("/v1/%zz").await.is_page(400);
    assert_eq!(
        admin.look("/v1/schema").await.header("server"),
        Some("APISIX/3.18.0")
    );
}
