//! `sluice run`: gateway and setup in one go.

use super::*;
use crate::process::ANY_PORTS;

#[tokio::test]
async fn everything_starts_in_one_go() {
    let dir = tempfile::tempdir().unwrap();
    let llm = FakeProvider::start();
    std::fs::write(dir.path().join("groups.yaml"), GROUPS).unwrap();
    let args = [
        "run",
        "--groups",
        "groups.yaml",
        "--external-ip",
        "1.2.3.4",
        "--gateway",
        "--gateway-per-group",
    ];
    let serving = sluice(dir.path(), args.into_iter().chain(ANY_PORTS))
        .arg("--lemonade-url")
        .arg(&llm.url(""))
        .serving()
        .await;
    let file = dir.path().join("group-beta/kilo.jsonc");
    let kilo = sluice_testkit::eventually("the last config file", async || {
        std::fs::read_to_string(&file).ok()
    })
    .await;
    let kilo: Value = serde_json::from_str(&kilo).unwrap();
    let key = kilo["provider"]["lemonade-gateway"]["options"]["apiKey"]
        .as_str()
        .unwrap();
    let client = sluice_testkit::Client::new(serving.addr("proxy")).with_key(key);
    let call = client.post("/v1/chat/completions").json(&chat());
    call.send().await.expect_status(200).await;
}

#[tokio::test]
async fn a_file_of_no_use_stops_it_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("groups.yaml"), "groups:\n").unwrap();
    let args = ["run", "--gateway", "--groups", "groups.yaml"];
    let ended = sluice(dir.path(), args.into_iter().chain(ANY_PORTS))
        .ended()
        .await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("line 1: `groups` is empty"),
        "{}",
        ended.stderr
    );
    assert!(!dir.path().join("data").exists());
}
