//! Forgetting what is old.

use std::time::Duration;

use sluice_sql::{SqlError, Sqlite};
use sqlx::AssertSqlSafe;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::LedgerConfig;
use crate::database;
use crate::partition;
use crate::seq::Seq;
use crate::store::Store;

const INTERVAL: Duration = Duration::from_secs(3600);

/// A start has enough to do.
const FIRST: Duration = Duration::from_secs(60);

/// How long a step waits for the writer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the retention once an hour, beside the writer.
///
/// Over a connection of its own: dropping a large table holds the database's lock for seconds, in which the writer
/// spills. Were it the writer's connection, what came in these seconds would be in memory only.
#[derive(Debug)]
pub(crate) struct Retention {
    config: LedgerConfig,
    due: Instant,
    task: Option<JoinHandle<()>>,
}

impl Retention {
    pub(crate) fn new(config: LedgerConfig) -> Self {
        Self {
            config,
            due: Instant::now() + FIRST,
            task: None,
        }
    }

    /// Starts a run if it is time for one, and the store is not busy with rows that may be old.
    pub(crate) fn run_when_due(&mut self, store: &Store, now_us: i64) {
        let running = self.task.as_ref().is_some_and(|task| !task.is_finished());
        if running || !store.is_complete() || Instant::now() < self.due {
            return;
        }
        self.due = Instant::now() + INTERVAL;
        let config = self.config.clone();
        self.task = Some(tokio::spawn(async move {
            if let Err(error) = run(&config, Seq(now_us).day()).await {
                tracing::warn!(%error, "the ledger cannot drop what is old");
            }
        }));
    }
}

async fn run(config: &LedgerConfig, today: i64) -> Result<(), SqlError> {
    let mut options = config.sqlite();
    options.busy_timeout = PATIENCE;
    let sqlite = Sqlite::open(&options).await?;
    let applied = apply(&sqlite, config, today).await;
    sqlite.close().await;
    applied.map_err(|error| sqlite.error(error))
}

/// Each step is a transaction of its own, so that the writer waits for one at most.
pub(crate) async fn apply(sqlite: &Sqlite, config: &LedgerConfig, today: i64) -> Result<(), sqlx::Error> {
    let first_day = today - i64::from(config.record_days);
    for day in database::days(sqlite.reader()).await? {
        if day < first_day {
            let table = partition::name(day);
            sqlx::query(AssertSqlSafe(format!("DROP TABLE IF EXISTS {table}")))
                .execute(sqlite.writer())
                .await?;
            tracing::info!(table, "dropped old records of the ledger");
        } else if day < today {
            // Rows only come to a day that is over when they were spilled on it.
            let table = partition::name(day);
            let index = partition::index(&table);
            let sql = format!("CREATE INDEX IF NOT EXISTS {index} ON {table} (series)");
            sqlx::query(AssertSqlSafe(sql)).execute(sqlite.writer()).await?;
        }
    }
    let first_payloads = today - i64::from(config.payload_days.min(config.record_days));
    for day in database::payload_days(sqlite.reader()).await? {
        if day < first_payloads {
            let sql = format!("DROP TABLE IF EXISTS {}", partition::payloads(day));
            sqlx::query(AssertSqlSafe(sql)).execute(sqlite.writer()).await?;
        }
    }
    let first_day = today - i64::from(config.rollup_days.max(config.record_days));
    for (table, time, first) in [
        ("rollups", "hour", first_day * 24),
        ("rollup_totals", "hour", first_day * 24),
        ("latencies", "hour", first_day * 24),
        ("rollup_days", "day", first_day),
    ] {
        let sql =
            format!("DELETE FROM {table} WHERE {time} < ? AND {time} = (SELECT min({time}) FROM {table})");
        loop {
            let deleted = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(first)
                .execute(sqlite.writer())
                .await?;
            if deleted.rows_affected() == 0 {
                break;
            }
        }
    }
    sqlx::query("DELETE FROM series WHERE last_day < ?")
        .bind(first_day)
        .execute(sqlite.writer())
        .await
        .map(drop)
}

#[cfg(test)]
mod tests;
