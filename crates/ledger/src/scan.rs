//! Finding a page of records, newest first, within a time.
//!
//! A day that is over has an index on its series, which finds the few records of a rare one. Else the rollups tell which
//! hours have records that fit, and these are read, window by window; when the time is over the page ends where it is.

use std::time::Instant;

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite, SqliteConnection};

use crate::Filter;
use crate::database;
use crate::filter::Conditions;
use crate::partition;
use crate::read::{RecordPage, SELECT, entry};
use crate::seq::{DAY_US, HOUR_US, Seq};

/// Records that are looked at between two looks at the clock.
const WINDOW: i64 = 4096;

/// Most records of a day that are taken from its index and sorted.
const INDEXED: i64 = 2048;

/// A page on its way.
pub(crate) struct Scan<'a> {
    connection: &'a mut SqliteConnection,
    conditions: Conditions,
    limit: usize,
    until: Instant,
    page: RecordPage,
}

/// Whether there is more to look for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum More {
    Yes,
    No,
}

/// The records from the first to before the second, which are of one day.
#[derive(Clone, Copy)]
struct Range {
    from: i64,
    below: i64,
}

impl Range {
    fn within(self, from: i64, length: i64) -> Self {
        Self {
            from: self.from.max(from),
            below: self.below.min(from.saturating_add(length)),
        }
    }

    fn is_empty(self) -> bool {
        self.from >= self.below
    }

    fn table(self) -> String {
        partition::name(Seq(self.from).day())
    }
}

impl<'a> Scan<'a> {
    /// The newest records that fit and come before `after`.
    pub(crate) async fn page(
        connection: &'a mut SqliteConnection,
        filter: &Filter,
        after: Option<Seq>,
        limit: usize,
        until: Instant,
    ) -> Result<RecordPage, sqlx::Error> {
        let Some(conditions) = filter.resolve(connection).await? else {
            return Ok(RecordPage::default());
        };
        let whole = Range {
            from: filter.since_us.unwrap_or(i64::MIN),
            below: filter
                .until_us
                .unwrap_or(i64::MAX)
                .min(after.map_or(i64::MAX, |after| after.0)),
        };
        let mut scan = Self {
            connection,
            conditions,
            limit,
            until,
            page: RecordPage::default(),
        };
        for day in database::days(&mut *scan.connection).await?.into_iter().rev() {
            let range = whole.within(day.saturating_mul(DAY_US), DAY_US);
            if !range.is_empty() && scan.day(day, range).await? == More::No {
                break;
            }
        }
        Ok(scan.page)
    }

    async fn day(&mut self, day: i64, range: Range) -> Result<More, sqlx::Error> {
        if !self.conditions.is_selective() {
            return self.windows(range).await;
        }
        let rolled_up = database::rolled_up(self.connection).await?;
        // What the rollups do not have yet is read as it is.
        let above = rolled_up.through.0.saturating_add(1);
        let fresh = Range {
            from: range.from.max(above),
            ..range
        };
        if !fresh.is_empty() && self.windows(fresh).await? == More::No {
            return Ok(More::No);
        }
        let range = Range {
            below: range.below.min(above),
            ..range
        };
        if range.is_empty() {
            return Ok(More::Yes);
        }
        let counted = rolled_up.days_from.is_some_and(|first| first <= day);
        let count = if counted { self.count(day).await? } else { i64::MAX };
        if count == 0 {
            return Ok(self.look_at_clock(range.from));
        }
        if count <= INDEXED && self.conditions.has_series() && self.has_index(range).await? {
            let index = format!(" r INDEXED BY {}", partition::index(&range.table()));
            return self.read(range, &index).await.map(|more| match more {
                More::Yes => self.look_at_clock(range.from),
                More::No => More::No,
            });
        }
        for hour in self.hours(day, range).await? {
            let range = range.within(hour.saturating_mul(HOUR_US), HOUR_US);
            if !range.is_empty() && self.windows(range).await? == More::No {
                return Ok(More::No);
            }
        }
        Ok(self.look_at_clock(range.from))
    }

