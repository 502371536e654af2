//! The writer's thread: takes records from the queue and stores them in batches.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sluice_record::Record;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::queue::{Queue, Wait};
use crate::read::SharedSqlite;
use crate::retention::Retention;
use crate::row::{Row, RowTools};
use crate::stats::Progress;
use crate::store::Store;

/// How long the end waits for reports that are still being read.
const CLOSE_TIME: Duration = Duration::from_secs(1);

pub(crate) struct Writer {
    pub(crate) queue: Arc<Queue>,
    pub(crate) store: Store,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) shared: SharedSqlite,
    pub(crate) retention: Retention,
    pub(crate) flush_interval: Duration,
}

impl Writer {
    /// Runs until the queue is stopped and everything in it is stored, or cannot be.
    pub(crate) async fn run(mut self) {
        let mut records = Vec::new();
        let mut rows = Vec::new();
        let mut tools = RowTools::default();
        let mut flush = None;
        loop {
            let wait = match rows.is_empty() {
                false => Wait::Retry,
                true if self.store.is_idle() => Wait::Work,
                true => Wait::Interval,
            };
            let stopped = self.queue.ready(wait, self.flush_interval).await;
            // A batch that failed is tried again by itself: its rows may have got into the database nevertheless, and
            // are recognised by the first one. Meanwhile the queue fills up and then drops: memory stays bounded.
            if !rows.is_empty() {
                self.store.save(&mut rows).await;
            }
            if stopped {
                self.store.drop_rows(&mut rows);
            }
            if rows.is_empty() {
                flush = self.queue.take(&mut records).or(flush);
                self.stamp(&records, &mut rows, &mut tools);
                records.clear();
                self.store.save(&mut rows).await;
            }
            if stopped {
                self.store.drop_rows(&mut rows);
            }
            self.store.roll_up(stopped || flush.is_some()).await;
            if rows.is_empty()
                && let Some(ticket) = flush.take()
            {
                self.store.flushed(ticket);
            }
            self.publish();
            if stopped {
                break;
            }
            self.retention.run_when_due(&self.store, now_us());
        }
        if let Some(database) = self.store.into_database() {
            let closed = timeout(CLOSE_TIME, database.sqlite().close()).await;
            if closed.is_err() {
                tracing::warn!("the ledger was closed while reports were being read");
            }
        }
    }

    fn stamp(&mut self, records: &[Arc<Record>], rows: &mut Vec<Row>, tools: &mut RowTools) {
        let now = now_us();
        rows.reserve(records.len());
        for record in records {
            match Row::new(self.store.next_seq(now), record, tools) {
                Ok(row) => rows.push(row),
                Err(error) => {
                    tracing::error!(%error, "a record cannot be written as JSON");
                    self.store.drop_record();
                }
            }
        }
    }

    pub(crate) fn publish(&self) {
        let sqlite = self.store.database().map(|database| database.sqlite().clone());
        self.shared.set(sqlite);
        self.progress.send_replace(*self.store.progress());
    }
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
