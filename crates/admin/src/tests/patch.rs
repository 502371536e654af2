//! PATCH (compat §1.6).

use serde_json::{Value, json};

use super::support::Admin;

async fn with_route() -> Admin {
    let admin = Admin::start().await;
    let route = json!({
        "id": "1", "uri": "/a", "labels": {"a": "1", "b": "2"}, "methods": ["GET", "PUT"],
        "plugins": {"ai-proxy": {"auth": {"header": {"Authorization": "Bearer up"}}}},
        "create_time": 5, "update_time": 6,
    });
    admin.store.put("/routes/1", route, None).await.unwrap();
    admin
}

#[tokio::test]
async fn objects_merge_and_the_rest_replaces() {
    let admin = with_route().await;
    let patch = json!({"labels": {"b": null, "c": "3"}, "methods": ["POST"], "desc": "d"});
    let answer = admin.patch("routes/1", patch).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["key"], "/apisix/routes/1");
    let value = answer.value();
    assert_eq!(value["labels"], json!({"a": "1", "c": "3"}));
    assert_eq!(value["methods"], json!(["POST"]));
    assert_eq!(
        (&value["uri"], &value["desc"], &value["id"]),
        (&json!("/a"), &json!("d"), &json!("1"))
    );
    assert_eq!(value["create_time"], 5);
    assert!(value["update_time"].as_u64().unwrap() > 6);
}

#[tokio::test]
async fn a_patch_may_set_the_times() {
    let admin = with_route().await;
    let value = admin
        .patch("routes/1", json!({"create_time": 7, "update_time": 8}))
        .await
        .value();
    assert_eq!(
        (&value["create_time"], &value["update_time"]),
        (&json!(7), &json!(8))
    );
    let value = admin
        .patch("routes/1", json!({"update_time": null, "create_time": null}))
        .await
        .value();
    assert!(value["update_time"].as_u64().unwrap() > 8 && value["create_time"].as_u64().unwrap() > 8);
}

#[tokio::test]
async fn members_are_set_by_path() {
    let admin = with_route().await;
    let set = async |path: &str, body: Value| admin.patch(&format!("routes/1/{path}"), body).await;
    assert_eq!(set("uri", json!("/b")).await.value()["uri"], "/b");
    assert_eq!(
        set("methods", json!(["GET"])).await.value()["methods"],
        json!(["GET"])
    );
    let deep = set("upstream/nodes/a:1", json!(1)).await;
    assert_eq!(deep.value()["upstream"], json!({"nodes": {"a:1": 1}}));
    assert!(deep.value()["update_time"].as_u64().unwrap() > 6);
    set("uri/x", json!(1))
        .await
        .refused(400, "invalid sub-path: /uri1x");
    set("uri", json!(null)).await.refused(
        400,
        "invalid configuration: property \"uri\" validation failed: wrong type: expected string, got userdata",
    );
    assert_eq!(admin.get("routes/1").await.value()["uri"], "/b");
}

#[tokio::test]
async fn faults_of_patches() {
    let admin = with_route().await;
    admin
        .patch("routes", json!({}))
        .await
        .refused(400, "missing route id");
    admin
        .patch("secrets/vault", json!({}))
        .await
        .refused(400, "no secret id");
    admin
        .patch("secrets", json!({}))
        .await
        .refused(400, "no secret id");
    admin
        .raw("PATCH", "routes/1", "")
        .await
        .refused(400, "missing new configuration");
    admin
        .raw("PATCH", "routes/1/uri", "")
        .await
        .refused(400, "missing new configuration");
    admin
        .raw("PATCH", "routes/absent", "")
        .await
        .refused(400, "missing new configuration");
    for body in [json!(1), json!("x"), json!([1]), json!(null), json!(true)] {
        admin
            .patch("routes/1", body.clone())
            .await
            .refused(400, "invalid configuration");
        admin
            .patch("routes/absent", body)
            .await
            .refused(400, "invalid configuration");
    }
    admin
        .patch("routes/1", json!({"id": "2"}))
        .await
        .refused(400, "wrong route id");
    admin
        .patch("routes/1/id", json!(2))
        .await
        .refused(400, "wrong route id");
    let unknown = "unknown plugin [nothing]";
    admin
        .patch("routes/1", json!({"plugins": {"nothing": {}}}))
        .await
        .refused(400, unknown);
    let reference = "failed to fetch upstream info by upstream id [9], response code: 404";
    admin
        .patch("routes/1/upstream_id", json!(9))
        .await
        .refused(400, reference);
}

#[tokio::test]
async fn secrets_survive_a_patch_of_something_else() {
    let admin = with_route().await;
    let header = "/value/plugins/ai-proxy/auth/header/Authorization";
    let patched = admin.patch("routes/1", json!({"desc": "d"})).await.json();
    assert_eq!(patched.pointer(header), Some(&json!("Eb3RwIhB/RYYbv3GsUhXAQ==")));
    assert_eq!(
        admin.get("routes/1").await.json().pointer(header),
        Some(&json!("Bearer up"))
    );
}

#[tokio::test]
async fn secrets_of_managers_are_patched_below_their_manager() {
    let admin = Admin::start().await;
    let vault = json!({"uri": "http://127.0.0.1:8200", "prefix": "kv", "token": "t"});
    admin.has("secrets/vault/1", vault).await;
    let answer = admin.patch("secrets/vault/1", json!({"prefix": "other"})).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.value()["prefix"]),
        (200, &json!("other"))
    );
    let answer = admin.patch("secrets/vault/1/prefix", json!("third")).await;
    assert_eq!(answer.value()["prefix"], "third");
    assert_eq!(answer.json()["key"], "/apisix/secrets/vault/1");
}

#[tokio::test]
async fn a_lost_race_is_503() {
    use crate::reply::{Refusal, Reply};
    use axum::response::IntoResponse;
    use sluice_store::StoreError;

    // Within one process a patch holds the lock of all writes, so only another process can win.
    let refusal = Refusal::from(StoreError::Conflict {
        key: "/routes/1".to_owned(),
    });
    let response = Reply::from(refusal).into_response();
    assert_eq!(response.status(), 503);
    let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
    assert_eq!(
        &body[..],
        b"{\"error_msg\":\"value changed before overwritten\"}\n"
    );
}
