use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;

use super::*;

#[tokio::test]
async fn an_event_is_there_when_its_write_is_acknowledged() {
    let bench = Bench::new();
    let store = bench.store().await;
    let mut watch = store.subscribe(0);
    let revision = put(&store, "/a", 1).await;
    let event = ready(&mut watch);
    let item = store.get("/a").await.unwrap().unwrap();
    assert_eq!(
        *event,
        Event {
            revision,
            kind: EventKind::Put(item)
        }
    );
    store.delete("/a").await.unwrap();
    assert!(is_delete(&ready(&mut watch), "/a"));
    assert_eq!(watch.try_next(), None);
}

#[tokio::test]
async fn a_watch_from_before_the_start_resyncs() {
    let bench = Bench::new();
    let store = bench.store().await;
    put(&store, "/a", 1).await;
    put(&store, "/a", 2).await;
    store.close().await;
    let store = bench.store().await;
    assert_eq!(store.subscribe(1).next().await, Some(Change::Resync));
    let mut watch = store.subscribe(2);
    put(&store, "/a", 3).await;
    assert_eq!(ready(&mut watch).revision, 3);
}

#[tokio::test]
async fn a_watch_ends_with_the_store() {
    let bench = Bench::new();
    let store = bench.store().await;
    let mut watch = store.subscribe(0);
    put(&store, "/a", 1).await;
    store.close().await;
    assert!(matches!(watch.next().await, Some(Change::Event(_))));
    assert_eq!(watch.next().await, None);

    let bench = Bench::new();
    let store = bench.store().await;
    let mut watch = store.subscribe(0);
    drop(store);
    assert_eq!(watch.next().await, None);
}

#[tokio::test]
async fn a_batch_larger_than_the_history_means_a_resync() {
    let tuning = short_history(4);
    let bench = Bench::new();
    let store = bench.store_with(tuning).await;
    let put = |number| Write::Put {
        key: format!("/k/{number}"),
        value: value(number),
        ttl: None,
        expected: None,
    };
    let mut watch = store.subscribe(0);
    store.batch((0..4).map(put).collect()).await.unwrap();
    for _ in 0..4 {
        assert_eq!(ready(&mut watch).revision, 1);
    }
    store.batch((0..5).map(put).collect()).await.unwrap();
    assert_eq!(watch.try_next(), Some(Change::Resync));
}

/// Eight writers, and one that is cancelled at some point of its writes; a watcher from a load in the midst
/// of it ends up with exactly what is stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_from_any_load_on_misses_nothing() {
    let bench = Bench::new();
    let store = bench.store().await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..20 {
                    let key = format!("/k/{}", (writer * 3 + round) % 11);
                    if (writer + round) % 3 == 0 {
                        store.delete(&key).await.unwrap();
                    } else {
                        put(&store, &key, round).await;
                    }
                }
            })
        })
        .collect();
    let cancelled = {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..40 {
                let mut write = Box::pin(store.put("/cancelled", value(round), None));
                for _ in 0..round % 5 {
                    if poll_fn(|cx| Poll::Ready(write.as_mut().poll(cx).is_ready())).await {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
        })
    };

    let listing = store.load().await.unwrap();
    let mut watch = store.subscribe(listing.revision);
    let mut replica: BTreeMap<_, _> = listing
        .items
        .into_iter()
        .map(|item| (item.key.clone(), item))
        .collect();
    for task in writers.into_iter().chain([cancelled]) {
        task.await.unwrap();
    }
    put(&store, "/end", 0).await;

    let mut revision = listing.revision;
    while let Some(change) = watch.try_next() {
        let Change::Event(event) = change else {
            panic!("resync")
        };
        assert!(event.revision > revision);
        revision = event.revision;
        match &event.kind {
            EventKind::Put(item) => drop(replica.insert(item.key.clone(), item.clone())),
            EventKind::Delete { key } => assert!(replica.remove(key).is_some(), "{key} deleted twice"),
            EventKind::Damaged(damaged) => panic!("{damaged}"),
        }
    }
    let end = store.load().await.unwrap();
    assert_eq!(revision, end.revision);
    let stored: BTreeMap<_, _> = end
        .items
        .into_iter()
        .map(|item| (item.key.clone(), item))
        .collect();
    assert_eq!(replica, stored);
}
