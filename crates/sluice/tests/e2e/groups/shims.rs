//! The command lines of the two scripts that people know, word for word.

use std::path::Path;
use std::process::Command;

use super::*;
use crate::support::binary;

fn shim(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../contrib/groups")
        .join(name)
}

#[tokio::test]
async fn known_command_lines_run_as_they_are() {
    let event = Event::start().await;
    let (admin, proxy) = (
        event.gateway.admin_addr().port().to_string(),
        event.gateway.proxy_addr().port().to_string(),
    );
    let llm = event.llm.url("");
    let run = |args: &[&str]| {
        let output = Command::new("python3")
            .arg(shim("apisix_gateway.py"))
            .args(args)
            .env("SLUICE", binary())
            .env("GATEWAY_ADMIN_KEY", event.gateway.admin_key())
            .current_dir(event.dir.path())
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{args:?}: {shown}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        shown
    };
    let ports = ["--admin-port", &admin];
    let with = |args: &[&'static str]| {
        args.iter()
            .copied()
            .chain(ports)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let call = |args: &[&'static str], more: &[&str]| {
        let all = with(args);
        run(&all
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .collect::<Vec<_>>())
    };
    let llm = ["--lemonade-url", llm.as_str(), "--proxy-port", proxy.as_str()];
    let shown = call(
        &[
            "setup",
            "--groups",
            "groups.yaml",
            "--generate-kilo",
            "--external-ip",
            "1.2.3.4",
        ],
        &llm,
    );
    assert!(shown.contains("alpha-alice"), "{shown}");
    // The scripts' own file name and form.
    assert!(event.read("kilo-alpha-alice.json").contains("\"providers\""));
    call(
        &[
            "setup",
            "--groups",
            "groups.yaml",
            "--group",
            "alpha",
            "--per-group",
        ],
        &llm,
    );
    call(
        &[
            "setup",
            "--groups",
            "groups.yaml",
            "--rate-limit",
            "1000",
            "--time-window",
            "120",
            "--no-embedding",
        ],
        &llm,
    );
    call(
        &["create-consumer", "--username", "zoe", "--rate-limit", "500"],
        &[],
    );
    run(&["generate-kilo", "--username", "zoe", "--api-key", "k"]);
    assert_eq!(call(&["status"], &[]).lines().count(), 6);
    call(&["delete-consumer", "--username", "zoe"], &[]);
    call(&["cleanup"], &[]);
    assert_eq!(event.names("consumers", "username").await, Vec::<String>::new());
}
