//! Reading records, newest first.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sluice_llm::Usage;
use sluice_record::{Cost, Payload, Record, RequestId, Text};
use sluice_sql::{Sqlite, SqliteTransaction};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use crate::database;
use crate::partition;
use crate::payload;
use crate::row::{Row, RowTools};
use crate::scan::Scan;
use crate::seq::Seq;
use crate::{Detail, Filter, LedgerError, Series};

/// Most records of a page.
const MAX_LIMIT: u32 = 1000;

/// How long after its start a request is looked for by its id.
const LOOKUP: Duration = Duration::from_secs(3600);

pub(crate) const SELECT: &str = "SELECT r.seq, r.id, r.status, r.started_us, r.duration_us, r.ttft_us, r.input_tokens, \
                      r.output_tokens, r.cost_micros, r.detail, s.consumer, s.consumer_group, s.credential, s.route, \
                      s.endpoint, s.protocol, s.provider, s.instance, s.model FROM ";

/// How long a page may look for records that fit.
const SCAN_TIME: Duration = Duration::from_millis(50);

/// What reads the ledger. It sees what is in the database, not what is queued or spilled. Clones share it.
#[derive(Clone, Debug)]
pub struct LedgerReader {
    shared: SharedSqlite,
    scan_time: Duration,
}

/// A record as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the ledger.
    pub seq: Seq,
    /// Identity of the request.
    pub id: RequestId,
    /// Who asked whom through what.
    pub series: Series,
    /// Status that the client saw.
    pub status: u16,
    /// Start, in microseconds since the Unix epoch.
    pub started_us: i64,
    /// Duration in microseconds.
    pub duration_us: i64,
    /// Time to the first token, in microseconds.
    pub ttft_us: Option<i64>,
    /// Tokens.
    pub usage: Usage,
    /// What it cost.
    pub cost: Cost,
    /// The rest.
    pub detail: Detail<'static>,
}

/// Some records, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordPage {
    /// The records.
    pub records: Vec<Entry>,
    /// Where the next page begins; none if this is the last one. A page of rare records may be short, or empty, and
    /// have a next one: a page looks for them for a bounded time, and the next one goes on there.
    pub next: Option<Seq>,
}

impl Entry {
    /// A record as it will be stored, with no place yet. None for one that cannot be stored.
    #[must_use]
    pub fn of(record: &Record) -> Option<Self> {
        let row = Row::new(Seq(0), record, &mut RowTools::default()).ok()?;
        Some(Self {
            seq: row.seq,
            id: row.id,
            series: row.series.series.clone(),
            status: row.status,
            started_us: row.started_us,
            duration_us: row.duration_us,
            ttft_us: row.ttft_us,
            usage: row.usage,
            cost: row.cost.map_or(Cost::Unpriced, Cost::MicroUsd),
            detail: serde_json::from_str(&row.detail).ok()?,
        })
    }
}

impl LedgerReader {
    pub(crate) fn new(shared: SharedSqlite) -> Self {
        Self {
            shared,
            scan_time: SCAN_TIME,
        }
    }

    /// The same with another time that a page may take.
    #[cfg(test)]
    pub(crate) fn with_scan_time(mut self, scan_time: Duration) -> Self {
        self.scan_time = scan_time;
        self
    }

