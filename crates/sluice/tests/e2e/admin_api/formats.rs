//! Replies of the legacy version, and what the version is configured by (compat §1.4).

use serde_json::json;
use sluice_testkit::Gateway;

use crate::process::{serve, sluice};
use crate::support::binary;

#[tokio::test]
async fn legacy_replies() {
    let gateway = Gateway::builder(binary())
        .file("config.yaml", "admin: {api_version: v2}\n")
        .start()
        .await;
    let admin = gateway.admin();
    let put = admin
        .put("/protos/1", json!({ "content": "x" }))
        .await
        .expect_status(201);
    assert_eq!(put.headers["x-api-version"], "v2");
    let put = put.json();
    assert_eq!(
        (&put["action"], &put["node"]["value"]["content"]),
        (&json!("set"), &json!("x"))
    );
    let listed = admin.get("/protos").await.expect_status(200).json();
    assert_eq!((&listed["action"], &listed["count"]), (&json!("get"), &json!(1)));
    assert_eq!(listed["node"]["nodes"][0]["key"], "/apisix/protos/1");
    let gone = admin.delete("/protos/1").await.expect_status(200).json();
    assert_eq!(
        (&gone["action"], &gone["deleted"]),
        (&json!("delete"), &json!("1"))
    );
    let absent = admin.get("/protos/1").await.expect_status(404);
    assert_eq!(absent.json(), json!({ "message": "Key not found" }));
}

#[tokio::test]
async fn apisix_names_the_version_its_own_way() {
    let dir = tempfile::tempdir().unwrap();
    let conf = "apisix: {ssl: {enable: false}}\nplugin_attr: {prometheus: {enable_export_server: false}}\ndeployment:\n  admin:\n    admin_api_version: default\n    admin_key_required: false\n    \
                allow_admin: [127.0.0.0/24]\n";
    std::fs::write(dir.path().join("apisix.yaml"), conf).unwrap();
    let serving = serve(dir.path(), ["--apisix-config", "apisix.yaml"])
        .serving()
        .await;
    let admin = sluice_testkit::Admin::new(serving.addr("admin"), "");
    let listed = admin.get("/routes").await.expect_status(200);
    assert_eq!(listed.headers["x-api-version"], "v2");
    assert_eq!(
        listed.json(),
        json!({ "action": "get", "count": 0, "node": { "dir": true, "key": "/apisix/routes", "nodes": [] } })
    );
    serving.stop().await;
}

#[tokio::test]
async fn a_version_that_does_not_exist_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.yaml"), "admin: {api_version: v4}\n").unwrap();
    let complaint = sluice(dir.path(), ["serve"]).ended().await.complaint();
    assert!(
        complaint.contains("`admin.api_version`") && complaint.contains("v4"),
        "{complaint}"
    );
}
