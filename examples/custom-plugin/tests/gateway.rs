//! The binary of this example, and the commands of docs/custom-plugins.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::process::Command;

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

const PAGE: &str = include_str!("../../../docs/custom-plugins.md");

async fn gateway() -> Gateway {
    Gateway::start(env!("CARGO_BIN_EXE_custom-plugin")).await
}

#[tokio::test]
async fn the_plugin_is_one_like_all_others() {
    let gateway = gateway().await;
    let list = gateway.admin().get("/plugins/list").await.json();
    let names: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let place = |name: &str| names.iter().position(|known| *known == name).unwrap();
    assert!(
        place("key-auth") < place("team-header"),
        "in the order of priorities"
    );
    assert!(place("team-header") < place("ai-proxy"));
    let schema = gateway.admin().get("/plugins/team-header").await.json();
    assert_eq!(schema["properties"]["header"]["default"], "x-team");
}

#[tokio::test]
async fn its_schema_and_its_check_are_asked() {
    let gateway = gateway().await;
    for (conf, error) in [
        (json!({}), r#"property "teams" is required"#),
        (
            json!({ "teams": "search" }),
            r#"property "teams" validation failed: wrong type: expected array, got string"#,
        ),
        (
            json!({ "teams": ["search"], "header": "no name" }),
            r#""no name" is no name of a header"#,
        ),
    ] {
        let route = json!({ "uri": "/*", "plugins": { "team-header": conf } });
        let answer = gateway.admin().put("/routes/1", route).await.expect_status(400);
        let expected = format!("failed to check the configuration of plugin team-header err: {error}");
        assert_eq!(answer.json()["error_msg"], expected);
    }
}

#[tokio::test]
async fn it_decides_over_requests() {
    let provider = FakeProvider::start();
    provider.always(Reply::body(200, "text/plain", "ok"));
    let gateway = gateway().await;
    let upstream = json!({ "type": "roundrobin", "nodes": { provider.addr().to_string(): 1 } });
    let route =
        json!({ "uri": "/*", "plugins": { "team-header": { "teams": ["search"] } }, "upstream": upstream });
    gateway.admin().put("/routes/1", route).await.expect_status(201);

    let refused = gateway.client().get("/").header("x-team", "ads").send().await;
    let refused = refused.expect_status(403).await;
    assert_eq!(
        refused.json().await,
        json!({ "message": "this route is not for your team" })
    );
    assert!(provider.requests().is_empty());

    let served = gateway.client().get("/").header("x-team", "search").send().await;
    let served = served.expect_status(200).await;
    assert_eq!(served.header("x-served-for"), Some("search"));
    assert_eq!(served.text().await, "ok");
}

/// On built-in endpoints and native routes a failure speaks the dialect of the client.
#[tokio::test]
async fn its_failures_are_rendered_at_the_edge() {
    let gateway = gateway().await;
    let plugins = json!({
        "team-header": { "teams": ["search"] },
        "ai-proxy": { "provider": "echo", "auth": {}, "profile": "native" },
    });
    let route = json!({ "uri": "/v1/chat/completions", "plugins": plugins });
    gateway.admin().put("/routes/1", route).await.expect_status(201);
    let body = json!({ "model": "echo", "messages": [{ "role": "user", "content": "Hello" }] });
    let call = gateway.client().post("/v1/chat/completions").json(&body);
    let refused = call.send().await.expect_status(403).await.json().await;
    assert_eq!(refused["error"]["message"], "this route is not for your team");
    assert_eq!(refused["error"]["code"], "wrong_team");
}

#[tokio::test]
async fn the_commands_of_the_page_answer_as_it_says() {
    let gateway = gateway().await;
    let here = |text: &str| {
        text.replace("127.0.0.1:9080", &gateway.proxy_addr().to_string())
            .replace("127.0.0.1:9180", &gateway.admin_addr().to_string())
    };
    let mut ran = 0;
    for (above, rest) in PAGE.split("\n```sh\n").zip(PAGE.split("\n```sh\n").skip(1)) {
        let expected = above.lines().last().unwrap().strip_prefix("<!-- test: ");
        let Some(expected) = expected.and_then(|note| note.strip_suffix(" -->")) else {
            continue;
        };
        let command = here(rest.split("\n```").next().unwrap());
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &command])
            .current_dir(gateway.dir());
        let output = tokio::task::spawn_blocking(move || bash.output())
            .await
            .unwrap()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(
            printed.contains(expected),
            "no {expected:?} in the output of\n{command}\n{printed}"
        );
        ran += 1;
    }
    assert_eq!(ran, 2);
}

/// Code on the page is code of this example.
#[test]
fn the_code_of_the_page_stands_in_the_files() {
    let files = [
        ("Cargo.toml", include_str!("../Cargo.toml")),
        ("src/main.rs", include_str!("../src/main.rs")),
        ("src/team_header.rs", include_str!("../src/team_header.rs")),
    ];
    let mut compared = 0;
    for (name, content) in files {
        let mark = format!("<!-- file: {name} -->\n```");
        for part in PAGE.split(&mark).skip(1) {
            let (_language, block) = part.split_once('\n').unwrap();
            let block = block.split("\n```").next().unwrap();
            assert!(
                content.contains(block),
                "{name} has changed, docs/custom-plugins.md says\n{block}"
            );
            compared += 1;
        }
    }
    assert!(compared >= 3, "only {compared} blocks");
}
