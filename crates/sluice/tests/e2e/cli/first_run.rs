//! The first start: what it makes, what it shows, and that it shows it once.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use sluice_store::Database;
use sluice_testkit::Admin;

use super::folder;
use crate::process::{Serving, serve};

/// What follows a label in the greeting.
fn shown<'t>(greeting: &'t str, label: &str) -> &'t str {
    let line = greeting.lines().find_map(|line| line.trim().strip_prefix(label));
    line.unwrap_or_else(|| panic!("no {label}: {greeting}")).trim()
}

async fn admits(serving: &Serving, key: &str) -> bool {
    let answer = Admin::new(serving.addr("admin"), key).get("/routes").await;
    assert!(matches!(answer.status, 200 | 401), "{}", answer.text());
    answer.status == 200
}

async fn password_of_admin(data: &Path) -> String {
    let database = Database::open(data.join("sluice.db")).await.unwrap();
    let user = database.admin_users().get("admin").await.unwrap().unwrap();
    database.close().await;
    user.password_hash
}

fn fits(password: &str, hash: &str) -> bool {
    Argon2::default()
        .verify_password(password.as_bytes(), &PasswordHash::new(hash).unwrap())
        .is_ok()
}

#[tokio::test]
async fn credentials_are_made_and_shown_once() {
    let dir = folder();
    let first = serve(dir.path(), []).serving().await;
    let greeting = first.stdout();
    assert_eq!(shown(&greeting, "admin user"), "admin");
    let key = shown(&greeting, "admin key").to_owned();
    let password = shown(&greeting, "admin password").to_owned();
    assert!(key.len() >= 32 && password.len() >= 16, "{greeting}");
    for name in ["proxy", "admin", "control"] {
        assert!(
            greeting.contains(&first.addr(name).to_string()),
            "{name} is shown: {greeting}"
        );
    }
    assert!(admits(&first, &key).await);
    assert!(fits(
        &password,
        &password_of_admin(&dir.path().join("data")).await
    ));
    drop(first);

    let second = serve(dir.path(), []).serving().await;
    let said = second.stdout() + &second.stderr();
    assert!(said.contains(&second.addr("proxy").to_string()), "{said}");
    assert!(
        !said.contains(&key) && !said.contains("First run") && !said.contains("admin key"),
        "{said}"
    );
    assert!(admits(&second, &key).await, "it goes on working");
}

#[tokio::test]
async fn the_log_has_no_colours_where_nobody_sees_them() {
    let dir = folder();
    let command = serve(dir.path(), [])
        .env("SLUICE_PLUGINS", "[nonsense]")
        .env("NO_COLOR", "");
    let stderr = command.serving().await.stderr();
    assert!(
        stderr.contains("nonsense") && !stderr.contains('\u{1b}'),
        "{stderr:?}"
    );
}

#[tokio::test]
async fn what_is_secret_is_the_owners_alone() {
    let dir = folder();
    let serving = serve(dir.path(), []).serving().await;
    let key = shown(&serving.stdout(), "admin key").to_owned();
    let data = dir.path().join("data");
    assert_eq!(std::fs::read_to_string(data.join("admin.key")).unwrap(), key);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for name in [
        "admin.key",
        "secret.key",
        "sluice.db",
        "sluice.db-wal",
        "ledger.db",
        "ledger.db-wal",
        "ledger.spill",
    ] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn given_credentials_are_taken_and_never_shown() {
    let (key, password) = ("preset-key-of-the-operator", "preset-password-of-the-operator");
    let dir = folder();
    let start = || {
        serve(dir.path(), [])
            .env("SLUICE_ADMIN_KEY", key)
            .env("SLUICE_ADMIN_PASSWORD", password)
    };
    for run in 0..2 {
        let serving = start().serving().await;
        let said = serving.stdout() + &serving.stderr();
        assert!(
            !said.contains(key) && !said.contains(password),
            "run {run}: {said}"
        );
        assert!(admits(&serving, key).await, "run {run}");
        assert!(
            fits(password, &password_of_admin(&dir.path().join("data")).await),
            "run {run}"
        );
    }
}

#[tokio::test]
async fn credentials_of_a_start_that_failed_are_shown_by_the_next() {
    let dir = folder();
    let failing = serve(dir.path(), []).env("SLUICE_ACCESS_LOG_TARGET", "absent/access.log");
    let complaint = failing.ended().await.complaint();
    assert!(complaint.contains("absent/access.log"), "{complaint}");
    let serving = serve(dir.path(), []).serving().await;
    let key = shown(&serving.stdout(), "admin key").to_owned();
    assert!(admits(&serving, &key).await);
}

#[tokio::test]
async fn without_demo_there_is_no_client_and_with_it_a_curl() {
    let dir = folder();
    let serving = serve(dir.path(), []).serving().await;
    let key = shown(&serving.stdout(), "admin key").to_owned();
    let kinds = [
        "routes",
        "consumers",
        "services",
        "upstreams",
        "global_rules",
        "consumer_groups",
        "plugin_configs",
    ];
    for kind in kinds {
        let list = Admin::new(serving.addr("admin"), &key)
            .get(&format!("/{kind}"))
            .await
            .expect_status(200)
            .json();
        assert_eq!(list["total"], 0, "{kind}: {list}");
    }
    assert!(!serving.stdout().contains("curl"));
}
