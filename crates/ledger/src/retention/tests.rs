use super::*;
use crate::database::Database;
use crate::fixture::{config, reader, record, rows};
use crate::seq::DAY_US;
use crate::{Filter, GroupBy, Period};

const TODAY: i64 = 20_777;

async fn count(sqlite: &Sqlite, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(sqlite.reader()).await.unwrap()
}

#[tokio::test]
async fn old_days_are_dropped_and_their_rollups_later() {
    let folder = tempfile::tempdir().unwrap();
    let config = LedgerConfig {
        record_days: 2,
        rollup_days: 4,
        ..config(folder.path())
    };
    let mut database = Database::open(&config).await.unwrap();
    for ago in (0..7).rev() {
        let mut record = record(ago);
        record.consumer = Some(format!("only {ago} days ago").into());
        let day = TODAY - ago as i64;
        database.write(&rows(Seq(day * DAY_US), &[record])).await.unwrap();
    }
    database.roll_up().await.unwrap();

    let sqlite = database.sqlite().clone();
    for _ in 0..2 {
        apply(&sqlite, &config, TODAY).await.unwrap();
        assert_eq!(
            database::days(sqlite.reader()).await.unwrap(),
            [TODAY - 2, TODAY - 1, TODAY]
        );
        let by_day = GroupBy {
            period: Period::Day,
            dimension: None,
        };
        let usage = reader(&sqlite)
            .usage(&Filter::default(), by_day, None, 100)
            .await
            .unwrap();
        assert_eq!(usage.len(), 5);
        assert_eq!(usage[0].key.period_us, (TODAY - 4) * DAY_US);
        assert_eq!(count(&sqlite, "SELECT count(*) FROM series").await, 5);
        let page = reader(&sqlite)
            .records(&Filter::default(), None, 100)
            .await
            .unwrap();
        assert_eq!(page.records.len(), 3);
    }

    // The writer goes on, and a series that was forgotten comes back.
    let mut back = record(99);
    back.consumer = Some("only 6 days ago".into());
    database
        .write(&rows(Seq(TODAY * DAY_US + 5), &[back]))
        .await
        .unwrap();
    assert_eq!(count(&sqlite, "SELECT count(*) FROM series").await, 6);
}

#[tokio::test]
async fn rollups_are_kept_as_long_as_the_records_they_lead_to() {
    let folder = tempfile::tempdir().unwrap();
    let config = LedgerConfig {
        record_days: 5,
        rollup_days: 0,
        ..config(folder.path())
    };
    let mut database = Database::open(&config).await.unwrap();
    database
        .write(&rows(Seq((TODAY - 5) * DAY_US), &[record(1)]))
        .await
        .unwrap();
    database.roll_up().await.unwrap();
    apply(database.sqlite(), &config, TODAY).await.unwrap();
    let page = reader(database.sqlite())
        .records(&Filter::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(page.records.len(), 1);
}

#[tokio::test]
async fn a_run_has_a_connection_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut database = Database::open(&config).await.unwrap();
    database.write(&rows(Seq(0), &[record(1)])).await.unwrap();
    run(&config, TODAY).await.unwrap();
    assert!(
        database::days(database.sqlite().reader())
            .await
            .unwrap()
            .is_empty()
    );
}
