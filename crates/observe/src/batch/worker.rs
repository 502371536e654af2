//! The task behind a batch processor, and what it shares with those who push.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{self, Instant};

use super::{BatchConfig, BatchSender, BatchStats};
use crate::sync::lock;

/// Batches on their way at once: one slow answer must not hold up a destination that takes one entry at a time.
const MAX_IN_FLIGHT: usize = 8;

/// What pushers and the worker share.
#[derive(Debug)]
pub(super) struct Shared<E> {
    config: BatchConfig,
    buffer: Mutex<Buffer<E>>,
    wake: Notify,
    stats: Arc<BatchStats>,
}

#[derive(Debug)]
struct Buffer<E> {
    entries: Vec<E>,
    /// When the oldest entry came; means nothing while there is none.
    first: Instant,
    /// When the youngest entry came.
    last: Instant,
    /// Set when no more is taken: until then what is held may be sent.
    closed: Option<Instant>,
}

/// What the worker does next.
enum Step<E> {
    Send(Vec<E>),
    /// Until the time, or for ever, unless woken.
    Wait(Option<Instant>),
    /// Nothing is left to be sent after what is on its way; that until the time.
    Finish(Instant),
}

impl<E> Shared<E> {
    pub(super) fn new(config: BatchConfig) -> Self {
        let stats = Arc::new(BatchStats {
            name: config.name.clone(),
            route_id: config.route_id.clone(),
            server_addr: config.server_addr.clone(),
            pending: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        });
        let now = Instant::now();
        let buffer = Mutex::new(Buffer {
            entries: Vec::new(),
            first: now,
            last: now,
            closed: None,
        });
        Self {
            config,
            buffer,
            wake: Notify::new(),
            stats,
        }
    }

    pub(super) fn stats(&self) -> &Arc<BatchStats> {
        &self.stats
    }

    /// Wakes the worker only by the first entry of a batch and by the one that fills it.
    pub(super) fn push(&self, entry: E) -> bool {
        let mut buffer = lock(&self.buffer);
        let full = self.stats.pending.load(Ordering::Relaxed) >= self.config.max_pending_entries;
        if full || buffer.closed.is_some() {
            self.stats.dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.stats.pending.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        if buffer.entries.is_empty() {
            buffer.first = now;
        }
        buffer.last = now;
        buffer.entries.push(entry);
        let held = buffer.entries.len();
        drop(buffer);
        if held == 1 || held == self.batch_size() {
            self.wake.notify_one();
        }
        true
    }

    /// Takes no more entries, and gives those held until `deadline`.
    pub(super) fn close(&self, deadline: Instant) {
        lock(&self.buffer).closed = Some(deadline);
        self.wake.notify_one();
    }

    fn batch_size(&self) -> usize {
        self.config.batch_max_size.max(1)
    }

    fn next(&self, now: Instant) -> Step<E> {
        let mut buffer = lock(&self.buffer);
        if buffer.entries.is_empty() {
            return buffer.closed.map_or(Step::Wait(None), Step::Finish);
        }
        let by_age = buffer.first + self.config.buffer_duration;
        let by_silence = buffer.last + self.config.inactive_timeout;
        let due = by_age.min(by_silence);
        if buffer.entries.len() < self.batch_size() && now < due && buffer.closed.is_none() {
            return Step::Wait(Some(due));
        }
        let size = self.batch_size().min(buffer.entries.len());
        let rest = buffer.entries.split_off(size);
        Step::Send(std::mem::replace(&mut buffer.entries, rest))
    }

    /// Gives up what is still held.
    fn abandon(&self) {
        let entries = std::mem::take(&mut lock(&self.buffer).entries);
        self.settle(entries.len(), false);
    }

    fn settle(&self, entries: usize, sent: bool) {
        let outcome = if sent {
            &self.stats.sent
        } else {
            &self.stats.failed
        };
        outcome.fetch_add(entries as u64, Ordering::Relaxed);
        self.stats.pending.fetch_sub(entries, Ordering::Relaxed);
    }

    fn deadline(&self) -> Option<Instant> {
        lock(&self.buffer).closed
    }
}

/// Runs until the processor is closed and everything is sent, or the time for that is over.
pub(super) async fn run<E, S>(shared: Arc<Shared<E>>, sender: Arc<S>)
where
    E: Send + Sync + 'static,
    S: BatchSender<E>,
{
    let mut in_flight = JoinSet::new();
    loop {
        if in_flight.len() >= MAX_IN_FLIGHT {
            if !wait(&shared, &mut in_flight, shared.deadline()).await {
                break;
            }
            continue;
        }
        match shared.next(Instant::now()) {
            Step::Send(entries) => {
                let batch = Batch {
                    entries,
                    shared: Arc::clone(&shared),
                    sent: false,
                };
                in_flight.spawn(deliver(batch, Arc::clone(&sender)));
            }
            Step::Wait(due) => {
                wait(&shared, &mut in_flight, due).await;
            }
            Step::Finish(deadline) => {
                if in_flight.is_empty() || !wait(&shared, &mut in_flight, Some(deadline)).await {
                    break;
                }
            }
        }
    }
    // What is on its way settles itself as failed when it is cancelled.
    in_flight.shutdown().await;
    shared.abandon();
}

/// Waits until somebody wakes the worker, a batch has arrived, or it is `until`; false in the last case.
async fn wait<E>(shared: &Shared<E>, in_flight: &mut JoinSet<()>, until: Option<Instant>) -> bool {
    let timer = async {
        match until {
            Some(until) => time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = shared.wake.notified() => true,
        Some(_) = in_flight.join_next() => true,
        () = timer => false,
    }
}

/// A batch on its way; settles its entries however that ends.
struct Batch<E> {
    entries: Vec<E>,
    shared: Arc<Shared<E>>,
    sent: bool,
}

impl<E> Drop for Batch<E> {
    fn drop(&mut self) {
        self.shared.settle(self.entries.len(), self.sent);
    }
}

async fn deliver<E, S>(mut batch: Batch<E>, sender: Arc<S>)
where
    E: Send + Sync + 'static,
    S: BatchSender<E>,
{
    let config = &batch.shared.config;
    let mut tries_left = config.max_retry_count;
    loop {
        let Err(error) = sender.send(&batch.entries).await else {
            batch.sent = true;
            return;
        };
        let (name, entries) = (&config.name, batch.entries.len());
        if tries_left == 0 {
            tracing::error!(name, entries, %error, "log entries are lost: batch was not taken");
            return;
        }
        tracing::warn!(name, entries, %error, "batch was not taken and is sent again");
        tries_left -= 1;
        time::sleep(config.retry_delay).await;
    }
}
