//! Closed loop: every connection asks as soon as it has its answer.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::Result;
use tokio::task::JoinSet;

use super::caller::{Call, Caller};
use super::report::Report;
use super::watch::Watch;
use crate::clock;
use crate::samples::Samples;

/// Asks `requests` times over `connections`.
///
/// # Errors
/// An answer is not what it should be.
pub async fn closed(call: Call, connections: u64, requests: u64, watch: &Watch) -> Result<Report> {
    let callers = Caller::open_warm(&Rc::new(call), connections).await?;
    let left = Rc::new(Cell::new(requests));
    let begun = watch.begin()?;
    let mut tasks = JoinSet::new();
    for caller in callers {
        tasks.spawn_local(ask_while(caller, Rc::clone(&left)));
    }
    let mut latencies = Vec::new();
    while let Some(task) = tasks.join_next().await {
        latencies.extend(task??);
    }
    let span = watch.end_with_aftermath(&begun).await?;
    let latency = Samples::from_iter(latencies).quantiles();
    Ok(Report {
        latency,
        ..Report::new(requests, span)
    })
}

/// Asks as long as there are requests `left`; returns how long each took.
async fn ask_while(mut caller: Caller, left: Rc<Cell<u64>>) -> Result<Vec<u64>> {
    let mut latencies = Vec::new();
    while let Some(rest) = left.get().checked_sub(1) {
        left.set(rest);
        let start = clock::now();
        caller.ask(|_| ()).await?;
        latencies.push(clock::now() - start);
    }
    Ok(latencies)
}
