//! What became of entries.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::BatchConfig;

/// What became of the entries of one processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchCounts {
    /// Held at this moment.
    pub pending: usize,
    /// Bytes of those.
    pub pending_bytes: usize,
    /// Taken by the other side.
    pub sent: u64,
    /// Given up after the last try, or at the end, or refused for good by the other side.
    pub failed: u64,
    /// Not taken in because too many were held, or because the processor was stopped.
    pub dropped: u64,
}

/// `name`, `route_id` and `server_addr`.
pub(super) type Labels = [String; 3];

/// Counters of one processor, and its labels.
#[derive(Debug)]
pub(super) struct BatchStats {
    pub(super) labels: Labels,
    pending: AtomicUsize,
    pending_bytes: AtomicUsize,
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl BatchStats {
    pub(super) fn new(config: &BatchConfig) -> Self {
        Self {
            labels: [&config.name, &config.route_id, &config.server_addr].map(Clone::clone),
            pending: AtomicUsize::new(0),
            pending_bytes: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    pub(super) fn counts(&self) -> BatchCounts {
        BatchCounts {
            pending: self.pending.load(Ordering::Relaxed),
            pending_bytes: self.pending_bytes.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }

    pub(super) fn taken_in(&self, bytes: usize) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        self.pending_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Entries of so many bytes are no longer held; so many of them were sent.
    pub(super) fn settle(&self, entries: usize, bytes: usize, sent: usize) {
        self.sent.fetch_add(sent as u64, Ordering::Relaxed);
        self.failed.fetch_add((entries - sent) as u64, Ordering::Relaxed);
        self.pending.fetch_sub(entries, Ordering::Relaxed);
        self.pending_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}
