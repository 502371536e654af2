use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sluice_record::RequestId;
use sqlx::SqliteConnection;
use tempfile::TempDir;

use super::*;
use crate::fixture::{MIDNIGHT, config, lock, reader, record};
use crate::row::RowTools;
use crate::{Entry, Filter, GroupBy};

/// A store with somebody who breaks things around it.
struct Bench {
    _folder: TempDir,
    config: LedgerConfig,
    store: Option<Store>,
    lock: Option<SqliteConnection>,
    held: Vec<Row>,
    submitted: u128,
    clock: i64,
}

impl Bench {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut LedgerConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        change(&mut config);
        Self {
            store: Some(Store::open(config.clone()).await.unwrap()),
            _folder: folder,
            config,
            lock: None,
            held: Vec::new(),
            submitted: 0,
            clock: MIDNIGHT,
        }
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().unwrap()
    }

    fn progress(&self) -> Progress {
        *self.store.as_ref().unwrap().progress()
    }

    /// Saves further records, with those that could not be saved before.
    async fn save(&mut self, count: u128) {
        let mut tools = RowTools::default();
        for _ in 0..count {
            let clock = self.clock;
            let seq = self.store().next_seq(clock);
            self.held
                .push(Row::new(seq, &record(self.submitted), &mut tools).unwrap());
            self.submitted += 1;
        }
        let store = self.store.as_mut().unwrap();
        store.save(&mut self.held).await;
    }

    async fn lock(&mut self) {
        if self.lock.is_none() && self.config.path.exists() {
            self.lock = Some(lock(&self.config.path).await);
        }
    }

    async fn unlock(&mut self) {
        if let Some(lock) = self.lock.take() {
            sqlx::Connection::close(lock).await.unwrap();
        }
    }

    fn aside(&self) -> PathBuf {
        self.config.path.with_extension("aside")
    }

    fn move_away(&self) {
        if self.config.path.exists() {
            std::fs::rename(&self.config.path, self.aside()).unwrap();
        }
    }

    fn move_back(&self) {
        if self.aside().exists() {
            std::fs::rename(self.aside(), &self.config.path).unwrap();
        }
    }

    /// As after `kill -9`: nothing is finished, what was not saved is lost, and no connection is left.
    async fn kill(&mut self) {
        self.held.clear();
        if let Some(database) = self.store.take().and_then(Store::into_database) {
            database.sqlite().close().await;
        }
    }

    async fn restart(&mut self) {
        self.kill().await;
        self.move_back();
        self.store = Some(Store::open(self.config.clone()).await.unwrap());
    }

    /// Everything is well again: what is spilled gets into the database.
    async fn settle(&mut self) {
        self.unlock().await;
        self.move_back();
        while !self.store().is_complete() {
            self.save(0).await;
        }
        self.save(0).await;
        self.store().roll_up(true).await;
    }

    /// All records in the database, oldest first.
    async fn entries(&mut self) -> Vec<Entry> {
        let reader = reader(self.store().database().unwrap().sqlite());
        let (mut entries, mut after) = (Vec::new(), None);
        loop {
            let page = reader.records(&Filter::default(), after, 100).await.unwrap();
            entries.extend(page.records);
            after = page.next;
            if after.is_none() {
                entries.reverse();
                return entries;
            }
        }
    }

    async fn ids(&mut self) -> Vec<RequestId> {
        self.entries().await.iter().map(|entry| entry.id).collect()
    }

    async fn requests_in_rollups(&mut self) -> i64 {
        let reader = reader(self.store().database().unwrap().sqlite());
        let rows = reader
            .usage(&Filter::default(), GroupBy::default(), None, 1)
            .await
            .unwrap();
        rows.first().map_or(0, |row| row.totals.requests)
    }

    /// Everything that was submitted is there, once and in order, and summed once.
    async fn assert_all(&mut self) {
        let mut expected = (0..self.submitted).map(RequestId);
        let unexpected = self
            .ids()
            .await
            .into_iter()
            .find(|id| expected.next() != Some(*id));
        assert_eq!((unexpected, expected.next()), (None, None));
        assert_eq!(self.requests_in_rollups().await, self.submitted as i64);
    }
}

