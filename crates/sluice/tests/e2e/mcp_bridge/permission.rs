//! Commands run only where the gateway's own file allows them.

use serde_json::{Value, json};

use super::{Session, bridge, gateway, route, script, with_commands};
use crate::support::{binary, put};
use sluice_testkit::Gateway;

fn plugins(conf: &Value) -> Value {
    json!({ "mcp-bridge": conf })
}

#[tokio::test]
async fn no_resource_brings_in_a_command() {
    let gateway = Gateway::start(binary()).await;
    let conf = script("cat");
    let resources = [
        ("/routes/1", route(conf.clone())),
        ("/services/1", json!({ "plugins": plugins(&conf) })),
        ("/plugin_configs/1", json!({ "plugins": plugins(&conf) })),
        ("/consumer_groups/1", json!({ "plugins": plugins(&conf) })),
        ("/global_rules/1", json!({ "plugins": plugins(&conf) })),
        (
            "/consumers/jack",
            json!({ "username": "jack", "plugins": plugins(&conf) }),
        ),
    ];
    for (path, resource) in resources {
        let answer = gateway.admin().put(path, resource).await.expect_status(400);
        let message = answer.json()["error_msg"].as_str().unwrap().to_owned();
        let expected =
            "failed to check the configuration of plugin mcp-bridge err: command \"/bin/sh\" is not allowed";
        assert!(message.contains(expected), "{path}: {message}");
        assert!(message.contains("`commands.allowed`"), "{path}: {message}");
        let stored = gateway.admin().get(path).await;
        assert_eq!(stored.status, 404, "{path}");
    }
    // What does not run need not hold.
    let mut disabled = conf;
    disabled["_meta"] = json!({ "disable": true });
    put(&gateway, "/routes/1", route(disabled)).await;
    let answer = gateway
        .admin()
        .patch(
            "/routes/1",
            json!({ "plugins": { "mcp-bridge": { "_meta": { "disable": false } } } }),
        )
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text());
}

#[tokio::test]
async fn a_line_allows_its_arguments_alone() {
    let gateway = with_commands("[[/bin/sh, -c, cat]]").await;
    bridge(&gateway, script("cat")).await;
    Session::open(&gateway).await;
    let answer = gateway
        .admin()
        .put("/routes/mcp", route(script("cat /etc/passwd")))
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text());
}

#[tokio::test]
async fn a_stored_command_that_is_no_longer_allowed_does_not_run() {
    let mut gateway = gateway().await;
    let marker = gateway.dir().join("marker");
    bridge(&gateway, script(&format!("echo x > {}", marker.display()))).await;
    std::fs::write(gateway.dir().join("config.yaml"), "commands: {allowed: [cat]}\n").unwrap();
    gateway.restart().await;
    let answer = gateway
        .client()
        .get("/mcp/sse")
        .send()
        .await
        .expect_status(500)
        .await;
    let page = answer.text().await;
    assert!(page.contains("<h1>500 Internal Server Error</h1>"), "{page}");
    gateway.wait_output("`commands.allowed`").await;
    assert!(!marker.exists());
}

#[tokio::test]
async fn bad_configuration_is_refused_with_its_place() {
    let gateway = gateway().await;
    for (conf, expected) in [
        (json!({}), "property \"command\" is required"),
        (
            json!({ "command": "" }),
            "property \"command\" validation failed: string too short, expected at least 1, got 0",
        ),
        (
            json!({ "command": "/bin/sh", "args": "x" }),
            "property \"args\" validation failed: wrong type: expected array, got string",
        ),
        (
            json!({ "command": "/bin/sh", "args": [1] }),
            "property \"args\" validation failed: failed to validate item 1: wrong type: expected string, got number",
        ),
        (
            json!({ "command": "/bin/sh", "base_uri": "" }),
            "property \"base_uri\" validation failed: string too short, expected at least 1, got 0",
        ),
    ] {
        let answer = gateway
            .admin()
            .put("/routes/1", route(conf))
            .await
            .expect_status(400);
        let message = answer.json()["error_msg"].as_str().unwrap().to_owned();
        assert_eq!(
            message,
            format!("failed to check the configuration of plugin mcp-bridge err: {expected}")
        );
    }
}
