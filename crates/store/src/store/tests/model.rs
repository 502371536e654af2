//! Two stores on one file against a map in memory, under random operations.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const KEYS: [&str; 5] = ["/a/1", "/a/1/x/1", "/a/1/x/2", "/a/2", "/b/1"];
const SYNC: &str = "/sync";

#[derive(Debug, Clone)]
enum Op {
    Put {
        key: usize,
        number: u32,
        seconds: Option<u64>,
    },
    Swap {
        key: usize,
        number: u32,
        right: bool,
    },
    Delete {
        key: usize,
    },
    DeleteTree {
        key: usize,
    },
    Batch {
        puts: Vec<usize>,
        prefix: usize,
        fails: bool,
    },
    NextId,
    Advance {
        seconds: u64,
    },
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    let key = || 0..KEYS.len();
    prop_oneof![
        4 => (key(), any::<u32>(), prop::option::of(1_u64..6))
            .prop_map(|(key, number, seconds)| Op::Put { key, number, seconds }),
        2 => (key(), any::<u32>(), any::<bool>())
            .prop_map(|(key, number, right)| Op::Swap { key, number, right }),
        2 => key().prop_map(|key| Op::Delete { key }),
        1 => key().prop_map(|key| Op::DeleteTree { key }),
        2 => (prop::collection::vec(key(), 0..4), key(), any::<bool>())
            .prop_map(|(puts, prefix, fails)| Op::Batch { puts, prefix, fails }),
        1 => Just(Op::NextId),
        1 => (1_u64..4).prop_map(|seconds| Op::Advance { seconds }),
        1 => Just(Op::Reopen),
    ]
}

/// One store, and what a watcher of it believes.
struct Side {
    store: Store,
    watch: Watch,
    replica: BTreeMap<String, Item>,
}

impl Side {
    async fn open(bench: &Bench) -> Self {
        let store = bench.store().await;
        let listing = store.load().await.unwrap();
        let watch = store.subscribe(listing.revision);
        let replica = listing
            .items
            .into_iter()
            .map(|item| (item.key.clone(), item))
            .collect();
        Self {
            store,
            watch,
            replica,
        }
    }

    fn drain(&mut self) {
        while let Some(change) = self.watch.try_next() {
            let Change::Event(event) = change else {
                panic!("resync")
            };
            match &event.kind {
                EventKind::Put(item) => drop(self.replica.insert(item.key.clone(), item.clone())),
                EventKind::Delete { key } => drop(self.replica.remove(key)),
                EventKind::Damaged(damaged) => panic!("{damaged}"),
            }
        }
    }
}

#[derive(Default)]
struct Model {
    items: BTreeMap<String, Item>,
    /// Seconds on the model's clock.
    expiry: BTreeMap<String, u64>,
    now: u64,
    revision: u64,
}

impl Model {
    /// A write that changed something has taken this revision.
    fn advance_to(&mut self, revision: u64) {
        self.revision += 1;
        assert_eq!(revision, self.revision);
    }

    /// Whether there was an item before.
    fn put(&mut self, key: &str, value: Value, seconds: Option<u64>) -> bool {
        self.expiry.remove(key);
        if let Some(seconds) = seconds {
            self.expiry.insert(key.to_owned(), self.now + seconds);
        }
        let existing = self.items.get(key);
        let existed = existing.is_some();
        let create_revision = existing.map_or(self.revision, |item| item.create_revision);
        let item = Item {
            key: key.to_owned(),
            value,
            create_revision,
            mod_revision: self.revision,
        };
        self.items.insert(key.to_owned(), item);
        existed
    }

    fn delete(&mut self, key: &str) -> bool {
        self.expiry.remove(key);
        self.items.remove(key).is_some()
    }

    fn delete_prefix(&mut self, prefix: &str) -> bool {
        let keys: Vec<_> = self
            .items
            .keys()
            .filter(|key| key.starts_with(prefix))
            .cloned()
            .collect();
        keys.iter().for_each(|key| assert!(self.delete(key)));
        !keys.is_empty()
    }

    fn mod_revision(&self, key: &str) -> u64 {
        self.items.get(key).map_or(0, |item| item.mod_revision)
    }
}

/// Writes through every side and back, after which each has heard of everything before.
async fn sync(sides: &mut [Side; 2], model: &mut Model) {
    for side in [0, 1, 0] {
        let revision = put(&sides[side].store, SYNC, 0).await;
        model.advance_to(revision);
        model.put(SYNC, value(0), None);
    }
    // The last write has not reached the second side.
    let revision = put(&sides[1].store, SYNC, 1).await;
    model.advance_to(revision);
    model.put(SYNC, value(1), None);
    sides.iter_mut().for_each(Side::drain);
    let last = model.items[SYNC].clone();
    sides[0].replica.insert(SYNC.to_owned(), last);
}

