//! The ledger's database, as its writer uses it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use sluice_record::CacheOutcome;
use sluice_sql::{SqlError, Sqlite};
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection, SqliteExecutor};

use crate::detail::Detail;
use crate::insert;
use crate::partition;
use crate::rollup::{Measured, Rollups};
use crate::row::Row;
use crate::seq::Seq;
use crate::series::{SeriesId, StoredSeries};
use crate::{LedgerConfig, LedgerError};

/// Format of the schema: thousands of a migration's version. Within a format, a file that a later release has
/// extended can still be written by this one.
const FORMAT: i64 = 1;

/// How long sums are kept back. With many consumers most records of a batch have a sum of their own, which costs more
/// than the record; within some seconds they come together.
const ROLL_UP_AFTER: Duration = Duration::from_secs(5);

/// The open database, with what its writer remembers.
#[derive(Debug)]
pub(crate) struct Database {
    sqlite: Sqlite,
    file: FileId,
    memory: Option<Memory>,
    /// Most bytes of payloads of a day.
    max_payload_bytes: u64,
}

/// What follows from the database's content. Given up when a write has failed, since it is not known then what the
/// content is.
#[derive(Debug, Default)]
struct Memory {
    stored: StoredSeries,
    /// The day whose table was written last, so that it exists.
    day: Option<i64>,
    /// Sums of the records that the rollups do not have.
    pending: Rollups,
    /// When the first of them came.
    pending_since: Option<Instant>,
    /// The last record.
    last: Option<Seq>,
    /// The day from which on the sums of days, and the totals, are complete.
    days_from: i64,
    /// Room for payloads that the day has left, in bytes; none while it has not been looked at.
    payload_room: Option<(i64, u64)>,
}

impl Database {
    /// Opens the database, creating it when it is absent, and brings its schema up to date.
    pub(crate) async fn open(config: &LedgerConfig) -> Result<Self, LedgerError> {
        let sqlite = Sqlite::open(&config.sqlite()).await?;
        migrate(&sqlite).await?;
        let file = FileId::of(sqlite.path()).map_err(|source| SqlError::Unreadable {
            path: sqlite.path().to_owned(),
            source: source.into(),
        })?;
        Ok(Self {
            sqlite,
            file,
            memory: None,
            max_payload_bytes: config.max_payload_bytes,
        })
    }

    /// Whether the file is still where it was opened. SQLite itself would go on writing to a file that was moved.
    pub(crate) fn is_in_place(&self) -> bool {
        FileId::of(self.sqlite.path()).is_ok_and(|file| file == self.file)
    }

    pub(crate) fn sqlite(&self) -> &Sqlite {
        &self.sqlite
    }

    /// The place of the latest record.
    pub(crate) async fn last_seq(&mut self) -> Result<Option<Seq>, SqlError> {
        let memory = self.recall().await?;
        let last = memory.last;
        self.memory = Some(memory);
        Ok(last)
    }

    /// Whether the record is stored.
    pub(crate) async fn has(&mut self, row: &Row) -> Result<bool, SqlError> {
        let stored = async {
            let reader = self.sqlite.reader();
            if !days(reader).await?.contains(&row.seq.day()) {
                return Ok(false);
            }
            let table = partition::name(row.seq.day());
            let sql = format!("SELECT count(*) FROM {table} WHERE seq = ? AND id = ?");
            let found: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(row.seq.0)
                .bind(row.id.0.to_be_bytes().to_vec())
                .fetch_one(reader)
                .await?;
            Ok(found > 0)
        };
        let has = stored.await.map_err(|error| self.sqlite.error(error))?;
        if has {
            // Asked only where it is in doubt: then the sums are, too.
            self.memory = None;
        }
        Ok(has)
    }

    /// Finds out whether a transaction could be written.
    pub(crate) async fn probe(&self) -> Result<(), SqlError> {
        let transaction = self.sqlite.begin_write().await?;
        let ended = transaction.rollback().await;
        ended.map_err(|error| self.sqlite.error(error))
    }

