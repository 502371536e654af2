//! Reports from the rollups.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use crate::database;
use crate::filter::Conditions;
use crate::latency::{self, Latency, Measure};
use crate::read::LedgerReader;
use crate::rollup::{SUMS, Totals};
use crate::seq::{DAY_US, HOUR_US, Seq};
use crate::{Filter, LedgerError};

/// Most rows of a page.
const MAX_LIMIT: u32 = 10_000;

/// Records of a sample.
const SAMPLE: u32 = 1000;

/// Most rows that are looked up instead of being searched for.
const PLACES: i64 = 50_000;

/// Columns before the sums.
const KEY_COLUMNS: usize = 2;

/// How a report is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupBy {
    /// In time.
    pub period: Period,
    /// By name; none for all together.
    pub dimension: Option<Dimension>,
}

/// A division of time, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Period {
    /// None.
    #[default]
    Whole,
    /// By hour.
    Hour,
    /// By day.
    Day,
    /// By month.
    Month,
}

/// What usage can be reported by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Consumer.
    Consumer,
    /// Consumer group.
    ConsumerGroup,
    /// Id of the credential.
    Credential,
    /// Id of the route.
    Route,
    /// Path pattern of the route.
    Endpoint,
    /// Protocol of the client.
    Protocol,
    /// Provider kind.
    Provider,
    /// Instance that answered.
    Instance,
    /// Model that was sent.
    Model,
    /// First digit of the status, as `2xx`.
    StatusClass,
}

/// Which part of a report a row is: its order, and the cursor of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageKey {
    /// Start of the period, in microseconds since the Unix epoch; 0 where time is not divided.
    pub period_us: i64,
    /// Name in the dimension; empty where there is none.
    pub name: String,
}

/// One row of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// Which part.
    pub key: UsageKey,
    /// What was used.
    pub totals: Totals,
}

impl LedgerReader {
    /// How long requests took, in the hours that the filter's time touches. With other conditions than time it is that of
    /// a sample, the newest ones that fit.
    ///
    /// # Errors
    /// As for [`usage`](Self::usage).
    pub async fn latency(&self, filter: &Filter) -> Result<Latency, LedgerError> {
        let time = Filter {
            since_us: filter.since_us,
            until_us: filter.until_us,
            ..Filter::default()
        };
        if *filter == time {
            let (sqlite, mut transaction) = self.begin().await?;
            let latency = counted_latency(&mut transaction, filter).await;
            return latency.map_err(|error| sqlite.error(error).into());
        }
        let page = self.records(filter, None, SAMPLE).await?;
        let sorted = |mut values: Vec<i64>| {
            values.sort_unstable();
            values
        };
        let durations = sorted(page.records.iter().map(|entry| entry.duration_us).collect());
        let first_tokens = sorted(page.records.iter().filter_map(|entry| entry.ttft_us).collect());
        Ok(Latency {
            p50_us: latency::percentile_of(&durations, 0.5),
            p95_us: latency::percentile_of(&durations, 0.95),
            p99_us: latency::percentile_of(&durations, 0.99),
            ttft_p50_us: latency::percentile_of(&first_tokens, 0.5),
        })
    }

    /// Sums over the hours that the filter's time touches: `since_us` is taken down and `until_us` up to a full
    /// hour, and `status` to its first digit. Records of the last five seconds may not be in them. Rows are in the
    /// order of their keys, those after `after`, at most `limit` (and 10,000).
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] while the database is away, [`LedgerError::Database`] if it cannot be read.
    pub async fn usage(
        &self,
        filter: &Filter,
        group: GroupBy,
        after: Option<&UsageKey>,
        limit: u32,
    ) -> Result<Vec<UsageRow>, LedgerError> {
        let (sqlite, mut transaction) = self.begin().await?;
        let limit = limit.clamp(1, MAX_LIMIT);
        let rows = async {
            match filter.resolve(&mut transaction).await? {
                Some(conditions) if group.has_many_rows() => {
                    sum_by_and_by(&mut transaction, filter, &conditions, group, after, limit).await
                }
                Some(conditions) => sum(&mut transaction, filter, &conditions, group, after, limit).await,
                None => Ok(Vec::new()),
            }
        };
        rows.await.map_err(|error| sqlite.error(error).into())
    }
}

