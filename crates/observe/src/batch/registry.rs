//! All processors of a gateway: their metrics, the memory that they share, and their common end.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::stats::{BatchStats, Labels};
use crate::metrics::{Exposition, Kind, OVERFLOW};
use crate::sync::lock;

/// Bytes that all processors of a gateway may hold together.
const MAX_BYTES: usize = 256 << 20;

/// Processors that are gone whose losses are still told apart.
const MAX_RETIRED: usize = 1000;

/// All processors of a gateway.
pub struct Batches {
    budget: Arc<ByteBudget>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    live: Vec<Registered>,
    /// Entries lost by processors that are gone: a counter must not lose what it counted.
    retired: BTreeMap<Labels, u64>,
}

struct Registered {
    stats: Arc<BatchStats>,
    processor: Weak<dyn Stoppable>,
}

/// A processor, whatever its entries are.
pub(super) trait Stoppable: Send + Sync {
    /// Takes no more entries, and gives those held until `deadline`. An earlier deadline stands.
    fn close(&self, deadline: Instant);

    /// Ends when the worker has.
    fn done(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl Default for Batches {
    fn default() -> Self {
        Self::with_budget(MAX_BYTES)
    }
}

impl Batches {
    /// No processors yet; those to come may hold `bytes` together.
    #[must_use]
    pub fn with_budget(bytes: usize) -> Self {
        Self {
            budget: Arc::new(ByteBudget(AtomicUsize::new(bytes))),
            known: Mutex::default(),
        }
    }

    pub(super) fn budget(&self) -> Arc<ByteBudget> {
        Arc::clone(&self.budget)
    }

    pub(super) fn add(&self, stats: &Arc<BatchStats>, processor: &Arc<dyn Stoppable>) {
        let mut known = lock(&self.known);
        known.retire();
        known.live.push(Registered {
            stats: Arc::clone(stats),
            processor: Arc::downgrade(processor),
        });
    }

    /// Stops all processors and waits until they have sent what they hold, or `grace` has passed. Returns how many
    /// entries were lost on the way.
    pub async fn stop(&self, grace: Duration) -> u64 {
        let deadline = Instant::now() + grace;
        let (before, running) = {
            let known = lock(&self.known);
            let running: Vec<_> = known
                .live
                .iter()
                .filter_map(|registered| registered.processor.upgrade())
                .collect();
            (known.lost(), running)
        };
        running.iter().for_each(|processor| processor.close(deadline));
        for processor in &running {
            processor.done().await;
        }
        lock(&self.known).lost() - before
    }

    /// Adds `apisix_batch_process_entries`, `sluice_batch_pending_bytes` and `sluice_batch_lost_entries_total` to a
    /// scrape. Processors with the same labels (those of a route before and after an edit) show as one.
    pub fn collect(&self, out: &mut Exposition) {
        let mut rows: BTreeMap<Labels, (usize, usize, u64)> = BTreeMap::new();
        let mut lost = {
            let mut known = lock(&self.known);
            known.retire();
            for stats in known.live.iter().map(|registered| &registered.stats) {
                let counts = stats.counts();
                let row = rows.entry(stats.labels.clone()).or_default();
                row.0 += counts.pending;
                row.1 += counts.pending_bytes;
                row.2 += counts.failed + counts.dropped;
            }
            known.retired.clone()
        };
        let labels = |[name, route_id, server_addr]: &Labels| {
            [
                ("name", name.clone()),
                ("route_id", route_id.clone()),
                ("server_addr", server_addr.clone()),
            ]
        };
        for (key, (pending, bytes, lost_now)) in rows {
            let labels = labels(&key);
            let labels = labels.each_ref().map(|(name, value)| (*name, value.as_str()));
            out.apisix_family(
                "batch_process_entries",
                Kind::Gauge,
                "Log entries held by batch processors.",
            )
            .sample(&labels, pending);
            out.family(
                "sluice_batch_pending_bytes",
                Kind::Gauge,
                "Bytes of log entries held by batch processors.",
            )
            .sample(&labels, bytes);
            *lost.entry(key).or_default() += lost_now;
        }
        for (key, lost) in lost {
            let labels = labels(&key);
            let labels = labels.each_ref().map(|(name, value)| (*name, value.as_str()));
            out.family(
                "sluice_batch_lost_entries_total",
                Kind::Counter,
                "Log entries that batch processors lost.",
            )
            .sample(&labels, lost);
        }
    }
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches")
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

impl Known {
    /// Moves the losses of processors that are gone to where they stay.
    fn retire(&mut self) {
        let retired = &mut self.retired;
        self.live.retain(|registered| {
            if registered.processor.strong_count() > 0 {
                return true;
            }
            let counts = registered.stats.counts();
            let lost = counts.failed + counts.dropped;
            if lost > 0 {
                let mut labels = registered.stats.labels.clone();
                if retired.len() >= MAX_RETIRED && !retired.contains_key(&labels) {
                    OVERFLOW.clone_into(&mut labels[1]);
                }
                *retired.entry(labels).or_default() += lost;
            }
            false
        });
    }

    fn lost(&self) -> u64 {
        let live = self.live.iter().map(|registered| registered.stats.counts());
        live.map(|counts| counts.failed + counts.dropped).sum::<u64>() + self.retired.values().sum::<u64>()
    }
}

/// Bytes that are left for entries.
#[derive(Debug)]
pub(super) struct ByteBudget(AtomicUsize);

impl ByteBudget {
    /// Whether there was room for `bytes`, which is now taken.
    pub(super) fn take(&self, bytes: usize) -> bool {
        self.0
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
            .is_ok()
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}