#[tokio::test]
async fn a_locked_database_is_spilled_and_replayed_in_order() {
    let mut bench = Bench::new().await;
    bench.save(3).await;
    bench.lock().await;
    bench.save(2).await;
    bench.save(2).await;
    let progress = bench.progress();
    assert_eq!((progress.written, progress.spilled, progress.replayed), (3, 4, 0));
    assert_eq!((progress.spill_len, progress.degraded), (4, false));
    assert_eq!(bench.held.len(), 0);

    bench.unlock().await;
    bench.save(1).await;
    let progress = bench.progress();
    assert_eq!((progress.written, progress.spilled, progress.replayed), (3, 5, 5));
    assert_eq!(progress.spill_len, 0);
    bench.save(1).await;
    assert_eq!(bench.progress().written, 4);
    bench.settle().await;
    bench.assert_all().await;
}

#[tokio::test]
async fn a_moved_database_is_awaited() {
    let mut bench = Bench::new().await;
    bench.save(3).await;
    bench.move_away();
    bench.save(2).await;
    assert_eq!(bench.progress().spilled, 2);
    assert!(bench.store().database().is_none());
    assert!(!bench.config.path.exists(), "it must not be made anew");

    bench.move_back();
    bench.save(1).await;
    bench.settle().await;
    assert_eq!(bench.progress().replayed, 3);
    bench.assert_all().await;
}

#[tokio::test]
async fn a_database_that_is_locked_at_the_start_is_awaited() {
    let mut bench = Bench::new().await;
    bench.save(3).await;
    bench.lock().await;
    bench.save(2).await;
    bench.restart().await;
    bench.save(2).await;
    assert_eq!(bench.progress().spill_len, 4);
    bench.settle().await;
    bench.assert_all().await;
}

#[tokio::test]
async fn what_nobody_takes_is_held_until_somebody_does() {
    let mut bench = Bench::with(|config| config.max_spill_bytes = 2000).await;
    bench.lock().await;
    bench.save(1).await;
    assert!(!bench.progress().degraded);
    bench.save(20).await;
    let progress = bench.progress();
    assert!(progress.degraded);
    assert_eq!((progress.spilled, progress.settled, bench.held.len()), (1, 1, 20));
    bench.save(0).await;
    assert!(bench.progress().degraded);

    bench.unlock().await;
    bench.save(0).await;
    bench.save(0).await;
    let progress = bench.progress();
    assert!(!progress.degraded);
    assert_eq!((progress.settled, bench.held.len()), (21, 0));
    bench.settle().await;
    bench.assert_all().await;
}

/// A frame that is in the database already, because the program was killed before it was taken off the file.
#[tokio::test]
async fn a_frame_is_replayed_once() {
    let mut bench = Bench::new().await;
    bench.lock().await;
    bench.save(3).await;
    bench.save(2).await;
    let frames = std::fs::read(&bench.config.spill_path).unwrap();
    bench.unlock().await;
    bench.save(0).await;
    assert_eq!(bench.progress().replayed, 5);

    bench.kill().await;
    std::fs::write(&bench.config.spill_path, frames).unwrap();
    bench.restart().await;
    bench.save(1).await;
    bench.settle().await;
    bench.assert_all().await;
}

/// As when a commit was done but its answer was lost: the rows are spilled although the database has them.
#[tokio::test]
async fn a_commit_that_seemed_to_fail_counts_once() {
    let mut bench = Bench::new().await;
    bench.save(1).await;
    let mut tools = RowTools::default();
    let seq = bench.store().next_seq(MIDNIGHT);
    let row = Row::new(seq, &record(bench.submitted), &mut tools).unwrap();
    bench.submitted += 1;
    let mut other = Database::open(&bench.config).await.unwrap();
    other.write(std::slice::from_ref(&row)).await.unwrap();
    bench.lock().await;
    bench.held.push(row);
    bench.save(0).await;
    bench.save(1).await;
    assert_eq!(bench.progress().spilled, 2);
    bench.settle().await;
    bench.assert_all().await;
}

