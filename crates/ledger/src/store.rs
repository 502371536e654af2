//! Where rows go: into the database, or into the spill file and from there into the database.

use std::time::{Duration, Instant};

use sluice_sql::SqlError;

use crate::database::Database;
use crate::row::Row;
use crate::seq::{Seq, Sequence};
use crate::spill::{Frame, Spill};
use crate::stats::Progress;
use crate::{LedgerConfig, LedgerError};

/// Rows that are replayed in one transaction.
const REPLAY_ROWS: usize = 4096;

/// How long a replay may keep fresh records waiting.
const REPLAY_TIME: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Store {
    config: LedgerConfig,
    database: Option<Database>,
    spill: Spill,
    sequence: Sequence,
    progress: Progress,
    /// Whether the database's file has been there. From then on a missing one is awaited, not made anew.
    existed: bool,
    /// Whether the last attempt at the database failed. Only changes are logged.
    away: bool,
}

impl Store {
    /// Opens both files. A database that is locked, or whose disk is full, is awaited later.
    pub(crate) async fn open(config: LedgerConfig) -> Result<Self, LedgerError> {
        let (spill, last) = Spill::open(&config.spill_path, config.max_spill_bytes)?;
        let mut store = Self {
            config,
            database: None,
            spill,
            sequence: Sequence::after(last),
            progress: Progress::default(),
            existed: false,
            away: false,
        };
        match store.connect().await {
            Ok(_) => {}
            Err(error @ LedgerError::Database(SqlError::Locked { .. } | SqlError::DiskFull { .. })) => {
                store.note(&error);
            }
            Err(error) => return Err(error),
        }
        store.existed = store.config.path.exists();
        store.progress.spill_len = store.spill.rows();
        Ok(store)
    }

