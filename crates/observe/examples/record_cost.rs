//! What measuring one request costs: the push on the request thread, and metrics, live sums and access log on
//! the drain thread.
//!
//! `cargo run --release -p sluice-observe --example record_cost`

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use sluice_llm::{Provenance, ReportedCounts, Usage};
use sluice_observe::{
    AccessLog, AccessLogFormat, AccessLogTarget, Drain, Live, Metrics, MetricsConfig, RecordQueue, RecordSink,
};
use sluice_record::{AiRecord, Attempt, Cost, Ended, Record, RequestId, ResponseSource};

const ROUNDS: usize = 4_000;
/// What 5,000 requests a second make of a tick.
const BATCH: usize = 250;
const LONG: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let records: Vec<Arc<Record>> = (0..BATCH).map(|n| Arc::new(record(n))).collect();
    let metrics = Arc::new(Metrics::new(MetricsConfig::default())?);
    let target = AccessLogTarget::File(folder.path().join("access.log"));
    let (mut log, handle) =
        AccessLog::start(target, AccessLogFormat::json())?.ok_or("the access log is off")?;
    let queue = Arc::new(RecordQueue::new(BATCH));
    let drain = Drain::start(Arc::clone(&queue), Vec::new(), Duration::from_secs(3600))?;
    let mut sink = metrics.sink();
    let format = AccessLogFormat::json();
    let mut line = Vec::new();

    let pushing = per_record(|| {
        for record in &records {
            queue.push(Arc::clone(record));
        }
        drain.flush(LONG);
    })?;
    let counting = per_record(|| sink.write(&records))?;
    let mut live = Arc::new(Live::default()).sink();
    let showing = per_record(|| live.write(&records))?;
    let rendering = per_record(|| {
        for record in &records {
            line.clear();
            format.render(record, &mut line);
        }
    })?;
    let logging = per_record(|| {
        log.write(&records);
        handle.flush(LONG);
    })?;
    let start = Instant::now();
    let text = metrics.encode();
    let scrape = start.elapsed();

    let mut out = io::stdout().lock();
    writeln!(out, "CPU of all threads per record, {ROUNDS} batches of {BATCH}:")?;
    writeln!(out, "push and drain     {pushing:>5.0} ns")?;
    writeln!(out, "metrics            {counting:>5.0} ns")?;
    writeln!(out, "live               {showing:>5.0} ns")?;
    writeln!(
        out,
        "access log         {logging:>5.0} ns, of which rendering {rendering:.0} ns"
    )?;
    let all = pushing + counting + showing + logging;
    writeln!(out, "all                {all:>5.0} ns")?;
    writeln!(
        out,
        "{} lines of {} bytes written, {} lost; scrape of {} KB in {} us",
        handle.written(),
        line.len(),
        handle.dropped(),
        text.len() / 1024,
        scrape.as_micros()
    )?;
    Ok(())
}

fn per_record(mut batch: impl FnMut()) -> io::Result<f64> {
    batch();
    let before = process_cpu()?;
    (0..ROUNDS).for_each(|_| batch());
    Ok((process_cpu()? - before).as_nanos() as f64 / (ROUNDS * BATCH) as f64)
}

/// CPU time of all threads. Linux counts it in nanoseconds, and brings it up to date a few hundred times a second:
/// good enough for what takes a tenth of a second and more.
fn process_cpu() -> io::Result<Duration> {
    fs::read_dir("/proc/self/task")?
        .map(|task| cpu(&task?.path().join("schedstat")))
        .sum()
}

fn cpu(path: &Path) -> io::Result<Duration> {
    let text = fs::read_to_string(path)?;
    let nanos = text
        .split_whitespace()
        .next()
        .and_then(|nanos| nanos.parse().ok())
        .unwrap_or(0);
    Ok(Duration::from_nanos(nanos))
}

/// An AI request of one of 50 consumers to one of 4 models.
fn record(n: usize) -> Record {
    let model = format!("gpt-5-{}", n % 4);
    Record {
        id: RequestId(n as u128),
        started_us: 1_763_653_620_000_000 + n as i64,
        duration_us: 850_000 + n as u64,
        upstream_us: 849_000,
        method: Method::POST,
        scheme: "http",
        host: "gateway.example".into(),
        request_uri: "/v1/chat/completions".into(),
        uri: "/v1/chat/completions".into(),
        http_version: "HTTP/1.1",
        user_agent: Some("OpenAI/Python 1.99.1".into()),
        referer: None,
        client: SocketAddr::from((Ipv4Addr::new(10, 0, 0, 7), 50_000)),
        request_bytes: 1_800,
        response_bytes: 2_400,
        body_bytes: 2_100,
        status: 200,
        source: ResponseSource::Upstream,
        ended: Ended::Complete,
        route_id: Some("chat-completions".into()),
        route_name: Some("chat".into()),
        service_id: None,
        service_name: None,
        matched_uri: Some("/v1/chat/completions".into()),
        matched_host: None,
        consumer: Some(format!("consumer-{}", n % 50).into()),
        consumer_group: Some("team".into()),
        credential: Some("cred-1".into()),
        node: Some("ai-proxy-openai".into()),
        attempts: vec![Attempt {
            addr: "203.0.113.9:443".into(),
            status: 200,
            time_us: 849_000,
        }],
        prometheus: Some(false),
        asked: Box::default(),
        ai: Some(Box::new(AiRecord {
            protocol: "openai-chat",
            provider: "openai",
            instance: "ai-proxy-openai".into(),
            model_asked: model.as_str().into(),
            model_sent: model.into(),
            stream: true,
            ttft_us: Some(210_000),
            usage: Usage {
                input: 900,
                cache_read: 100,
                output: 250,
                reasoning: 50,
                ..Usage::default()
            },
            provenance: Provenance::Reported,
            counts: ReportedCounts {
                prompt: 1_000,
                completion: 300,
                total: 1_300,
                ..ReportedCounts::default()
            },
            cost: Cost::MicroUsd(4_200),
            ..AiRecord::default()
        })),
        cache: None,
        error: None,
        payload: None,
    }
}
