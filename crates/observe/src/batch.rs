//! Batches for the logger plugins (compat §6.9): entries are gathered, sent, tried again, and never pile up.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

pub use self::registry::Batches;
use self::registry::{ByteBudget, Stoppable};
pub use self::stats::BatchCounts;
use self::stats::BatchStats;
use self::worker::Shared;

mod registry;
mod stats;
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
    /// Bytes of one batch; an entry larger than this is a batch by itself.
    pub batch_max_bytes: usize,
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
    /// Bytes that may be held, likewise.
    pub max_pending_bytes: usize,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            route_id: String::new(),
            server_addr: String::new(),
            batch_max_size: 1000,
            batch_max_bytes: 4 << 20,
            inactive_timeout: Duration::from_secs(5),
            buffer_duration: Duration::from_secs(60),
            max_retry_count: 0,
            retry_delay: Duration::from_secs(1),
            max_pending_entries: 8192,
            max_pending_bytes: 64 << 20,
        }
    }
}

/// What batches are made of.
pub trait BatchEntry: Send + Sync + 'static {
    /// Bytes that it takes, as far as they grow with what it says.
    fn bytes(&self) -> usize;
}

impl BatchEntry for Vec<u8> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

/// How a batch was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Entries that the other side will never take, however often they are sent.
    pub refused: usize,
}

/// Where batches go.
pub trait BatchSender<E>: Send + Sync + 'static {
    /// Batches that may be on their way at once: one slow answer must not hold up a destination that takes one entry
    /// at a time. With 1, batches arrive in order.
    const PARALLEL: usize = 8;

    /// Why a batch was not taken. Goes to the log: it must not show secrets.
    type Error: Display + Send;

    /// Sends one batch, never an empty one. An answer that does not come is the sender's to bound; the processor
    /// only makes sure that waiting costs no more than `max_pending_entries` and `max_pending_bytes`.
    fn send(&self, entries: &[E]) -> impl Future<Output = Result<Delivered, Self::Error>> + Send;
}

/// Gathers entries and sends them in batches. Pushing never waits.
#[derive(Debug)]
pub struct BatchProcessor<E: BatchEntry>(Arc<Shared<E>>);

impl<E: BatchEntry> BatchProcessor<E> {
    /// Starts a processor on `runtime`. It shows itself in `batches`, shares their budget of bytes, and is stopped
    /// with them.
    #[must_use]
    pub fn start<S: BatchSender<E>>(
        runtime: &Handle,
        config: BatchConfig,
        sender: S,
        batches: &Batches,
    ) -> Self {
        let shared = Arc::new(Shared::new(config, batches.budget()));
        let stoppable: Arc<dyn Stoppable> = shared.clone();
        batches.add(shared.stats(), &stoppable);
        runtime.spawn(worker::run(Arc::clone(&shared), Arc::new(sender)));
        Self(shared)
    }

    /// Hands over one entry; false when it was dropped.
    pub fn push(&self, entry: E) -> bool {
        self.0.push(entry)
    }

    /// What became of the entries so far.
    #[must_use]
    pub fn counts(&self) -> BatchCounts {
        self.0.stats().counts()
    }

    /// Refuses further entries, sends what is held and waits for it until `grace` has passed; what is not sent by
    /// then counts as failed.
    pub async fn stop(self, grace: Duration) -> BatchCounts {
        self.0.close(Instant::now() + grace);
        self.0.done().await;
        self.counts()
    }
}

impl<E: BatchEntry> Drop for BatchProcessor<E> {
    /// Lets the worker send what is held in the background, for half a minute at most.
    fn drop(&mut self) {
        self.0.close(Instant::now() + DROP_GRACE);
    }
}

#[cfg(test)]
mod tests;
