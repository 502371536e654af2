//! The request ledger from outside: a row for every request, and the bounds of what may be lost.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_ledger::{Entry, Filter, Ledger, LedgerConfig, Series};
use sluice_record::Cost;
use sluice_testkit::{FakeProvider, Gateway};
use sqlx::{Connection, SqliteConnection};

use crate::scrape::Scrape;
use crate::support::{binary, chat, done, node, openai, put, put_route};

/// All records in the ledger of a gateway that is not running, oldest first.
pub(crate) async fn entries(gateway: &Gateway) -> Vec<Entry> {
    let ledger = Ledger::open(LedgerConfig::new(database(gateway))).await.unwrap();
    // What was spilled before reaches the database first.
    ledger.handle().flush(Duration::from_secs(10)).await.unwrap();
    let reader = ledger.reader();
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = reader.records(&Filter::default(), after, 1000).await.unwrap();
        all.extend(page.records);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    ledger.close(Duration::from_secs(10)).await.unwrap();
    all.reverse();
    all
}

fn database(gateway: &Gateway) -> PathBuf {
    gateway.dir().join("data/ledger.db")
}

async fn stop(gateway: &mut Gateway) {
    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
}

/// A gateway with a route `/n/*` to a plain upstream.
async fn numbered(upstream: &FakeProvider) -> Gateway {
    let gateway = crate::support::gateway().await;
    put_numbered(&gateway, upstream).await;
    gateway
}

async fn put_numbered(gateway: &Gateway, upstream: &FakeProvider) {
    put(
        gateway,
        "/routes/n",
        json!({ "uri": "/n/*", "upstream": node(upstream.addr()) }),
    )
    .await;
}

async fn request(gateway: &Gateway, number: usize) {
    gateway
        .client()
        .get(&format!("/n/{number}"))
        .send()
        .await
        .bytes()
        .await;
}

/// The numbers of the requests to `/n/*`, in the order of the ledger.
fn numbers(entries: &[Entry]) -> Vec<usize> {
    let uris = entries
        .iter()
        .filter_map(|entry| entry.detail.uri.as_deref()?.strip_prefix("/n/"));
    uris.map(|number| number.parse().unwrap()).collect()
}

async fn health(gateway: &Gateway) -> Value {
    gateway
        .admin()
        .client()
        .get("/status")
        .send()
        .await
        .expect_status(200)
        .await
        .json()
        .await
}

/// Keeps every other connection from writing.
async fn lock(path: &Path) -> SqliteConnection {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", path.display()))
        .await
        .unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut connection)
        .await
        .unwrap();
    connection
}

/// Who asked whom through what, `-` for what is not known.
fn names(entry: &Entry) -> [&str; 9] {
    let Series {
        consumer,
        consumer_group,
        credential,
        route,
        endpoint,
        protocol,
        provider,
        instance,
        model,
    } = &entry.series;
    let all = [
        consumer,
        consumer_group,
        credential,
        route,
        endpoint,
        protocol,
        provider,
        instance,
        model,
    ];
    all.map(|name| name.as_deref().unwrap_or("-"))
}

#[tokio::test]
async fn every_request_has_a_row_that_says_what_it_was() {
    let provider = FakeProvider::start();
    let mut gateway = crate::support::gateway().await;
    put(&gateway, "/consumer_groups/g", json!({ "plugins": {} })).await;
    put(
        &gateway,
        "/consumers",
        json!({ "username": "c", "group_id": "g" }),
    )
    .await;
    let key = json!({ "plugins": { "key-auth": { "key": "k" } } });
    put(&gateway, "/consumers/c/credentials/laptop", key).await;
    let mut conf = openai(&provider);
    conf["options"] = json!({ "model": "gpt-4o" });
    put_route(
        &gateway,
        "chat",
        "/chat",
        json!({ "key-auth": {}, "ai-proxy": conf }),
    )
    .await;
    put_numbered(&gateway, &provider).await;

    let client = gateway.client();
    let mut body = chat("conf:reason");
    body["model"] = json!("asked");
    let call = client.post("/chat").header("user-agent", "test/1").json(&body);
    done(call.clone().header("apikey", "k"), 200).await;
    done(call.header("apikey", "wrong"), 401).await;
    done(client.get("/nowhere"), 404).await;
    done(client.get("/n/7"), 404).await;
    stop(&mut gateway).await;

    let entries = entries(&gateway).await;
    let statuses: Vec<u16> = entries.iter().map(|entry| entry.status).collect();
    assert_eq!(statuses, [200, 401, 404, 404]);
    assert!(entries.is_sorted_by(|one, next| one.id < next.id));
    let [answered, refused, unmatched, plain] = &entries[..] else {
        panic!("{entries:?}")
    };
    let expected = [
        "c",
        "g",
        "laptop",
        "chat",
        "/chat",
        "openai-chat",
        "openai",
        "ai-proxy-openai",
        "gpt-4o",
    ];
    assert_eq!(names(answered), expected);
    assert_eq!(
        names(refused),
        ["-", "-", "-", "chat", "/chat", "-", "-", "-", "-"]
    );
    assert_eq!(names(unmatched), ["-"; 9]);
    assert_eq!(names(plain), ["-", "-", "-", "n", "/n/*", "-", "-", "-", "-"]);
    says_what_it_cost(answered);
    assert_eq!(
        (refused.usage.total(), refused.detail.source.as_deref()),
        (0, Some("apisix"))
    );
    assert_eq!(
        (plain.detail.method.as_deref(), plain.detail.uri.as_deref()),
        (Some("GET"), Some("/n/7"))
    );
}

