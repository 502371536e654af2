//! The task behind a batch processor, and what it shares with those who push.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{self, Instant};

use super::{BatchConfig, BatchEntry, BatchSender, BatchStats, ByteBudget, Stoppable};
use crate::sync::lock;

/// What pushers and the worker share.
#[derive(Debug)]
pub(super) struct Shared<E> {
    config: BatchConfig,
    buffer: Mutex<Buffer<E>>,
    wake: Notify,
    stats: Arc<BatchStats>,
    /// Bytes that all processors share.
    budget: Arc<ByteBudget>,
    /// Whether the worker has ended.
    ended: watch::Sender<bool>,
}

#[derive(Debug)]
struct Buffer<E> {
    entries: VecDeque<E>,
    /// Of those.
    bytes: usize,
    /// When the oldest entry came; means nothing while there is none.
    first: Instant,
    /// When the youngest entry came.
    last: Instant,
    /// Whether entries have been dropped since a batch last arrived: said once.
    dropping: bool,
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

impl<E: BatchEntry> Shared<E> {
    pub(super) fn new(config: BatchConfig, budget: Arc<ByteBudget>) -> Self {
        let now = Instant::now();
        Self {
            stats: Arc::new(BatchStats::new(&config)),
            config,
            buffer: Mutex::new(Buffer {
                entries: VecDeque::new(),
                bytes: 0,
                first: now,
                last: now,
                dropping: false,
                closed: None,
            }),
            wake: Notify::new(),
            budget,
            ended: watch::Sender::new(false),
        }
    }

    pub(super) fn stats(&self) -> &Arc<BatchStats> {
        &self.stats
    }

    /// Wakes the worker only by the first entry of a batch and by the one that fills it.
    pub(super) fn push(&self, entry: E) -> bool {
        let bytes = entry.bytes();
        let mut buffer = lock(&self.buffer);
        if buffer.closed.is_some() || !self.has_room(bytes) {
            let first = !std::mem::replace(&mut buffer.dropping, true);
            drop(buffer);
            self.stats.dropped();
            if first {
                let name = &*self.config.name;
                tracing::warn!(name, "log entries are dropped: too many wait to be sent");
            }
            return false;
        }
        self.stats.taken_in(bytes);
        let now = Instant::now();
        if buffer.entries.is_empty() {
            buffer.first = now;
        }
        buffer.last = now;
        buffer.entries.push_back(entry);
        buffer.bytes += bytes;
        let (held, held_bytes) = (buffer.entries.len(), buffer.bytes);
        drop(buffer);
        let max_bytes = self.config.batch_max_bytes;
        let filled = held == self.batch_size() || (held_bytes >= max_bytes && held_bytes - bytes < max_bytes);
        if held == 1 || filled {
            self.wake.notify_one();
        }
        true
    }

    fn has_room(&self, bytes: usize) -> bool {
        let counts = self.stats.counts();
        counts.pending < self.config.max_pending_entries
            && counts.pending_bytes.saturating_add(bytes) <= self.config.max_pending_bytes
            && self.budget.take(bytes)
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
        let full = buffer.entries.len() >= self.batch_size() || buffer.bytes >= self.config.batch_max_bytes;
        if !full && now < due && buffer.closed.is_none() {
            return Step::Wait(Some(due));
        }
        let mut bytes = 0;
        let fitting = buffer.entries.iter().take(self.batch_size()).take_while(|entry| {
            bytes += entry.bytes();
            bytes <= self.config.batch_max_bytes
        });
        let size = fitting.count().max(1);
        let batch: Vec<E> = buffer.entries.drain(..size).collect();
        buffer.bytes -= bytes_of(&batch);
        Step::Send(batch)
    }

    /// Gives up what is still held.
    fn abandon(&self) {
        let entries: Vec<E> = {
            let mut buffer = lock(&self.buffer);
            buffer.bytes = 0;
            std::mem::take(&mut buffer.entries).into()
        };
        self.settle(&entries, 0);
    }

    /// The entries are no longer held; so many of them were sent.
    fn settle(&self, entries: &[E], sent: usize) {
        let bytes = bytes_of(entries);
        self.budget.give_back(bytes);
        self.stats.settle(entries.len(), bytes, sent);
        if sent > 0 {
            lock(&self.buffer).dropping = false;
        }
    }

    fn deadline(&self) -> Option<Instant> {
        lock(&self.buffer).closed
    }
}

fn bytes_of<E: BatchEntry>(entries: &[E]) -> usize {
    entries.iter().map(BatchEntry::bytes).sum()
}

impl<E: BatchEntry> Stoppable for Shared<E> {
    fn close(&self, deadline: Instant) {
        {
            let closed = &mut lock(&self.buffer).closed;
            *closed = Some(closed.map_or(deadline, |known| known.min(deadline)));
        }
        self.wake.notify_one();
    }

    fn done(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            // The sender is a member of ours and outlives the wait.
            let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
        })
    }
}

/// Says that the worker has ended, also when its runtime cancels it.
struct Running<E: BatchEntry>(Arc<Shared<E>>);

impl<E: BatchEntry> Drop for Running<E> {
    fn drop(&mut self) {
        self.0.abandon();
        self.0.ended.send_replace(true);
    }
}

/// Runs until the processor is closed and everything is sent, or the time for that is over.
pub(super) async fn run<E: BatchEntry, S: BatchSender<E>>(shared: Arc<Shared<E>>, sender: Arc<S>) {
    let running = Running(shared);
    let shared = &running.0;
    let mut in_flight = JoinSet::new();
    loop {
        if in_flight.len() >= S::PARALLEL {
            if !wait(shared, &mut in_flight, shared.deadline()).await {
                break;
            }
            continue;
        }
        match shared.next(Instant::now()) {
            Step::Send(entries) => {
                let batch = Batch {
                    entries,
                    shared: Arc::clone(shared),
                    sent: 0,
                };
                in_flight.spawn(deliver(batch, Arc::clone(&sender)));
            }
            Step::Wait(due) => {
                wait(shared, &mut in_flight, due).await;
            }
            Step::Finish(deadline) => {
                if in_flight.is_empty() || !wait(shared, &mut in_flight, Some(deadline)).await {
                    break;
                }
            }
        }
    }
    // What is on its way settles itself as failed when it is cancelled.
    in_flight.shutdown().await;
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
struct Batch<E: BatchEntry> {
    entries: Vec<E>,
    shared: Arc<Shared<E>>,
    /// Entries that were taken.
    sent: usize,
}

impl<E: BatchEntry> Drop for Batch<E> {
    fn drop(&mut self) {
        self.shared.settle(&self.entries, self.sent);
    }
}

async fn deliver<E: BatchEntry, S: BatchSender<E>>(mut batch: Batch<E>, sender: Arc<S>) {
    let config = &batch.shared.config;
    let (name, entries) = (&*config.name, batch.entries.len());
    let mut tries_left = config.max_retry_count;
    loop {
        let error = match sender.send(&batch.entries).await {
            Ok(delivered) => {
                if delivered.refused > 0 {
                    let refused = delivered.refused;
                    tracing::error!(name, entries, refused, "log entries are lost: they were refused");
                }
                batch.sent = entries - delivered.refused.min(entries);
                return;
            }
            Err(error) => error,
        };
        if tries_left == 0 {
            tracing::error!(name, entries, %error, "log entries are lost: batch was not taken");
            return;
        }
        tracing::warn!(name, entries, %error, "batch was not taken and is sent again");
        tries_left -= 1;
        time::sleep(config.retry_delay).await;
    }
}
