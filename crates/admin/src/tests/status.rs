//! Status and metrics (compat §0, §7).

use std::sync::Arc;

use axum::body::Body;
use futures_util::FutureExt;
use http::Request;
use serde_json::json;
use sluice_core::{Consumers, Pipeline, PluginSet, Router, RouterKind, Snapshot, SnapshotCell};

use super::support::Admin;
use crate::{BasicAuth, CompileReport, DataPlane, Health};

#[tokio::test]
async fn status_tells_what_is_known() {
    let admin = Admin::with(|state| {
        state.options.version = "1.2.3".to_owned();
        state.health = Box::new(|| {
            let mut health = Health::ready();
            health.details.insert("ledger".to_owned(), json!({"queued": 3}));
            health
        });
    })
    .await;
    admin.bare("GET", "/status", &[]).await.is(
        200,
        json!({
            "status": "ok", "version": "1.2.3", "ready": true, "revision": 7,
            "problems": [{"key": "/apisix/routes/1", "error": "no such upstream"}],
            "warnings": [{"key": "/apisix/routes/2", "warning": "obsolete"}],
            "health": {"ledger": {"queued": 3}},
        }),
    );
    admin
        .bare("GET", "/status/ready", &[])
        .await
        .is(200, json!({"status": "ok"}));
}

#[tokio::test]
async fn a_gateway_that_is_not_ready_says_why() {
    let unready = || Health {
        unready: Some("draining".to_owned()),
        ..Health::ready()
    };
    let admin = Admin::with(|state| state.health = Box::new(unready)).await;
    let status = admin.bare("GET", "/status", &[]).await;
    assert_eq!(status.status, 200);
    assert_eq!(
        (&status.json()["ready"], &status.json()["error"]),
        (&json!(false), &json!("draining"))
    );
    let ready = admin.bare("GET", "/status/ready", &[]).await;
    ready.is(503, json!({"status": "error", "error": "draining"}));
}

#[tokio::test]
async fn metrics_are_text() {
    let admin = Admin::start().await;
    for path in ["/metrics", "/apisix/prometheus/metrics"] {
        let answer = admin.bare("GET", path, &[]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some(sluice_observe::CONTENT_TYPE));
        assert!(answer.text.contains("apisix_node_info"), "{}", answer.text);
    }
}

#[tokio::test]
async fn metrics_may_ask_for_a_password() {
    let admin = Admin::with(|state| state.options.metrics_auth = Some(BasicAuth::new("prom", "pass"))).await;
    // base64 of prom:pass and prom:wrong
    let right = [("authorization", "Basic cHJvbTpwYXNz")];
    let wrong = [("authorization", "Basic cHJvbTp3cm9uZw==")];
    assert_eq!(admin.bare("GET", "/metrics", &right).await.status, 200);
    for headers in [&wrong[..], &[]] {
        let answer = admin.bare("GET", "/apisix/prometheus/metrics", headers).await;
        answer.is_page(401);
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"metrics\""));
    }
}

#[tokio::test]
async fn the_metrics_listener_has_metrics_only() {
    let admin = Admin::with(|state| state.options.allow.clear()).await;
    let get = async |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Body::empty());
        admin.send(admin.server.metrics_router(), request.unwrap()).await
    };
    for path in ["/metrics", "/apisix/prometheus/metrics"] {
        assert_eq!(get("GET", path).await.status, 200);
        assert_eq!(get("HEAD", path).await.text, "");
    }
    get("POST", "/metrics").await.is_page(404);
    for path in ["/", "/status", "/apisix/admin/routes"] {
        get("GET", path).await.is_page(404);
    }
}

#[tokio::test]
async fn the_snapshot_is_the_data_plane() {
    let pipeline = Arc::new(Pipeline::new(PluginSet::default()));
    let router = Arc::new(Router::build(RouterKind::HostUri, Vec::new()));
    let cell = SnapshotCell::new(Snapshot {
        models: sluice_core::Models::default(),
        revision: 3,
        router: Arc::clone(&router),
        builtin: router,
        global: Arc::clone(&pipeline),
        empty_pipeline: pipeline,
        consumers: Consumers::default(),
        upstreams: Default::default(),
        certificates: Arc::default(),
        matches_bodies: false,
        problems: [(Arc::from("/apisix/routes/1"), Arc::from("bad"))]
            .into_iter()
            .collect(),
        warnings: Default::default(),
    });
    let plane: &dyn DataPlane = &cell;
    let problems = vec![("/apisix/routes/1".to_owned(), "bad".to_owned())];
    assert_eq!(
        plane.report(),
        CompileReport {
            revision: 3,
            problems,
            warnings: Vec::new()
        }
    );
    assert!(plane.reached(3).now_or_never().is_some());
    assert!(plane.reached(4).now_or_never().is_none());
}
