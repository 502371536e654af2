use sqlx::AssertSqlSafe;

use super::*;
use crate::{DamageReason, DamagedItem};

/// Changes the stored text behind the store's back.
async fn tamper(database: &Database, set: &str) {
    let sql = format!("UPDATE items SET {set} WHERE key = '/b'");
    let done = sqlx::query(AssertSqlSafe(sql))
        .execute(database.sql().writer())
        .await
        .unwrap();
    assert_eq!(done.rows_affected(), 1);
}

async fn three_items() -> (Bench, Database, Store) {
    let bench = Bench::new();
    let database = Database::open(bench.path()).await.unwrap();
    let store = bench.store_on(&database, Tuning::default()).await;
    for (number, key) in ["/a", "/b", "/c"].into_iter().enumerate() {
        put(&store, key, u32::try_from(number).unwrap()).await;
    }
    (bench, database, store)
}

#[tokio::test]
async fn secrets_are_in_none_of_the_files() {
    let (bench, _database, _store) = three_items().await;
    let mut files = 0;
    for entry in std::fs::read_dir(bench.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("hidden"));
        files += usize::from(text.contains("sluice:v1:"));
    }
    assert!(files > 0);
}

#[tokio::test]
async fn an_unreadable_item_does_not_hide_the_others() {
    let (_bench, database, store) = three_items().await;
    let cases = [
        // The secret of another item.
        (
            "value = (SELECT value FROM items WHERE key = '/a')",
            DamageReason::Secret {
                pointer: "/secret".to_owned(),
            },
        ),
        ("value = '{'", DamageReason::NotJson),
    ];
    for (set, reason) in cases {
        tamper(&database, set).await;
        let damaged = DamagedItem {
            key: "/b".to_owned(),
            mod_revision: 2,
            reason,
        };
        let listing = store.load().await.unwrap();
        assert_eq!(
            listing
                .items
                .iter()
                .map(|item| item.key.as_str())
                .collect::<Vec<_>>(),
            ["/a", "/c"]
        );
        assert_eq!(listing.damaged, std::slice::from_ref(&damaged));
        assert!(matches!(store.get("/b").await, Err(StoreError::Damaged(found)) if found == damaged));
    }
    assert!(store.put("/b", value(9), None).await.unwrap().existed);
    assert_eq!(store.get("/b").await.unwrap().unwrap().value, value(9));
}

#[tokio::test]
async fn watchers_hear_of_an_item_that_they_cannot_read() {
    let (bench, _database, store) = three_items().await;
    let database = Database::open(bench.path()).await.unwrap();
    let other_key = Sealer::new(
        Vault::new(&SecretKey::from_bytes([2; 32])),
        |_: &str, _: &Value| vec!["/secret".to_owned()],
    );
    let clock: Arc<ManualClock> = Arc::clone(&bench.clock);
    let other = Store::start(&database, other_key, clock, Tuning::default())
        .await
        .unwrap();

    let mut watch = store.subscribe(3);
    put(&other, "/b", 9).await;
    put(&store, "/c", 9).await;
    let event = ready(&mut watch);
    let EventKind::Damaged(damaged) = &event.kind else {
        panic!("{event:?}")
    };
    assert_eq!((event.key(), damaged.mod_revision), ("/b", 4));
    assert_eq!(ready(&mut watch).key(), "/c");
}
