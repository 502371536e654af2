//! Constant rate: requests start when they are due, and are late from then on.

use std::rc::Rc;

use anyhow::Result;
use tokio::task::JoinSet;

use super::caller::{Call, Caller};
use super::report::Report;
use super::watch::Watch;
use crate::clock::{self, Alarm, MILLISECOND, SECOND};
use crate::samples::Samples;

/// Time to get all tasks going before the first request is due.
const LEAD: u64 = 20 * MILLISECOND;

/// Asks `per_second` times a second for `seconds`. The connections take turns, each by a schedule fixed beforehand.
/// Latency counts from the scheduled start: a request that had to wait for a slow one before it shows that wait
/// (no coordinated omission).
///
/// # Errors
/// An answer is not what it should be.
pub async fn rate(
    call: Call,
    connections: u64,
    per_second: u64,
    seconds: u64,
    watch: &Watch,
) -> Result<Report> {
    let callers = Caller::open_warm(&Rc::new(call), connections).await?;
    let turns = per_second * seconds / connections;
    let begun = watch.begin()?;
    let start = clock::now() + LEAD;
    let mut tasks = JoinSet::new();
    for (index, caller) in (0..).zip(callers) {
        let starts = (0..turns).map(move |turn| start + (turn * connections + index) * SECOND / per_second);
        tasks.spawn_local(ask_at(caller, starts));
    }
    let (mut latency, mut first_chunk) = (Samples::default(), Samples::default());
    while let Some(task) = tasks.join_next().await {
        for timing in task?? {
            latency.push(timing.whole);
            timing
                .first_chunk
                .into_iter()
                .for_each(|nanos| first_chunk.push(nanos));
        }
    }
    let span = watch.end(&begun)?;
    Ok(Report {
        latency: latency.quantiles(),
        first_chunk: first_chunk.quantiles(),
        ..Report::new(turns * connections, span)
    })
}

/// Nanoseconds from the scheduled start.
struct Timing {
    whole: u64,
    first_chunk: Option<u64>,
}

async fn ask_at(mut caller: Caller, starts: impl Iterator<Item = u64>) -> Result<Vec<Timing>> {
    let alarm = Alarm::new()?;
    let mut timings = Vec::new();
    for start in starts {
        alarm.until(start).await?;
        let mut first_chunk = None;
        caller
            .ask(|arrival| {
                first_chunk.get_or_insert(arrival.at - start);
            })
            .await?;
        timings.push(Timing {
            whole: clock::now() - start,
            first_chunk,
        });
    }
    Ok(timings)
}
