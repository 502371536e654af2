//! `sluice import aigateway`.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sluice_testkit::{Client, FakeProvider, Gateway};
use sqlx::{ConnectOptions, Connection};

use super::folder;
use crate::process::sluice;
use crate::support::{binary, chat};

const KEY: &str = "gm_11111111-2222-4333-8444-555555555555";
const ID: &str = "0b9c4f2e-9f1a-4f0e-8a53-0c8f6f0f1a11";

/// A database as aigateway makes it.
async fn database(path: &Path, upstream: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    for statement in [
        "CREATE TABLE clients (id text PRIMARY KEY, name text NOT NULL, description text, api_key_hash blob NOT NULL,
         key_prefix text, is_active numeric DEFAULT true, backend text DEFAULT 'gemini', backend_api_key text,
         backend_base_url text, backend_default_model text, backend_models text, fallback_models text,
         system_prompt text, tool_mode text DEFAULT 'pass-through', server_tools numeric DEFAULT false,
         rate_limit_minute integer DEFAULT 60, rate_limit_hour integer DEFAULT 1000,
         rate_limit_day integer DEFAULT 10000, quota_input_tokens_day integer DEFAULT 1000000,
         quota_output_tokens_day integer DEFAULT 500000, quota_requests_day integer DEFAULT 1000,
         max_input_tokens integer DEFAULT 1000000, max_output_tokens integer DEFAULT 8192,
         last_seen datetime, created_at datetime, updated_at datetime)",
        "CREATE TABLE request_logs (id integer PRIMARY KEY, client_id text)",
        "CREATE TABLE daily_usages (id integer PRIMARY KEY, client_id text, date text)",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    let digest = Sha256::digest(KEY.as_bytes()).to_vec();
    sqlx::query(
        "INSERT INTO clients (id, name, api_key_hash, backend, backend_api_key, backend_base_url, system_prompt,
         backend_default_model, rate_limit_minute) VALUES (?, 'Ann <b>', ?, 'openai', 'sk-up', ?, 'Be brief.',
         'gpt-4o', 2)",
    )
    .bind(ID)
    .bind(digest)
    .bind(upstream)
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
}

/// Imports into a folder of a gateway: whether that went well, and what was said.
async fn import(dir: &Path, data: &Path, more: &[&str]) -> (bool, String) {
    let args = [
        "import",
        "aigateway",
        "--db",
        "gateway.db",
        "--config",
        "aigateway.yaml",
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let ended = sluice(dir, args.iter().chain(more).copied()).ended().await;
    (ended.code == Some(0), format!("{}{}", ended.stdout, ended.stderr))
}

#[tokio::test]
async fn clients_of_an_aigateway_go_on_with_their_keys() {
    let dir = folder();
    let upstream = FakeProvider::start();
    database(&dir.path().join("gateway.db"), &upstream.url("/v1")).await;
    let config = "server: {port: 8090}\nproviders:\n  mistral: {api_key: sk-mistral, default_model: small}\n";
    std::fs::write(dir.path().join("aigateway.yaml"), config).unwrap();
    let mut gateway = Gateway::start(binary()).await;
    let data = gateway.dir().join("data");
    let (done, told) = import(dir.path(), &data, &[]).await;
    assert!(!done && told.contains("another sluice is running"), "{told}");
    gateway.terminate();
    gateway.wait_exit().await;
    let (done, told) = import(dir.path(), &data, &["--dry-run"]).await;
    assert!(done && told.contains("3 resources would be added"), "{told}");
    let (done, told) = import(dir.path(), &data, &[]).await;
    assert!(done && told.contains("3 resources added"), "{told}");
    assert!(!told.contains("sk-up") && !told.contains("sk-mistral"), "{told}");
    let (done, told) = import(dir.path(), &data, &[]).await;
    assert!(done && told.contains("0 resources would be added"), "{told}");
    gateway.restart().await;
    let client = gateway
        .client()
        .with_header("authorization", &format!("Bearer {KEY}"));
    for status in [200, 200, 429] {
        let call = client.post("/v1/chat/completions").json(&chat("conf:hello"));
        assert_eq!(call.send().await.status, status);
    }
    let seen = upstream.last_request();
    assert_eq!(seen.header("authorization"), Some("Bearer sk-up"));
    let first: Value = seen.json()["messages"][0].clone();
    assert_eq!(first, json!({ "role": "system", "content": "Be brief." }));

    // A key of which there is nothing but a digest ends and is replaced as any other.
    let bearer = format!("Bearer {}", gateway.admin_key());
    let api = Client::new(gateway.admin_addr()).with_header("authorization", &bearer);
    let shown = api.get(&format!("/api/v1/clients/{ID}")).send().await;
    let shown: Value = shown.expect_status(200).await.json().await;
    let (key, version) = (shown["keys"][0]["id"].as_str().unwrap(), &shown["version"]);
    assert_eq!(shown["keys"][0]["show_again"], false, "{shown}");
    let unlimited = json!({ "limits": {}, "version": version });
    let path = format!("/api/v1/clients/{ID}");
    let changed = api.call(http::Method::PATCH, &path).json(&unlimited).send().await;
    changed.expect_status(200).await.bytes().await;
    let rotate = api.post(&format!("{path}/keys/{key}/rotate"));
    let next = rotate.json(&json!({ "grace_seconds": 60 })).send().await;
    let next: Value = next.expect_status(201).await.json().await;
    let next = format!("Bearer {}", next["key"].as_str().unwrap());
    let ask = async |bearer: &str| {
        let call = gateway
            .client()
            .post("/v1/chat/completions")
            .header("authorization", bearer);
        let answer = call.json(&chat("conf:hello")).send().await;
        let status = answer.status.as_u16();
        answer.bytes().await;
        status
    };
    let old = format!("Bearer {KEY}");
    assert_eq!((ask(&old).await, ask(&next).await), (200, 200));
    let end = api.call(http::Method::PATCH, &format!("{path}/keys/{key}"));
    let ended = end.json(&json!({ "expires_at": 1000 })).send().await;
    ended.expect_status(200).await.bytes().await;
    assert_eq!((ask(&old).await, ask(&next).await), (401, 200));
}

#[tokio::test]
async fn files_that_are_none_of_an_aigateway_are_named() {
    let dir = folder();
    std::fs::write(dir.path().join("aigateway.yaml"), "providers: {}\n").unwrap();
    let (done, told) = import(dir.path(), &dir.path().join("data"), &[]).await;
    assert!(!done && told.contains("gateway.db"), "{told}");
    std::fs::write(
        dir.path().join("gateway.db"),
        "no database at all, but long enough to be read as one",
    )
    .unwrap();
    let (done, told) = import(dir.path(), &dir.path().join("data"), &[]).await;
    assert!(!done && told.contains("no database of an aigateway"), "{told}");
    assert!(!dir.path().join("data").exists(), "nothing is made");
}
