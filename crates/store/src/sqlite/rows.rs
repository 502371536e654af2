//! The statements on the item tables. They neither begin nor end transactions.

use sqlx::sqlite::SqliteRow;
use sqlx::{Executor, Row, SqliteConnection};

use crate::backend::{Record, RecordChange};

/// The row of table `revision`.
pub(super) struct Revision {
    /// The revision of the latest write.
    pub(super) current: u64,
    /// Deletions up to this revision may no longer be listed.
    pub(super) compacted: u64,
}

/// What a put must know about the item that it replaces.
pub(super) struct Existing {
    pub(super) create_revision: u64,
    pub(super) mod_revision: u64,
}

pub(super) async fn revision(connection: &mut SqliteConnection) -> sqlx::Result<Revision> {
    let row = sqlx::query("SELECT current, compacted FROM revision WHERE id = 0")
        .fetch_one(connection)
        .await?;
    Ok(Revision {
        current: row.try_get("current")?,
        compacted: row.try_get("compacted")?,
    })
}

pub(super) async fn set_revision(connection: &mut SqliteConnection, current: u64) -> sqlx::Result<()> {
    let update = sqlx::query("UPDATE revision SET current = ?1 WHERE id = 0").bind(integer(current));
    update.execute(connection).await.map(drop)
}

/// Changes whenever another connection has committed something.
pub(super) async fn data_version(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("PRAGMA data_version")
        .fetch_one(connection)
        .await
}

pub(super) async fn get(
    executor: impl Executor<'_, Database = sqlx::Sqlite>,
    key: &str,
) -> sqlx::Result<Option<Record>> {
    sqlx::query("SELECT key, value, create_revision, mod_revision FROM items WHERE key = ?1")
        .bind(key)
        .try_map(record)
        .fetch_optional(executor)
        .await
}

/// Ordered by create revision, then by key.
pub(super) async fn list(connection: &mut SqliteConnection, prefix: &str) -> sqlx::Result<Vec<Record>> {
    let mut records = sqlx::query(
        "SELECT key, value, create_revision, mod_revision FROM items
         WHERE key >= ?1 AND key < ?1 || char(0x10ffff) ORDER BY key",
    )
    .bind(prefix)
    .try_map(record)
    .fetch_all(connection)
    .await?;
    // Here, since SQLite would copy all values into a sorter of its own.
    records.sort_by_key(|record| record.create_revision);
    Ok(records)
}

/// The net changes after a revision, oldest first: at most one for each key, and at most `limit` of each kind.
pub(super) async fn changes(
    connection: &mut SqliteConnection,
    since: u64,
    limit: usize,
) -> sqlx::Result<Vec<RecordChange>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let deleted = sqlx::query(
        "SELECT key, max(revision) AS revision FROM deleted
         WHERE revision > ?1 AND NOT EXISTS (SELECT 1 FROM items WHERE items.key = deleted.key)
         GROUP BY key LIMIT ?2",
    )
    .bind(integer(since))
    .bind(limit)
    .try_map(|row: SqliteRow| {
        Ok(RecordChange::Delete {
            key: row.try_get("key")?,
            revision: row.try_get("revision")?,
        })
    })
    .fetch_all(&mut *connection)
    .await?;
    let put = sqlx::query(
        "SELECT key, value, create_revision, mod_revision FROM items
         WHERE mod_revision > ?1 ORDER BY mod_revision, key LIMIT ?2",
    )
    .bind(integer(since))
    .bind(limit)
    .try_map(|row| record(row).map(RecordChange::Put))
    .fetch_all(connection)
    .await?;

    let mut changes = deleted;
    changes.extend(put);
    changes.sort_by_key(RecordChange::revision);
    Ok(changes)
}

pub(super) async fn existing(connection: &mut SqliteConnection, key: &str) -> sqlx::Result<Option<Existing>> {
    sqlx::query("SELECT create_revision, mod_revision FROM items WHERE key = ?1")
        .bind(key)
        .try_map(|row: SqliteRow| {
            Ok(Existing {
                create_revision: row.try_get("create_revision")?,
                mod_revision: row.try_get("mod_revision")?,
            })
        })
        .fetch_optional(connection)
        .await
}

pub(super) async fn put(
    connection: &mut SqliteConnection,
    record: &Record,
    expires_at: Option<u64>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO items (key, value, create_revision, mod_revision, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (key) DO UPDATE SET
             value = excluded.value, mod_revision = excluded.mod_revision, expires_at = excluded.expires_at",
    )
    .bind(&record.key)
    .bind(&record.value)
    .bind(integer(record.create_revision))
    .bind(integer(record.mod_revision))
    .bind(expires_at.map(integer))
    .execute(connection)
    .await
    .map(drop)
}

/// Whether the item was there.
pub(super) async fn delete(
    connection: &mut SqliteConnection,
    key: &str,
    revision: u64,
) -> sqlx::Result<bool> {
    let deleted = sqlx::query("DELETE FROM items WHERE key = ?1")
        .bind(key)
        .execute(&mut *connection)
        .await?;
    if deleted.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("INSERT INTO deleted (key, revision) VALUES (?1, ?2)")
        .bind(key)
        .bind(integer(revision))
        .execute(connection)
        .await?;
    Ok(true)
}

/// The keys that were there.
pub(super) async fn delete_prefix(
    connection: &mut SqliteConnection,
    prefix: &str,
    revision: u64,
) -> sqlx::Result<Vec<String>> {
    let keys: Vec<String> = sqlx::query_scalar(
        "INSERT INTO deleted (key, revision)
         SELECT key, ?2 FROM items WHERE key >= ?1 AND key < ?1 || char(0x10ffff) ORDER BY key
         RETURNING key",
    )
    .bind(prefix)
    .bind(integer(revision))
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM items WHERE key >= ?1 AND key < ?1 || char(0x10ffff)")
        .bind(prefix)
        .execute(connection)
        .await?;
    Ok(keys)
}

/// Forgets all but the latest `keep` deletions, and notes how far back the rest reaches.
pub(super) async fn trim_deleted(connection: &mut SqliteConnection, keep: u32) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE revision SET compacted = max(compacted, coalesce(
             (SELECT max(revision) FROM deleted WHERE id <= (SELECT max(id) FROM deleted) - ?1), 0))",
    )
    .bind(keep)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM deleted WHERE id <= (SELECT max(id) FROM deleted) - ?1")
        .bind(keep)
        .execute(connection)
        .await
        .map(drop)
}

/// Keys whose time has run out, the earliest first.
pub(super) async fn expired(
    connection: &mut SqliteConnection,
    now_ms: u64,
    limit: u32,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT key FROM items WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2")
        .bind(integer(now_ms))
        .bind(limit)
        .fetch_all(connection)
        .await
}

/// When the next item expires, in unix milliseconds.
pub(super) async fn next_expiry(connection: &mut SqliteConnection) -> sqlx::Result<Option<u64>> {
    sqlx::query_scalar("SELECT min(expires_at) FROM items WHERE expires_at IS NOT NULL")
        .fetch_one(connection)
        .await
}

fn record(row: SqliteRow) -> sqlx::Result<Record> {
    Ok(Record {
        key: row.try_get("key")?,
        value: row.try_get("value")?,
        create_revision: row.try_get("create_revision")?,
        mod_revision: row.try_get("mod_revision")?,
    })
}

/// SQLite's integers are signed. A revision never gets that far, and a time beyond it is as good as never.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
