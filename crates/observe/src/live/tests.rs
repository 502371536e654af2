use super::*;
use crate::testing::{ai_record, record};

const NOON: i64 = 20_788 * DAY_MS + DAY_MS / 2;

fn of(consumer: &str, credential: Option<&str>, status: u16) -> Arc<Record> {
    let mut record = ai_record();
    record.consumer = Some(consumer.into());
    record.credential = credential.map(Into::into);
    record.status = status;
    Arc::new(record)
}

fn live() -> Live {
    let live = Live::default();
    lock(&live.0).turn(NOON);
    live
}

#[test]
fn everything_is_counted_once() {
    let live = live();
    let one = LiveTotals::of(&ai_record());
    live.add(&[of("alice", Some("a"), 200), of("alice", Some("b"), 500)], NOON);
    live.add(&[of("bob", None, 200), Arc::new(record())], NOON + 999);
    let tiles = live.tiles_at(NOON + 1000);
    assert_eq!((tiles.today.requests, tiles.today.errors), (4, 2));
    assert_eq!(tiles.today.tokens(), 3 * one.tokens());
    assert_eq!(tiles.requests_per_second, 4.0 / 5.0);
    assert_eq!(tiles.errors_per_second, 2.0 / 5.0);
    let state = lock(&live.0);
    assert_eq!(state.clients.get("alice").totals.requests, 2);
    assert_eq!(state.clients.get("alice").seen_at, Some(NOON));
    assert_eq!(state.clients.credential_seen("alice", "b"), Some(NOON));
    assert_eq!(state.clients.get("nobody"), ClientToday::default());
}

#[test]
fn keys_are_active_for_five_minutes() {
    let live = live();
    live.add(&[of("alice", Some("a"), 200), of("alice", Some("b"), 200)], NOON);
    live.add(
        &[of("bob", None, 200), of("alice", Some("a"), 200)],
        NOON + 200_000,
    );
    assert_eq!(live.tiles_at(NOON + 299_999).active_keys, 3);
    assert_eq!(live.tiles_at(NOON + 300_000).active_keys, 2);
    assert_eq!(live.tiles_at(NOON + 500_000).active_keys, 0);
}

#[test]
fn a_day_begins_at_nothing() {
    let live = live();
    live.add(&[of("alice", Some("a"), 200)], NOON);
    let tomorrow = NOON + DAY_MS / 2;
    assert_eq!(live.tiles_at(tomorrow - 1).today.requests, 1);
    assert_eq!(live.tiles_at(tomorrow).today, LiveTotals::default());
    let alice = lock(&live.0).clients.get("alice");
    assert_eq!((alice.totals.requests, alice.seen_at), (0, Some(NOON)));
}

#[test]
fn a_slow_reader_learns_how_many_it_has_missed() {
    let live = live();
    live.add(&[of("alice", None, 200)], NOON);
    let first = live.feed(0);
    assert_eq!((first.records.len(), first.skipped, first.seen), (1, 0, 1));
    for status in 201..=250 {
        live.add(&[of("alice", None, status)], NOON);
    }
    let next = live.feed(first.seen);
    assert_eq!((next.records.len(), next.skipped, next.seen), (FEED, 30, 51));
    assert_eq!((next.records[0].status, next.records[19].status), (250, 231));
    assert!(live.feed(next.seen).records.is_empty());
    let batch: Vec<_> = (300..340).map(|status| of("alice", None, status)).collect();
    live.add(&batch, NOON);
    assert_eq!(live.feed(51).records[0].status, 339);
    assert_eq!(live.feed(51).skipped, 20);
    assert_eq!(live.feed(live.records()).skipped, 0);
}

#[test]
fn clients_are_told_once() {
    let live = live();
    live.add(&[of("alice", None, 200), of("bob", None, 200)], NOON);
    let names = |seen: u64, most: usize| -> Vec<String> {
        let since = lock(&live.0).clients.since(seen, most);
        since.iter().map(|(name, _)| name.to_string()).collect()
    };
    assert_eq!(names(0, 10), ["bob", "alice"]);
    assert_eq!(names(1, 10), ["bob"]);
    assert_eq!(names(0, 1), ["bob"]);
    assert!(names(2, 10).is_empty());
}

#[test]
fn it_goes_on_from_what_was_before() {
    let before = LiveTotals {
        requests: 10,
        cost_micros: 5,
        ..LiveTotals::default()
    };
    let live = Live::new(&LiveSeed {
        today: before,
        clients: vec![("alice".into(), before)],
        instances: vec![("openai".into(), before)],
        seen: vec![("alice".into(), Some("a".into()), 7), ("carol".into(), None, 8)],
    });
    live.add(&[of("alice", Some("a"), 200)], now_ms());
    assert_eq!(live.tiles().today.requests, 11);
    assert_eq!(live.client("alice").totals.requests, 11);
    assert_eq!(live.client("carol").seen_at, Some(8));
    assert_eq!(live.instance("openai").totals.requests, 10);
}

#[test]
fn memory_is_bounded() {
    let live = live();
    for number in 0..70 {
        live.add(&[of("alice", Some(&number.to_string()), 200)], NOON);
    }
    assert_eq!(live.tiles_at(NOON).active_keys, 64);
    assert_eq!(lock(&live.0).feed.len(), FEED);
}
