//! What the gateway needs before it has done any work: memory, time to start, size.

use std::fs;

use anyhow::Result;

use super::figure::{Figure, Goal, PerSide};
use super::workbench::Workbench;
use crate::clock::{self, Alarm, SECOND};

const MEGABYTE: f64 = 1_000_000.0;
/// Time for a process to come to rest after its first request.
const REST: u64 = SECOND;

/// PSS of freshly started processes, idle and with 1,000 open streams.
pub(super) async fn memory(bench: &Workbench) -> Result<Vec<Figure>> {
    let sides = bench.start_all().await?;
    Alarm::new()?.until(clock::now() + REST).await?;
    let (mut idle, mut open) = (PerSide::new(), PerSide::new());
    for side in &sides {
        idle.push(side.who, side.memory()? as f64 / MEGABYTE);
        let report = bench
            .load(side, "paced --streams 1000 --rate 20 --ramp 1000 --window 1000")
            .await?;
        open.push(side.who, report.span.memory_bytes as f64 / MEGABYTE);
    }
    Ok(vec![
        Figure::new("memory, idle", "MB", idle).aim(Goal::AtMost(20.0)),
        Figure::new("memory, 1,000 streams", "MB", open).aim(Goal::AtMost(60.0)),
    ])
}

/// From the start of a process, with its data folder as it was left, to the first request that it serves.
pub(super) async fn start(bench: &Workbench) -> Result<Vec<Figure>> {
    let mut times = PerSide::new();
    for _ in 0..bench.effort.starts {
        for who in bench.proxies() {
            let since = clock::now();
            let time = bench.start(who)?.served(since).await?;
            times.push(who, time.as_secs_f64() * 1_000.0);
        }
    }
    Ok(vec![
        Figure::new("start to first answer", "ms", times).aim(Goal::AtMost(60.0)),
    ])
}

/// Size of the gateway's binary.
pub(super) fn size(bench: &Workbench) -> Result<Vec<Figure>> {
    let mut sizes = PerSide::new();
    for (who, program) in bench.programs() {
        sizes.push(who, fs::metadata(program)?.len() as f64 / MEGABYTE);
    }
    Ok(vec![Figure::new("binary", "MB", sizes).aim(Goal::AtMost(30.0))])
}
