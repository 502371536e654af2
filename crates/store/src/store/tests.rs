mod expiry;
mod model;
mod secrets;
mod sharing;
mod watching;

use std::path::PathBuf;

use serde_json::json;
use sluice_sql::SqlError;
use tempfile::TempDir;

use super::*;
use crate::clock::testing::ManualClock;
use crate::watch::HistoryLimits;
use crate::{Change, Event, EventKind, SecretKey};

/// A database file, the clock of all stores on it, and a way to open more of them.
struct Bench {
    folder: TempDir,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(ManualClock::new()),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("sluice.db")
    }

    /// Opens the file anew, as another process would.
    async fn store(&self) -> Store {
        self.store_with(Tuning::default()).await
    }

    async fn store_with(&self, tuning: Tuning) -> Store {
        let database = Database::open(self.path()).await.unwrap();
        self.store_on(&database, tuning).await
    }

    async fn store_on(&self, database: &Database, tuning: Tuning) -> Store {
        let vault = Vault::new(&SecretKey::from_bytes([1; 32]));
        let sealer = Sealer::new(vault, |_: &str, _: &Value| vec!["/secret".to_owned()]);
        let clock: Arc<ManualClock> = Arc::clone(&self.clock);
        Store::start(database, sealer, clock, tuning).await.unwrap()
    }
}

/// Keeps only this many events for watchers.
fn short_history(events: usize) -> Tuning {
    let Tuning { history, tombstones } = Tuning::default();
    Tuning {
        history: HistoryLimits { events, ..history },
        tombstones,
    }
}

fn value(number: u32) -> Value {
    json!({ "number": number, "secret": format!("hidden-{number}") })
}

async fn put(store: &Store, key: &str, number: u32) -> u64 {
    store.put(key, value(number), None).await.unwrap().revision
}

async fn keys(store: &Store, prefix: &str) -> Vec<String> {
    let listing = store.list(prefix).await.unwrap();
    assert_eq!(listing.damaged, []);
    listing.items.into_iter().map(|item| item.key).collect()
}

/// The event that is there already.
fn ready(watch: &mut Watch) -> Arc<Event> {
    match watch.try_next() {
        Some(Change::Event(event)) => event,
        other => panic!("expected an event, found {other:?}"),
    }
}

fn is_delete(event: &Event, of: &str) -> bool {
    matches!(&event.kind, EventKind::Delete { key } if key == of)
}

#[tokio::test]
async fn an_item_keeps_its_create_revision_while_it_lives() {
    let bench = Bench::new();
    let store = bench.store().await;
    assert_eq!(store.get("/routes/1").await.unwrap(), None);

    let first = store.put("/routes/1", value(1), None).await.unwrap();
    assert_eq!(
        first,
        Written {
            revision: 1,
            existed: false
        }
    );
    let second = store.put("/routes/1", value(2), None).await.unwrap();
    assert_eq!(
        second,
        Written {
            revision: 2,
            existed: true
        }
    );
    let item = store.get("/routes/1").await.unwrap().unwrap();
    assert_eq!((item.create_revision, item.mod_revision), (1, 2));
    assert_eq!(item.value, value(2));

    assert!(store.delete("/routes/1").await.unwrap());
    assert!(!store.delete("/routes/1").await.unwrap());
    assert_eq!(store.get("/routes/1").await.unwrap(), None);
    let again = store.put("/routes/1", value(3), None).await.unwrap();
    assert_eq!(
        again,
        Written {
            revision: 4,
            existed: false
        }
    );
    assert_eq!(store.get("/routes/1").await.unwrap().unwrap().create_revision, 4);
}

