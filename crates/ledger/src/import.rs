//! Writing records of the past, with the times that they had.

use sluice_record::Record;

use crate::database::Database;
use crate::row::{Row, RowTools};
use crate::seq::Seq;
use crate::{LedgerConfig, LedgerError, retention};

/// Writes records of the past into a ledger that no gateway is using: rows, sums and indexes as if they had come by and
/// by.
#[derive(Debug)]
pub struct LedgerImport {
    config: LedgerConfig,
    database: Database,
    tools: RowTools,
    last: Seq,
}

impl LedgerImport {
    /// Opens the database, creating it when it is absent.
    ///
    /// # Errors
    /// As for [`Ledger::open`](crate::Ledger::open).
    pub async fn open(config: LedgerConfig) -> Result<Self, LedgerError> {
        let mut database = Database::open(&config).await?;
        let last = database.last_seq().await?.unwrap_or(Seq(0));
        Ok(Self {
            config,
            database,
            tools: RowTools::default(),
            last,
        })
    }

    /// Writes records with the times at which they were over, in microseconds since the Unix epoch and in ascending order;
    /// times that are taken are moved up. All of them, or none.
    ///
    /// # Errors
    /// [`LedgerError::Database`] when they cannot be written.
    pub async fn write(&mut self, records: &[(i64, Record)]) -> Result<(), LedgerError> {
        let mut rows = Vec::with_capacity(records.len());
        let mut last = self.last;
        for (over_us, record) in records {
            last = Seq(last.0.saturating_add(1).max(*over_us));
            match Row::new(last, record, &mut self.tools) {
                Ok(row) => rows.push(row),
                Err(error) => tracing::error!(%error, "a record cannot be written as JSON"),
            }
        }
        if last.day() != self.last.day() {
            // Sums of a day at most are held in memory.
            self.database.roll_up().await?;
        }
        self.database.write(&rows).await?;
        self.last = last;
        Ok(())
    }

    /// Completes sums and indexes, and closes the database.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub async fn finish(mut self) -> Result<(), LedgerError> {
        self.database.roll_up().await?;
        let day = self.last.day();
        let sqlite = self.database.sqlite();
        let applied = retention::apply(sqlite, &self.config, day).await;
        applied.map_err(|error| sqlite.error(error))?;
        sqlite.close().await;
        Ok(())
    }
}
