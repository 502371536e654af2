//! The scenarios, and the figures taken from them.

use anyhow::Result;

use super::figure::{Figure, Goal};
use super::footprint;
use super::logs::Logs;
use super::options::Scenario;
use super::rounds::Rounds;
use super::translated;
use super::workbench::Workbench;
use crate::load::Report;
use crate::samples::Quantiles;

const MICROS: f64 = 1_000_000.0;
const SMALL: usize = 1_024;
const LARGE: usize = 100 * 1_024;
const CONNECTIONS: u64 = 64;
/// µs between the chunks of a paced stream: what takes longer is overtaken by the sending of the next.
const PAUSE: f64 = 50_000.0;

/// Measures one scenario, with processes started for it.
pub(super) async fn measure(bench: &Workbench, scenario: Scenario) -> Result<Vec<Figure>> {
    let effort = bench.effort;
    match scenario {
        Scenario::Chat1k => chat(bench, SMALL, (effort.rounds, effort.small_requests), Some(2.0)).await,
        Scenario::Chat100k => {
            chat(
                bench,
                LARGE,
                (effort.long_rounds, effort.large_requests),
                Some(1.5),
            )
            .await
        }
        Scenario::Plugins1k => plugins(bench).await,
        Scenario::Limits1k => limits(bench).await,
        Scenario::Latency => latency(bench).await,
        Scenario::FirstChunk => first_chunk(bench).await,
        Scenario::StreamPaced => paced(bench).await,
        Scenario::StreamFlood => flood(bench).await,
        Scenario::Translated => translated::measure(bench).await,
        Scenario::Memory => footprint::memory(bench).await,
        Scenario::Start => footprint::start(bench).await,
        Scenario::Size => footprint::size(bench),
    }
}

async fn chat(
    bench: &Workbench,
    size: usize,
    (count, requests): (u32, u64),
    times_nginx: Option<f64>,
) -> Result<Vec<Figure>> {
    let closed = |requests| format!("--body {size} closed --connections {CONNECTIONS} --requests {requests}");
    let warm_up = requests / 10;
    let sides = bench.start_all().await?;
    let logs = Logs::count(&sides);
    Rounds::run(bench, &sides, 1, &closed(warm_up)).await?;
    let rounds = Rounds::run(bench, &sides, count, &closed(requests)).await?;
    // Before a load begins, each of its connections has asked once.
    let sent = warm_up + CONNECTIONS + u64::from(count) * (requests + CONNECTIONS);
    let cpu = Figure::new(
        "CPU per request",
        "µs",
        rounds.values(|r| r.span.cpu_seconds * MICROS / r.requests as f64),
    );
    Ok(vec![
        times_nginx
            .map(Goal::TimesNginx)
            .into_iter()
            .fold(cpu, Figure::aim),
        Figure::new(
            "requests per second",
            "1/s",
            rounds.values(|r| r.requests as f64 / r.span.seconds),
        ),
        Figure::new("core in use", "%", rounds.values(core_in_use)),
        logs.share(&sides, sent).await?,
    ])
}

/// With more plugins on the route; what they cost is the difference to chat-1k.
async fn plugins(bench: &Workbench) -> Result<Vec<Figure>> {
    let effort = bench.effort;
    bench.store_route(true).await?;
    let mut figures = chat(bench, SMALL, (effort.rounds, effort.small_requests), None).await?;
    let rounds = at_steady_rate(bench, "").await?;
    figures.extend(quantiles(&rounds, "latency", |report| report.latency, None));
    bench.store_route(false).await?;
    Ok(figures)
}

/// By a client with limits; what they cost is the difference to chat-1k.
async fn limits(bench: &Workbench) -> Result<Vec<Figure>> {
    let effort = bench.effort;
    bench.store_client(true).await?;
    let figures = chat(bench, SMALL, (effort.rounds, effort.small_requests), None).await?;
    bench.store_client(false).await?;
    Ok(figures)
}

async fn latency(bench: &Workbench) -> Result<Vec<Figure>> {
    let rounds = at_steady_rate(bench, "").await?;
    Ok(quantiles(&rounds, "latency", |report| report.latency, None))
}

async fn first_chunk(bench: &Workbench) -> Result<Vec<Figure>> {
    let rounds = at_steady_rate(bench, "--chunks 5").await?;
    Ok(quantiles(
        &rounds,
        "first chunk",
        |report| report.first_chunk,
        Some(Goal::AtMost(300.0)),
    ))
}

