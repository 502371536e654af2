//! Batches for the logger plugins (compat §6.9): entries are gathered, sent, tried again, and never pile up.

use std::fmt::Display;
use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::worker::Shared;
use crate::metrics::{Exposition, Kind};
use crate::sync::lock;

mod worker;

/// How long a dropped processor goes on sending what it holds.
const DROP_GRACE: Duration = Duration::from_secs(30);

/// Settings with the names of the plugins' fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchConfig {
    /// `name`: in the log and in metrics.
    pub name: String,
    /// Route whose plugin this is, for metrics.
    pub route_id: String,
    /// Address that this gateway serves on, for metrics.
    pub server_addr: String,
    /// Entries of one batch.
    pub batch_max_size: usize,
    /// A batch goes out when no entry has come for so long.
    pub inactive_timeout: Duration,
    /// A batch goes out when its first entry is so old.
    pub buffer_duration: Duration,
    /// How often a batch that failed is sent again before it is given up.
    pub max_retry_count: u32,
    /// Pause before a batch is sent again.
    pub retry_delay: Duration,
    /// Entries that may be held, those being sent included; what comes on top is dropped.
    pub max_pending_entries: usize,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            route_id: String::new(),
            server_addr: String::new(),
            batch_max_size: 1000,
            inactive_timeout: Duration::from_secs(5),
            buffer_duration: Duration::from_secs(60),
            max_retry_count: 0,
            retry_delay: Duration::from_secs(1),
            max_pending_entries: 8192,
        }
    }
}

/// Where batches go.
pub trait BatchSender<E>: Send + Sync + 'static {
    /// Why a batch was not taken. Goes to the log: it must not show secrets.
    type Error: Display + Send;

    /// Sends one batch, never an empty one. An answer that does not come is the sender's to bound; the processor
    /// only makes sure that waiting costs no more than `max_pending_entries`.
    fn send(&self, entries: &[E]) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Gathers entries and sends them in batches. Pushing never waits.
#[derive(Debug)]
pub struct BatchProcessor<E> {
    shared: Arc<Shared<E>>,
    worker: Option<JoinHandle<()>>,
}

/// What became of the entries of one processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchCounts {
    /// Held at this moment.
    pub pending: usize,
    /// Taken by the other side.
    pub sent: u64,
    /// Given up after the last try, or at the end.
    pub failed: u64,
    /// Refused because too many were held, or because the processor was stopped.
    pub dropped: u64,
}

impl<E: Send + Sync + 'static> BatchProcessor<E> {
    /// Starts a processor on `runtime` that shows itself in `gauges`.
    #[must_use]
    pub fn start<S: BatchSender<E>>(
        runtime: &Handle,
        config: BatchConfig,
        sender: S,
        gauges: &BatchGauges,
    ) -> Self {
        let shared = Arc::new(Shared::new(config));
        gauges.add(shared.stats());
        let worker = runtime.spawn(worker::run(Arc::clone(&shared), Arc::new(sender)));
        Self {
            shared,
            worker: Some(worker),
        }
    }

    /// Hands over one entry; false when it was dropped.
    pub fn push(&self, entry: E) -> bool {
        self.shared.push(entry)
    }

    /// What became of the entries so far.
    #[must_use]
    pub fn counts(&self) -> BatchCounts {
        self.shared.stats().counts()
    }

    /// Refuses further entries, sends what is held and waits for it until `grace` has passed; what is not sent by
    /// then counts as failed.
    pub async fn stop(mut self, grace: Duration) -> BatchCounts {
        self.shared.close(Instant::now() + grace);
        if let Some(worker) = self.worker.take() {
            // A worker that was cancelled with its runtime has nothing more to say.
            let _ = worker.await;
        }
        self.counts()
    }
}

impl<E> Drop for BatchProcessor<E> {
    /// Lets the worker send what is held in the background, for half a minute at most.
    fn drop(&mut self) {
        if self.worker.is_some() {
            self.shared.close(Instant::now() + DROP_GRACE);
        }
    }
}

/// Counters of one processor, and its labels.
#[derive(Debug)]
struct BatchStats {
    name: String,
    route_id: String,
    server_addr: String,
    pending: AtomicUsize,
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl BatchStats {
    fn counts(&self) -> BatchCounts {
        BatchCounts {
            pending: self.pending.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }
}

/// All processors of a gateway, for metrics.
#[derive(Debug, Default)]
pub struct BatchGauges(Mutex<Vec<Weak<BatchStats>>>);

impl BatchGauges {
    fn add(&self, stats: &Arc<BatchStats>) {
        let mut all = lock(&self.0);
        all.retain(|stats| stats.strong_count() > 0);
        all.push(Arc::downgrade(stats));
    }

    /// Adds `apisix_batch_process_entries` and `sluice_batch_lost_entries_total` to a scrape. Processors with the
    /// same labels (those of a route before and after an edit) show as one.
    pub fn collect(&self, out: &mut Exposition) {
        let mut rows: Vec<([String; 3], usize, u64)> = Vec::new();
        for stats in lock(&self.0).iter().filter_map(Weak::upgrade) {
            let labels = [&stats.name, &stats.route_id, &stats.server_addr].map(Clone::clone);
            let counts = stats.counts();
            rows.push((labels, counts.pending, counts.failed + counts.dropped));
        }
        rows.sort_unstable();
        rows.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 += later.1;
                first.2 += later.2;
            }
            same
        });
        for ([name, route_id, server_addr], pending, lost) in &rows {
            let labels = [
                ("name", name.as_str()),
                ("route_id", route_id.as_str()),
                ("server_addr", server_addr.as_str()),
            ];
            out.apisix_family(
                "batch_process_entries",
                Kind::Gauge,
                "Log entries held by batch processors.",
            )
            .sample(&labels, *pending);
            out.family(
                "sluice_batch_lost_entries_total",
                Kind::Counter,
                "Log entries that batch processors lost.",
            )
            .sample(&labels, *lost);
        }
    }
}

#[cfg(test)]
mod tests;
