//! Records and ledgers for tests.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use http::Method;
use proptest::prelude::*;
use sluice_llm::{Provenance, Usage};
use sluice_record::{AiRecord, Cost, Ended, Record, RequestId, ResponseSource};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor, SqliteConnection};

use crate::LedgerConfig;
use crate::read::{LedgerReader, SharedSqlite};
use crate::row::{Row, RowTools};
use crate::seq::Seq;
use sluice_sql::Sqlite;

/// Start of an hour and day: 2026-11-20T00:00:00Z.
pub(crate) const MIDNIGHT: i64 = 1_795_132_800_000_000;

/// A ledger in a folder, impatient with locks.
pub(crate) fn config(folder: &Path) -> LedgerConfig {
    LedgerConfig {
        flush_interval: Duration::from_millis(5),
        busy_timeout: Duration::from_millis(1),
        ..LedgerConfig::new(folder.join("ledger.db"))
    }
}

/// Holds the database's write lock until it is dropped, as another process would.
pub(crate) async fn lock(path: &Path) -> SqliteConnection {
    let mut connection = connect(path).await;
    connection.execute("BEGIN IMMEDIATE").await.unwrap();
    connection
}

/// A connection of somebody else.
pub(crate) async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(5));
    options.connect().await.unwrap()
}

pub(crate) fn reader(sqlite: &Sqlite) -> LedgerReader {
    let shared = SharedSqlite::default();
    shared.set(Some(sqlite.clone()));
    LedgerReader::new(shared).with_scan_time(Duration::from_secs(600))
}

/// Rows of these records, one per microsecond.
pub(crate) fn rows(from: Seq, records: &[Record]) -> Vec<Row> {
    let mut tools = RowTools::default();
    let seqs = (from.0..).map(Seq);
    let rows = seqs
        .zip(records)
        .map(|(seq, record)| Row::new(seq, record, &mut tools));
    rows.collect::<Result<_, _>>().unwrap()
}

/// Records of many kinds.
pub(crate) fn any_record() -> impl Strategy<Value = Record> {
    let names = (0..4_usize, 0..3_usize, any::<bool>());
    let outcome = (
        prop::sample::select(vec![200, 204, 302, 400, 429, 499, 500, 502]),
        prop::sample::select(vec![
            Ended::Complete,
            Ended::ClientGone,
            Ended::UpstreamCut,
            Ended::LimitHit,
        ]),
        0..5_000_000_u64,
    );
    let usage = prop::array::uniform12(prop_oneof![3 => Just(0_u64), 1 => 0..10_000_u64]);
    let cost = prop::option::of(-5..100_000_i64);
    (any::<u128>(), names, outcome, usage, cost).prop_map(|(id, names, outcome, usage, cost)| {
        let mut record = record(id);
        record.consumer = ["alice", "bob", "carol"].get(names.0).map(|name| (*name).into());
        (record.status, record.ended, record.duration_us) = outcome;
        if names.2 {
            let mut ai = ai();
            ai.model_sent = ["gpt-4o-mini", "claude-sonnet-4-5", ""][names.1].into();
            ai.usage = Usage::from_buckets(usage);
            ai.cost = cost.map_or(Cost::Unpriced, Cost::MicroUsd);
            record.ai = Some(Box::new(ai));
        } else {
            record.ai = None;
        }
        record
    })
}

/// A record of an ordinary chat call.
pub(crate) fn record(id: u128) -> Record {
    Record {
        id: RequestId(id),
        started_us: 1_795_190_400_000_000,
        duration_us: 812_345,
        upstream_us: 811_000,
        method: Method::POST,
        scheme: "https",
        host: "gateway.example".into(),
        request_uri: "/v1/chat/completions".into(),
        uri: "/v1/chat/completions".into(),
        http_version: "HTTP/1.1",
        user_agent: Some("OpenAI/Python 2.8.0".into()),
        referer: None,
        client: SocketAddr::from((Ipv4Addr::new(10, 1, 2, 3), 40_000)),
        request_bytes: 1430,
        response_bytes: 2210,
        body_bytes: 2000,
        status: 200,
        source: ResponseSource::Upstream,
        ended: Ended::Complete,
        route_id: Some("chat".into()),
        route_name: None,
        service_id: None,
        service_name: None,
        matched_uri: Some("/v1/chat/completions".into()),
        matched_host: None,
        consumer: Some("alice".into()),
        consumer_group: Some("staff".into()),
        credential: Some("alice-key".into()),
        node: Some("ai-proxy-openai".into()),
        attempts: Vec::new(),
        prometheus: None,
        asked: Box::default(),
        ai: Some(Box::new(ai())),
        cache: None,
        error: None,
        payload: None,
    }
}

pub(crate) fn ai() -> AiRecord {
    AiRecord {
        protocol: "openai-chat",
        provider: "openai",
        instance: "ai-proxy-openai".into(),
        model_asked: "gpt-4o-mini".into(),
        model_sent: "gpt-4o-mini".into(),
        stream: true,
        ttft_us: Some(210_000),
        usage: Usage {
            input: 812,
            output: 233,
            ..Usage::default()
        },
        provenance: Provenance::Reported,
        cost: Cost::MicroUsd(262),
        ..AiRecord::default()
    }
}
