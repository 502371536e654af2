//! The commands of README.md, run in order against the real binary.
//!
//! Addresses become those of the test's gateway, and the provider `openai` gets the address of a fake one; nothing
//! else is changed. A block is run if it stands under `<!-- test: … -->`; its output must contain that text.

use std::path::Path;
use std::process::{Command, Output};

use sluice_testkit::{FakeProvider, Gateway};

use crate::markdown::{Block, Page, root};

const PROVIDER: &str = r#""provider": "openai","#;
const PROVIDER_KEY: &str = "sk-of-the-provider";

/// Between the outputs of two blocks.
const SEPARATOR: &str = "\u{1e}";

/// Answers of 4xx and 5xx are failures; what they say is printed.
const CURL: &str = "curl() { command curl --silent --show-error --fail-with-body --max-time 20 \"$@\"; }";

/// The key of the demo client, from the `curl` that the gateway prints.
pub(crate) async fn demo_key(gateway: &Gateway) -> String {
    gateway.wait_output("Authorization: Bearer ").await;
    let output = gateway.output();
    let (_, rest) = output.split_once("Authorization: Bearer ").unwrap();
    rest.split('\'').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_commands_of_the_readme_answer_as_it_says() {
    let blocks: Vec<Block> = Page::read("README.md")
        .blocks()
        .into_iter()
        .filter(|b| b.expects.is_some())
        .collect();
    let of = |language: &str| {
        blocks
            .iter()
            .filter(|block| block.language == language)
            .collect::<Vec<_>>()
    };
    let (shell, python) = (of("sh"), of("python"));
    assert!(
        shell.len() >= 4 && !python.is_empty(),
        "README.md lacks its first steps"
    );

    let provider = FakeProvider::start();
    let gateway = Gateway::builder(env!("CARGO_BIN_EXE_sluice"))
        .arg("--demo")
        .start()
        .await;
    let script = shell
        .iter()
        .map(|block| format!("{}\necho '{SEPARATOR}'\n", block.text))
        .collect::<String>();
    let script = format!("{CURL}\n{}", here(&script, &gateway, &provider));
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &script])
        .env("DEMO_KEY", demo_key(&gateway).await);
    let printed = run(bash, gateway.dir()).await;
    let printed: Vec<&str> = printed.split(SEPARATOR).collect();
    for (block, printed) in shell.iter().zip(printed) {
        expect(block, printed);
    }
    assert_eq!(
        provider.last_request().header("authorization"),
        Some(&*format!("Bearer {PROVIDER_KEY}"))
    );

    let interpreter = root().join(".venv/bin/python");
    assert!(
        interpreter.exists(),
        "the official SDK is missing: `make python` installs it"
    );
    for block in python {
        let mut python = Command::new(&interpreter);
        python.args(["-c", &here(&block.text, &gateway, &provider)]);
        expect(block, &run(python, gateway.dir()).await);
    }
}

/// A text with the addresses of this test.
fn here(text: &str, gateway: &Gateway, provider: &FakeProvider) -> String {
    let endpoint = format!(
        r#"{PROVIDER} "override": {{ "endpoint": "http://{}" }},"#,
        provider.addr()
    );
    text.replace("127.0.0.1:9080", &gateway.proxy_addr().to_string())
        .replace("127.0.0.1:9180", &gateway.admin_addr().to_string())
        .replace(PROVIDER, &endpoint)
}

fn expect(block: &Block, printed: &str) {
    let expected = block.expects.as_deref().unwrap();
    assert!(
        printed.contains(expected),
        "no {expected:?} in the output of\n{}\n{printed}",
        block.text
    );
}

async fn run(mut command: Command, folder: &Path) -> String {
    command.current_dir(folder).env("OPENAI_API_KEY", PROVIDER_KEY);
    let output: Output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .expect("a program");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    stdout
}
