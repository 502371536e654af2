//! The bridge from request threads to everything that measures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;
use sluice_record::Record;

use crate::metrics::{Exposition, Kind};

mod drain;

pub use self::drain::{Drain, RecordSink};

/// Finished records on their way from the request threads to the [`Drain`]: bounded, and never waiting.
///
/// A lock-free ring, so that a drain thread that the system has taken off its core never holds up a request, and a
/// push wakes nobody. When the ring is full the record is dropped and counted: measuring never slows serving.
#[derive(Debug)]
pub struct RecordQueue {
    ring: ArrayQueue<Arc<Record>>,
    dropped: AtomicU64,
}

impl RecordQueue {
    /// Room for a second of a fully loaded gateway, at most some 100 MB of records.
    pub const DEFAULT_CAPACITY: usize = 65_536;

    /// A queue that holds up to `capacity` records (at least one).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            ring: ArrayQueue::new(capacity.max(1)),
            dropped: AtomicU64::new(0),
        }
    }

    /// Hands over one finished record; false when the queue was full and the record is lost.
    pub fn push(&self, record: Arc<Record>) -> bool {
        let taken = self.ring.push(record).is_ok();
        if !taken {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Records that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether no record waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Records lost because the queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Adds `sluice_records_queued` and `sluice_records_dropped_total` to a scrape.
    pub fn collect(&self, out: &mut Exposition) {
        out.family(
            "sluice_records_queued",
            Kind::Gauge,
            "Finished requests that wait to be measured.",
        )
        .sample(&[], self.len());
        out.family(
            "sluice_records_dropped_total",
            Kind::Counter,
            "Finished requests that were not measured because the queue was full.",
        )
        .sample(&[], self.dropped());
    }

    fn pop(&self) -> Option<Arc<Record>> {
        self.ring.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;

    #[test]
    fn what_does_not_fit_is_counted() {
        let queue = RecordQueue::new(2);
        let record = Arc::new(record());
        assert!(queue.push(Arc::clone(&record)));
        assert!(queue.push(Arc::clone(&record)));
        assert!(!queue.push(Arc::clone(&record)));
        assert_eq!((queue.len(), queue.dropped()), (2, 1));
        assert!(queue.pop().is_some());
        assert!(queue.push(record));
        assert_eq!(queue.dropped(), 1);
    }
}
