//! Streams without pause: how much a chunk costs when there is always another.

use std::rc::Rc;

use anyhow::Result;
use tokio::task::JoinSet;

use super::caller::{Call, Caller};
use super::report::Report;
use super::watch::Watch;

/// Reads `streams` streams at once, each to its end.
///
/// # Errors
/// A stream is not what it should be.
pub async fn flood(call: Call, streams: u64, watch: &Watch) -> Result<Report> {
    let call = Rc::new(call);
    let mut callers = Vec::new();
    for _ in 0..streams {
        callers.push(Caller::open(&call).await?);
    }
    let begun = watch.begin()?;
    let mut tasks = JoinSet::new();
    for caller in callers {
        tasks.spawn_local(count(caller));
    }
    let (mut chunks, mut together) = (0, 0);
    while let Some(task) = tasks.join_next().await {
        let (of_stream, of_them_together) = task??;
        chunks += of_stream;
        together += of_them_together;
    }
    let span = watch.end_with_aftermath(&begun).await?;
    Ok(Report {
        chunks,
        together,
        ..Report::new(streams, span)
    })
}

/// The chunks of one stream, and how many of them came together with another.
async fn count(mut caller: Caller) -> Result<(u64, u64)> {
    let (mut chunks, mut together) = (0, 0);
    caller
        .ask(|arrival| {
            chunks += 1;
            together += u64::from(arrival.together);
        })
        .await?;
    Ok((chunks, together))
}