async fn at_steady_rate(bench: &Workbench, answer: &str) -> Result<Rounds> {
    let rate =
        |seconds| format!("rate --connections {CONNECTIONS} --per-second 1000 --seconds {seconds} {answer}");
    let mut sides = vec![bench.direct()];
    sides.extend(bench.start_all().await?);
    Rounds::run(bench, &sides, 1, &rate(1)).await?;
    Rounds::run(
        bench,
        &sides,
        bench.effort.long_rounds,
        &rate(bench.effort.seconds),
    )
    .await
}

/// Takes one quantile of them.
type Pick = fn(Quantiles) -> f64;

/// What was measured at each quantile, and how much of it is not in the direct call. `goal` is for the median's.
fn quantiles(
    rounds: &Rounds,
    what: &str,
    measured: fn(&Report) -> Option<Quantiles>,
    goal: Option<Goal>,
) -> Vec<Figure> {
    let all: [(&str, Pick, _); 3] = [
        ("p50", |q| q.p50, goal),
        ("p95", |q| q.p95, None),
        ("p99", |q| q.p99, None),
    ];
    let mut figures = Vec::new();
    for (name, pick, goal) in all {
        let value = |report: &Report| measured(report).map_or(f64::NAN, pick);
        figures.push(Figure::new(format!("{what} {name}"), "µs", rounds.values(value)));
        let added = Figure::new(format!("{what} {name}, added"), "µs", rounds.added(value));
        figures.push(goal.into_iter().fold(added, Figure::aim));
    }
    figures
}

async fn paced(bench: &Workbench) -> Result<Vec<Figure>> {
    let sides = bench.start_all().await?;
    let rounds = Rounds::run(bench, &sides, bench.effort.long_rounds, &paced_load(bench)).await?;
    let delay = |pick: Pick| rounds.values(|report| report.delay.map_or(f64::NAN, pick));
    Ok(vec![
        Figure::new("CPU per chunk", "µs", rounds.values(cpu_per_chunk)).aim(Goal::TimesNginx(1.2)),
        Figure::new("chunks per second", "1/s", rounds.values(chunks_per_second)),
        Figure::new("core in use", "%", rounds.values(core_in_use)),
        Figure::new("chunks not alone", "", rounds.values(|r| r.together as f64)).aim(Goal::AtMost(0.0)),
        Figure::new("chunk under way p50", "µs", delay(|q| q.p50)),
        Figure::new("chunk under way p99", "µs", delay(|q| q.p99)).aim(Goal::AtMost(PAUSE)),
        Figure::new("chunk under way max", "µs", delay(|q| q.max)),
    ])
}

async fn flood(bench: &Workbench) -> Result<Vec<Figure>> {
    let sides = bench.start_all().await?;
    Rounds::run(bench, &sides, 1, &flood_load(bench.effort.flood / 10)).await?;
    let load = flood_load(bench.effort.flood);
    let rounds = Rounds::run(bench, &sides, bench.effort.long_rounds, &load).await?;
    Ok(vec![
        Figure::new("CPU per chunk", "µs", rounds.values(cpu_per_chunk)).aim(Goal::AtMost(7.0)),
        Figure::new("chunks per second", "1/s", rounds.values(chunks_per_second)),
        Figure::new(
            "chunks not alone",
            "%",
            rounds.values(|r| 100.0 * r.together as f64 / r.chunks as f64),
        ),
        Figure::new("core in use", "%", rounds.values(core_in_use)),
    ])
}

pub(super) fn paced_load(bench: &Workbench) -> String {
    format!(
        "paced --streams 2000 --rate 20 --ramp 2000 --window {}",
        bench.effort.window
    )
}

pub(super) fn flood_load(chunks: u32) -> String {
    format!("flood --streams 64 --chunks {chunks}")
}

pub(super) fn cpu_per_chunk(report: &Report) -> f64 {
    report.span.cpu_seconds * MICROS / report.chunks as f64
}

fn chunks_per_second(report: &Report) -> f64 {
    report.chunks as f64 / report.span.seconds
}

fn core_in_use(report: &Report) -> f64 {
    100.0 * report.span.cpu_seconds / report.span.seconds
}
