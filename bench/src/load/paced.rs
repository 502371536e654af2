//! Many slow streams at once, measured while all of them are open.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;

use super::caller::{Arrival, Call, Caller};
use super::report::Report;
use super::watch::{Span, Watch};
use crate::chat::StreamPlan;
use crate::clock::{self, Alarm, MILLISECOND};
use crate::samples::Samples;

/// How the streams are opened and measured.
#[derive(Debug, Clone, Copy)]
pub struct Ramp {
    /// How many are open at once.
    pub streams: u64,
    /// Chunks per second of each.
    pub rate: u32,
    /// Milliseconds over which they are opened, evenly spread.
    pub ramp: u64,
    /// Milliseconds that are measured.
    pub window: u64,
}

/// Milliseconds between the ramp and the window, and after the window.
const MARGIN: u64 = 500;

impl Ramp {
    /// What every stream is to be like, so that it lasts until the window has closed.
    fn plan(self) -> StreamPlan {
        let millis = self.ramp + self.window + 2 * MARGIN;
        StreamPlan {
            chunks: (u64::from(self.rate) * millis).div_ceil(1_000) as u32,
            rate: self.rate,
        }
    }
}

/// What the streams have seen within the window.
#[derive(Default)]
struct Seen {
    chunks: u64,
    together: u64,
    delay: Samples,
    first_chunk: Samples,
    /// Streams that have ended.
    ended: u64,
}

/// Opens streams as `ramp` says, measures while all are open, and reads each to its end.
///
/// # Errors
/// A stream is not what it should be, or ended before the window did.
pub async fn paced(server: SocketAddr, key: &str, size: usize, ramp: Ramp, watch: &Watch) -> Result<Report> {
    let call = Rc::new(Call::stream(server, key, size, ramp.plan()));
    let seen = Rc::new(RefCell::new(Seen::default()));
    let start = clock::now();
    let open = start + (ramp.ramp + MARGIN) * MILLISECOND;
    let close = open + ramp.window * MILLISECOND;
    let mut tasks = JoinSet::new();
    let alarm = Alarm::new()?;
    for index in 0..ramp.streams {
        alarm
            .until(start + index * ramp.ramp * MILLISECOND / ramp.streams)
            .await?;
        tasks.spawn_local(read(Rc::clone(&call), (open, close), Rc::clone(&seen)));
    }
    let measure = async || -> Result<Span> {
        alarm.until(open).await?;
        let begun = watch.begin()?;
        alarm.until(close).await?;
        watch.end(&begun)
    };
    let span = tokio::select! {
        span = measure() => span?,
        error = first_error(&mut tasks) => return Err(error),
    };
    ensure!(
        seen.borrow().ended == 0,
        "streams have ended before the measurement did"
    );
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let mut seen = seen.borrow_mut();
    Ok(Report {
        chunks: seen.chunks,
        together: seen.together,
        first_chunk: seen.first_chunk.quantiles(),
        delay: seen.delay.quantiles(),
        ..Report::new(ramp.streams, span)
    })
}

/// Waits for the first task that fails; for ever, if none does.
async fn first_error(tasks: &mut JoinSet<Result<()>>) -> anyhow::Error {
    while let Some(task) = tasks.join_next().await {
        match task {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error,
            Err(error) => return error.into(),
        }
    }
    std::future::pending().await
}

async fn read(call: Rc<Call>, (open, close): (u64, u64), seen: Rc<RefCell<Seen>>) -> Result<()> {
    let start = clock::now();
    let mut caller = Caller::open(&call).await?;
    let mut first = true;
    let see = |Arrival { at, sent, together }| {
        let seen = &mut *seen.borrow_mut();
        if std::mem::take(&mut first) {
            seen.first_chunk.push(at - start);
        }
        if (open..close).contains(&at) {
            seen.chunks += 1;
            seen.together += u64::from(together);
            seen.delay.push(at.saturating_sub(sent));
        }
    };
    caller.ask(see).await?;
    seen.borrow_mut().ended += 1;
    Ok(())
}
