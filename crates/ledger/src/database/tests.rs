use std::path::PathBuf;

use proptest::prelude::*;
use sluice_record::Record;
use sqlx::Executor;
use tempfile::TempDir;

use super::*;
use crate::fixture::{MIDNIGHT, any_record, config, connect, reader, record, rows};
use crate::{Filter, GroupBy, Totals};

fn folder() -> (TempDir, LedgerConfig) {
    let folder = tempfile::tempdir().unwrap();
    let config = LedgerConfig {
        // A database that was dropped is closed in the background.
        busy_timeout: Duration::from_secs(5),
        ..config(folder.path())
    };
    (folder, config)
}

async fn totals(database: &Database) -> Totals {
    let rows = reader(database.sqlite())
        .usage(&Filter::default(), GroupBy::default(), None, 10)
        .await
        .unwrap();
    rows.first().map(|row| row.totals).unwrap_or_default()
}

fn expected(rows: &[Row]) -> Totals {
    let mut sum = Totals::default();
    for row in rows {
        let mut rollups = Rollups::default();
        rollups.add(&row.into());
        sum += rollups.sorted()[0].1;
    }
    sum
}

#[tokio::test]
async fn records_are_stored_in_the_table_of_their_day() {
    let (_folder, config) = folder();
    let mut database = Database::open(&config).await.unwrap();
    let records: Vec<_> = (0..300).map(record).collect();
    let rows = rows(Seq(MIDNIGHT - 100), &records);
    database.write(&rows).await.unwrap();
    let day = Seq(MIDNIGHT).day();
    assert_eq!(days(database.sqlite().reader()).await.unwrap(), [day - 1, day]);
    assert_eq!(database.last_seq().await.unwrap(), Some(Seq(MIDNIGHT + 199)));
    assert!(database.has(&rows[0]).await.unwrap());
    let mut other = rows[0].clone();
    other.id.0 += 1;
    assert!(!database.has(&other).await.unwrap());
    other.seq = Seq(0);
    assert!(!database.has(&other).await.unwrap());
}

#[tokio::test]
async fn rollups_that_a_crash_left_out_are_summed_again() {
    let (_folder, config) = folder();
    let records: Vec<_> = (0..10).map(record).collect();
    let first = rows(Seq(MIDNIGHT - 5), &records);
    let second = rows(Seq(MIDNIGHT + 100), &records[..3]);
    let mut database = Database::open(&config).await.unwrap();
    database.write(&first).await.unwrap();
    database.roll_up().await.unwrap();
    assert_eq!(totals(&database).await, expected(&first));
    database.write(&second).await.unwrap();
    drop(database);

    let mut database = Database::open(&config).await.unwrap();
    assert_eq!(database.last_seq().await.unwrap(), Some(Seq(MIDNIGHT + 102)));
    assert!(database.has_pending());
    database.roll_up().await.unwrap();
    database.roll_up().await.unwrap();
    assert_eq!(totals(&database).await, expected(&[first, second].concat()));
}

#[tokio::test]
async fn a_taken_place_fails_the_whole_batch() {
    let (_folder, config) = folder();
    let mut database = Database::open(&config).await.unwrap();
    let records: Vec<_> = (0..10).map(record).collect();
    let batch = rows(Seq(MIDNIGHT), &records);
    database.write(&batch[5..]).await.unwrap();
    database.write(&batch).await.unwrap_err();
    assert!(!database.has(&batch[0]).await.unwrap());
    database.write(&batch[..5]).await.unwrap();
    database.roll_up().await.unwrap();
    assert_eq!(totals(&database).await, expected(&batch));
}