/// With names, the rows of a period are many: periods are read by and by, until the page is full.
async fn sum_by_and_by(
    connection: &mut SqliteConnection,
    filter: &Filter,
    conditions: &Conditions,
    group: GroupBy,
    after: Option<&UsageKey>,
    limit: u32,
) -> Result<Vec<UsageRow>, sqlx::Error> {
    let (oldest, newest): (Option<i64>, Option<i64>) =
        sqlx::query_as("SELECT (SELECT min(hour) FROM rollups), (SELECT max(hour) FROM rollups)")
            .fetch_one(&mut *connection)
            .await?;
    let (Some(oldest), Some(newest)) = (oldest, newest) else {
        return Ok(Vec::new());
    };
    let unit = group.period.length();
    let end = newest.saturating_add(1).saturating_mul(HOUR_US);
    let end = filter.until_us.unwrap_or(i64::MAX).min(end);
    let begun = after.map_or(i64::MIN, |after| after.period_us);
    let begin = filter.since_us.unwrap_or(i64::MIN).max(begun);
    let mut start = begin.max(oldest.saturating_mul(HOUR_US));
    let mut periods = 2;
    let mut rows = Vec::new();
    while start < end && rows.len() < limit as usize {
        // Whole periods: the next part must not go on with one of this.
        let until = (start.div_euclid(unit) + periods).saturating_mul(unit).min(end);
        let some = Filter {
            since_us: Some(start),
            until_us: Some(until),
            ..Filter::default()
        };
        let room = limit - u32::try_from(rows.len()).unwrap_or(limit);
        rows.extend(sum(connection, &some, conditions, group, after, room).await?);
        start = until;
        periods *= 2;
    }
    Ok(rows)
}

async fn counted_latency(connection: &mut SqliteConnection, filter: &Filter) -> Result<Latency, sqlx::Error> {
    let mut query =
        QueryBuilder::new("SELECT kind, bucket, sum(requests) FROM latencies WHERE hour BETWEEN ");
    query.push_bind(filter.since_us.map_or(i64::MIN, |since| Seq(since).hour()));
    query.push(" AND ");
    query.push_bind(
        filter
            .until_us
            .map_or(i64::MAX, |until| Seq(until.saturating_sub(1)).hour()),
    );
    query.push(" GROUP BY kind, bucket ORDER BY kind, bucket");
    let rows: Vec<(i64, u32, i64)> = query.build_query_as().fetch_all(connection).await?;
    let of = |measure: Measure| -> Vec<(u32, i64)> {
        let own = rows.iter().filter(|(kind, ..)| *kind == measure.number());
        own.map(|(_, bucket, requests)| (*bucket, *requests)).collect()
    };
    let (durations, first_tokens) = (of(Measure::Duration), of(Measure::FirstToken));
    Ok(Latency {
        p50_us: latency::percentile(&durations, 0.5),
        p95_us: latency::percentile(&durations, 0.95),
        p99_us: latency::percentile(&durations, 0.99),
        ttft_p50_us: latency::percentile(&first_tokens, 0.5),
    })
}

/// Sums of names are taken from those of whole days, as far as these go, and the rest from those of hours; sums of
/// everything from the totals.
async fn sum(
    connection: &mut SqliteConnection,
    filter: &Filter,
    conditions: &Conditions,
    group: GroupBy,
    after: Option<&UsageKey>,
    limit: u32,
) -> Result<Vec<UsageRow>, sqlx::Error> {
    let rolled_up = database::rolled_up(connection).await?;
    let days_from = rolled_up.days_from.unwrap_or(i64::MAX);
    let named = group.dimension.is_some_and(Dimension::is_of_series);
    let hours = Hours::of(filter, after);
    let parts = match (named || conditions.has_series(), group.period) {
        (false, _) => hours.totals(days_from),
        (true, Period::Hour) => vec![hours.part("rollups")],
        (true, _) => hours.days(days_from),
    };
    let class = group.dimension == Some(Dimension::StatusClass);
    let mut query = QueryBuilder::new("SELECT period, ");
    query
        .push(group.dimension.map_or("''", Dimension::expression))
        .push(" AS name");
    for column in SUMS {
        query.push(", sum(r.").push(column).push(")");
    }
    query.push(" FROM (");
    let mut is_first = true;
    for part in parts {
        if !std::mem::take(&mut is_first) {
            query.push(" UNION ALL ");
        }
        part.push(&mut query, group.period, conditions, named, class);
    }
    query.push(") r");
    if named {
        query.push(" LEFT JOIN series s ON s.id = r.series");
    }
    query.push(" GROUP BY period, name");
    if let Some(after) = after {
        query
            .push(" HAVING (period, name) > (")
            .push_bind(after.period_us);
        query.push(", ").push_bind(after.name.as_str()).push(")");
    }
    query.push(" ORDER BY period, name LIMIT ");
    query.push_bind(i64::from(limit));
    let rows = query.build().fetch_all(connection).await?;
    rows.iter().map(usage_row).collect()
}

/// The hours that a report is about, both included.
#[derive(Clone, Copy)]
struct Hours {
    first: i64,
    last: i64,
}

impl Hours {
    /// Periods before the cursor's are not asked for again.
    fn of(filter: &Filter, after: Option<&UsageKey>) -> Self {
        let since = filter.since_us.unwrap_or(i64::MIN / 2);
        let since = since.max(after.map_or(i64::MIN, |after| after.period_us));
        let until = filter.until_us.unwrap_or(i64::MAX / 2);
        Self {
            first: Seq(since).hour(),
            last: Seq(until.saturating_sub(1)).hour(),
        }
    }

    fn part(self, table: &'static str) -> Part {
        Part {
            table,
            time: "hour",
            hours: 1,
            first: self.first,
            last: self.last,
        }
    }

