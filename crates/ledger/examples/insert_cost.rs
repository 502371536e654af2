//! Measures what the ledger costs: CPU time per record of the whole process, from the submitted record to the closed
//! database, checkpoints included.
//!
//! `cargo run --release -p sluice-ledger --example insert_cost [records] [records per second] [consumers]`

use std::error::Error;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use sluice_ledger::{Ledger, LedgerConfig};
use sluice_llm::{Provenance, Usage};
use sluice_record::{AiRecord, Cost, Ended, Record, RequestId, ResponseSource, Text};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How often the gateway hands its records over.
const DRAIN: Duration = Duration::from_millis(50);

/// Linux counts the CPU time in `/proc/self/stat` in these units.
const TICK: Duration = Duration::from_millis(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>());
    let count = arguments.next().transpose()?.unwrap_or(200_000);
    let rate = arguments.next().transpose()?.unwrap_or(10_000);
    let consumers = arguments.next().transpose()?.unwrap_or(20);

    let folder = tempfile::tempdir()?;
    let config = LedgerConfig::new(folder.path().join("ledger.db"));
    let ledger = Ledger::open(config.clone()).await?;
    let handle = ledger.handle();
    let mut records = sample(count, consumers.max(1)).into_iter();
    let per_drain = (f64::from(rate) * DRAIN.as_secs_f64()) as usize;

    let (start, cpu) = (Instant::now(), cpu_time()?);
    let mut drain = tokio::time::interval(DRAIN);
    loop {
        let batch: Vec<_> = records.by_ref().take(per_drain.max(1)).collect();
        if batch.is_empty() {
            break;
        }
        drain.tick().await;
        handle.submit(&batch);
    }
    let stats = ledger.close(Duration::from_secs(60)).await?;
    let spent = cpu_time()?.saturating_sub(cpu);

    let per_record = spent.as_secs_f64() * 1e6 / f64::from(count);
    let bytes = std::fs::metadata(&config.path)?.len() / u64::from(count);
    writeln!(
        std::io::stdout(),
        "{count} records in {:.1} s: {per_record:.2} us of CPU and {bytes} bytes each; {stats:?}",
        start.elapsed().as_secs_f64(),
    )?;
    Ok(())
}

fn sample(count: u32, consumers: u32) -> Vec<Arc<Record>> {
    let text = |prefix: &str, number: u32| Text::from(format!("{prefix}-{number:04}"));
    let names: Vec<(Text, Text)> = (0..consumers)
        .map(|number| (text("consumer", number), text("credential", number)))
        .collect();
    let models = ["gpt-4o-mini", "claude-sonnet-4-5", "llama-3.3-70b"].map(Text::from);
    let shared = [
        "gateway.example",
        "/v1/chat/completions",
        "OpenAI/Python 2.8.0",
        "ai-proxy-openai",
        "chat",
    ];
    let [host, uri, agent, instance, route] = shared.map(Text::from);
    let record = |number: u32| {
        let scattered = number.wrapping_mul(2_654_435_761);
        let (consumer, credential) = &names[(scattered >> 8) as usize % names.len()];
        let model = &models[(scattered >> 4) as usize % models.len()];
        let started_us = 1_795_190_400_000_000 + i64::from(number) * 100;
        Arc::new(Record {
            id: RequestId((started_us as u128 / 1000) << 80 | u128::from(scattered)),
            started_us,
            duration_us: 300_000 + u64::from(scattered % 900_000),
            upstream_us: 299_000 + u64::from(scattered % 900_000),
            method: Method::POST,
            scheme: "https",
            host: host.clone(),
            request_uri: uri.clone(),
            uri: uri.clone(),
            http_version: "HTTP/1.1",
            user_agent: Some(agent.clone()),
            referer: None,
            client: SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + scattered % 5000), 40_000)),
            request_bytes: 1000 + u64::from(scattered % 4000),
            response_bytes: 1500 + u64::from(scattered % 3000),
            body_bytes: 1200 + u64::from(scattered % 3000),
            status: if scattered.is_multiple_of(50) { 429 } else { 200 },
            source: ResponseSource::Upstream,
            ended: Ended::Complete,
            route_id: Some(route.clone()),
            route_name: None,
            service_id: None,
            service_name: None,
            matched_uri: Some(uri.clone()),
            matched_host: None,
            consumer: Some(consumer.clone()),
            consumer_group: None,
            credential: Some(credential.clone()),
            node: Some(instance.clone()),
            attempts: Vec::new(),
            prometheus: None,
            asked: Box::default(),
            ai: Some(Box::new(AiRecord {
                protocol: "openai-chat",
                provider: "openai",
                instance: instance.clone(),
                model_asked: model.clone(),
                model_sent: model.clone(),
                stream: true,
                ttft_us: Some(150_000 + u64::from(scattered % 100_000)),
                usage: Usage {
                    input: u64::from(scattered % 3000),
                    output: u64::from(scattered % 700),
                    ..Usage::default()
                },
                provenance: Provenance::Reported,
                cost: Cost::MicroUsd(i64::from(scattered % 20_000)),
                ..AiRecord::default()
            })),
            cache: None,
            error: None,
            payload: None,
        })
    };
    (0..count).map(record).collect()
}

/// CPU time of all threads of this process, ended ones too.
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').ok_or("no name")?.1;
    let ticks: u32 = after_name
        .split_whitespace()
        .skip(11) // state and ten more, then utime and stime
        .take(2)
        .map(|field| field.parse::<u32>())
        .sum::<Result<_, _>>()?;
    Ok(TICK * ticks)
}
