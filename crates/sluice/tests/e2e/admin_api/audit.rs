//! The audit log (DESIGN §8).

use serde_json::{Value, json};
use sluice_testkit::{Admin, Gateway};

use crate::process::sluice;
use crate::support::{gateway, put, put_consumer};

async fn events(gateway: &Gateway, query: &str) -> Value {
    let admin = gateway.admin();
    let call = admin.client().get(&format!("/api/gateway/events{query}"));
    call.send().await.expect_status(200).await.json().await
}

#[tokio::test]
async fn changes_are_noted_without_secrets_and_survive_a_restart() {
    let mut gateway = gateway().await;
    put_consumer(&gateway, "jack").await;
    let plugins = json!({ "key-auth": { "key": "another" } });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "jack", "plugins": plugins }),
    )
    .await;
    gateway.restart().await;
    let all = events(&gateway, "").await;
    let latest = &all["events"][0];
    assert_eq!(
        (&latest["action"], &latest["key"]),
        (&json!("PUT"), &json!("/consumers/jack"))
    );
    assert_eq!(
        latest["changes"],
        json!([{ "path": "/plugins/key-auth/key", "from": "***", "to": "*** (changed)" }])
    );
    assert!(
        latest["caller"].as_str().unwrap().contains("first run"),
        "{latest}"
    );
    assert_eq!(latest["peer"], "127.0.0.1");
    let text = all.to_string();
    assert!(!text.contains("another") && !text.contains("key-jack"), "{text}");
    let page = events(&gateway, "?limit=1").await;
    assert_eq!(page["next_before"], latest["id"]);
    let older = events(&gateway, &format!("?before={}", latest["id"])).await;
    assert_eq!(older["events"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn commands_are_noted_and_viewers_do_not_read() {
    let gateway = gateway().await;
    let dir = tempfile::tempdir().unwrap();
    let data = gateway.dir().join("data");
    let data = data.to_str().unwrap();
    let said = sluice(
        dir.path(),
        [
            "admin",
            "new-key",
            "--data-dir",
            data,
            "--role",
            "viewer",
            "--name",
            "auditor",
        ],
    );
    let said = said.ended().await.output();
    let key = said.trim().rsplit(' ').next().unwrap();
    let noted = events(&gateway, "").await["events"][0].clone();
    assert_eq!(
        (&noted["caller"], &noted["action"]),
        (&json!("command line"), &json!("new-key"))
    );
    assert_eq!(
        noted["changes"][0]["to"],
        json!({ "name": "auditor", "role": "viewer" })
    );
    let viewer = Admin::new(gateway.admin_addr(), key);
    let answer = viewer.client().get("/api/gateway/events").send().await;
    let refused = answer.expect_status(403).await.json().await;
    assert_eq!(refused, json!({ "error_msg": "the audit log is for admins" }));
}