    /// The place of the next row.
    pub(crate) fn next_seq(&mut self, now_us: i64) -> Seq {
        self.sequence.next(now_us)
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(crate) fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    pub(crate) fn into_database(self) -> Option<Database> {
        self.database
    }

    /// Whether there is nothing to do until rows come.
    pub(crate) fn is_idle(&self) -> bool {
        self.spill.is_empty()
            && self
                .database
                .as_ref()
                .is_some_and(|database| !database.has_pending())
    }

    /// Whether every row that was saved is in the database.
    pub(crate) fn is_complete(&self) -> bool {
        self.spill.is_empty() && self.database.is_some()
    }

    /// Stores the rows, and replays what was spilled before. Rows that cannot be stored stay in `rows`.
    pub(crate) async fn save(&mut self, rows: &mut Vec<Row>) {
        if self.spill.is_empty() {
            match self.write(rows).await {
                Ok(()) => {
                    self.progress.written += rows.len() as u64;
                    self.saved(rows);
                    return;
                }
                Err(error) => self.note(&error),
            }
            self.spill(rows);
        } else {
            // Rows go behind those that are spilled already, which keeps their order.
            self.spill(rows);
            self.replay().await;
        }
        self.progress.spill_len = self.spill.rows();
    }

    /// Completes the rollups, if it is time for that.
    pub(crate) async fn roll_up(&mut self, now: bool) {
        let Some(database) = self.database.as_mut() else {
            return;
        };
        if database.has_pending()
            && (now || database.is_roll_up_due())
            && let Err(error) = database.roll_up().await
        {
            self.note(&error.into());
        }
    }

    /// Notes that a flush has been answered.
    pub(crate) fn flushed(&mut self, ticket: u64) {
        self.progress.flushed = ticket;
    }

    fn spill(&mut self, rows: &mut Vec<Row>) {
        if rows.is_empty() {
            return;
        }
        match self.spill.append(rows) {
            Ok(()) => {
                self.progress.spilled += rows.len() as u64;
                self.saved(rows);
            }
            Err(error) => {
                if !self.progress.degraded {
                    tracing::error!(%error, "the ledger can store nothing: neither database nor spill file");
                }
                self.progress.degraded = true;
            }
        }
    }

    fn saved(&mut self, rows: &mut Vec<Row>) {
        self.progress.settled += rows.len() as u64;
        self.progress.degraded = false;
        rows.clear();
    }

    /// Counts a record that never became a row.
    pub(crate) fn drop_record(&mut self) {
        self.progress.dropped += 1;
        self.progress.settled += 1;
    }

    /// Gives the rows up.
    pub(crate) fn drop_rows(&mut self, rows: &mut Vec<Row>) {
        self.progress.dropped += rows.len() as u64;
        self.progress.settled += rows.len() as u64;
        rows.clear();
    }

    async fn replay(&mut self) {
        let start = Instant::now();
        while !self.spill.is_empty() && start.elapsed() < REPLAY_TIME {
            if let Err(error) = self.replay_some().await {
                self.note(&error);
                return;
            }
        }
    }

    async fn replay_some(&mut self) -> Result<(), LedgerError> {
        // A look at the lock is cheaper than reading frames that cannot be written.
        self.connect().await?.probe().await?;
        let mut frames = self
            .spill
            .peek(REPLAY_ROWS)
            .map_err(|source| LedgerError::Spill {
                path: self.config.spill_path.clone(),
                source,
            })?;
        let count: u64 = frames.iter().map(|frame| frame.count).sum();
        let readable: u64 = frames.iter().map(|frame| frame.rows.len() as u64).sum();
        let mut rows = self.unknown_rows(&mut frames).await?;
        self.write(&mut rows).await?;
        self.spill.consume(&frames);
        self.progress.replayed += readable;
        self.progress.dropped += count - readable;
        Ok(())
    }

    /// The rows of the frames that the database does not have. It has a frame if the program was killed after the
    /// commit, before the frame was taken off the file; frames are committed whole, so their first row tells.
    async fn unknown_rows(&mut self, frames: &mut [Frame]) -> Result<Vec<Row>, LedgerError> {
        let database = self.connect().await?;
        let mut rows = Vec::new();
        for frame in frames {
            match frame.rows.first() {
                Some(first) if !database.has(first).await? => rows.append(&mut frame.rows),
                _ => {}
            }
        }
        Ok(rows)
    }

    async fn write(&mut self, rows: &mut [Row]) -> Result<(), LedgerError> {
        let database = self.connect().await?;
        if rows.is_empty() {
            return Ok(());
        }
        // A batch whose commit seemed to fail may be there; as it is committed whole, its first row tells.
        let result = match database.write(rows).await {
            Err(error) if is_conflict(&error) => {
                if let Some(first) = rows.first()
                    && database.has(first).await?
                {
                    return Ok(());
                }
                if let Some(last) = database.last_seq().await? {
                    self.sequence.advance(last);
                }
                self.restamp(rows);
                self.connect().await?.write(rows).await
            }
            result => result,
        };
        if result.is_ok() {
            self.recovered();
        }
        result.map_err(Into::into)
    }

    /// Gives rows other places, after all that are taken. Places are unique within one ledger's life; they can be
    /// taken only in a database that was exchanged, or was locked when the ledger was opened.
    fn restamp(&mut self, rows: &mut [Row]) {
        for row in rows {
            row.seq = self.sequence.next(row.seq.0);
        }
    }

    /// The database, opened again if need be.
    async fn connect(&mut self) -> Result<&mut Database, LedgerError> {
        if self
            .database
            .as_ref()
            .is_some_and(|database| !database.is_in_place())
        {
            self.disconnect();
        }
        if self.database.is_none() {
            if self.existed && !self.config.path.exists() {
                return Err(LedgerError::Unavailable);
            }
            let mut database = Database::open(&self.config).await?;
            if let Some(last) = database.last_seq().await? {
                self.sequence.advance(last);
            }
            self.database = Some(database);
        }
        self.database.as_mut().ok_or(LedgerError::Unavailable)
    }

    fn disconnect(&mut self) {
        if let Some(database) = self.database.take() {
            // Waits for reports that are under way; the writer must not.
            tokio::spawn(async move { database.sqlite().close().await });
        }
    }

    fn note(&mut self, error: &LedgerError) {
        if !self.away {
            tracing::warn!(%error, "the ledger cannot write to its database; records are spilled");
        }
        self.away = true;
        if let LedgerError::Database(error) = error
            && !matches!(error, SqlError::Locked { .. } | SqlError::DiskFull { .. })
        {
            self.disconnect();
        }
    }

    fn recovered(&mut self) {
        if self.away {
            tracing::info!("the ledger writes to its database again");
        }
        self.away = false;
    }
}

fn is_conflict(error: &SqlError) -> bool {
    matches!(error, SqlError::Query { source, .. }
        if source.as_database_error().is_some_and(|error| error.is_unique_violation()))
}

#[cfg(test)]
mod tests;