/// The same when the spill file was of no use either, and the batch is tried again.
#[tokio::test]
async fn a_batch_that_is_tried_again_counts_once() {
    let mut bench = Bench::new().await;
    bench.save(1).await;
    let mut tools = RowTools::default();
    let seq = bench.store().next_seq(MIDNIGHT);
    let row = Row::new(seq, &record(bench.submitted), &mut tools).unwrap();
    bench.submitted += 1;
    let mut other = Database::open(&bench.config).await.unwrap();
    other.write(std::slice::from_ref(&row)).await.unwrap();
    bench.held.push(row);
    bench.save(0).await;
    bench.save(1).await;
    assert_eq!(bench.progress().settled, 3);
    bench.settle().await;
    bench.assert_all().await;
}

#[tokio::test]
async fn a_taken_place_is_exchanged_for_another() {
    let mut bench = Bench::new().await;
    bench.save(5).await;
    bench.store().sequence = Sequence::after(None);
    bench.save(3).await;
    assert_eq!(bench.progress().written, 8);
    bench.settle().await;
    bench.assert_all().await;
}

#[tokio::test]
async fn places_go_on_after_a_restart() {
    let mut bench = Bench::new().await;
    bench.save(2).await;
    bench.restart().await;
    bench.save(1).await;
    bench.lock().await;
    bench.save(2).await;
    bench.restart().await;
    bench.save(1).await;
    bench.settle().await;
    bench.assert_all().await;
    assert_eq!(
        bench.entries().await.last().map(|entry| entry.seq),
        Some(Seq(MIDNIGHT + 5))
    );
}

#[tokio::test]
async fn a_database_that_has_been_exchanged_is_gone_on_with() {
    let mut bench = Bench::new().await;
    bench.save(2).await;
    bench.kill().await;
    std::fs::remove_file(&bench.config.path).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", bench.config.path.display()));
    }
    bench.restart().await;
    bench.save(2).await;
    bench.settle().await;
    assert_eq!(bench.ids().await, [RequestId(2), RequestId(3)]);
}

#[tokio::test]
async fn a_missing_folder_is_an_error_at_the_start() {
    let missing = Path::new("/nonexistent/ledger.db");
    let error = Store::open(LedgerConfig::new(missing)).await.unwrap_err();
    assert!(matches!(error, LedgerError::Spill { .. }), "{error}");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Save(u128),
    Lock,
    Unlock,
    MoveAway,
    MoveBack,
    RollUp,
    Kill,
    /// Killed between a commit and taking the frames off the spill file.
    KillAfterCommit,
    /// Killed while a frame was written.
    KillInFrame,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..30_u128).prop_map(Step::Save),
        2 => Just(Step::Lock),
        2 => Just(Step::Unlock),
        1 => Just(Step::MoveAway),
        1 => Just(Step::MoveBack),
        1 => Just(Step::RollUp),
        1 => Just(Step::Kill),
        1 => Just(Step::KillAfterCommit),
        1 => Just(Step::KillInFrame),
    ]
}

impl Bench {
    async fn apply(&mut self, step: Step) {
        match step {
            Step::Save(count) => self.save(count).await,
            Step::Lock => self.lock().await,
            Step::Unlock => self.unlock().await,
            Step::MoveAway => self.move_away(),
            Step::MoveBack => self.move_back(),
            Step::RollUp => self.store().roll_up(true).await,
            Step::Kill => self.restart().await,
            Step::KillAfterCommit => {
                let frames = std::fs::read(&self.config.spill_path).unwrap();
                self.save(0).await;
                self.kill().await;
                std::fs::write(&self.config.spill_path, frames).unwrap();
                self.restart().await;
            }
            Step::KillInFrame => {
                self.kill().await;
                let mut bytes = std::fs::read(&self.config.spill_path).unwrap();
                bytes.extend_from_slice(&[7; 21]);
                if bytes.len() > 21 {
                    std::fs::write(&self.config.spill_path, bytes).unwrap();
                }
                self.restart().await;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_fault_loses_or_doubles_a_record(steps in prop::collection::vec(step(), 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::new().await;
            for step in steps {
                bench.clock += 1_000_000;
                bench.apply(step).await;
            }
            bench.settle().await;
            bench.assert_all().await;
        });
    }
}
