use super::*;

const SECOND: Duration = Duration::from_secs(1);

async fn put_for(store: &Store, key: &str, ttl: Duration) -> u64 {
    store.put(key, value(1), Some(ttl)).await.unwrap().revision
}

/// The next event, which the clock brings about.
async fn next(watch: &mut Watch) -> Event {
    match watch.next().await {
        Some(Change::Event(event)) => Arc::unwrap_or_clone(event),
        other => panic!("expected an event, found {other:?}"),
    }
}

#[tokio::test]
async fn an_item_expires_at_its_time_with_a_revision_and_an_event() {
    let bench = Bench::new();
    let store = bench.store().await;
    put_for(&store, "/a", 2 * SECOND).await;
    put_for(&store, "/b", SECOND).await;
    put(&store, "/stays", 1).await;
    let mut watch = store.subscribe(3);

    bench.clock.advance(SECOND - Duration::from_millis(1));
    put(&store, "/c", 1).await;
    assert_eq!(ready(&mut watch).key(), "/c", "not before its time");

    bench.clock.advance(Duration::from_millis(1));
    let event = next(&mut watch).await;
    assert!(is_delete(&event, "/b") && event.revision == 5, "{event:?}");
    bench.clock.advance(SECOND);
    let event = next(&mut watch).await;
    assert!(is_delete(&event, "/a") && event.revision == 6, "{event:?}");
    assert_eq!(keys(&store, "").await, ["/stays", "/c"]);
}

#[tokio::test]
async fn items_of_one_moment_expire_with_a_revision_each() {
    let bench = Bench::new();
    let store = bench.store().await;
    let writes = (0..600).map(|number| Write::Put {
        key: format!("/many/{number}"),
        value: value(number),
        ttl: Some(SECOND),
        expected: None,
    });
    store.batch(writes.collect()).await.unwrap();
    let mut watch = store.subscribe(1);
    bench.clock.advance(SECOND);
    for revision in 2..602 {
        assert_eq!(next(&mut watch).await.revision, revision);
    }
    assert_eq!(keys(&store, "").await, [""; 0]);
}

#[tokio::test]
async fn a_put_without_ttl_ends_the_one_before_and_a_later_one_counts_anew() {
    let bench = Bench::new();
    let store = bench.store().await;
    put_for(&store, "/kept", SECOND).await;
    put_for(&store, "/longer", SECOND).await;
    put_for(&store, "/short", SECOND).await;
    put(&store, "/kept", 2).await;
    let revision = put_for(&store, "/longer", 3 * SECOND).await;
    let mut watch = store.subscribe(revision);

    bench.clock.advance(SECOND);
    assert!(is_delete(&next(&mut watch).await, "/short"));
    assert_eq!(keys(&store, "").await, ["/kept", "/longer"]);
    bench.clock.advance(2 * SECOND);
    assert!(is_delete(&next(&mut watch).await, "/longer"));
    assert_eq!(keys(&store, "").await, ["/kept"]);
}

#[tokio::test]
async fn what_expired_while_nobody_ran_is_gone_at_the_start() {
    let bench = Bench::new();
    let store = bench.store().await;
    put_for(&store, "/a", SECOND).await;
    put_for(&store, "/b", 3 * SECOND).await;
    store.close().await;
    bench.clock.advance(SECOND);

    let store = bench.store().await;
    let listing = store.load().await.unwrap();
    assert_eq!(
        listing
            .items
            .iter()
            .map(|item| item.key.as_str())
            .collect::<Vec<_>>(),
        ["/b"]
    );
    assert_eq!(listing.revision, 3);
    let mut watch = store.subscribe(listing.revision);
    bench.clock.advance(2 * SECOND);
    assert!(is_delete(&next(&mut watch).await, "/b"));
}

#[tokio::test]
async fn an_endless_ttl_is_no_ttl() {
    let bench = Bench::new();
    let store = bench.store().await;
    put_for(&store, "/a", Duration::MAX).await;
    put_for(&store, "/b", SECOND).await;
    let mut watch = store.subscribe(2);
    bench.clock.advance(1_000_000 * SECOND);
    assert!(is_delete(&next(&mut watch).await, "/b"));
    assert_eq!(keys(&store, "").await, ["/a"]);
}