async fn step(bench: &Bench, sides: &mut [Side; 2], side: usize, model: &mut Model, op: Op) {
    let store = sides[side].store.clone();
    match op {
        Op::Put { key, number, seconds } => {
            let key = KEYS[key];
            let written = store
                .put(key, value(number), seconds.map(Duration::from_secs))
                .await
                .unwrap();
            model.advance_to(written.revision);
            assert_eq!(model.put(key, value(number), seconds), written.existed);
        }
        Op::Swap { key, number, right } => {
            let key = KEYS[key];
            let expected = if right {
                model.mod_revision(key)
            } else {
                model.revision + 1
            };
            match store.compare_and_swap(key, expected, value(number), None).await {
                Ok(written) => {
                    assert!(right);
                    model.advance_to(written.revision);
                    assert_eq!(model.put(key, value(number), None), written.existed);
                }
                Err(StoreError::Conflict { .. }) => assert!(!right),
                Err(error) => panic!("{error}"),
            }
        }
        Op::Delete { key } => {
            let existed = model.delete(KEYS[key]);
            model.revision += u64::from(existed);
            assert_eq!(store.delete(KEYS[key]).await.unwrap(), existed);
        }
        Op::DeleteTree { key } => {
            let below = model.delete_prefix(&format!("{}/", KEYS[key]));
            let existed = model.delete(KEYS[key]);
            model.revision += u64::from(below || existed);
            assert_eq!(store.delete_tree(KEYS[key]).await.unwrap(), existed);
        }
        Op::Batch { puts, prefix, fails } => batch(&store, model, &puts, KEYS[prefix], fails).await,
        Op::NextId => model.advance_to(store.next_id().await.unwrap().parse().unwrap()),
        Op::Advance { seconds } => advance(bench, &store, model, seconds).await,
        Op::Reopen => {
            store.close().await;
            sides[side] = Side::open(bench).await;
            assert_eq!(sides[side].replica, model.items);
        }
    }
}

async fn batch(store: &Store, model: &mut Model, puts: &[usize], prefix: &str, fails: bool) {
    let mut writes = vec![Write::DeletePrefix {
        prefix: prefix.to_owned(),
    }];
    let put = |key: &str, expected| Write::Put {
        key: key.to_owned(),
        value: value(7),
        ttl: None,
        expected,
    };
    writes.extend(puts.iter().map(|&key| put(KEYS[key], None)));
    if fails {
        writes.push(put("/never", Some(1)));
    }
    match store.batch(writes).await {
        Ok(committed) => {
            assert!(!fails);
            let mut existed = vec![model.delete_prefix(prefix)];
            model.revision += u64::from(!puts.is_empty() || existed[0]);
            assert_eq!(committed.revision, model.revision);
            existed.extend(puts.iter().map(|&key| model.put(KEYS[key], value(7), None)));
            assert_eq!(committed.existed, existed);
        }
        Err(StoreError::Conflict { .. }) => assert!(fails),
        Err(error) => panic!("{error}"),
    }
}

/// Moves the clock, and waits until what expires by that is gone.
async fn advance(bench: &Bench, store: &Store, model: &mut Model, seconds: u64) {
    bench.clock.advance(Duration::from_secs(seconds));
    model.now += seconds;
    let expired: Vec<_> = model
        .expiry
        .iter()
        .filter(|(_, at)| **at <= model.now)
        .map(|(key, _)| key.clone())
        .collect();
    for key in expired {
        model.delete(&key);
        model.revision += 1;
        while store.get(&key).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn two_stores_and_their_watchers_agree_with_a_map(ops in prop::collection::vec((0_usize..2, op()), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let mut sides = [Side::open(&bench).await, Side::open(&bench).await];
            let mut model = Model::default();
            for (side, op) in ops {
                step(&bench, &mut sides, side, &mut model, op).await;
            }
            sync(&mut sides, &mut model).await;
            for side in &sides {
                assert_eq!(side.replica, model.items);
                let mut expected: Vec<_> = model.items.values().cloned().collect();
                expected.sort_by_key(|item| item.create_revision);
                let listing = side.store.load().await.unwrap();
                assert_eq!((listing.items, listing.revision), (expected, model.revision));
                for item in model.items.values() {
                    assert_eq!(side.store.get(&item.key).await.unwrap().as_ref(), Some(item));
                }
            }
        });
    }
}