#[tokio::test]
async fn a_list_is_ordered_by_creation_and_limited_to_its_prefix() {
    let bench = Bench::new();
    let store = bench.store().await;
    for key in [
        "/routes/b",
        "/routes/a",
        "/routesx/1",
        "/route/1",
        "/routes/\u{10fff0}",
        "/services/1",
    ] {
        put(&store, key, 1).await;
    }
    put(&store, "/routes/b", 2).await;
    assert_eq!(
        keys(&store, "/routes/").await,
        ["/routes/b", "/routes/a", "/routes/\u{10fff0}"]
    );
    assert_eq!(keys(&store, "/none/").await, [""; 0]);
    let all = store.load().await.unwrap();
    assert_eq!((all.items.len(), all.revision), (6, 7));
}

#[tokio::test]
async fn items_and_revisions_survive_reopening() {
    let bench = Bench::new();
    let database = Database::open(bench.path()).await.unwrap();
    let store = bench.store_on(&database, Tuning::default()).await;
    put(&store, "/routes/1", 1).await;
    put(&store, "/routes/2", 2).await;
    store.delete("/routes/2").await.unwrap();
    let before = store.load().await.unwrap();
    store.close().await;
    database.close().await;

    let store = bench.store().await;
    assert_eq!(store.load().await.unwrap(), before);
    assert_eq!(put(&store, "/routes/3", 3).await, before.revision + 1);
}

#[tokio::test]
async fn compare_and_swap_needs_the_present_revision() {
    let bench = Bench::new();
    let store = bench.store().await;
    let created = store.compare_and_swap("/a", 0, value(1), None).await.unwrap();
    assert!(!created.existed);
    for wrong in [0, created.revision + 1] {
        let refused = store.compare_and_swap("/a", wrong, value(2), None).await;
        assert!(matches!(refused, Err(StoreError::Conflict { key }) if key == "/a"));
    }
    let absent = store.compare_and_swap("/b", 1, value(2), None).await;
    assert!(matches!(absent, Err(StoreError::Conflict { .. })));

    let swapped = store
        .compare_and_swap("/a", created.revision, value(2), None)
        .await
        .unwrap();
    assert_eq!(
        swapped,
        Written {
            revision: created.revision + 1,
            existed: true
        }
    );
}

