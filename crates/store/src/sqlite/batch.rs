//! Several writes that stand or fall together.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::rows;
use crate::backend::{Record, RecordChange, RecordWrite};

/// The writes of one transaction, all of one revision.
pub(super) struct Batch {
    pub(super) revision: u64,
    now_ms: u64,
    /// What has changed so far, in order.
    pub(super) changes: Vec<RecordChange>,
    /// For each write so far: whether there was an item to replace or delete.
    pub(super) existed: Vec<bool>,
}

/// Why a batch is given up.
pub(super) enum Refusal {
    Conflict { key: String },
    Sql(sqlx::Error),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl Batch {
    pub(super) fn new(revision: u64, now_ms: u64) -> Self {
        Self {
            revision,
            now_ms,
            changes: Vec::new(),
            existed: Vec::new(),
        }
    }

    pub(super) async fn apply(
        &mut self,
        tx: &mut SqliteConnection,
        write: RecordWrite,
    ) -> Result<(), Refusal> {
        let revision = self.revision;
        let existed = match write {
            RecordWrite::Put {
                key,
                value,
                ttl,
                expected,
            } => self.put(tx, key, value, ttl, expected).await?,
            RecordWrite::Delete { key } => {
                let existed = rows::delete(tx, &key, revision).await?;
                if existed {
                    self.changes.push(RecordChange::Delete { key, revision });
                }
                existed
            }
            RecordWrite::DeletePrefix { prefix } => {
                let keys = rows::delete_prefix(tx, &prefix, revision).await?;
                let existed = !keys.is_empty();
                self.changes
                    .extend(keys.into_iter().map(|key| RecordChange::Delete { key, revision }));
                existed
            }
        };
        self.existed.push(existed);
        Ok(())
    }

    async fn put(
        &mut self,
        tx: &mut SqliteConnection,
        key: String,
        value: String,
        ttl: Option<Duration>,
        expected: Option<u64>,
    ) -> Result<bool, Refusal> {
        let existing = rows::existing(tx, &key).await?;
        let present = existing.as_ref().map_or(0, |existing| existing.mod_revision);
        if expected.is_some_and(|expected| expected != present) {
            return Err(Refusal::Conflict { key });
        }
        let mod_revision = self.revision;
        let create_revision = existing
            .as_ref()
            .map_or(mod_revision, |existing| existing.create_revision);
        let expires_at = ttl.map(|ttl| {
            let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            self.now_ms.saturating_add(ttl)
        });
        let record = Record {
            key,
            value,
            create_revision,
            mod_revision,
        };
        rows::put(tx, &record, expires_at).await?;
        self.changes.push(RecordChange::Put(record));
        Ok(existing.is_some())
    }
}
