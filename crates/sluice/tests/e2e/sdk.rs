//! The official SDKs through built-in routes (native profile), each on providers that speak its protocol and on others,
//! which refuse what the real ones refuse. `make test` installs them into `.venv` and `tests/js/node_modules`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use sluice_testkit::{FakeProvider, Gateway};

use crate::support::{gateway, put};
use crate::translation::target;

/// The picture that the scripts send, and a description in the schema that they ask for.
const NEEDLES: [&str; 2] = ["iVBORw0KGgo", "how many things there are"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn python(script: &str) -> Command {
    let python = root().join(".venv/bin/python");
    assert!(python.exists(), "the SDKs are not installed: run `make python`");
    let mut command = Command::new(python);
    command.arg(root().join("tests/python").join(script));
    command
}

fn node(script: &str) -> Command {
    let folder = root().join("tests/js");
    assert!(
        folder.join("node_modules").exists(),
        "the SDKs are not installed: run `make node`"
    );
    let mut command = Command::new("node");
    command.arg(folder.join(script));
    command
}

fn key(provider: &str) -> String {
    format!("sk-sdk-{provider}")
}

/// A client of the gateway whose provider it is.
async fn serve(gateway: &Gateway, name: &str) -> FakeProvider {
    let fake = FakeProvider::strict();
    let plugins = json!({ "key-auth": { "key": key(name) }, "ai-proxy": target(name, &fake) });
    let consumer = json!({ "username": name.replace('-', "_"), "plugins": plugins });
    put(gateway, "/consumers", consumer).await;
    fake
}

/// Runs a script with a client of each of these providers.
async fn run(mut command: Command, providers: &[&str]) {
    let gateway = gateway().await;
    let mut fakes = Vec::new();
    for name in providers {
        fakes.push(serve(&gateway, name).await);
    }
    let keys: Vec<_> = providers
        .iter()
        .map(|name| format!("{name}={}", key(name)))
        .collect();
    command
        .env("BASE_URL", format!("http://{}", gateway.proxy_addr()))
        .env("KEYS", keys.join(" "));
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output
        .await
        .expect("the script is waited for")
        .expect("the script starts");
    let refused: Vec<_> = fakes.iter().flat_map(FakeProvider::refused).collect();
    assert!(
        output.status.success() && refused.is_empty(),
        "{}{}refused: {refused:#?}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    for (name, fake) in providers.iter().zip(&fakes) {
        inspect(name, fake);
    }
}

/// What the provider must have got, and what it must never see.
fn inspect(name: &str, fake: &FakeProvider) {
    let requests = fake.requests();
    for needle in NEEDLES {
        let has = |body: &[u8]| String::from_utf8_lossy(body).contains(needle);
        assert!(
            requests.iter().any(|request| has(&request.body)),
            "{name} never got {needle}"
        );
    }
    for request in &requests {
        let query = request.query.as_deref().unwrap_or_default();
        let shown = format!("{query} {:?}", request.headers);
        assert!(
            !shown.contains("sk-sdk"),
            "the caller's key travels to {name}: {shown}"
        );
    }
}

#[tokio::test]
async fn openai() {
    run(
        python("openai_sdk.py"),
        &["openai", "openai-compatible", "anthropic", "gemini"],
    )
    .await;
}

#[tokio::test]
async fn langchain_openai() {
    run(python("langchain_openai_sdk.py"), &["openai", "anthropic"]).await;
}

#[tokio::test]
async fn anthropic() {
    run(python("anthropic_sdk.py"), &["anthropic", "openai", "gemini"]).await;
}

#[tokio::test]
async fn google_genai() {
    run(python("genai_sdk.py"), &["gemini", "anthropic", "openai"]).await;
}

#[tokio::test]
async fn cohere() {
    run(python("cohere_sdk.py"), &["cohere", "openai"]).await;
}

#[tokio::test]
async fn ollama() {
    run(python("ollama_sdk.py"), &["ollama", "openai"]).await;
}

#[tokio::test]
async fn boto3() {
    run(python("boto3_sdk.py"), &["bedrock", "openai", "anthropic"]).await;
}

#[tokio::test]
async fn openai_npm() {
    run(node("openai_sdk.mjs"), &["openai", "anthropic", "gemini"]).await;
}

#[tokio::test]
async fn ai_sdk() {
    run(node("ai_sdk.mjs"), &["openai", "anthropic", "gemini"]).await;
}