    /// From the totals, which begin with a day.
    fn totals(self, days_from: i64) -> Vec<Part> {
        let begin = days_from.saturating_mul(24);
        let before = Self {
            last: self.last.min(begin.saturating_sub(1)),
            ..self
        };
        let since = Self {
            first: self.first.max(begin),
            ..self
        };
        vec![before.part("rollups"), since.part("rollup_totals")]
    }

    /// Whole days from those of days, which begin with one.
    fn days(self, days_from: i64) -> Vec<Part> {
        let first_day = days_from.max((self.first + 23).div_euclid(24));
        let last_day = (self.last + 1).div_euclid(24) - 1;
        if first_day > last_day {
            return vec![self.part("rollups")];
        }
        let before = Self {
            last: first_day * 24 - 1,
            ..self
        };
        let since = Self {
            first: (last_day + 1) * 24,
            ..self
        };
        let days = Part {
            table: "rollup_days",
            time: "day",
            hours: 24,
            first: first_day,
            last: last_day,
        };
        vec![before.part("rollups"), days, since.part("rollups")]
    }
}

/// The sums of some hours or days.
struct Part {
    table: &'static str,
    time: &'static str,
    /// Hours of one of its units.
    hours: i64,
    first: i64,
    last: i64,
}

impl Part {
    /// Adds the sums by period, and by series where names are asked for: few of them have to find their names then.
    fn push(
        &self,
        query: &mut QueryBuilder<Sqlite>,
        period: Period,
        conditions: &Conditions,
        series: bool,
        class: bool,
    ) {
        let mut keys = String::new();
        keys.push_str(if series { ", series" } else { "" });
        keys.push_str(if class { ", class" } else { "" });
        query
            .push("SELECT ")
            .push(period.expression(self))
            .push(" AS period");
        query.push(&keys);
        for column in SUMS {
            query.push(", sum(").push(column).push(") AS ").push(column);
        }
        query
            .push(" FROM ")
            .push(self.table)
            .push(" WHERE ")
            .push(self.time);
        let units = self.last.saturating_sub(self.first).saturating_add(1);
        let places = conditions
            .series_count()
            .and_then(|count| count.checked_mul(units));
        if places.is_some_and(|places| places <= PLACES) {
            // One by one, so that each series is found at once.
            let times = serde_json::Value::from((self.first..=self.last).collect::<Vec<_>>());
            query.push(" IN (SELECT value FROM json_each(");
            query.push_bind(times.to_string()).push("))");
        } else {
            query.push(" BETWEEN ").push_bind(self.first);
            query.push(" AND ").push_bind(self.last);
        }
        conditions.push_for_rollups(query);
        query.push(" GROUP BY ").push(period.group(self)).push(&keys);
    }
}

fn usage_row(row: &SqliteRow) -> Result<UsageRow, sqlx::Error> {
    let mut sums = [0; SUMS.len()];
    for (index, sum) in sums.iter_mut().enumerate() {
        *sum = row.try_get(KEY_COLUMNS + index)?;
    }
    Ok(UsageRow {
        key: UsageKey {
            period_us: row.try_get(0)?,
            name: row.try_get(1)?,
        },
        totals: Totals::from_sums(sums),
    })
}

impl GroupBy {
    /// Whether a page may hold a small part of the rows.
    fn has_many_rows(self) -> bool {
        self.dimension.is_some_and(Dimension::is_of_series)
            && matches!(self.period, Period::Hour | Period::Day)
    }
}

impl Period {
    /// Microseconds of the periods that are as long as each other.
    fn length(self) -> i64 {
        match self {
            Self::Hour => HOUR_US,
            Self::Whole | Self::Day | Self::Month => DAY_US,
        }
    }

    /// What the rows of a period have in common: where that is the table's own time, they need no sorting.
    fn group(self, part: &Part) -> &'static str {
        match (self, part.hours) {
            (Self::Hour, 1) | (Self::Day, 24) => part.time,
            _ => "period",
        }
    }

    /// Start of the period of a row, in microseconds.
    fn expression(self, part: &Part) -> String {
        let Part { time, hours, .. } = part;
        match self {
            Self::Whole => "0".to_owned(),
            Self::Hour => format!("{time} * {hours} * {HOUR_US}"),
            Self::Day => format!("{time} * {hours} / 24 * {DAY_US}"),
            Self::Month => {
                format!(
                    "unixepoch({time} * {}, 'unixepoch', 'start of month') * 1000000",
                    hours * 3600
                )
            }
        }
    }
}

impl Dimension {
    fn is_of_series(self) -> bool {
        self != Self::StatusClass
    }

    fn expression(self) -> &'static str {
        match self {
            Self::Consumer => "ifnull(s.consumer, '')",
            Self::ConsumerGroup => "ifnull(s.consumer_group, '')",
            Self::Credential => "ifnull(s.credential, '')",
            Self::Route => "ifnull(s.route, '')",
            Self::Endpoint => "ifnull(s.endpoint, '')",
            Self::Protocol => "ifnull(s.protocol, '')",
            Self::Provider => "ifnull(s.provider, '')",
            Self::Instance => "ifnull(s.instance, '')",
            Self::Model => "ifnull(s.model, '')",
            Self::StatusClass => "r.class || 'xx'",
        }
    }
}
