//! Several stores on one file, as the server and the command line tool are.

use super::*;

const POLL: Duration = Duration::from_millis(500);

async fn next(watch: &mut Watch) -> Change {
    watch.next().await.unwrap()
}

#[tokio::test]
async fn changes_of_another_process_arrive_with_the_next_poll() {
    let bench = Bench::new();
    let (here, there) = (bench.store().await, bench.store().await);
    let mut watch = here.subscribe(0);
    put(&there, "/a", 1).await;
    put(&there, "/b", 1).await;
    put(&there, "/b", 2).await;
    there.delete("/a").await.unwrap();

    bench.clock.advance(POLL);
    let Change::Event(event) = next(&mut watch).await else {
        panic!("no event")
    };
    assert!(matches!(&event.kind, EventKind::Put(item) if item.key == "/b" && item.value == value(2)));
    assert_eq!(event.revision, 3);
    let Change::Event(event) = next(&mut watch).await else {
        panic!("no event")
    };
    assert!(is_delete(&event, "/a") && event.revision == 4);
}

#[tokio::test]
async fn a_write_announces_what_others_wrote_before_it() {
    let bench = Bench::new();
    let (here, there) = (bench.store().await, bench.store().await);
    let mut watch = here.subscribe(0);
    for round in 0..3 {
        put(&there, "/there", round).await;
        put(&here, "/here", round).await;
        for (key, revision) in [("/there", 2 * round + 1), ("/here", 2 * round + 2)] {
            let event = ready(&mut watch);
            assert_eq!((event.key(), event.revision), (key, u64::from(revision)));
        }
    }
}

#[tokio::test]
async fn a_time_limit_set_elsewhere_holds_here_too() {
    let bench = Bench::new();
    let (here, there) = (bench.store().await, bench.store().await);
    there.put("/a", value(1), Some(10 * POLL)).await.unwrap();
    there.close().await;
    let mut watch = here.subscribe(1);
    bench.clock.advance(POLL);
    put(&here, "/b", 1).await;
    assert_eq!(ready(&mut watch).key(), "/b");
    bench.clock.advance(9 * POLL);
    let Change::Event(event) = next(&mut watch).await else {
        panic!("no event")
    };
    assert!(is_delete(&event, "/a"));
}

#[tokio::test]
async fn deletions_that_are_no_longer_listed_mean_a_resync() {
    let bench = Bench::new();
    let tuning = Tuning {
        tombstones: 3,
        ..Tuning::default()
    };
    let (here, there) = (bench.store_with(tuning).await, bench.store_with(tuning).await);
    for number in 0..8 {
        put(&there, &format!("/k/{number}"), number).await;
    }
    put(&here, "/sync", 1).await;
    let mut watch = here.subscribe(9);
    for number in 0..3 {
        there.delete(&format!("/k/{number}")).await.unwrap();
    }
    put(&here, "/sync", 2).await;
    for revision in 10..14 {
        assert_eq!(ready(&mut watch).revision, revision);
    }

    for number in 3..7 {
        there.delete(&format!("/k/{number}")).await.unwrap();
    }
    put(&here, "/sync", 3).await;
    assert_eq!(watch.try_next(), Some(Change::Resync));
    assert_eq!(watch.try_next(), None);
    let listing = here.load().await.unwrap();
    assert_eq!(listing.items.len(), 2);
    let mut watch = here.subscribe(listing.revision);
    put(&there, "/k/7", 9).await;
    put(&here, "/sync", 4).await;
    assert_eq!(ready(&mut watch).key(), "/k/7");
}

#[tokio::test]
async fn more_changes_than_the_history_holds_mean_a_resync() {
    let bench = Bench::new();
    let tuning = short_history(4);
    let (here, there) = (bench.store_with(tuning).await, bench.store_with(tuning).await);
    let mut watch = here.subscribe(0);
    for number in 0..7 {
        put(&there, &format!("/k/{number}"), number).await;
    }
    bench.clock.advance(POLL);
    assert_eq!(next(&mut watch).await, Change::Resync);
    assert_eq!(keys(&here, "").await.len(), 7);
    for revision in 0..7 {
        assert_eq!(
            here.subscribe(revision).try_next(),
            Some(Change::Resync),
            "from {revision}"
        );
    }
    assert_eq!(here.subscribe(7).try_next(), None);
}

#[tokio::test]
async fn a_file_put_back_to_an_earlier_state_means_a_resync() {
    let bench = Bench::new();
    let database = Database::open(bench.path()).await.unwrap();
    let store = bench.store_on(&database, Tuning::default()).await;
    for number in 0..3 {
        put(&store, "/a", number).await;
    }
    let mut watch = store.subscribe(3);
    let restored = Database::open(bench.path()).await.unwrap();
    sqlx::query("UPDATE revision SET current = 1")
        .execute(restored.sql().writer())
        .await
        .unwrap();
    bench.clock.advance(POLL);
    assert_eq!(next(&mut watch).await, Change::Resync);
    assert_eq!(put(&store, "/a", 9).await, 2);
}
