//! What the processes under test use while they are under load.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::clock::{self, Alarm, MILLISECOND, SECOND};
use crate::procfs;

/// Time for work that a request leaves behind: lines and records that are written in batches.
const AFTERMATH: u64 = 600 * MILLISECOND;

/// The processes whose cost is measured.
#[derive(Debug, Clone)]
pub struct Watch {
    pids: Vec<u32>,
}

/// A measured time that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    at: u64,
    cpu: Duration,
}

/// A measured time and what was used in it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Span {
    /// Its length.
    pub seconds: f64,
    /// CPU time that the watched processes used; 0 if none is watched.
    pub cpu_seconds: f64,
    /// Their memory (PSS) at its end, in bytes.
    pub memory_bytes: u64,
}

impl Watch {
    /// Watches `pids`, of which there may be none.
    #[must_use]
    pub fn new(pids: Vec<u32>) -> Self {
        Self { pids }
    }

    pub(super) fn begin(&self) -> Result<Begun> {
        Ok(Begun {
            at: clock::now(),
            cpu: self.cpu()?,
        })
    }

    /// Ends the measured time here, in the middle of the load.
    pub(super) fn end(&self, begun: &Begun) -> Result<Span> {
        self.span(begun, clock::now())
    }

    /// Ends the measured time here, with the load; CPU time that is used shortly afterwards belongs to it.
    pub(super) async fn end_with_aftermath(&self, begun: &Begun) -> Result<Span> {
        let end = clock::now();
        if !self.pids.is_empty() {
            Alarm::new()?.until(end + AFTERMATH).await?;
        }
        self.span(begun, end)
    }

    fn span(&self, begun: &Begun, end: u64) -> Result<Span> {
        let cpu = self.cpu()?.saturating_sub(begun.cpu);
        let memory_bytes = self
            .pids
            .iter()
            .map(|&pid| procfs::memory(pid))
            .sum::<Result<u64>>()?;
        Ok(Span {
            seconds: (end - begun.at) as f64 / SECOND as f64,
            cpu_seconds: cpu.as_secs_f64(),
            memory_bytes,
        })
    }

    fn cpu(&self) -> Result<Duration> {
        self.pids.iter().map(|&pid| procfs::cpu_time(pid)).sum()
    }
}
