//! The bounded queue between the gateway and the writer's thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sluice_record::Record;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Part of the capacity at which the writer does not wait for more.
const URGENT_PART: usize = 4;

/// Most bytes of payloads that wait in memory.
const MAX_PAYLOAD_BYTES: usize = 64 << 20;

/// How long the writer sleeps when there is nothing to do, before it looks at its retention.
const IDLE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Queue {
    capacity: usize,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    records: Vec<Arc<Record>>,
    /// Bytes of the payloads of the waiting records, about.
    payload_bytes: usize,
    accepted: u64,
    dropped: u64,
    /// Flushes that were asked for, and those of them that the writer has seen.
    flushes: u64,
    flushes_seen: u64,
    stopped: bool,
}

/// What the writer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Something to do.
    Work,
    /// The end of the interval, or what is urgent.
    Interval,
    /// The end of the interval, because what there was to do has failed.
    Retry,
}

/// What the queue has seen so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueStats {
    pub(crate) accepted: u64,
    pub(crate) dropped: u64,
    pub(crate) stopped: bool,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            state: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Takes as many as there is room for; drops and counts the rest.
    pub(crate) fn push(&self, records: &[Arc<Record>]) {
        let mut state = self.lock();
        let room = if state.stopped {
            0
        } else {
            self.capacity - state.records.len()
        };
        let (taken, dropped) = records.split_at(room.min(records.len()));
        let was_empty = state.records.is_empty();
        for record in taken {
            let size = record.payload.as_ref().map_or(0, |payload| payload.size());
            if state.payload_bytes + size > MAX_PAYLOAD_BYTES {
                // The books go before the payloads.
                let mut stripped = Record::clone(record);
                stripped.payload = None;
                state.records.push(Arc::new(stripped));
            } else {
                state.payload_bytes += size;
                state.records.push(record.clone());
            }
        }
        state.accepted += taken.len() as u64;
        state.dropped += dropped.len() as u64;
        let wake = (was_empty && !taken.is_empty()) || self.is_urgent(&state);
        drop(state);
        if wake {
            self.wake.notify_one();
        }
    }

    /// Asks the writer not to wait for more; returns the number under which it will answer.
    pub(crate) fn flush(&self) -> u64 {
        let mut state = self.lock();
        state.flushes += 1;
        let ticket = state.flushes;
        drop(state);
        self.wake.notify_one();
        ticket
    }

    /// Asks the writer to finish. Nothing is accepted from here on.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.wake.notify_one();
    }

    pub(crate) fn stats(&self) -> QueueStats {
        let state = self.lock();
        QueueStats {
            accepted: state.accepted,
            dropped: state.dropped,
            stopped: state.stopped,
        }
    }

    /// For the writer: waits; returns whether the queue has been stopped.
    pub(crate) async fn ready(&self, wait: Wait, interval: Duration) -> bool {
        // Running out of time is a normal case everywhere here.
        let has_work = |state: &State| !state.records.is_empty() || self.is_urgent(state);
        if wait == Wait::Work && timeout(IDLE, self.until(has_work)).await.is_err() {
            return false;
        }
        let is_over = |state: &State| state.stopped || (wait != Wait::Retry && self.is_urgent(state));
        let _ = timeout(interval, self.until(is_over)).await;
        self.lock().stopped
    }

    /// For the writer: exchanges the waiting records for an empty buffer. Returns the latest flush that they are part
    /// of, if there is one that was not seen before.
    pub(crate) fn take(&self, buffer: &mut Vec<Arc<Record>>) -> Option<u64> {
        let mut state = self.lock();
        std::mem::swap(&mut state.records, buffer);
        state.payload_bytes = 0;
        let asked = state.flushes > state.flushes_seen;
        state.flushes_seen = state.flushes;
        asked.then_some(state.flushes)
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        while !condition(&self.lock()) {
            self.wake.notified().await;
        }
    }

    fn is_urgent(&self, state: &State) -> bool {
        state.stopped
            || state.flushes > state.flushes_seen
            || state.records.len() >= self.capacity.div_ceil(URGENT_PART)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::record;

    fn batch(count: u128) -> Vec<Arc<Record>> {
        (0..count).map(|id| Arc::new(record(id))).collect()
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let queue = Queue::new(3);
        queue.push(&batch(2));
        queue.push(&batch(2));
        let stats = queue.stats();
        assert_eq!((stats.accepted, stats.dropped), (3, 1));

        let mut taken = Vec::new();
        queue.take(&mut taken);
        assert_eq!(taken.len(), 3);
        queue.push(&batch(1));
        assert_eq!(queue.stats().accepted, 4);

        queue.stop();
        queue.push(&batch(1));
        assert_eq!(queue.stats().dropped, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn records_wait_for_the_interval_and_no_longer() {
        let queue = Arc::new(Queue::new(1000));
        let interval = Duration::from_millis(250);
        let start = tokio::time::Instant::now();
        let late = queue.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            late.push(&batch(1));
        });
        assert!(!queue.ready(Wait::Work, interval).await);
        assert_eq!(start.elapsed(), Duration::from_millis(5250));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flush_a_stop_and_a_quarter_of_the_capacity_are_urgent() {
        let interval = Duration::from_secs(1000);
        let start = tokio::time::Instant::now();
        let mut buffer = Vec::new();
        let queue = Queue::new(8);
        queue.push(&batch(2));
        assert!(!queue.ready(Wait::Work, interval).await);
        queue.take(&mut buffer);

        assert_eq!(queue.flush(), 1);
        assert!(!queue.ready(Wait::Work, interval).await);
        assert_eq!(queue.take(&mut buffer), Some(1));
        assert_eq!(queue.take(&mut buffer), None);

        queue.stop();
        assert!(queue.ready(Wait::Work, interval).await);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_waits_whatever_comes() {
        let queue = Queue::new(8);
        queue.push(&batch(8));
        queue.flush();
        let start = tokio::time::Instant::now();
        let interval = Duration::from_millis(250);
        assert!(!queue.ready(Wait::Retry, interval).await);
        assert_eq!(start.elapsed(), interval);
    }
}
