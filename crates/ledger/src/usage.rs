//! Reports from the rollups.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, SqliteConnection};

use crate::filter::Conditions;
use crate::read::LedgerReader;
use crate::rollup::{SUMS, Totals};
use crate::seq::{HOUR_US, Seq};
use crate::{Filter, LedgerError};

/// Most rows of a page.
const MAX_LIMIT: u32 = 10_000;

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
        let rows = async {
            match filter.resolve(&mut transaction).await? {
                Some(conditions) => sum(&mut transaction, filter, &conditions, group, after, limit).await,
                None => Ok(Vec::new()),
            }
        };
        rows.await.map_err(|error| sqlite.error(error).into())
    }
}

async fn sum(
    connection: &mut SqliteConnection,
    filter: &Filter,
    conditions: &Conditions,
    group: GroupBy,
    after: Option<&UsageKey>,
    limit: u32,
) -> Result<Vec<UsageRow>, sqlx::Error> {
    let mut query = QueryBuilder::new("SELECT ");
    query.push(group.period.expression()).push(" AS period, ");
    query
        .push(group.dimension.map_or("''", Dimension::expression))
        .push(" AS name");
    for column in SUMS {
        query.push(", sum(r.").push(column).push(")");
    }
    query.push(" FROM rollups r LEFT JOIN series s ON s.id = r.series WHERE 1");
    if let Some(since) = filter.since_us {
        query.push(" AND hour >= ").push_bind(Seq(since).hour());
    }
    if let Some(until) = filter.until_us {
        query
            .push(" AND hour <= ")
            .push_bind(Seq(until.saturating_sub(1)).hour());
    }
    conditions.push_for_rollups(&mut query);
    query.push(" GROUP BY period, name");
    if let Some(after) = after {
        query
            .push(" HAVING (period, name) > (")
            .push_bind(after.period_us);
        query.push(", ").push_bind(after.name.as_str()).push(")");
    }
    query.push(" ORDER BY period, name LIMIT ");
    query.push_bind(i64::from(limit.clamp(1, MAX_LIMIT)));
    let rows = query.build().fetch_all(connection).await?;
    rows.iter().map(usage_row).collect()
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

impl Period {
    fn expression(self) -> String {
        match self {
            Self::Whole => "0".to_owned(),
            Self::Hour => format!("r.hour * {HOUR_US}"),
            Self::Day => format!("r.hour / 24 * 24 * {HOUR_US}"),
        }
    }
}

impl Dimension {
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