    /// Reads a range in windows.
    async fn windows(&mut self, mut range: Range) -> Result<More, sqlx::Error> {
        if !self.conditions.is_selective() {
            return self.read(range, " r").await;
        }
        while !range.is_empty() {
            let window = Range {
                from: self.window_start(range).await?,
                ..range
            };
            if self.read(window, " r").await? == More::No {
                return Ok(More::No);
            }
            range.below = window.from;
            if self.look_at_clock(range.below) == More::No {
                return Ok(More::No);
            }
        }
        Ok(More::Yes)
    }

    /// Ends the page before `below` if the time is over.
    fn look_at_clock(&mut self, below: i64) -> More {
        if Instant::now() < self.until {
            return More::Yes;
        }
        self.page.next = Some(Seq(below));
        More::No
    }

    async fn window_start(&mut self, range: Range) -> Result<i64, sqlx::Error> {
        let sql = format!(
            "SELECT seq FROM {} WHERE seq >= ? AND seq < ? ORDER BY seq DESC LIMIT 1 OFFSET ?",
            range.table()
        );
        let start: Option<i64> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(range.from)
            .bind(range.below)
            .bind(WINDOW - 1)
            .fetch_optional(&mut *self.connection)
            .await?;
        Ok(start.unwrap_or(range.from))
    }

    /// Adds what fits of a range. No more when the page is full.
    async fn read(&mut self, range: Range, table_suffix: &str) -> Result<More, sqlx::Error> {
        let room = self.limit - self.page.records.len();
        let mut query = QueryBuilder::<Sqlite>::new(SELECT);
        query.push(range.table()).push(table_suffix);
        query
            .push(" LEFT JOIN series s ON s.id = r.series WHERE r.seq >= ")
            .push_bind(range.from);
        query.push(" AND r.seq < ").push_bind(range.below);
        self.conditions.push_for_records(&mut query);
        query.push(" ORDER BY r.seq DESC");
        if !self.conditions.looks_into_detail() {
            query
                .push(" LIMIT ")
                .push_bind(i64::try_from(room).unwrap_or(i64::MAX));
        }
        let query = query.build();
        let mut rows = query.fetch(&mut *self.connection);
        while let Some(row) = rows.try_next().await? {
            let entry = entry(&row)?;
            if self.conditions.fit(&entry) {
                self.page.next = Some(entry.seq);
                self.page.records.push(entry);
            }
            if self.page.records.len() == self.limit {
                return Ok(More::No);
            }
        }
        drop(rows);
        self.page.next = None;
        Ok(More::Yes)
    }

    /// Records of a day that fit, as far as rollups know.
    async fn count(&mut self, day: i64) -> Result<i64, sqlx::Error> {
        let mut query = QueryBuilder::new("SELECT ifnull(sum(requests), 0) FROM rollup_days WHERE day = ");
        query.push_bind(day);
        self.conditions.push_for_rollups(&mut query);
        query.build_query_scalar().fetch_one(&mut *self.connection).await
    }

    /// The hours of a day with records that fit, newest first.
    async fn hours(&mut self, day: i64, range: Range) -> Result<Vec<i64>, sqlx::Error> {
        let first = Seq(range.from).hour().max(day * 24);
        let last = Seq(range.below - 1).hour().min(day * 24 + 23);
        let hours = serde_json::Value::from((first..=last).collect::<Vec<_>>()).to_string();
        let mut query = QueryBuilder::new(
            "SELECT DISTINCT hour FROM rollups WHERE hour IN (SELECT value FROM json_each(",
        );
        query.push_bind(hours).push("))");
        self.conditions.push_for_rollups(&mut query);
        query.push(" ORDER BY hour DESC");
        query.build_query_scalar().fetch_all(&mut *self.connection).await
    }

    async fn has_index(&mut self, range: Range) -> Result<bool, sqlx::Error> {
        let found: i64 =
            sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name = ?")
                .bind(partition::index(&range.table()))
                .fetch_one(&mut *self.connection)
                .await?;
        Ok(found > 0)
    }
}
