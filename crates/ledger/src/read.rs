//! Reading records, newest first.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sluice_llm::Usage;
use sluice_record::{Cost, RequestId, Text};
use sluice_sql::{Sqlite, SqliteTransaction};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _, SqliteConnection};

use crate::database;
use crate::filter::Conditions;
use crate::partition;
use crate::seq::{DAY_US, HOUR_US, Seq};
use crate::{Detail, Filter, LedgerError, Series};

/// Most records of a page.
const MAX_LIMIT: u32 = 1000;

/// How long after its start a request is looked for by its id.
const LOOKUP: Duration = Duration::from_secs(3600);

const SELECT: &str = "SELECT r.seq, r.id, r.status, r.started_us, r.duration_us, r.ttft_us, r.input_tokens, \
                      r.output_tokens, r.cost_micros, r.detail, s.consumer, s.consumer_group, s.credential, s.route, \
                      s.endpoint, s.protocol, s.provider, s.instance, s.model FROM ";

/// What reads the ledger. It sees what is in the database, not what is queued or spilled. Clones share it.
#[derive(Clone, Debug)]
pub struct LedgerReader {
    shared: SharedSqlite,
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
    /// Where the next page begins; none if this is the last one.
    pub next: Option<Seq>,
}

impl LedgerReader {
    pub(crate) fn new(shared: SharedSqlite) -> Self {
        Self { shared }
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
        read_page(&mut transaction, filter, after, limit)
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

    pub(crate) async fn begin(&self) -> Result<(Sqlite, SqliteTransaction), LedgerError> {
        let sqlite = self.shared.get().ok_or(LedgerError::Unavailable)?;
        let transaction = sqlite.begin_read().await?;
        Ok((sqlite, transaction))
    }
}

/// The rollups tell which hours have records that fit; only these are read, and what the rollups do not have yet.
async fn read_page(
    connection: &mut SqliteConnection,
    filter: &Filter,
    after: Option<Seq>,
    limit: usize,
) -> Result<RecordPage, sqlx::Error> {
    let mut page = RecordPage::default();
    let days = database::days(&mut *connection).await?;
    let (Some(&oldest), Some(conditions)) = (days.first(), filter.resolve(connection).await?) else {
        return Ok(page);
    };
    let from = filter
        .since_us
        .unwrap_or(i64::MIN)
        .max(oldest.saturating_mul(DAY_US));
    let mut below = filter.until_us.unwrap_or(i64::MAX);
    if let Some(after) = after {
        below = below.min(after.0);
    }
    let rolled_up = database::rolled_up(connection)
        .await?
        .map_or(0, |seq| seq.0.saturating_add(1));
    for &day in days.iter().rev() {
        let start = day.saturating_mul(DAY_US);
        let range = (
            from.max(rolled_up).max(start),
            below.min(start.saturating_add(DAY_US)),
        );
        read_range(connection, &conditions, range, limit, &mut page.records).await?;
    }
    below = below.min(rolled_up);
    while page.records.len() < limit && from < below {
        let Some(hour) = newest_hour(connection, &conditions, from, below).await? else {
            break;
        };
        let start = hour.saturating_mul(HOUR_US);
        if days.contains(&Seq(start).day()) {
            let range = (from.max(start), below.min(start.saturating_add(HOUR_US)));
            read_range(connection, &conditions, range, limit, &mut page.records).await?;
        }
        below = start;
    }
    if page.records.len() == limit {
        page.next = page.records.last().map(|entry| entry.seq);
    }
    Ok(page)
}

async fn newest_hour(
    connection: &mut SqliteConnection,
    conditions: &Conditions,
    from: i64,
    below: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let mut query = QueryBuilder::new("SELECT hour FROM rollups WHERE hour BETWEEN ");
    query.push_bind(Seq(from).hour());
    query.push(" AND ").push_bind(Seq(below.saturating_sub(1)).hour());
    conditions.push_for_rollups(&mut query);
    query.push(" ORDER BY hour DESC LIMIT 1");
    query.build_query_scalar().fetch_optional(connection).await
}

/// Adds the records of a range, which is within one day, until there are `limit`.
async fn read_range(
    connection: &mut SqliteConnection,
    conditions: &Conditions,
    (from, below): (i64, i64),
    limit: usize,
    entries: &mut Vec<Entry>,
) -> Result<(), sqlx::Error> {
    let room = limit - entries.len();
    if room == 0 || from >= below {
        return Ok(());
    }
    let mut query = QueryBuilder::new(SELECT);
    query.push(partition::name(Seq(from).day()));
    query
        .push(" r LEFT JOIN series s ON s.id = r.series WHERE r.seq >= ")
        .push_bind(from);
    query.push(" AND r.seq < ").push_bind(below);
    conditions.push_for_records(&mut query);
    query.push(" ORDER BY r.seq DESC LIMIT ").push_bind(room as i64);
    for row in query.build().fetch_all(connection).await? {
        entries.push(entry(&row)?);
    }
    Ok(())
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
fn entry(row: &SqliteRow) -> Result<Entry, sqlx::Error> {
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
