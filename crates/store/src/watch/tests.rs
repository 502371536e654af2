use proptest::prelude::*;

use super::*;
use crate::EventKind;

fn event(revision: u64) -> Event {
    Event {
        revision,
        kind: EventKind::Delete {
            key: format!("/k/{revision}"),
        },
    }
}

/// Events of one byte each.
fn publish(publisher: &Publisher, revisions: impl IntoIterator<Item = u64>) {
    publisher.publish(revisions.into_iter().map(|revision| (event(revision), 1)));
}

fn channel(events: usize) -> (Publisher, Subscriptions) {
    super::channel(HistoryLimits { events, bytes: 1000 })
}

/// The revisions that are there to be read, 0 for a resync.
fn drain(watch: &mut Watch) -> Vec<u64> {
    let changes = std::iter::from_fn(|| watch.try_next());
    changes
        .map(|change| match change {
            Change::Event(event) => event.revision,
            Change::Resync => 0,
        })
        .collect()
}

#[test]
fn a_watch_begins_after_its_revision() {
    let (publisher, subscriptions) = channel(10);
    publish(&publisher, [1, 2, 2, 4]);
    for (from, seen) in [
        (0, vec![1, 2, 2, 4]),
        (1, vec![2, 2, 4]),
        (2, vec![4]),
        (3, vec![4]),
        (4, vec![]),
    ] {
        assert_eq!(drain(&mut subscriptions.subscribe(from)), seen, "from {from}");
    }
}

#[test]
fn revisions_that_were_loaded_before_they_were_announced_are_left_out() {
    let (publisher, subscriptions) = channel(10);
    publish(&publisher, [1]);
    let mut watch = subscriptions.subscribe(3);
    publish(&publisher, [2, 3, 4]);
    assert_eq!(drain(&mut watch), [4]);
}

#[test]
fn who_lags_too_far_resyncs_and_is_done() {
    let (publisher, subscriptions) = channel(3);
    let mut slow = subscriptions.subscribe(0);
    let mut quick = subscriptions.subscribe(0);
    publish(&publisher, [1, 2]);
    assert_eq!(drain(&mut quick), [1, 2]);
    publish(&publisher, [3, 4]);
    assert_eq!(drain(&mut quick), [3, 4]);
    assert_eq!(drain(&mut slow), [0]);
    publish(&publisher, [5]);
    assert_eq!(drain(&mut slow), [] as [u64; 0]);

    assert_eq!(drain(&mut subscriptions.subscribe(1)), [0], "event 2 is gone");
    assert_eq!(drain(&mut subscriptions.subscribe(2)), [3, 4, 5]);
}

#[test]
fn large_values_shorten_the_history() {
    let (publisher, subscriptions) = channel(10);
    for (revision, bytes) in [(1, 400), (2, 400), (3, 200)] {
        publisher.publish(std::iter::once((event(revision), bytes)));
    }
    assert_eq!(drain(&mut subscriptions.subscribe(0)), [1, 2, 3]);
    publish(&publisher, [4]);
    assert_eq!(drain(&mut subscriptions.subscribe(0)), [0]);
    assert_eq!(drain(&mut subscriptions.subscribe(1)), [2, 3, 4]);
    publisher.publish(std::iter::once((event(5), 2000)));
    assert_eq!(
        drain(&mut subscriptions.subscribe(4)),
        [0],
        "larger than all that may be kept"
    );
    publish(&publisher, [6]);
    assert_eq!(drain(&mut subscriptions.subscribe(5)), [6]);
}

#[test]
fn a_reset_leaves_everybody_behind() {
    let (publisher, subscriptions) = channel(10);
    let mut idle = subscriptions.subscribe(0);
    publish(&publisher, [1]);
    let mut current = subscriptions.subscribe(0);
    assert_eq!(drain(&mut current), [1]);
    publisher.reset(7);
    assert_eq!(drain(&mut idle), [0]);
    assert_eq!(drain(&mut current), [0]);
    assert_eq!(drain(&mut subscriptions.subscribe(6)), [0]);
    let mut fresh = subscriptions.subscribe(7);
    publish(&publisher, [8]);
    assert_eq!(drain(&mut fresh), [8]);
}

#[tokio::test]
async fn a_waiting_watch_wakes_up_and_ends_with_its_publisher() {
    let (publisher, subscriptions) = channel(10);
    let mut watch = subscriptions.subscribe(0);
    let waiting = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(Change::Event(event)) = watch.next().await {
            seen.push(event.revision);
        }
        seen
    });
    tokio::task::yield_now().await;
    publish(&publisher, [1]);
    tokio::task::yield_now().await;
    publish(&publisher, [2, 3]);
    drop(publisher);
    assert_eq!(waiting.await.unwrap(), [1, 2, 3]);
}

proptest! {
    /// Whatever the pace: every event once and in order, or a resync if and only if too many were waiting.
    #[test]
    fn nothing_is_lost_in_silence(steps in prop::collection::vec((0_usize..5, 0_usize..5), 1..40)) {
        const CAPACITY: usize = 6;
        let (publisher, subscriptions) = channel(CAPACITY);
        let mut watch = subscriptions.subscribe(0);
        let (mut published, mut read) = (0, 0);
        for (publications, readings) in steps {
            publish(&publisher, (0..publications).map(|step| published + 1 + step as u64));
            published += publications as u64;
            for _ in 0..readings {
                match watch.try_next() {
                    None => prop_assert_eq!(read, published),
                    Some(Change::Event(event)) => {
                        read += 1;
                        prop_assert_eq!(event.revision, read);
                    }
                    Some(Change::Resync) => {
                        prop_assert!(published - read > CAPACITY as u64);
                        read = published;
                        watch = subscriptions.subscribe(read);
                    }
                }
            }
        }
    }
}
