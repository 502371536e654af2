//! The audit log: every change that somebody made, newest kept.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use sluice_sql::Sqlite;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::StoreError;

/// Most entries that are kept; older ones go when new ones come.
const KEPT: i64 = 10_000;

/// Largest text of changes, in bytes; what is larger is left out.
const MAX_CHANGES: usize = 64 << 10;

/// A change to be noted.
#[derive(Debug, Clone)]
pub struct NewAuditEntry {
    /// Who made it.
    pub caller: String,
    /// The address that it was asked for from, if it was asked for over the network.
    pub peer: Option<String>,
    /// How: `PUT`, `DELETE`, a command, ….
    pub action: String,
    /// What was changed: a resource's key, or `/admin_keys/3`.
    pub key: String,
    /// The revision of the write, if it was one of the configuration.
    pub revision: Option<u64>,
    /// What is different now. The caller sees to it that no secret is in it.
    pub changes: Value,
}

/// A noted change.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Rises with time.
    pub id: u64,
    /// Unix milliseconds.
    pub at: u64,
    /// Who made it.
    pub caller: String,
    /// Where it was asked for from.
    pub peer: Option<String>,
    /// How.
    pub action: String,
    /// What was changed.
    pub key: String,
    /// The revision of the write.
    pub revision: Option<u64>,
    /// What is different.
    pub changes: Value,
}

/// Table `audit`. It is bounded: the latest ten thousand entries.
pub struct AuditLog<'a> {
    sql: &'a Sqlite,
}

impl<'a> AuditLog<'a> {
    pub(super) fn new(sql: &'a Sqlite) -> Self {
        Self { sql }
    }

    /// Notes changes of this moment, and drops what is too old.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn append(&self, entries: &[NewAuditEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut tx = self.sql.begin_write().await?;
        let write = async {
            for entry in entries {
                insert(entry).execute(&mut *tx).await?;
            }
            sqlx::query("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1")
                .bind(KEPT)
                .execute(&mut *tx)
                .await?;
            tx.commit().await
        };
        write.await.map_err(|error| self.sql.error(error).into())
    }

    /// At most `limit` entries, newest first, older than the one with the id `before` if that is given.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn list(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let before = before.map_or(i64::MAX, |id| i64::try_from(id).unwrap_or(i64::MAX));
        let entries = sqlx::query(
            "SELECT id, at, caller, peer, action, key, revision, changes FROM audit
             WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        )
        .bind(before)
        .bind(limit)
        .try_map(entry)
        .fetch_all(self.sql.reader())
        .await;
        entries.map_err(|error| self.sql.error(error).into())
    }
}

type Insert<'a> = sqlx::query::Query<'a, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn insert(entry: &NewAuditEntry) -> Insert<'_> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let at = since_epoch.map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    let mut changes = entry.changes.to_string();
    if changes.len() > MAX_CHANGES {
        changes = r#""too large to be kept""#.to_owned();
    }
    sqlx::query(
        "INSERT INTO audit (at, caller, peer, action, key, revision, changes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(at)
    .bind(&entry.caller)
    .bind(&entry.peer)
    .bind(&entry.action)
    .bind(&entry.key)
    .bind(entry.revision.map(|revision| i64::try_from(revision).unwrap_or(i64::MAX)))
    .bind(changes)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that try_map wants")]
fn entry(row: SqliteRow) -> sqlx::Result<AuditEntry> {
    let number = |value: i64| u64::try_from(value).unwrap_or_default();
    let changes: String = row.try_get("changes")?;
    Ok(AuditEntry {
        id: number(row.try_get("id")?),
        at: number(row.try_get("at")?),
        caller: row.try_get("caller")?,
        peer: row.try_get("peer")?,
        action: row.try_get("action")?,
        key: row.try_get("key")?,
        revision: row.try_get::<Option<i64>, _>("revision")?.map(number),
        changes: serde_json::from_str(&changes).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Database;

    fn change(key: &str) -> NewAuditEntry {
        NewAuditEntry {
            caller: "somebody".to_owned(),
            peer: Some("127.0.0.1".to_owned()),
            action: "PUT".to_owned(),
            key: key.to_owned(),
            revision: Some(7),
            changes: json!([{"path": "/uri", "to": "/a"}]),
        }
    }

    #[tokio::test]
    async fn entries_are_listed_newest_first_and_by_page() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path().join("sluice.db")).await.unwrap();
        let log = database.audit_log();
        assert_eq!(log.list(None, 10).await.unwrap(), []);
        let all: Vec<_> = ["/a", "/b", "/c"].map(change).into();
        log.append(&all[..2]).await.unwrap();
        log.append(&all[2..]).await.unwrap();
        let page = log.list(None, 2).await.unwrap();
        let keys = |entries: &[AuditEntry]| entries.iter().map(|e| e.key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&page), ["/c", "/b"]);
        assert_eq!(
            (page[0].revision, page[0].peer.as_deref()),
            (Some(7), Some("127.0.0.1"))
        );
        assert_eq!(page[0].changes, all[0].changes);
        assert!(page[0].at > 0);
        assert_eq!(keys(&log.list(Some(page[1].id), 2).await.unwrap()), ["/a"]);
    }

    #[tokio::test]
    async fn the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path().join("sluice.db")).await.unwrap();
        let log = database.audit_log();
        let many: Vec<_> = (0..KEPT + 5).map(|number| change(&number.to_string())).collect();
        log.append(&many).await.unwrap();
        assert_eq!(
            log.list(Some(7), 10).await.unwrap().len(),
            1,
            "ids 1 to 5 are gone"
        );
    }

    #[tokio::test]
    async fn what_is_too_large_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path().join("sluice.db")).await.unwrap();
        let log = database.audit_log();
        let mut large = change("/a");
        large.changes = json!("x".repeat(MAX_CHANGES));
        log.append(&[large]).await.unwrap();
        assert_eq!(
            log.list(None, 1).await.unwrap()[0].changes,
            "too large to be kept"
        );
    }
}
