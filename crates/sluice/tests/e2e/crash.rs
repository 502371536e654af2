//! `kill -9` at any moment: every acknowledged write is kept, nothing is half-written, and the gateway serves on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, eventually};
use tokio::net::TcpStream;

use crate::support::{node, put};

const ROUNDS: usize = 15;
const ITEMS: [&str; 4] = ["/routes/a", "/routes/b", "/consumers/c", "/consumers/d"];

/// Begins every secret that is stored.
const CANARY: &str = "canary-of-the-crash-test";

/// What is known of an item. Version 0 is none at all.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    acknowledged: u64,
    /// Sent, and not answered when the gateway was killed: may or may not have been kept.
    pending: Option<u64>,
    /// The last version that was tried.
    tried: u64,
}

#[derive(Default)]
struct Notes {
    items: BTreeMap<&'static str, Known>,
    acknowledged: usize,
}

/// Notes that the writers share.
type Shared = Arc<Mutex<Notes>>;

/// An item in one version, with the version all over it.
fn item(path: &str, version: u64, upstream: SocketAddr) -> Value {
    let labels = (0..20).map(|number| {
        (
            format!("version{number}"),
            format!("{version}/").repeat(20).into(),
        )
    });
    let mut value = json!({ "desc": version.to_string(), "labels": Value::Object(labels.collect()) });
    let (kind, name) = path[1..].split_once('/').unwrap();
    if kind == "consumers" {
        value["username"] = name.into();
        value["plugins"] = json!({ "key-auth": { "key": secret(name, version) } });
    } else {
        let headers = json!({ "set": { "x-version": version.to_string() } });
        value["uri"] = path.into();
        value["plugins"] = json!({ "proxy-rewrite": { "headers": headers } });
        value["upstream"] = node(upstream);
    }
    value
}

fn secret(name: &str, version: u64) -> String {
    format!("{CANARY}-{name}-{version}")
}

/// A connection to the Admin API, used until it breaks.
struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    async fn open(gateway: &Gateway) -> Self {
        let stream = TcpStream::connect(gateway.admin_addr()).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// The status; none when the gateway is gone.
    async fn call(&mut self, key: &str, method: Method, path: &str, body: String) -> Option<u16> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/apisix/admin{path}"))
            .header("host", "admin")
            .header("x-api-key", key)
            .body(Full::from(body))
            .unwrap();
        self.0.ready().await.ok()?;
        let answer = self.0.send_request(request).await.ok()?;
        Some(answer.status().as_u16())
    }
}

/// Writes version after version of one item, and deletes it now and then, until the gateway is gone.
async fn write(
    notes: Shared,
    mut connection: Connection,
    key: &str,
    path: &'static str,
    upstream: SocketAddr,
) {
    loop {
        let (version, deletes) = {
            let mut notes = notes.lock().unwrap();
            let known = notes.items.entry(path).or_default();
            known.tried += 1;
            let deletes = known.acknowledged > 0 && known.tried.is_multiple_of(7);
            let version = if deletes { 0 } else { known.tried };
            known.pending = Some(version);
            (version, deletes)
        };
        let method = if deletes { Method::DELETE } else { Method::PUT };
        let body = if deletes {
            String::new()
        } else {
            item(path, version, upstream).to_string()
        };
        let Some(status) = connection.call(key, method, path, body).await else {
            return;
        };
        assert!(matches!(status, 200 | 201), "{path}: {status}");
        let mut notes = notes.lock().unwrap();
        notes.acknowledged += 1;
        let known = notes.items.entry(path).or_default();
        known.acknowledged = version;
        known.pending = None;
    }
}