fn says_what_it_cost(entry: &Entry) {
    let usage = entry.usage;
    assert_eq!((usage.total_input(), usage.output, usage.reasoning), (12, 12, 8));
    // 2.50 and 10.00 dollars for a million tokens.
    assert_eq!(entry.cost, Cost::MicroUsd(12 * 5 / 2 + 20 * 10));
    let first = entry.ttft_us.unwrap();
    assert!(first > 0 && first <= entry.duration_us, "{entry:?}");
    let detail = &entry.detail;
    assert_eq!(detail.model_asked.as_deref(), Some("asked"));
    assert_eq!(detail.user_agent.as_deref(), Some("test/1"));
    assert!(
        detail.request_bytes > 0 && detail.response_bytes > 0 && detail.upstream_us > 0,
        "{entry:?}"
    );
}

#[tokio::test]
async fn a_stop_loses_nothing() {
    let upstream = FakeProvider::start();
    let mut gateway = numbered(&upstream).await;
    for number in 0..50 {
        request(&gateway, number).await;
    }
    stop(&mut gateway).await;
    assert_eq!(numbers(&entries(&gateway).await), Vec::from_iter(0..50));
}

/// Sends one request after the other for a while, kills the gateway, and returns for how long before that the ledger
/// may have lost requests.
async fn loss_of_a_kill(gateway: &mut Gateway) -> Duration {
    let start = Instant::now();
    let mut answered = Vec::new();
    while start.elapsed() < Duration::from_millis(1500) {
        request(gateway, answered.len()).await;
        answered.push(Instant::now());
    }
    gateway.kill();
    let killed = Instant::now();
    let kept = numbers(&entries(gateway).await);
    assert_eq!(
        kept,
        Vec::from_iter(0..kept.len()),
        "only the last ones are missing"
    );
    answered
        .get(kept.len())
        .map_or(Duration::ZERO, |first_lost| killed - *first_lost)
}

#[tokio::test]
async fn a_kill_loses_half_a_second_at_most() {
    let upstream = FakeProvider::start();
    let mut least = Duration::MAX;
    // The bound is the gateway's own; a machine that is busy with other tests adds to it now and then.
    for _ in 0..3 {
        let mut gateway = numbered(&upstream).await;
        least = least.min(loss_of_a_kill(&mut gateway).await);
    }
    assert!(least <= Duration::from_millis(500), "{least:?}");
}

#[tokio::test]
async fn a_locked_database_is_waited_for_beside_the_requests() {
    let upstream = FakeProvider::start();
    let mut gateway = numbered(&upstream).await;
    request(&gateway, 0).await;
    Scrape::when(&gateway, "the first row", |scrape| {
        scrape.sum("sluice_ledger_written_total", &[]) == 1.0
    })
    .await;
    let lock = lock(&database(&gateway)).await;
    for number in 1..6 {
        request(&gateway, number).await;
    }
    Scrape::when(&gateway, "spilled rows", |scrape| {
        scrape.sum("sluice_ledger_spilled_total", &[]) == 5.0
    })
    .await;
    let status = health(&gateway).await;
    assert_eq!(status["ready"], true, "nothing is lost: {status}");
    assert_eq!(status["health"]["ledger"]["spilled"], 5, "{status}");
    assert!(
        gateway.output().contains("records are spilled"),
        "{}",
        gateway.output()
    );

    lock.close().await.unwrap();
    Scrape::when(&gateway, "replayed rows", |scrape| {
        scrape.sum("sluice_ledger_replayed_total", &[]) == 5.0
    })
    .await;
    request(&gateway, 6).await;
    Scrape::when(&gateway, "the last row", |scrape| {
        scrape.sum("sluice_ledger_written_total", &[]) == 2.0
    })
    .await;
    stop(&mut gateway).await;
    assert_eq!(numbers(&entries(&gateway).await), Vec::from_iter(0..7));
}

