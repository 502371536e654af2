//! The ledger as the gateway holds it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sluice_record::Record;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::queue::Queue;
use crate::read::{LedgerReader, SharedSqlite};
use crate::retention::Retention;
use crate::stats::Progress;
use crate::store::Store;
use crate::writer::Writer;
use crate::{LedgerConfig, LedgerError, LedgerStats};

/// An open ledger. Dropped without [`close`](Self::close), its thread stores what it has and ends by itself.
#[derive(Debug)]
pub struct Ledger {
    handle: LedgerHandle,
    reader: LedgerReader,
}

/// What hands records to the ledger. Clones share it.
#[derive(Clone, Debug)]
pub struct LedgerHandle {
    queue: Arc<Queue>,
    progress: watch::Receiver<Progress>,
}

impl Ledger {
    /// Opens the database and starts the writer's thread. A database that is locked, or whose disk is full, is no
    /// failure: records are spilled until it can be used.
    ///
    /// # Errors
    /// [`LedgerError::Database`] for a file that is damaged, no database or not accessible, [`LedgerError::Format`],
    /// [`LedgerError::Spill`], [`LedgerError::InUse`] or [`LedgerError::Thread`].
    pub async fn open(config: LedgerConfig) -> Result<Self, LedgerError> {
        let queue = Arc::new(Queue::new(config.capacity));
        let shared = SharedSqlite::default();
        let (publish, progress) = watch::channel(Progress::default());
        let (opened, open) = oneshot::channel();
        let ledger = Self {
            handle: LedgerHandle {
                queue: queue.clone(),
                progress,
            },
            reader: LedgerReader::new(shared.clone()),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(LedgerError::Thread)?;
        let work = async move {
            match Store::open(config.clone()).await {
                Ok(store) => {
                    let writer = Writer {
                        queue,
                        store,
                        progress: publish,
                        shared,
                        flush_interval: config.flush_interval,
                        retention: Retention::new(config),
                    };
                    writer.publish();
                    // If nobody waits any more, the queue is stopped by the ledger's drop.
                    let _ = opened.send(Ok(()));
                    writer.run().await;
                }
                Err(error) => drop(opened.send(Err(error))),
            }
        };
        thread::Builder::new()
            .name("sluice-ledger".to_owned())
            .spawn(move || runtime.block_on(work))
            .map_err(LedgerError::Thread)?;
        open.await.map_err(|_| LedgerError::Closed)??;
        Ok(ledger)
    }

    /// What hands records in.
    #[must_use]
    pub fn handle(&self) -> LedgerHandle {
        self.handle.clone()
    }

    /// What reads records and reports.
    #[must_use]
    pub fn reader(&self) -> LedgerReader {
        self.reader.clone()
    }

    /// Stores what is in the queue and closes both files. Records submitted from here on are dropped.
    ///
    /// # Errors
    /// [`LedgerError::Timeout`] when that takes longer; it goes on in the background.
    pub async fn close(self, deadline: Duration) -> Result<LedgerStats, LedgerError> {
        self.handle.queue.stop();
        let mut progress = self.handle.progress.clone();
        let ended = async { while progress.changed().await.is_ok() {} };
        timeout(deadline, ended).await.map_err(|_| LedgerError::Timeout)?;
        Ok(self.handle.stats())
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.handle.queue.stop();
    }
}

impl LedgerHandle {
    /// Hands over records of finished requests; never waits. What the queue has no room for is dropped and counted.
    pub fn submit(&self, records: &[Arc<Record>]) {
        self.queue.push(records);
    }

    /// Counters and state.
    #[must_use]
    pub fn stats(&self) -> LedgerStats {
        let queue = self.queue.stats();
        let progress = *self.progress.borrow();
        let has_died = self.progress.has_changed().is_err() && !queue.stopped;
        LedgerStats {
            written: progress.written,
            spilled: progress.spilled,
            replayed: progress.replayed,
            dropped: queue.dropped + progress.dropped,
            spill_len: progress.spill_len,
            queue_len: queue.accepted.saturating_sub(progress.settled),
            degraded: progress.degraded || has_died,
        }
    }

    /// Waits until everything submitted so far is in the database or the spill file, and the rollups have what the
    /// database has.
    ///
    /// # Errors
    /// [`LedgerError::Timeout`] after the deadline, [`LedgerError::Closed`] when the ledger has ended.
    pub async fn flush(&self, deadline: Duration) -> Result<(), LedgerError> {
        let ticket = self.queue.flush();
        let mut progress = self.progress.clone();
        match timeout(deadline, progress.wait_for(|progress| progress.flushed >= ticket)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(LedgerError::Closed),
            Err(_) => Err(LedgerError::Timeout),
        }
    }
}

#[cfg(test)]
mod tests;
