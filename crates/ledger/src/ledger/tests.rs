use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use sluice_sql::SqlError;

use super::*;
use crate::fixture::{config, lock, record};
use crate::{Filter, GroupBy};

const SOON: Duration = Duration::from_secs(30);

fn batch(ids: std::ops::Range<u128>) -> Vec<Arc<Record>> {
    ids.map(|id| Arc::new(record(id))).collect()
}

async fn count(reader: &LedgerReader) -> usize {
    reader
        .records(&Filter::default(), None, 1000)
        .await
        .unwrap()
        .records
        .len()
}

#[tokio::test]
async fn submitted_records_can_be_read_after_a_flush_and_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(config(folder.path())).await.unwrap();
    let handle = ledger.handle();
    handle.submit(&batch(0..10));
    handle.submit(&[]);
    handle.flush(SOON).await.unwrap();
    assert_eq!(count(&ledger.reader()).await, 10);
    let usage = ledger
        .reader()
        .usage(&Filter::default(), GroupBy::default(), None, 1)
        .await;
    assert_eq!(usage.unwrap()[0].totals.requests, 10);
    handle.submit(&batch(10..15));
    let stats = ledger.close(SOON).await.unwrap();
    assert_eq!((stats.written, stats.queue_len, stats.dropped), (15, 0, 0));

    let ledger = Ledger::open(config(folder.path())).await.unwrap();
    assert_eq!(count(&ledger.reader()).await, 15);
    ledger.close(SOON).await.unwrap();
}

#[tokio::test]
async fn records_are_stored_without_a_flush() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(config(folder.path())).await.unwrap();
    let handle = ledger.handle();
    handle.submit(&batch(0..3));
    let mut progress = handle.progress.clone();
    timeout(SOON, progress.wait_for(|progress| progress.written == 3))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_locked_database_shows_in_the_statistics_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let ledger = Ledger::open(config.clone()).await.unwrap();
    let handle = ledger.handle();
    let lock = lock(&config.path).await;
    handle.submit(&batch(0..5));
    handle.flush(SOON).await.unwrap();
    let stats = handle.stats();
    assert_eq!((stats.spilled, stats.spill_len, stats.degraded), (5, 5, false));

    drop(lock);
    let mut progress = handle.progress.clone();
    let replayed = progress.wait_for(|progress| progress.replayed == 5);
    timeout(SOON, replayed).await.unwrap().unwrap();
    assert_eq!(count(&ledger.reader()).await, 5);
    ledger.close(SOON).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_stored_is_dropped_and_counted_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let config = LedgerConfig {
        capacity: 10,
        max_spill_bytes: 0,
        ..config(folder.path())
    };
    let ledger = Ledger::open(config.clone()).await.unwrap();
    let handle = ledger.handle();
    let mut progress = handle.progress.clone();
    let lock = lock(&config.path).await;
    handle.submit(&batch(0..4));
    timeout(SOON, progress.wait_for(|progress| progress.degraded))
        .await
        .unwrap()
        .unwrap();
    handle.submit(&batch(4..24));
    let stats = handle.stats();
    assert!(stats.degraded);
    assert_eq!((stats.queue_len, stats.dropped), (14, 10));
    let error = handle.flush(Duration::from_millis(1)).await.unwrap_err();
    assert!(matches!(error, LedgerError::Timeout), "{error}");

    drop(lock);
    handle.flush(SOON).await.unwrap();
    let stats = handle.stats();
    assert_eq!((stats.written, stats.queue_len, stats.dropped), (14, 0, 10));
    assert!(!stats.degraded);
    ledger.close(SOON).await.unwrap();
}

#[tokio::test]
async fn closing_counts_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let config = LedgerConfig {
        max_spill_bytes: 0,
        ..config(folder.path())
    };
    let ledger = Ledger::open(config.clone()).await.unwrap();
    let handle = ledger.handle();
    let _lock = lock(&config.path).await;
    handle.submit(&batch(0..4));
    let stats = ledger.close(SOON).await.unwrap();
    assert_eq!((stats.dropped, stats.queue_len), (4, 0));
    handle.submit(&batch(4..6));
    assert_eq!(handle.stats().dropped, 6);
    assert!(matches!(handle.flush(SOON).await, Err(LedgerError::Closed)));
}

#[tokio::test]
async fn a_damaged_database_is_reported_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    std::fs::write(&config.path, "not a database at all\n".repeat(300)).unwrap();
    let error = Ledger::open(config).await.unwrap_err();
    assert!(
        matches!(error, LedgerError::Database(SqlError::Damaged { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn a_second_ledger_on_the_same_files_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(config(folder.path())).await.unwrap();
    let error = Ledger::open(config(folder.path())).await.unwrap_err();
    assert!(matches!(error, LedgerError::InUse { .. }), "{error}");
    ledger.close(SOON).await.unwrap();
}

#[tokio::test]
async fn a_writer_that_has_died_shows() {
    let (publish, progress) = watch::channel(Progress::default());
    let handle = LedgerHandle {
        queue: Arc::new(Queue::new(10)),
        progress,
    };
    assert!(!handle.stats().degraded);
    drop(publish);
    assert!(handle.stats().degraded);
    assert!(matches!(handle.flush(SOON).await, Err(LedgerError::Closed)));
}

const CHILD_FOLDER: &str = "SLUICE_LEDGER_TEST_FOLDER";

/// Run by the test below in a process of its own: submits a record every 10 ms and says so.
#[tokio::test]
#[ignore = "a part of kill_9_loses_at_most_half_a_second"]
async fn child_that_is_killed() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else {
        return;
    };
    let config = LedgerConfig::new(PathBuf::from(folder).join("ledger.db"));
    let ledger = Ledger::open(config).await.unwrap();
    let handle = ledger.handle();
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    for id in 0.. {
        ticks.tick().await;
        handle.submit(&batch(id..id + 1));
        writeln!(std::io::stderr(), "submitted {id}").unwrap();
    }
}

#[tokio::test]
async fn kill_9_loses_at_most_half_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "ledger::tests::child_that_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(CHILD_FOLDER, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut submitted = BTreeMap::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(id) = line.strip_prefix("submitted ") {
            submitted.insert(id.parse::<u128>().unwrap(), Instant::now());
        }
        if submitted.len() == 150 {
            break;
        }
    }
    child.kill().unwrap();
    let killed = Instant::now();
    child.wait().unwrap();

    let safe = submitted
        .values()
        .filter(|at| killed.duration_since(**at) > Duration::from_millis(500))
        .count();
    assert!(safe > 50, "the child was too fast for this test: {safe}");
    let ledger = Ledger::open(config(folder.path())).await.unwrap();
    let stored = count(&ledger.reader()).await;
    assert!(stored >= safe, "{stored} of {safe} records");
    ledger.handle().flush(SOON).await.unwrap();
    let usage = ledger
        .reader()
        .usage(&Filter::default(), GroupBy::default(), None, 1)
        .await;
    assert_eq!(usage.unwrap()[0].totals.requests, stored as i64);
    ledger.close(SOON).await.unwrap();
}
