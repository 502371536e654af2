//! All counters of a process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::delayed::DelayedWindows;
use crate::{Concurrency, LeakyBuckets, SlidingCounters, WindowCounters};

/// The counters that a process keeps, shared by all limits. They outlive configurations.
#[derive(Debug)]
pub struct LocalCounters {
    /// Fixed windows.
    pub windows: WindowCounters,
    /// Fixed windows that are to outlive the process: somebody saves and restores them.
    pub kept: WindowCounters,
    /// Sliding windows.
    pub sliding: SlidingCounters,
    /// Leaky buckets.
    pub buckets: LeakyBuckets,
    /// Requests under way.
    pub concurrency: Concurrency,
    /// What is not yet told to Redis.
    pub(crate) delayed: DelayedWindows,
    passed: AtomicU64,
    refused: AtomicU64,
}

impl LocalCounters {
    /// Stores for about `capacity` live keys each. No instant passed to them may be before `epoch`.
    #[must_use]
    pub fn new(capacity: usize, epoch: Instant) -> Self {
        Self {
            windows: WindowCounters::new(capacity, epoch),
            kept: WindowCounters::new(capacity, epoch),
            sliding: SlidingCounters::new(capacity, epoch),
            buckets: LeakyBuckets::new(capacity, epoch),
            concurrency: Concurrency::new(capacity),
            delayed: DelayedWindows::new(capacity, epoch),
            passed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Takes down that a limit could not be decided, and what became of the request.
    pub fn undecided(&self, passed: bool) {
        let counter = if passed { &self.passed } else { &self.refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests whose limit could not be decided: passed, refused.
    #[must_use]
    pub fn undecided_counts(&self) -> (u64, u64) {
        (
            self.passed.load(Ordering::Relaxed),
            self.refused.load(Ordering::Relaxed),
        )
    }
}