/// Lets the writers loose, and kills the gateway when they have had so many acknowledgements.
async fn write_and_kill(gateway: &mut Gateway, notes: &Shared, enough: usize, upstream: SocketAddr) {
    let before = notes.lock().unwrap().acknowledged;
    let mut writers = Vec::new();
    for path in ITEMS {
        let connection = Connection::open(gateway).await;
        writers.push(tokio::spawn(write(
            notes.clone(),
            connection,
            gateway.admin_key(),
            path,
            upstream,
        )));
    }
    let acknowledged = || notes.lock().unwrap().acknowledged - before;
    eventually("acknowledgements", async || {
        (acknowledged() >= enough).then_some(())
    })
    .await;
    gateway.kill();
    for writer in writers {
        writer.await.unwrap();
    }
}

/// What is stored of an item: its version, and when it was made and changed.
async fn stored(gateway: &Gateway, path: &str, upstream: SocketAddr) -> Option<(u64, u64, u64)> {
    let answer = gateway.admin().get(path).await;
    if answer.status == 404 {
        return None;
    }
    let answer = answer.expect_status(200).json();
    let mut value = answer["value"].clone();
    let version = value["desc"].as_str().unwrap().parse().unwrap();
    for added in ["id", "create_time", "update_time"] {
        value.as_object_mut().unwrap().remove(added);
    }
    assert_eq!(value, item(path, version, upstream), "{path} is whole");
    let index = |name: &str| answer[name].as_u64().unwrap();
    Some((version, index("createdIndex"), index("modifiedIndex")))
}

/// Whether the data plane does what the stored version says.
async fn serves(gateway: &Gateway, path: &str, known: Known, upstream: &FakeProvider) {
    let (kind, name) = path[1..].split_once('/').unwrap();
    let call = if kind == "consumers" {
        gateway
            .client()
            .get("/auth")
            .header("apikey", &secret(name, known.acknowledged))
    } else {
        gateway.client().get(path)
    };
    let seen = upstream.requests().len();
    let status = call.send().await.status.as_u16();
    let gone = if kind == "consumers" { 401 } else { 404 };
    match known.acknowledged {
        0 => assert_eq!((status, upstream.requests().len()), (gone, seen), "{path}"),
        version => {
            assert_eq!(upstream.requests().len(), seen + 1, "{path}: {status}");
            if kind == "routes" {
                let passed = upstream.last_request();
                assert_eq!(
                    passed.header("x-version"),
                    Some(version.to_string().as_str()),
                    "{path}"
                );
            }
        }
    }
}

/// Asserts that no file of the data folder holds a secret.
fn hides_secrets(data: &Path) {
    let mut files = 0;
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        let content = std::fs::read(&path).unwrap();
        let found = content
            .windows(CANARY.len())
            .any(|window| window == CANARY.as_bytes());
        assert!(!found, "{} holds a secret", path.display());
        files += usize::from(
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("sluice.db"),
        );
    }
    assert!(files > 1, "the database and its log were looked at");
}

/// What the store must go on from.
#[derive(Default)]
struct Past {
    /// When each item was made and changed.
    indices: BTreeMap<&'static str, (u64, u64)>,
    revision: u64,
    generated: String,
}

/// Compares every item with the notes, in store and data plane. What was pending is decided then.
async fn check_items(gateway: &Gateway, notes: &Shared, past: &mut Past, upstream: &FakeProvider) {
    let highest = past
        .indices
        .values()
        .map(|(_, modified)| *modified)
        .max()
        .unwrap_or(0);
    for path in ITEMS {
        let mut known = notes.lock().unwrap().items[path];
        let found = stored(gateway, path, upstream.addr()).await;
        let version = found.map_or(0, |(version, ..)| version);
        let possible = [Some(known.acknowledged), known.pending];
        assert!(
            possible.contains(&Some(version)),
            "{path}: {version} is none of {known:?}"
        );
        (known.acknowledged, known.pending) = (version, None);
        notes.lock().unwrap().items.insert(path, known);
        serves(gateway, path, known, upstream).await;

        let Some((_, created, modified)) = found else {
            past.indices.remove(path);
            continue;
        };
        assert!(created <= modified);
        match past.indices.insert(path, (created, modified)) {
            Some((_, before)) if before == modified => {}
            before => assert!(
                modified > highest,
                "{path}: {modified} after {before:?} and {highest}"
            ),
        }
    }
}

