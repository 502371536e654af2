//! Config files for tools.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[tokio::test]
async fn files_are_written_per_consumer_and_hold_its_key() {
    let event = Event::start().await;
    let rows = event
        .rows([
            "--generate-kilo",
            "--kilo-format",
            "both",
            "--tools",
            "all",
            "--external-ip",
            "1.2.3.4",
        ])
        .await;
    let port = event.gateway.proxy_addr().port();
    for row in &rows {
        let (name, key) = (text(row, "username"), text(row, "api_key"));
        let kilo: Value = serde_json::from_str(&event.read(&format!("{name}/kilo.jsonc"))).unwrap();
        let options = &kilo["provider"]["lemonade-gateway"]["options"];
        assert_eq!(
            options,
            &json!({ "baseURL": format!("http://1.2.3.4:{port}/v1"), "apiKey": key })
        );
        let seed: Value = serde_json::from_str(&event.read(&format!("kilo-{name}.json"))).unwrap();
        let provider = json!({ "baseUrl": format!("http://1.2.3.4:{port}"), "apiKey": key });
        assert_eq!(seed["providers"]["lemonade-gateway"], provider);
        assert_eq!(seed["models"]["gemma-4-31b-it"]["modelId"], MODEL);
        for file in [
            ".claude/settings.json",
            ".codex/config.toml",
            "opencode.json",
            "gateway.env",
            ".aider.conf.yml",
        ] {
            assert!(event.read(&format!("{name}/{file}")).contains(key), "{file}");
        }
    }
    let mode = std::fs::metadata(event.dir.path().join("alpha-bob/gateway.env"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn generate_kilo_prints_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "gateway",
        "generate-kilo",
        "--username",
        "x",
        "--api-key",
        "k",
        "--external-ip",
        "1.2.3.4",
    ];
    let native: Value = serde_json::from_str(&sluice(dir.path(), args).ended().await.output()).unwrap();
    assert_eq!(native["indexing"]["dimension"], 1024);
    let seed = sluice(dir.path(), args)
        .arg("--kilo-format")
        .arg("seed")
        .arg("--no-embedding")
        .ended()
        .await
        .output();
    let seed: Value = serde_json::from_str(&seed).unwrap();
    assert_eq!(
        (
            &seed["providers"]["lemonade-gateway"]["baseUrl"],
            seed.get("indexing")
        ),
        (&json!("http://1.2.3.4:9080"), None)
    );
}

#[tokio::test]
async fn connect_shows_or_installs_one_file() {
    let event = Event::start().await;
    let rows = event.rows([]).await;
    let connect = |args: &[&str]| {
        let port = event.gateway.admin_addr().port().to_string();
        sluice(
            event.dir.path(),
            ["connect"].into_iter().chain(args.iter().copied()),
        )
        .arg("--admin-port")
        .arg(&port)
        .env("GATEWAY_ADMIN_KEY", event.gateway.admin_key())
    };
    let shown = connect(&["opencode", "--client", "beta-dave"])
        .ended()
        .await
        .output();
    assert!(shown.contains(text(&rows[3], "api_key")), "{shown}");
    connect(&["claude-code", "--client", "beta-dave", "--install", "home"])
        .ended()
        .await
        .output();
    assert!(
        event
            .read("home/.claude/settings.json")
            .contains(text(&rows[3], "api_key"))
    );
    let again = connect(&["claude-code", "--client", "beta-dave", "--install", "home"])
        .ended()
        .await;
    assert!(
        again.stderr.contains("is there already (--force replaces it)"),
        "{again:?}"
    );
    let unknown = connect(&["emacs", "--client", "beta-dave"]).ended().await;
    assert!(
        unknown.stderr.contains("`emacs` is no tool that is known") && unknown.code == Some(1),
        "{unknown:?}"
    );
    let nobody = connect(&["kilo", "--client", "nobody"]).ended().await;
    assert!(
        nobody.stderr.contains("there is no consumer `nobody`"),
        "{nobody:?}"
    );
}