/// What a release with further columns, tables and migrations of the same format leaves behind.
#[tokio::test]
async fn a_file_of_the_next_minor_release_works() {
    let (_folder, config) = folder();
    let mut database = Database::open(&config).await.unwrap();
    let batch = rows(Seq(MIDNIGHT), &[record(1), record(2)]);
    database.write(&batch[..1]).await.unwrap();
    database.sqlite().close().await;
    let mut later = connect(&config.path).await;
    for change in [
        "INSERT INTO _sqlx_migrations VALUES (1999, 'later', 0, TRUE, x'00', 0)",
        "ALTER TABLE records_20261120 ADD COLUMN mood TEXT",
        "ALTER TABLE rollups ADD COLUMN video INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE series ADD COLUMN team TEXT",
        "ALTER TABLE rolled_up ADD COLUMN moods INTEGER",
        "CREATE TABLE moods (seq INTEGER PRIMARY KEY)",
    ] {
        later.execute(change).await.unwrap();
    }

    let mut database = Database::open(&config).await.unwrap();
    database.write(&batch[1..]).await.unwrap();
    database.roll_up().await.unwrap();
    assert_eq!(totals(&database).await, expected(&batch));
    let page = reader(database.sqlite())
        .records(&Filter::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(page.records.len(), 2);
}

#[tokio::test]
async fn another_format_is_refused() {
    let (_folder, config) = folder();
    Database::open(&config).await.unwrap().sqlite().close().await;
    let mut later = connect(&config.path).await;
    let change = "INSERT INTO _sqlx_migrations VALUES (2001, 'later', 0, TRUE, x'00', 0)";
    later.execute(change).await.unwrap();
    let error = Database::open(&config).await.unwrap_err();
    assert!(
        matches!(
            error,
            LedgerError::Format {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let (_folder, config) = folder();
    let text = "no database, but a text of some length\n".repeat(200);
    std::fs::write(&config.path, &text).unwrap();
    let error = Database::open(&config).await.unwrap_err();
    assert!(
        matches!(error, LedgerError::Database(SqlError::Damaged { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("ledger.db"));
    assert_eq!(std::fs::read_to_string(&config.path).unwrap(), text);
}

#[tokio::test]
async fn a_file_that_was_moved_or_exchanged_is_noticed() {
    let (_folder, config) = folder();
    let database = Database::open(&config).await.unwrap();
    assert!(database.is_in_place());
    let aside: PathBuf = config.path.with_extension("aside");
    std::fs::rename(&config.path, &aside).unwrap();
    assert!(!database.is_in_place());
    std::fs::copy(&aside, &config.path).unwrap();
    assert!(!database.is_in_place());
    std::fs::rename(&aside, &config.path).unwrap();
    assert!(database.is_in_place());
}

fn batches() -> impl Strategy<Value = Vec<Vec<Record>>> {
    prop::collection::vec(prop::collection::vec(any_record(), 1..40), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However batches, rollups and restarts follow each other, and across the end of a day.
    #[test]
    fn rollups_are_the_sum_of_the_records(batches in batches(), restart in any::<u8>(), roll_up in any::<u8>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_folder, config) = folder();
            let mut database = Database::open(&config).await.unwrap();
            let mut written = Vec::new();
            for (index, records) in batches.iter().enumerate() {
                let from = MIDNIGHT - 50 + written.len() as i64;
                let batch = rows(Seq(from), records);
                database.write(&batch).await.unwrap();
                written.extend(batch);
                if roll_up >> index & 1 == 1 {
                    database.roll_up().await.unwrap();
                }
                if restart >> index & 1 == 1 {
                    database = Database::open(&config).await.unwrap();
                }
            }
            database.roll_up().await.unwrap();
            prop_assert_eq!(totals(&database).await, expected(&written));
            Ok(())
        })?;
    }
}

/// A file as the first release left it, with records of two days.
async fn first_release(config: &LedgerConfig, rows: &[Row]) {
    let mut database = Database::open(config).await.unwrap();
    database.write(rows).await.unwrap();
    database.roll_up().await.unwrap();
    database.sqlite().close().await;
    let mut old = connect(&config.path).await;
    for change in [
        "DELETE FROM _sqlx_migrations WHERE version > 1001",
        "DROP TABLE rollup_days",
        "DROP TABLE rollup_totals",
        "DROP TABLE latencies",
        "ALTER TABLE rollups DROP COLUMN cache_exact",
        "ALTER TABLE rollups DROP COLUMN cache_semantic",
        "ALTER TABLE rollups DROP COLUMN cache_misses",
        "ALTER TABLE rollups DROP COLUMN cache_bypasses",
        "ALTER TABLE rollups DROP COLUMN image_input",
        "ALTER TABLE rollups DROP COLUMN image_output",
        "ALTER TABLE rollups DROP COLUMN searches",
        "ALTER TABLE rollups DROP COLUMN audio_ms",
        "ALTER TABLE rolled_up DROP COLUMN days_from",
        "ALTER TABLE rolled_up DROP COLUMN days_through",
    ] {
        old.execute(change).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_of_the_first_release_goes_on() {
    let (_folder, config) = folder();
    let records: Vec<_> = (0..30).map(record).collect();
    let day = 24 * 3_600_000_000;
    let old = [
        rows(Seq(MIDNIGHT - day), &records[..10]),
        rows(Seq(MIDNIGHT), &records[10..20]),
    ]
    .concat();
    first_release(&config, &old).await;
    let fresh = [
        rows(Seq(MIDNIGHT + 100), &records[20..25]),
        rows(Seq(MIDNIGHT + day), &records[25..]),
    ]
    .concat();
    let mut database = Database::open(&config).await.unwrap();
    assert_eq!(totals(&database).await, expected(&old));
    database.write(&fresh).await.unwrap();
    database.roll_up().await.unwrap();
    let all = [old, fresh].concat();
    assert_eq!(totals(&database).await, expected(&all));
    let by_day = GroupBy {
        period: crate::Period::Day,
        dimension: Some(crate::Dimension::Model),
    };
    let days = reader(database.sqlite())
        .usage(&Filter::default(), by_day, None, 10)
        .await
        .unwrap();
    let counts: Vec<_> = days.iter().map(|row| row.totals.requests).collect();
    assert_eq!(counts, [10, 15, 5]);
    database.sqlite().close().await;

    // A release that knows hours only writes once more, and this one comes back.
    let mut earlier = connect(&config.path).await;
    for change in [
        "UPDATE rollups SET requests = requests + 1 WHERE hour = (SELECT max(hour) FROM rollups)",
        "UPDATE rolled_up SET through = through + 1",
    ] {
        earlier.execute(change).await.unwrap();
    }
    let mut database = Database::open(&config).await.unwrap();
    assert_eq!(totals(&database).await.requests, 31);
    database
        .write(&rows(Seq(MIDNIGHT + 3 * day), &records[..1]))
        .await
        .unwrap();
    database.roll_up().await.unwrap();
    assert_eq!(totals(&database).await.requests, 32);
}

#[tokio::test]
async fn payloads_are_kept_apart_and_bounded() {
    let (_folder, mut config) = folder();
    let payload = |text: &str| {
        let part = sluice_record::PayloadPart {
            body: text.into(),
            ..Default::default()
        };
        Some(Box::new(sluice_record::Payload {
            client_request: part,
            ..Default::default()
        }))
    };
    let mut records: Vec<_> = (0..4).map(record).collect();
    records[1].payload = payload("one");
    records[2].payload = payload("two");
    records[3].payload = payload("three");
    let batch = rows(Seq(MIDNIGHT), &records);
    let size = |row: &Row| row.payload.as_ref().unwrap().len() as u64;
    config.max_payload_bytes = size(&batch[1]) + size(&batch[2]);
    let mut database = Database::open(&config).await.unwrap();
    database.write(&batch[..2]).await.unwrap();
    // The room is known again after a restart.
    drop(database);
    let mut database = Database::open(&config).await.unwrap();
    database.write(&batch[2..]).await.unwrap();
    let reader = reader(database.sqlite());
    let mut kept = Vec::new();
    for row in &batch {
        let payload = reader.payload(row.seq).await.unwrap();
        kept.push(payload.map(|payload| payload.client_request.body));
    }
    assert_eq!(kept, [None, Some("one".into()), Some("two".into()), None]);
    assert_eq!(reader.payload(Seq(0)).await.unwrap(), None);
    let page = reader.records(&Filter::default(), None, 10).await.unwrap();
    let says: Vec<_> = page.records.iter().map(|entry| entry.detail.payload).collect();
    assert_eq!(says, [true, true, true, false]);

    config.payload_days = 1;
    let today = Seq(MIDNIGHT).day();
    for (day, left) in [(today + 1, 1), (today + 2, 0)] {
        crate::retention::apply(database.sqlite(), &config, day)
            .await
            .unwrap();
        let days = payload_days(database.sqlite().reader()).await.unwrap();
        assert_eq!(days.len(), left);
    }
    assert_eq!(reader.payload(batch[1].seq).await.unwrap(), None);
}