    /// Writes the rows, which are in ascending order: all of them, or none.
    pub(crate) async fn write(&mut self, rows: &[Row]) -> Result<(), SqlError> {
        let mut transaction = self.sqlite.begin_write().await?;
        let mut memory = self.recall().await?;
        let written = async {
            write_rows(&mut transaction, &mut memory, rows).await?;
            write_payloads(&mut transaction, &mut memory, rows, self.max_payload_bytes).await?;
            transaction.commit().await
        };
        written.await.map_err(|error| self.sqlite.error(error))?;
        for row in rows {
            memory.pending.add(&row.into());
            memory.last = Some(row.seq);
        }
        memory.pending_since.get_or_insert_with(Instant::now);
        self.memory = Some(memory);
        Ok(())
    }

    /// Whether there may be sums that are not in the rollups.
    pub(crate) fn has_pending(&self) -> bool {
        self.memory
            .as_ref()
            .is_none_or(|memory| !memory.pending.is_empty())
    }

    /// Whether it is time to write them.
    pub(crate) fn is_roll_up_due(&self) -> bool {
        let is_due = |since: Instant| since.elapsed() >= ROLL_UP_AFTER;
        self.memory
            .as_ref()
            .is_none_or(|memory| memory.pending_since.is_some_and(is_due))
    }

    /// Completes the rollups.
    pub(crate) async fn roll_up(&mut self) -> Result<(), SqlError> {
        let mut transaction = self.sqlite.begin_write().await?;
        let mut memory = self.recall().await?;
        let last = memory.last.unwrap_or(Seq(0));
        let written = async {
            insert::rollups(&mut transaction, &memory.pending, last, memory.days_from).await?;
            transaction.commit().await
        };
        written.await.map_err(|error| self.sqlite.error(error))?;
        memory.pending.clear();
        memory.pending_since = None;
        self.memory = Some(memory);
        Ok(())
    }

    /// Takes the memory. It is given back when all went well.
    async fn recall(&mut self) -> Result<Memory, SqlError> {
        if let Some(memory) = self.memory.take() {
            return Ok(memory);
        }
        let mut transaction = self.sqlite.begin_read().await?;
        let memory = recollect(&mut transaction).await;
        memory.map_err(|error| self.sqlite.error(error))
    }
}

async fn write_rows(
    connection: &mut SqliteConnection,
    memory: &mut Memory,
    rows: &[Row],
) -> Result<(), sqlx::Error> {
    for rows in rows.chunk_by(|a, b| a.seq.day() == b.seq.day()) {
        let Some(day) = rows.first().map(|row| row.seq.day()) else {
            continue;
        };
        let series = rows.iter().map(|row| &*row.series);
        let new: Vec<_> = series
            .filter(|series| memory.stored.insert(day, series.id))
            .collect();
        insert::series(connection, day, &new).await?;
        if memory.day.replace(day) != Some(day) {
            insert::table(connection, day).await?;
        }
        insert::records(connection, day, rows).await?;
    }
    Ok(())
}

/// Stores the payloads that the day has room for.
async fn write_payloads(
    connection: &mut SqliteConnection,
    memory: &mut Memory,
    rows: &[Row],
    max_bytes: u64,
) -> Result<(), sqlx::Error> {
    for rows in rows.chunk_by(|a, b| a.seq.day() == b.seq.day()) {
        let payloads = rows
            .iter()
            .filter_map(|row| Some((row.seq, row.payload.as_deref()?)));
        let mut payloads: Vec<_> = payloads.collect();
        let Some(day) = payloads.first().map(|(seq, _)| seq.day()) else {
            continue;
        };
        let mut room = match memory.payload_room {
            Some((known, room)) if known == day => room,
            _ => max_bytes.saturating_sub(payload_bytes(connection, day).await?),
        };
        payloads.retain(|(_, payload)| {
            let size = payload.len() as u64;
            let fits = size <= room;
            room -= if fits { size } else { 0 };
            fits
        });
        insert::payloads(connection, day, &payloads).await?;
        memory.payload_room = Some((day, room));
    }
    Ok(())
}

/// Bytes of a day's payloads.
async fn payload_bytes(connection: &mut SqliteConnection, day: i64) -> Result<u64, sqlx::Error> {
    if !payload_days(&mut *connection).await?.contains(&day) {
        return Ok(0);
    }
    let sql = format!(
        "SELECT ifnull(sum(length(payload)), 0) FROM {}",
        partition::payloads(day)
    );
    let bytes: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await?;
    Ok(bytes.max(0).unsigned_abs())
}

