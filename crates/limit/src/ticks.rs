//! Time as counters keep it: nanoseconds since the store was made, in eight bytes instead of sixteen.

use std::time::{Duration, Instant};

/// Turns instants into ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(Instant);

impl Epoch {
    pub(crate) fn new(start: Instant) -> Self {
        Self(start)
    }

    pub(crate) fn start(self) -> Instant {
        self.0
    }

    /// Ticks at `now`; 0 for an instant before the epoch.
    pub(crate) fn ticks(self, now: Instant) -> u64 {
        ticks_of(now.saturating_duration_since(self.0))
    }
}

/// The length of a span in ticks. Spans above 584 years count as that.
pub(crate) fn ticks_of(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
