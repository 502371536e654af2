//! The official SDKs through the built-in routes (native profile). `make test` installs them into `.venv`.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway};

use crate::support::gateway;

/// Runs a script of `tests/python` as the client `sdk`.
async fn run(gateway: &Gateway, script: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "the SDKs are not installed: run `make python`");
    let mut command = Command::new(python);
    command.arg(root.join("tests/python").join(script));
    command
        .env("BASE_URL", format!("http://{}", gateway.proxy_addr()))
        .env("API_KEY", "sk-sdk");
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output
        .await
        .expect("the script is waited for")
        .expect("python starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn client_of(provider: Value) -> Gateway {
    let gateway = gateway().await;
    let consumer = json!({
        "username": "sdk",
        "plugins": { "key-auth": { "key": "sk-sdk" }, "ai-proxy": provider },
    });
    gateway
        .admin()
        .put("/consumers", consumer)
        .await
        .expect_status(201);
    gateway
}

#[tokio::test]
async fn openai() {
    let provider = FakeProvider::start();
    let gateway = client_of(crate::support::openai(&provider)).await;
    run(&gateway, "openai_sdk.py").await;
    let keys = provider.requests();
    let sent: Vec<_> = keys
        .iter()
        .filter_map(|request| request.header("authorization"))
        .collect();
    assert!(
        sent.iter().all(|key| *key == "Bearer upstream-key"),
        "the caller's key never travels: {sent:?}"
    );
}

#[tokio::test]
async fn anthropic() {
    let provider = FakeProvider::start();
    let conf = json!({
        "provider": "anthropic",
        "auth": { "header": { "x-api-key": "upstream-key" } },
        "override": { "endpoint": format!("http://{}", provider.addr()) },
    });
    let gateway = client_of(conf).await;
    run(&gateway, "anthropic_sdk.py").await;
    let sent = provider.requests();
    assert!(
        sent.iter()
            .all(|request| request.header("x-api-key") == Some("upstream-key"))
    );
    assert!(
        sent.iter()
            .all(|request| request.header("authorization").is_none())
    );
}
