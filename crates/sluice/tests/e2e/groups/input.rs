//! Input that is of no use: one clear message, an exit code, and nothing half-applied.

use super::*;

/// What `setup` says to a file of that name.
async fn refused(event: &Event, name: &str, text: &[u8]) -> String {
    std::fs::write(event.dir.path().join(name), text).unwrap();
    let ended = event.setup(["--groups", name]).ended().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(event.names("routes", "id").await, Vec::<String>::new());
    ended.stderr
}

#[tokio::test]
async fn files_that_are_wrong_are_told_with_their_lines() {
    let event = Event::start().await;
    assert!(refused(&event, "a.yaml", b"").await.contains("the file is empty"));
    assert!(
        refused(&event, "b.yaml", b"groups: {a: [b")
            .await
            .contains("this is no YAML")
    );
    assert!(
        refused(&event, "c.yaml", b"\xff\xfe")
            .await
            .contains("is no text in UTF-8")
    );
    let many = refused(
        &event,
        "d.yaml",
        b"groups:\n  a: [x, x]\n  'b c!': [y]\n  d: {rate_limit: -5}\n",
    )
    .await;
    for line in [
        "line 2: user `x` is in group `a` twice",
        "line 3:",
        "line 4: `rate_limit` is a whole number",
    ] {
        assert!(many.contains(line), "{many}");
    }
    let collision = refused(&event, "e.yaml", b"groups:\n  a-b: [c]\n  a: [b-c]\n").await;
    assert!(
        collision.contains("would both be the consumer `a-b-c`"),
        "{collision}"
    );
    assert!(
        refused(&event, "f.csv", b"team\nx\n")
            .await
            .contains("`user` is not among them")
    );
    let bomb = format!("a: &a [x,x]\n{}", "b: [*a,*a]\n");
    assert!(
        refused(&event, "g.yaml", bomb.as_bytes())
            .await
            .contains("aliases")
    );
    let missing = event.setup(["--groups", "missing.yaml"]).ended().await;
    assert!(
        missing.code == Some(2) && missing.stderr.contains("cannot read missing.yaml"),
        "{missing:?}"
    );
    let group = event
        .setup(["--groups", "groups.yaml", "--group", "gamma"])
        .ended()
        .await;
    assert!(
        group.stderr.contains("has no group `gamma`; it has alpha, beta"),
        "{group:?}"
    );
}

#[tokio::test]
async fn a_table_is_as_good_as_yaml() {
    let event = Event::start().await;
    event.write(
        "people.csv",
        "group,user,email\nalpha,alice,alice@example.com\nbeta,dave,\n",
    );
    let ended = event
        .setup(["--groups", "people.csv", "--no-verify", "--format", "csv"])
        .ended()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert!(
        lines[1].starts_with("alpha-alice,alpha,alice,alice@example.com,"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 3);
}

#[tokio::test]
async fn a_consumer_of_somebody_else_is_left_alone() {
    let event = Event::start().await;
    let own = json!({ "username": "alpha-bob", "plugins": { "key-auth": { "key": "bobs-own-key" } } });
    event.gateway.admin().put("/consumers", own).await;
    let ended = event.setup(["--groups", "groups.yaml"]).ended().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("a consumer `alpha-bob` is there already, and no setup made it"),
        "{}",
        ended.stderr
    );
    assert_eq!(event.names("consumers", "username").await, ["alpha-bob"]);
    let rows = event.rows(["--adopt"]).await;
    assert_eq!(text(&rows[1], "api_key"), "bobs-own-key");
}

#[tokio::test]
async fn servers_that_cannot_be_reached_are_told() {
    let event = Event::start().await;
    let dir = event.dir.path();
    let nobody = sluice(
        dir,
        [
            "gateway",
            "setup",
            "--admin-url",
            "http://127.0.0.1:1",
            "--admin-key",
            "k",
        ],
    )
    .ended()
    .await;
    assert_eq!(nobody.code, Some(2), "{nobody:?}");
    assert!(
        nobody
            .stderr
            .contains("Admin API at http://127.0.0.1:1 cannot be reached"),
        "{}",
        nobody.stderr
    );
    let odd = sluice(
        dir,
        ["gateway", "setup", "--admin-url", "localhost", "--admin-key", "k"],
    )
    .ended()
    .await;
    assert!(odd.stderr.contains("`localhost` is no address"), "{}", odd.stderr);
    let wrong = event
        .setup(["--groups", "groups.yaml", "--admin-key", "wrong"])
        .ended()
        .await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(
        wrong.stderr.contains("401") && wrong.stderr.contains("--admin-key"),
        "{}",
        wrong.stderr
    );
    let keyless = sluice(dir, ["gateway", "setup", "--admin-port", "1"])
        .ended()
        .await;
    assert!(
        keyless.stderr.contains("there is no admin key"),
        "{}",
        keyless.stderr
    );
    let ended = event
        .setup(["--groups", "groups.yaml", "--lemonade-model", "gpt-4"])
        .arg("--no-verify")
        .ended()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("the LLM server has no model `gpt-4`; it has"),
        "{}",
        ended.stderr
    );
    let port = event.gateway.admin_addr().port().to_string();
    let away = sluice(
        dir,
        [
            "gateway",
            "setup",
            "--lemonade-url",
            "http://127.0.0.1:1",
            "--admin-port",
            &port,
        ],
    )
    .env("GATEWAY_ADMIN_KEY", event.gateway.admin_key())
    .ended()
    .await;
    assert_eq!(away.code, Some(0), "{away:?}");
    assert!(
        away.stderr
            .contains("the LLM server at http://127.0.0.1:1 cannot be used"),
        "{}",
        away.stderr
    );
    assert!(
        event
            .names("consumers", "username")
            .await
            .contains(&"default".to_owned())
    );
}
