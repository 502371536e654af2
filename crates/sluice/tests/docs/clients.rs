//! The programs of docs/clients.md, run against the real binary with a fake provider behind it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;
use sluice_testkit::{FakeProvider, Gateway};

use crate::markdown::{Block, Page, root};

#[tokio::test]
async fn the_programs_get_their_answers() {
    let provider = FakeProvider::strict();
    let gateway = Gateway::start(env!("CARGO_BIN_EXE_sluice")).await;
    let conf = json!({
        "provider": "openai", "auth": { "header": { "authorization": "Bearer upstream-key" } },
        "override": { "endpoint": provider.url("") },
    });
    let plugins = json!({ "key-auth": { "key": "sk-of-the-client" }, "ai-proxy": conf });
    let consumer = json!({ "username": "docs", "plugins": plugins });
    gateway
        .admin()
        .put("/consumers", consumer)
        .await
        .expect_status(201);
    let blocks: Vec<Block> = Page::read("docs/clients.md")
        .blocks()
        .into_iter()
        .filter(|block| block.expects.is_some())
        .collect();
    assert!(blocks.len() > 8, "docs/clients.md lacks its programs");
    let runs = blocks.into_iter().map(|block| {
        let text = block
            .text
            .replace("127.0.0.1:9080", &gateway.proxy_addr().to_string());
        tokio::task::spawn_blocking(move || run(&block, &text))
    });
    for run in runs.collect::<Vec<_>>() {
        run.await.unwrap();
    }
    assert_eq!(provider.refused(), Vec::<String>::new());
}

fn run(block: &Block, text: &str) {
    let mut command = match block.language.as_str() {
        "python" => Command::new(root().join(".venv/bin/python")),
        language => {
            assert_eq!(language, "js");
            let mut node = Command::new("node");
            node.args(["--input-type=module", "-"]);
            node
        }
    };
    let mut child = command
        .current_dir(root().join("tests/js"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the SDKs are installed: make python node");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let expected = block.expects.as_deref().unwrap();
    assert!(
        output.status.success() && said.contains(expected),
        "{text}\n{said}{errors}"
    );
}
