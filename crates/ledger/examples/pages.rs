//! Fills a ledger with the records of a month and measures how long pages of requests and of usage take.
//!
//! `cargo run --release -p sluice-ledger --example pages [records] [clients] [file]`. With a file that exists, that one
//! is measured; a file that was named is kept.

use std::error::Error;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use http::Method;
use sluice_ledger::{
    CacheFilter, Dimension, Filter, GroupBy, Ledger, LedgerConfig, LedgerImport, LedgerReader, Period, Seq,
};
use sluice_llm::{Provenance, Usage};
use sluice_record::{AiRecord, CacheOutcome, CacheUse, Cost, Ended, Record, RequestId, ResponseSource, Text};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const DAYS: i64 = 30;
const DAY_US: i64 = 24 * 3_600_000_000;

/// Start of the month: 2026-11-01T00:00:00Z.
const START: i64 = 1_793_491_200_000_000;

/// Records of one transaction.
const BATCH: u64 = 4096;

/// What pages of requests, and reports, may take.
const PAGE: Duration = Duration::from_millis(100);
const REPORT: Duration = Duration::from_millis(300);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments.next().map_or(Ok(10_000_000), |text| text.parse())?;
    let clients: u64 = arguments.next().map_or(Ok(500), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let path = arguments
        .next()
        .map_or_else(|| folder.path().join("ledger.db"), PathBuf::from);
    let config = LedgerConfig {
        record_days: 40,
        ..LedgerConfig::new(&path)
    };
    let mut out = std::io::stdout();
    if !path.exists() {
        let start = Instant::now();
        fill(&config, count, clients).await?;
        let bytes = std::fs::metadata(&path)?.len();
        writeln!(
            out,
            "{count} records of {clients} clients written in {:.0} s, {} MB",
            start.elapsed().as_secs_f64(),
            bytes / 1_000_000
        )?;
    }
    let ledger = Ledger::open(config).await?;
    let reader = ledger.reader();
    requests(&reader, &mut out).await?;
    usage(&reader, &mut out).await?;
    Ok(())
}

async fn fill(config: &LedgerConfig, count: u64, clients: u64) -> Result<(), Box<dyn Error>> {
    let mut import = LedgerImport::open(config.clone()).await?;
    let mut batch = Vec::with_capacity(BATCH as usize);
    for number in 0..count {
        batch.push(record(number, count, clients));
        if batch.len() as u64 == BATCH {
            import.write(&batch).await?;
            batch.clear();
        }
    }
    import.write(&batch).await?;
    import.finish().await?;
    Ok(())
}

