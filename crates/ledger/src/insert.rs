//! The statements of a write.

use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Executor, SqliteConnection};

use crate::bulk::Bulk;
use crate::latency::Measure;
use crate::partition;
use crate::rollup::{RollupKey, Rollups, SUMS, Totals};
use crate::row::{Row, integer};
use crate::seq::Seq;
use crate::series::NumberedSeries;

/// Stores series that are used on a day.
pub(crate) async fn series(
    connection: &mut SqliteConnection,
    day: i64,
    series: &[&NumberedSeries],
) -> Result<(), sqlx::Error> {
    let bulk = Bulk {
        target: "series (id, last_day, consumer, consumer_group, credential, route, endpoint, protocol, provider, \
                 instance, model)",
        columns: 11,
        conflict: "ON CONFLICT DO UPDATE SET last_day = max(last_day, excluded.last_day)",
    };
    let bind = |numbered: &&NumberedSeries, to: &mut SqliteArguments| {
        to.add(numbered.id.0)?;
        to.add(day)?;
        numbered
            .series
            .names()
            .0
            .into_iter()
            .try_for_each(|name| to.add(name))
    };
    bulk.insert(connection, series, bind).await
}

/// Makes the table of a day, if there is none.
pub(crate) async fn table(connection: &mut SqliteConnection, day: i64) -> Result<(), sqlx::Error> {
    let sql = partition::create(&partition::name(day));
    connection.execute(AssertSqlSafe(sql)).await.map(drop)
}

/// Stores records, all of the same day.
pub(crate) async fn records(
    connection: &mut SqliteConnection,
    day: i64,
    rows: &[Row],
) -> Result<(), sqlx::Error> {
    let table = partition::name(day);
    let bulk = Bulk {
        target: &format!("{table} ({})", partition::COLUMNS),
        columns: 11,
        conflict: "",
    };
    bulk.insert(connection, rows, bind_record).await
}

/// Stores payloads of a day, making their table if there is none.
pub(crate) async fn payloads(
    connection: &mut SqliteConnection,
    day: i64,
    payloads: &[(Seq, &[u8])],
) -> Result<(), sqlx::Error> {
    if payloads.is_empty() {
        return Ok(());
    }
    let table = partition::payloads(day);
    connection
        .execute(AssertSqlSafe(partition::create_payloads(&table)))
        .await?;
    let sql = format!("INSERT INTO {table} VALUES (?, ?)");
    for (seq, payload) in payloads {
        sqlx::query(AssertSqlSafe(sql.clone()))
            .bind(seq.0)
            .bind(*payload)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// In the order of [`partition::COLUMNS`].
fn bind_record(row: &Row, to: &mut SqliteArguments) -> Result<(), BoxDynError> {
    to.add(row.seq.0)?;
    to.add(row.id.0.to_be_bytes().to_vec())?;
    to.add(row.series.id.0)?;
    to.add(i64::from(row.status))?;
    to.add(row.started_us)?;
    to.add(row.duration_us)?;
    to.add(row.ttft_us)?;
    to.add(integer(row.usage.total_input()))?;
    to.add(integer(row.usage.total_output()))?;
    to.add(row.cost)?;
    to.add(row.detail.clone())
}

/// Adds sums to the rollups, which are complete through that record with them. Days and totals are complete from
/// `days_from` on.
pub(crate) async fn rollups(
    connection: &mut SqliteConnection,
    pending: &Rollups,
    through: Seq,
    days_from: i64,
) -> Result<(), sqlx::Error> {
    sums(connection, "rollups", "hour", &pending.sorted()).await?;
    sums(connection, "rollup_days", "day", &pending.days()).await?;
    sums(connection, "rollup_totals", "hour", &pending.totals()).await?;
    let bulk = Bulk {
        target: "latencies (hour, kind, bucket, requests)",
        columns: 4,
        conflict: "ON CONFLICT DO UPDATE SET requests = requests + excluded.requests",
    };
    let bind = |((hour, measure, bucket), requests): &((i64, Measure, u32), i64),
                to: &mut SqliteArguments| {
        to.add(*hour)?;
        to.add(measure.number())?;
        to.add(i64::from(*bucket))?;
        to.add(*requests)
    };
    bulk.insert(connection, &pending.latencies.sorted(), bind).await?;
    sqlx::query("UPDATE rolled_up SET through = ?, days_through = ?, days_from = ?")
        .bind(through.0)
        .bind(through.0)
        .bind(days_from)
        .execute(connection)
        .await
        .map(drop)
}

async fn sums(
    connection: &mut SqliteConnection,
    table: &str,
    time: &str,
    sums: &[(RollupKey, Totals)],
) -> Result<(), sqlx::Error> {
    let add = SUMS.map(|sum| format!("{sum} = {sum} + excluded.{sum}"));
    let bulk = Bulk {
        target: &format!("{table} ({time}, series, class, {})", SUMS.join(", ")),
        columns: 3 + SUMS.len(),
        conflict: &format!("ON CONFLICT DO UPDATE SET {}", add.join(", ")),
    };
    let bind = |(key, totals): &(RollupKey, Totals), to: &mut SqliteArguments| {
        to.add(key.hour)?;
        to.add(key.series.0)?;
        to.add(i64::from(key.class))?;
        totals.sums().into_iter().try_for_each(|sum| to.add(sum))
    };
    bulk.insert(connection, sums, bind).await
}