    /// The newest records that fit and come before `after`, at most `limit` (and 1000).
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] while the database is away, [`LedgerError::Database`] if it cannot be read.
    pub async fn records(
        &self,
        filter: &Filter,
        after: Option<Seq>,
        limit: u32,
    ) -> Result<RecordPage, LedgerError> {
        let (sqlite, mut transaction) = self.begin().await?;
        let limit = limit.clamp(1, MAX_LIMIT) as usize;
        let until = Instant::now() + self.scan_time;
        Scan::page(&mut transaction, filter, after, limit, until)
            .await
            .map_err(|error| sqlite.error(error).into())
    }

    /// The record of a request, by the UUIDv7 that it was given at its start, if it ended within an hour.
    ///
    /// # Errors
    /// As for [`records`](Self::records).
    pub async fn record(&self, id: RequestId) -> Result<Option<Entry>, LedgerError> {
        let (sqlite, mut transaction) = self.begin().await?;
        find(&mut transaction, id)
            .await
            .map_err(|error| sqlite.error(error).into())
    }

    /// What was sent and came back with a request, if that was logged and is still kept.
    ///
    /// # Errors
    /// As for [`records`](Self::records).
    pub async fn payload(&self, seq: Seq) -> Result<Option<Payload>, LedgerError> {
        let (sqlite, mut transaction) = self.begin().await?;
        let read = async {
            if !database::payload_days(&mut *transaction)
                .await?
                .contains(&seq.day())
            {
                return Ok(None);
            }
            let sql = format!(
                "SELECT payload FROM {} WHERE seq = ?",
                partition::payloads(seq.day())
            );
            let payload: Option<Vec<u8>> = sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(seq.0)
                .fetch_optional(&mut *transaction)
                .await?;
            Ok(payload.and_then(|payload| payload::unpacked(&payload)))
        };
        read.await.map_err(|error| sqlite.error(error).into())
    }

    /// Who was seen when: consumer, its credential if it used one, and the start of the hour of its latest request in
    /// unix milliseconds; of the day, where that is before the day of `since_us`.
    ///
    /// # Errors
    /// As for [`records`](Self::records).
    pub async fn last_seen(&self, since_us: i64) -> Result<Vec<(String, Option<String>, i64)>, LedgerError> {
        const SQL: &str = "SELECT s.consumer, s.credential, max(max(s.last_day) * 86400000, \
             ifnull(max(r.hour), 0) * 3600000) FROM series s LEFT JOIN (SELECT series, max(hour) AS hour \
             FROM rollups WHERE hour >= ? GROUP BY series) r ON r.series = s.id \
             WHERE s.consumer IS NOT NULL GROUP BY s.consumer, s.credential";
        let (sqlite, mut transaction) = self.begin().await?;
        let seen = sqlx::query_as(SQL)
            .bind(Seq(since_us).hour())
            .fetch_all(&mut *transaction)
            .await;
        seen.map_err(|error| sqlite.error(error).into())
    }

    pub(crate) async fn begin(&self) -> Result<(Sqlite, SqliteTransaction), LedgerError> {
        let sqlite = self.shared.get().ok_or(LedgerError::Unavailable)?;
        let transaction = sqlite.begin_read().await?;
        Ok((sqlite, transaction))
    }
}

/// There is no index on the id: the time in it says where to begin, and the records of the following time are few.
async fn find(connection: &mut SqliteConnection, id: RequestId) -> Result<Option<Entry>, sqlx::Error> {
    let start = i64::try_from(id.0 >> 80).unwrap_or(i64::MAX).saturating_mul(1000);
    let end = start.saturating_add(i64::try_from(LOOKUP.as_micros()).unwrap_or(i64::MAX));
    for day in database::days(&mut *connection).await? {
        if !(Seq(start).day()..=Seq(end).day()).contains(&day) {
            continue;
        }
        let table = partition::name(day);
        let sql = format!(
            "{SELECT}{table} r LEFT JOIN series s ON s.id = r.series \
             WHERE r.seq BETWEEN ? AND ? AND r.id = ? ORDER BY r.seq LIMIT 1"
        );
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(start)
            .bind(end)
            .bind(id.0.to_be_bytes().to_vec())
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(row) = row {
            return entry(&row).map(Some);
        }
    }
    Ok(None)
}

/// Reads the columns of [`SELECT`].
pub(crate) fn entry(row: &SqliteRow) -> Result<Entry, sqlx::Error> {
    let name = |index: usize| {
        let name: Option<&str> = row.try_get(index)?;
        Ok::<_, sqlx::Error>(name.map(Text::from))
    };
    let count = |index: usize| {
        row.try_get::<i64, _>(index)
            .map(|count| count.max(0).unsigned_abs())
    };
    let id: [u8; 16] = row.try_get::<&[u8], _>(1)?.try_into().unwrap_or_default();
    // A detail that cannot be read must not hide the page.
    let detail: Detail<'static> = serde_json::from_str(row.try_get(9)?).unwrap_or_default();
    Ok(Entry {
        seq: Seq(row.try_get(0)?),
        id: RequestId(u128::from_be_bytes(id)),
        series: Series {
            consumer: name(10)?,
            consumer_group: name(11)?,
            credential: name(12)?,
            route: name(13)?,
            endpoint: name(14)?,
            protocol: name(15)?,
            provider: name(16)?,
            instance: name(17)?,
            model: name(18)?,
        },
        status: u16::try_from(row.try_get::<i64, _>(2)?).unwrap_or_default(),
        started_us: row.try_get(3)?,
        duration_us: row.try_get(4)?,
        ttft_us: row.try_get(5)?,
        usage: detail.tokens.with_totals(count(6)?, count(7)?),
        cost: row
            .try_get::<Option<i64>, _>(8)?
            .map_or(Cost::Unpriced, Cost::MicroUsd),
        detail,
    })
}

/// The open database, as the writer shares it with the readers.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedSqlite(Arc<RwLock<Option<Sqlite>>>);

impl SharedSqlite {
    pub(crate) fn set(&self, sqlite: Option<Sqlite>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = sqlite;
    }

    fn get(&self) -> Option<Sqlite> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests;