/// Pages of requests, from the newest on: by many filters.
#[expect(clippy::too_many_lines, reason = "a list of cases")]
async fn requests(reader: &LedgerReader, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let name = |name: &str| vec![name.to_owned()];
    let all = Filter::default;
    let filters = [
        ("all", all()),
        (
            "a busy client",
            Filter {
                consumer: name("client-0001"),
                ..all()
            },
        ),
        (
            "a rare client",
            Filter {
                consumer: name("rare"),
                ..all()
            },
        ),
        (
            "a client that is not",
            Filter {
                consumer: name("nobody"),
                ..all()
            },
        ),
        (
            "a model",
            Filter {
                model: name("gpt-4o-mini"),
                ..all()
            },
        ),
        (
            "status 429",
            Filter {
                status: Some(429..=429),
                ..all()
            },
        ),
        (
            "status 5xx",
            Filter {
                status: Some(500..=599),
                ..all()
            },
        ),
        (
            "status 418, never seen",
            Filter {
                status: Some(418..=418),
                ..all()
            },
        ),
        (
            "tool calls",
            Filter {
                tool_calls: Some(true),
                ..all()
            },
        ),
        (
            "cache hits",
            Filter {
                cache: Some(CacheFilter::Hit),
                ..all()
            },
        ),
        (
            "rare client, tool calls",
            Filter {
                consumer: name("rare"),
                tool_calls: Some(true),
                ..all()
            },
        ),
        (
            "common text",
            Filter {
                text: Some("mini".to_owned()),
                ..all()
            },
        ),
        (
            "text of one record in a million",
            Filter {
                text: Some("needle".to_owned()),
                ..all()
            },
        ),
        (
            "text that is nowhere",
            Filter {
                text: Some("no such text".to_owned()),
                ..all()
            },
        ),
        (
            "ten days ago",
            Filter {
                until_us: Some(START + 20 * DAY_US),
                ..all()
            },
        ),
    ];
    writeln!(
        out,
        "\nrequests, pages of 50: slowest of five pages (rows, whether the last one was the end)"
    )?;
    for (title, filter) in filters {
        let (mut slowest, mut rows, mut after) = (Duration::ZERO, 0, None::<Seq>);
        for _ in 0..5 {
            let start = Instant::now();
            let page = reader.records(&filter, after, 50).await?;
            slowest = slowest.max(start.elapsed());
            rows += page.records.len();
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let end = if after.is_none() { "end" } else { "more" };
        writeln!(
            out,
            "{title:34} {:7.1} ms {} ({rows}, {end})",
            ms(slowest),
            mark(slowest, PAGE)
        )?;
    }
    Ok(())
}

/// Reports over the month.
async fn usage(reader: &LedgerReader, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let month = Filter {
        since_us: Some(START + 5 * 3_600_000_000),
        until_us: Some(START + DAYS * DAY_US - 7 * 3_600_000_000),
        ..Filter::default()
    };
    let client = Filter {
        consumer: vec!["client-0001".to_owned()],
        ..month.clone()
    };
    let by = |period, dimension| GroupBy { period, dimension };
    let reports = [
        ("the month's totals", &month, by(Period::Whole, None)),
        ("by client", &month, by(Period::Whole, Some(Dimension::Consumer))),
        ("by model", &month, by(Period::Whole, Some(Dimension::Model))),
        (
            "by status",
            &month,
            by(Period::Whole, Some(Dimension::StatusClass)),
        ),
        ("by day", &month, by(Period::Day, None)),
        ("by month", &month, by(Period::Month, None)),
        (
            "by day and client, first 500",
            &month,
            by(Period::Day, Some(Dimension::Consumer)),
        ),
        (
            "by day and model",
            &month,
            by(Period::Day, Some(Dimension::Model)),
        ),
        ("by hour, first 500", &month, by(Period::Hour, None)),
        (
            "by hour and client, first 500",
            &month,
            by(Period::Hour, Some(Dimension::Consumer)),
        ),
        ("a client by day", &client, by(Period::Day, None)),
        ("a client by hour", &client, by(Period::Hour, None)),
    ];
    writeln!(out, "\nusage over the month: slower of two")?;
    for (title, filter, group) in reports {
        let mut slowest = Duration::ZERO;
        let mut rows = 0;
        for _ in 0..2 {
            let start = Instant::now();
            rows = reader.usage(filter, group, None, 500).await?.len();
            slowest = slowest.max(start.elapsed());
        }
        writeln!(
            out,
            "{title:34} {:7.1} ms {} ({rows} rows)",
            ms(slowest),
            mark(slowest, REPORT)
        )?;
    }
    for (title, filter) in [
        ("latency of the month", &month),
        ("latency of a client, sampled", &client),
    ] {
        let start = Instant::now();
        reader.latency(filter).await?;
        writeln!(
            out,
            "{title:34} {:7.1} ms {}",
            ms(start.elapsed()),
            mark(start.elapsed(), REPORT)
        )?;
    }
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn mark(time: Duration, bound: Duration) -> &'static str {
    if time <= bound { "ok  " } else { "SLOW" }
}

/// A record and when it was over. The busiest of the clients have most of the traffic.
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn record(number: u64, count: u64, clients: u64) -> (i64, Record) {
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let pick = |shift: u32, of: u64| (scattered >> shift) % of;
    let over_us = START + (i128::from(number) * i128::from(DAYS * DAY_US) / i128::from(count)) as i64;
    let client = pick(8, clients).min(pick(20, clients));
    let consumer = match pick(3, 1_000_000) {
        0 => Text::from("rare"),
        _ => Text::from(format!("client-{client:04}")),
    };
    let models = [
        "gpt-4o-mini",
        "claude-sonnet-4-5",
        "llama-3.3-70b",
        "gemini-2.5-flash",
        "mistral-large",
    ];
    let model = Text::from(models[pick(30, 5) as usize]);
    let status = match pick(33, 1000) {
        0..20 => 429,
        20..23 => 502,
        _ => 200,
    };
    let duration_us = 300_000 + pick(12, 900_000);
    let started_us = over_us - duration_us as i64;
    let path = Text::from("/v1/chat/completions");
    let needle = pick(5, 1_000_000) == 7;
    let record = Record {
        id: RequestId((started_us as u128 / 1000) << 80 | u128::from(scattered)),
        started_us,
        duration_us,
        upstream_us: duration_us - 500,
        method: Method::POST,
        scheme: "https",
        host: "gateway.example".into(),
        request_uri: path.clone(),
        uri: path.clone(),
        http_version: "HTTP/1.1",
        user_agent: Some("OpenAI/Python 2.8.0".into()),
        referer: None,
        client: SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + pick(9, 5000) as u32), 40_000)),
        request_bytes: 1000 + pick(7, 4000),
        response_bytes: 1500 + pick(6, 3000),
        body_bytes: 1200 + pick(6, 3000),
        status,
        source: ResponseSource::Upstream,
        ended: Ended::Complete,
        route_id: Some("openai-chat".into()),
        route_name: None,
        service_id: None,
        service_name: None,
        matched_uri: Some(path),
        matched_host: None,
        consumer: Some(consumer.clone()),
        consumer_group: Some(
            if client.is_multiple_of(2) {
                "staff"
            } else {
                "guests"
            }
            .into(),
        ),
        credential: Some(consumer),
        node: None,
        attempts: Vec::new(),
        prometheus: None,
        asked: Box::default(),
        ai: Some(Box::new(AiRecord {
            protocol: "openai-chat",
            provider: "openai",
            instance: "ai-proxy-openai".into(),
            model_asked: model.clone(),
            model_sent: model,
            stream: pick(40, 2) == 0,
            ttft_us: Some(150_000 + pick(14, 100_000)),
            usage: Usage {
                input: pick(10, 3000),
                output: pick(11, 700),
                ..Usage::default()
            },
            provenance: Provenance::Reported,
            cost: Cost::MicroUsd(pick(13, 20_000) as i64),
            tool_count: u32::from(pick(41, 3) == 0),
            has_tool_calls: pick(42, 200) == 0,
            end_user: needle.then(|| "the needle".into()),
            ..AiRecord::default()
        })),
        cache: Some(CacheUse {
            outcome: if pick(43, 50) == 0 {
                CacheOutcome::Exact
            } else {
                CacheOutcome::Miss
            },
            embedding_us: None,
        }),
        error: (status == 502).then_some("upstream_error"),
        payload: None,
    };
    (over_us, record)
}