/// Sums the records that the rollups do not have.
async fn recollect(connection: &mut SqliteConnection) -> Result<Memory, sqlx::Error> {
    let rolled_up = rolled_up(connection).await?;
    let through = rolled_up.through;
    let mut memory = Memory {
        last: (through > Seq(0)).then_some(through),
        days_from: match rolled_up.days_from {
            Some(day) => day,
            None => through.day() + 1,
        },
        ..Memory::default()
    };
    for day in days(&mut *connection).await? {
        if day < through.day() {
            continue;
        }
        let table = partition::name(day);
        let sql = format!(
            "SELECT seq, series, status, duration_us, input_tokens, output_tokens, cost_micros, detail, \
             ttft_us FROM {table} WHERE seq > ? ORDER BY seq"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(through.0);
        for row in query.fetch_all(&mut *connection).await? {
            let detail: Detail<'_> = serde_json::from_str(row.try_get(7)?).unwrap_or_default();
            let seq = Seq(row.try_get(0)?);
            memory.pending.add(&Measured {
                seq,
                series: SeriesId(row.try_get(1)?),
                status: row.try_get(2)?,
                broken: detail.is_broken(),
                usage: detail.tokens.with_totals(row.try_get(4)?, row.try_get(5)?),
                cost: row.try_get(6)?,
                duration_us: row.try_get(3)?,
                ttft_us: row.try_get(8)?,
                cache: detail.cache.as_deref().and_then(CacheOutcome::from_name),
            });
            memory.last = Some(seq);
        }
    }
    memory.pending_since = (!memory.pending.is_empty()).then(Instant::now);
    Ok(memory)
}

/// How far the rollups are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RolledUp {
    /// The last record that they have; 0 if they have none.
    pub(crate) through: Seq,
    /// The day from which on those of days, and the totals, are complete. None if a release that does not know them has written last.
    pub(crate) days_from: Option<i64>,
}

pub(crate) async fn rolled_up(connection: &mut SqliteConnection) -> Result<RolledUp, sqlx::Error> {
    let (through, days_through, days_from): (i64, i64, i64) =
        sqlx::query_as("SELECT through, days_through, days_from FROM rolled_up")
            .fetch_one(connection)
            .await?;
    Ok(RolledUp {
        through: Seq(through),
        days_from: (days_through == through).then_some(days_from),
    })
}

/// The days that have a table, oldest first.
pub(crate) async fn days(executor: impl SqliteExecutor<'_>) -> Result<Vec<i64>, sqlx::Error> {
    days_of(executor, "records_*").await
}

/// The days that have payloads, oldest first.
pub(crate) async fn payload_days(executor: impl SqliteExecutor<'_>) -> Result<Vec<i64>, sqlx::Error> {
    days_of(executor, "payloads_*").await
}

async fn days_of(executor: impl SqliteExecutor<'_>, names: &str) -> Result<Vec<i64>, sqlx::Error> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ?")
            .bind(names)
            .fetch_all(executor)
            .await?;
    let mut days: Vec<i64> = tables.iter().filter_map(|name| partition::day(name)).collect();
    days.sort_unstable();
    Ok(days)
}

/// Does not write when there is nothing to do, so that a database that is locked can be opened: its last record has to
/// be known before the next one gets its place.
async fn migrate(sqlite: &Sqlite) -> Result<(), LedgerError> {
    let mut migrator = sqlx::migrate!();
    // Those of a later release of the same format.
    migrator.set_ignore_missing(true);
    let newest = migrator.iter().map(|migration| migration.version).max();
    let found = schema_version(sqlite)
        .await
        .map_err(|error| sqlite.error(error))?;
    match found {
        Some(version) if version / 1000 != FORMAT => Err(LedgerError::Format {
            path: sqlite.path().to_owned(),
            found: version / 1000,
            known: FORMAT,
        }),
        found if found >= newest => Ok(()),
        _ => Ok(sqlite.migrate(&migrator).await?),
    }
}

/// The latest migration that the database has seen.
async fn schema_version(sqlite: &Sqlite) -> Result<Option<i64>, sqlx::Error> {
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(sqlite.reader())
            .await?;
    if tables == 0 {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(sqlite.reader())
        .await
}

/// What tells a file from another one under the same name.
#[derive(Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

#[cfg(test)]
mod tests;