/// Revisions and generated ids go on from where they were.
async fn check_counters(gateway: &Gateway, past: &mut Past) {
    let status = gateway.admin().client().get("/status").send().await.json().await;
    assert_eq!(status["problems"], json!([]));
    let revision = status["revision"].as_u64().unwrap();
    assert!(revision > past.revision, "{revision} after {}", past.revision);
    past.revision = revision;
    let upstream = json!({ "type": "roundrobin", "nodes": {} });
    let made = gateway
        .admin()
        .post("/upstreams", upstream)
        .await
        .expect_status(201)
        .json();
    let id = made["value"]["id"].as_str().unwrap().to_owned();
    assert!(id > past.generated, "{id} after {}", past.generated);
    past.generated = id;
}

#[tokio::test]
async fn no_acknowledged_write_is_lost() {
    let upstream = FakeProvider::start();
    let mut gateway = crate::support::gateway().await;
    let auth = json!({ "uri": "/auth", "plugins": { "key-auth": {} }, "upstream": node(upstream.addr()) });
    put(&gateway, "/routes/auth", auth).await;
    let notes = Shared::default();
    let mut past = Past::default();
    for round in 0..ROUNDS {
        write_and_kill(&mut gateway, &notes, 10 + round * 37 % 90, upstream.addr()).await;
        hides_secrets(&gateway.dir().join("data"));
        gateway.restart().await;
        check_items(&gateway, &notes, &mut past, &upstream).await;
        check_counters(&gateway, &mut past).await;
    }
    let upstreams = gateway.admin().get("/upstreams").await.expect_status(200).json();
    assert_eq!(upstreams["total"], ROUNDS, "one for each round");
}

#[tokio::test]
async fn secrets_are_encrypted_at_rest() {
    let mut gateway = crate::support::gateway().await;
    let provider = json!({
        "provider": "openai", "auth": { "header": { "Authorization": format!("Bearer {CANARY}") }, "query": { "key": CANARY } },
    });
    let key = json!({ "key-auth": { "key": secret("c", 1) } });
    let logger = json!({ "uri": "http://127.0.0.1:1", "auth_header": CANARY });
    let admin = gateway.admin();
    for (path, value) in [
        (
            "/routes/1",
            json!({ "uri": "/x", "plugins": { "ai-proxy": provider, "http-logger": logger } }),
        ),
        ("/consumers/c", json!({ "username": "c", "plugins": key })),
        ("/services/1", json!({ "plugins": { "ai-proxy": provider } })),
        ("/global_rules/1", json!({ "plugins": { "http-logger": logger } })),
        (
            "/secrets/vault/1",
            json!({ "uri": "http://127.0.0.1:1", "prefix": "kv", "token": CANARY }),
        ),
    ] {
        admin.put(path, value).await.expect_status(201);
    }
    admin
        .put(
            "/consumers/c/credentials/1",
            json!({ "plugins": { "key-auth": { "key": secret("d", 1) } } }),
        )
        .await
        .expect_status(201);
    let data = gateway.dir().join("data");
    hides_secrets(&data);
    // A stop folds the log into the database; a start reads it back.
    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
    let content = std::fs::read(data.join("sluice.db")).unwrap();
    assert!(
        content.windows(9).any(|window| window == b"/routes/1"),
        "it is all in the database"
    );
    assert!(
        !content
            .windows(CANARY.len())
            .any(|window| window == CANARY.as_bytes())
    );
    gateway.restart().await;
    let read = gateway.admin().get("/routes/1").await.expect_status(200).json();
    assert_eq!(read["value"]["plugins"]["ai-proxy"], provider);
}
