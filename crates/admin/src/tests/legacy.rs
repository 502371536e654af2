//! Replies of `admin_api_version: v2` (compat §1.4).

use serde_json::json;

use super::support::Admin;
use crate::ApiVersion;

async fn legacy() -> Admin {
    Admin::with(|state| state.options.api_version = ApiVersion::V2).await
}

#[tokio::test]
async fn writes_say_what_etcd_did() {
    let admin = legacy().await;
    let created = admin.put("upstreams/1", json!({"nodes": {"a:1": 1}})).await;
    assert_eq!(
        (created.status.as_u16(), created.header("x-api-version")),
        (201, Some("v2"))
    );
    let body = created.json();
    assert_eq!(
        (&body["action"], &body["node"]["key"]),
        (&json!("set"), &json!("/apisix/upstreams/1"))
    );
    assert_eq!(body["node"]["value"]["nodes"], json!({"a:1": 1}));
    assert_eq!(body.as_object().unwrap().len(), 2);
    let posted = admin.post("upstreams", json!({"nodes": {"a:1": 1}})).await;
    assert_eq!(
        (posted.status.as_u16(), &posted.json()["action"]),
        (201, &json!("create"))
    );
    let patched = admin.patch("upstreams/1", json!({"retries": 1})).await.json();
    assert_eq!(patched["action"], "compareAndSwap");
    assert_eq!(patched["node"]["value"]["retries"], 1);
    admin.delete("upstreams/1").await.is(
        200,
        json!({"action": "delete", "deleted": "1", "key": "/apisix/upstreams/1", "node": {}}),
    );
}

#[tokio::test]
async fn reads_have_nodes_and_a_count() {
    let admin = legacy().await;
    admin.get("routes").await.is(
        200,
        json!({"action": "get", "count": 0, "node": {"dir": true, "key": "/apisix/routes", "nodes": []}}),
    );
    for id in 1..=12 {
        admin
            .has(
                &format!("routes/{id}"),
                json!({"uri": "/", "plugins": {}, "name": id.to_string()}),
            )
            .await;
    }
    let one = admin.get("routes/3").await.json();
    assert_eq!((&one["action"], &one["count"]), (&json!("get"), &json!(1)));
    assert_eq!(one["node"]["value"]["name"], "3");
    assert!(one["node"]["createdIndex"].is_u64() && one["node"]["modifiedIndex"].is_u64());
    let all = admin.get("routes?page=1&page_size=10&name=3").await.json();
    assert_eq!(all["count"], 12, "neither pages nor filters: {all}");
    assert_eq!(all["node"]["nodes"].as_array().unwrap().len(), 12);
    admin
        .has("consumers", json!({"username": "jack", "plugins": {}}))
        .await;
    let credential = json!({"plugins": {"key-auth": {"key": "k"}}});
    admin.has("consumers/jack/credentials/c", credential).await;
    let credentials = admin.get("consumers/jack/credentials").await.json();
    assert_eq!(credentials["node"]["key"], "/apisix/consumers/jack/credentials");
}

#[tokio::test]
async fn errors_are_the_same() {
    let admin = legacy().await;
    let absent = json!({"message": "Key not found"});
    admin.get("routes/1").await.is(404, absent.clone());
    admin.delete("routes/1").await.is(404, absent);
    let refused = admin.put("routes/1", json!({"uri": 1})).await;
    assert_eq!(
        (refused.status.as_u16(), refused.header("x-api-version")),
        (400, Some("v2"))
    );
    assert!(
        refused.json()["error_msg"]
            .as_str()
            .unwrap()
            .starts_with("invalid configuration: ")
    );
}