#[tokio::test]
async fn of_concurrent_swaps_each_counts_once() {
    const TASKS: u64 = 8;
    const ROUNDS: u64 = 5;
    let bench = Bench::new();
    let stores = [bench.store().await, bench.store().await];
    stores[0].put("/counter", json!(0), None).await.unwrap();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = stores[usize::try_from(task % 2).unwrap()].clone();
            tokio::spawn(async move {
                let mut done = 0;
                while done < ROUNDS {
                    let item = store.get("/counter").await.unwrap().unwrap();
                    let next = json!(item.value.as_u64().unwrap() + 1);
                    match store
                        .compare_and_swap("/counter", item.mod_revision, next, None)
                        .await
                    {
                        Ok(_) => done += 1,
                        Err(StoreError::Conflict { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let item = stores[1].get("/counter").await.unwrap().unwrap();
    assert_eq!(item.value, json!(TASKS * ROUNDS));
    assert_eq!(
        item.mod_revision,
        1 + TASKS * ROUNDS,
        "a refused swap takes no revision"
    );
}

#[tokio::test]
async fn a_consumer_goes_with_its_credentials_in_one_write() {
    let bench = Bench::new();
    let store = bench.store().await;
    for key in [
        "/consumers/jack",
        "/consumers/jack/credentials/c1",
        "/consumers/jackson",
    ] {
        put(&store, key, 1).await;
    }
    let mut watch = store.subscribe(3);
    assert!(store.delete_tree("/consumers/jack").await.unwrap());
    assert_eq!(keys(&store, "/consumers/").await, ["/consumers/jackson"]);
    for key in ["/consumers/jack/credentials/c1", "/consumers/jack"] {
        let event = ready(&mut watch);
        assert!(is_delete(&event, key) && event.revision == 4, "{event:?}");
    }

    put(&store, "/consumers/gone/credentials/c1", 1).await;
    assert!(!store.delete_tree("/consumers/gone").await.unwrap());
    assert_eq!(keys(&store, "/consumers/gone/").await, [""; 0]);
}

#[tokio::test]
async fn a_batch_has_one_revision_or_does_nothing() {
    let bench = Bench::new();
    let store = bench.store().await;
    put(&store, "/old/1", 1).await;
    let put = |key: &str, expected| Write::Put {
        key: key.to_owned(),
        value: value(9),
        ttl: None,
        expected,
    };
    let delete = |key: &str| Write::Delete { key: key.to_owned() };

    let batch = vec![
        put("/new/1", Some(0)),
        put("/old/1", Some(1)),
        delete("/absent"),
        put("/new/2", None),
    ];
    let committed = store.batch(batch).await.unwrap();
    assert_eq!(
        committed,
        Committed {
            revision: 2,
            existed: vec![false, true, false, false]
        }
    );
    let all = store.load().await.unwrap();
    assert!(all.items.iter().all(|item| item.mod_revision == 2));

    let refused = store
        .batch(vec![
            put("/new/3", None),
            delete("/old/1"),
            put("/new/1", Some(1)),
        ])
        .await;
    assert!(matches!(refused, Err(StoreError::Conflict { key }) if key == "/new/1"));
    assert_eq!(store.load().await.unwrap(), all);

    let idle = store
        .batch(vec![
            delete("/absent"),
            Write::DeletePrefix {
                prefix: "/absent".to_owned(),
            },
        ])
        .await;
    assert_eq!(
        idle.unwrap(),
        Committed {
            revision: 2,
            existed: vec![false, false]
        }
    );
}

#[tokio::test]
async fn ids_are_revisions_of_their_own() {
    let bench = Bench::new();
    let store = bench.store().await;
    put(&store, "/a", 1).await;
    assert_eq!(store.next_id().await.unwrap(), "00000000000000000002");
    assert_eq!(put(&store, "/a", 2).await, 3);
    assert_eq!(store.next_id().await.unwrap(), "00000000000000000004");
    assert_eq!(keys(&store, "").await, ["/a"]);
}

#[tokio::test]
async fn a_closed_store_refuses_writes_and_still_reads() {
    let bench = Bench::new();
    let store = bench.store().await;
    put(&store, "/a", 1).await;
    store.close().await;
    store.close().await;
    assert!(matches!(
        store.put("/a", value(2), None).await,
        Err(StoreError::Closed)
    ));
    assert_eq!(store.get("/a").await.unwrap().unwrap().value, value(1));
}

#[tokio::test]
async fn a_failed_write_is_neither_kept_nor_announced() {
    let bench = Bench::new();
    let database = Database::open(bench.path()).await.unwrap();
    let store = bench.store_on(&database, Tuning::default()).await;
    let mut watch = store.subscribe(0);
    // Room for nothing more: what a full disk looks like.
    sqlx::query("PRAGMA max_page_count = 1")
        .execute(database.sql().writer())
        .await
        .unwrap();
    let long = json!("x".repeat(100_000));
    let failed = store.put("/a", long.clone(), None).await;
    assert!(matches!(failed, Err(StoreError::Sql(SqlError::DiskFull { .. }))));
    assert_eq!(watch.try_next(), None);

    sqlx::query("PRAGMA max_page_count = 100000")
        .execute(database.sql().writer())
        .await
        .unwrap();
    assert_eq!(store.put("/a", long, None).await.unwrap().revision, 1);
    assert_eq!(ready(&mut watch).revision, 1);
}

#[tokio::test]
async fn debug_output_has_no_values() {
    let bench = Bench::new();
    let store = bench.store().await;
    put(&store, "/a", 1).await;
    let mut watch = store.subscribe(0);
    let shown = format!("{:?} {:?}", store.load().await.unwrap(), ready(&mut watch));
    assert!(shown.contains("/a") && !shown.contains("hidden"), "{shown}");
}