#[tokio::test]
async fn spilled_rows_outlive_a_kill() {
    let upstream = FakeProvider::start();
    let mut gateway = numbered(&upstream).await;
    let lock = lock(&database(&gateway)).await;
    for number in 0..5 {
        request(&gateway, number).await;
    }
    Scrape::when(&gateway, "spilled rows", |scrape| {
        scrape.sum("sluice_ledger_spilled_total", &[]) == 5.0
    })
    .await;
    gateway.kill();
    lock.close().await.unwrap();
    gateway.restart().await;
    Scrape::when(&gateway, "replayed rows", |scrape| {
        scrape.sum("sluice_ledger_replayed_total", &[]) == 5.0
    })
    .await;
    stop(&mut gateway).await;
    assert_eq!(numbers(&entries(&gateway).await), Vec::from_iter(0..5));
}

#[tokio::test]
async fn a_start_does_not_wait_for_a_locked_ledger() {
    let upstream = FakeProvider::start();
    let mut gateway = numbered(&upstream).await;
    let lock = lock(&database(&gateway)).await;
    gateway.restart().await;
    request(&gateway, 0).await;
    Scrape::when(&gateway, "a spilled row", |scrape| {
        scrape.sum("sluice_ledger_spilled_total", &[]) == 1.0
    })
    .await;
    lock.close().await.unwrap();
    Scrape::when(&gateway, "a replayed row", |scrape| {
        scrape.sum("sluice_ledger_replayed_total", &[]) == 1.0
    })
    .await;
    stop(&mut gateway).await;
    assert_eq!(numbers(&entries(&gateway).await), [0]);
}

#[tokio::test]
async fn a_database_that_was_moved_away_is_waited_for() {
    let upstream = FakeProvider::start();
    let mut gateway = numbered(&upstream).await;
    request(&gateway, 0).await;
    Scrape::when(&gateway, "the first row", |scrape| {
        scrape.sum("sluice_ledger_written_total", &[]) == 1.0
    })
    .await;
    let data = gateway.dir().join("data");
    let move_all = |from: &str, to: &str| {
        for suffix in ["", "-wal", "-shm"] {
            let name = |base: &str| data.join(format!("{base}{suffix}"));
            // The log goes when the last connection has gone.
            if std::fs::rename(name(from), name(to)).is_err() {
                assert_ne!(suffix, "", "{from}");
            }
        }
    };
    move_all("ledger.db", "away.db");
    for number in 1..4 {
        request(&gateway, number).await;
    }
    Scrape::when(&gateway, "spilled rows", |scrape| {
        scrape.sum("sluice_ledger_spilled_total", &[]) == 3.0
    })
    .await;
    assert!(
        !database(&gateway).exists(),
        "an empty ledger is not started beside a lost one"
    );
    move_all("away.db", "ledger.db");
    Scrape::when(&gateway, "replayed rows", |scrape| {
        scrape.sum("sluice_ledger_replayed_total", &[]) == 3.0
    })
    .await;
    stop(&mut gateway).await;
    assert_eq!(numbers(&entries(&gateway).await), [0, 1, 2, 3]);
}

#[tokio::test]
async fn readiness_goes_when_nothing_can_be_recorded_and_comes_back() {
    let upstream = FakeProvider::start();
    let mut gateway = Gateway::builder(binary()).start().await;
    put_numbered(&gateway, &upstream).await;
    stop(&mut gateway).await;
    // Every write to this file fails as on a full disk.
    let spill = gateway.dir().join("data/ledger.spill");
    std::fs::remove_file(&spill).unwrap();
    std::os::unix::fs::symlink("/dev/full", &spill).unwrap();
    gateway.restart().await;
    let lock = lock(&database(&gateway)).await;
    request(&gateway, 0).await;
    Scrape::when(&gateway, "degradation", |scrape| {
        scrape.sum("sluice_ledger_degraded", &[]) == 1.0
    })
    .await;
    request(&gateway, 1).await;

    let status = health(&gateway).await;
    assert_eq!(
        (&status["status"], &status["ready"]),
        (&json!("ok"), &json!(false)),
        "{status}"
    );
    assert_eq!(status["health"]["ledger"]["degraded"], true, "{status}");
    let ready = gateway.admin().client().get("/status/ready");
    let answer = ready.clone().send().await.expect_status(503).await.json().await;
    assert_eq!(answer["status"], "error");
    assert!(answer["error"].as_str().unwrap().contains("ledger"), "{answer}");

    lock.close().await.unwrap();
    Scrape::when(&gateway, "recovery", |scrape| {
        scrape.sum("sluice_ledger_degraded", &[]) == 0.0
    })
    .await;
    ready.send().await.expect_status(200).await;
    let scrape = Scrape::when(&gateway, "both rows", |scrape| {
        scrape.sum("sluice_ledger_written_total", &[]) == 2.0
    })
    .await;
    assert_eq!(scrape.sum("sluice_ledger_dropped_total", &[]), 0.0);
    gateway.kill();
    std::fs::remove_file(&spill).unwrap();
    assert_eq!(numbers(&entries(&gateway).await), [0, 1]);
}
