//! Counters in Redis decide as those of the process do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_limit::{
    Counter, CounterNames, Decision, Leak, LocalCounters, Meter, MeterError, RedisCounters, WindowKind,
};
use sluice_redis::{Address, Redis, RedisConfig, RedisError};
use sluice_testkit::{RedisServer, eventually};
use tokio::runtime::Handle;

const MINUTE: Duration = Duration::from_secs(60);

struct Bench {
    server: RedisServer,
    meters: [Meter; 2],
    counter: Counter,
}

impl Bench {
    async fn new() -> Self {
        let server = RedisServer::start().await;
        let local = Arc::new(LocalCounters::new(100, Instant::now()));
        let shared = meter(&server, &local, None);
        Self {
            meters: [Meter::local(local), shared],
            counter: CounterNames::new("limit-count", "/apisix/routes/1", "s", true).counter("k"),
            server,
        }
    }
}

fn meter(server: &RedisServer, local: &Arc<LocalCounters>, interval: Option<Duration>) -> Meter {
    let redis = Redis::new(Handle::current());
    let config = RedisConfig::single(Address::new("127.0.0.1", server.port()));
    let counters = RedisCounters::new(redis.client(config));
    Meter::redis(local.clone(), counters, Handle::current(), interval)
}

/// Without the time left, which the two know to a different precision; that must be close to `left`.
fn plain(decision: &Decision, left: Duration) -> (bool, u64, u64) {
    let off = left.abs_diff(decision.reset_in);
    assert!(off < Duration::from_secs(2), "{decision:?} is not {left:?}");
    (decision.admitted, decision.consumed, decision.remaining)
}

#[tokio::test]
async fn fixed_windows() {
    let bench = Bench::new().await;
    for meter in &bench.meters {
        let peek = async || {
            let decision = meter
                .peek(&bench.counter, 3, MINUTE, Instant::now())
                .await
                .unwrap();
            plain(&decision, MINUTE)
        };
        let take = async || {
            let now = Instant::now();
            let decision = meter
                .take(&bench.counter, WindowKind::Fixed, 3, MINUTE, now)
                .await
                .unwrap();
            plain(&decision, MINUTE)
        };
        assert_eq!(peek().await, (true, 0, 3));
        assert_eq!(take().await, (true, 1, 2));
        meter.charge(&bench.counter, 1, MINUTE, Instant::now());
        eventually("the charge", async || {
            (peek().await == (true, 2, 1)).then_some(())
        })
        .await;
        assert_eq!(take().await, (true, 3, 0));
        assert_eq!(take().await, (false, 3, 0), "a refused request counts nothing");
        assert_eq!(peek().await, (false, 3, 0));
        meter.charge(&bench.counter, 40, MINUTE, Instant::now());
        eventually("the charge", async || {
            (peek().await == (false, 43, 0)).then_some(())
        })
        .await;
    }
    let key = bench.counter.name();
    assert_eq!(bench.server.command(&["GET", key]), "43");
    let ttl: u64 = bench.server.command(&["TTL", key]).parse().unwrap();
    assert!((55..=60).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn a_window_without_an_end_begins_anew() {
    let bench = Bench::new().await;
    let _ = bench.server.command(&["SET", bench.counter.name(), "99"]);
    let decision = bench.meters[1]
        .peek(&bench.counter, 3, MINUTE, Instant::now())
        .await
        .unwrap();
    assert_eq!(plain(&decision, MINUTE), (true, 0, 3));
}

#[tokio::test]
async fn sliding_windows() {
    let bench = Bench::new().await;
    for meter in &bench.meters {
        let take = async || {
            let now = Instant::now();
            meter
                .take(&bench.counter, WindowKind::Sliding, 2, MINUTE, now)
                .await
                .unwrap()
        };
        assert_eq!(plain(&take().await, MINUTE), (true, 1, 1));
        assert_eq!(plain(&take().await, MINUTE), (true, 2, 0));
        // Half of what fades in the next bucket has to go.
        assert_eq!(plain(&take().await, MINUTE + MINUTE / 2), (false, 2, 0));
    }
    // A window that is over, and one of whose last third still counts.
    let at = |seconds: u64| {
        let now: u64 = bench
            .server
            .command(&["TIME"])
            .lines()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        ((now - seconds) * 1000).to_string()
    };
    for (start, expected) in [(at(121), (true, 1, 1)), (at(100), (false, 5, 0))] {
        let fields = ["start", &start, "current", "15", "previous", "9"];
        let _ = bench
            .server
            .command(&[&["HSET", bench.counter.name()], &fields[..]].concat());
        let now = Instant::now();
        let taken = bench.meters[1]
            .take(&bench.counter, WindowKind::Sliding, 2, MINUTE, now)
            .await
            .unwrap();
        let found = (taken.admitted, taken.consumed.min(6), taken.remaining);
        assert!(
            found == expected || found == (false, 6, 0) && !expected.0,
            "{taken:?}"
        );
    }
}

#[tokio::test]
async fn leaky_buckets() {
    let bench = Bench::new().await;
    let leak = Leak {
        rate: 0.5,
        burst: 1.5,
    };
    for meter in &bench.meters {
        let pour = async || {
            let wait = meter.pour(&bench.counter, leak, Instant::now()).await.unwrap();
            wait.map(|wait| wait.as_secs_f64().round())
        };
        assert_eq!(pour().await, Some(0.0));
        assert_eq!(pour().await, Some(2.0));
        assert_eq!(pour().await, None);
    }
    let ttl: u64 = bench
        .server
        .command(&["TTL", bench.counter.name()])
        .parse()
        .unwrap();
    assert!((2..=4).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn requests_under_way() {
    let bench = Bench::new().await;
    for meter in &bench.meters {
        let enter = async |request: &str, ttl| meter.enter(&bench.counter, request, 2, ttl).await.unwrap();
        assert_eq!(enter("a", MINUTE).await, Some(1));
        assert_eq!(enter("b", MINUTE).await, Some(2));
        assert_eq!(enter("c", MINUTE).await, None);
        meter.leave(&bench.counter, "a");
        let again = eventually("a place", async || enter("d", MINUTE).await);
        assert_eq!(again.await, 2);
    }
}

#[tokio::test]
async fn who_died_is_forgotten() {
    let bench = Bench::new().await;
    let second = Duration::from_secs(1);
    let enter = async |request: &str| {
        bench.meters[1]
            .enter(&bench.counter, request, 1, second)
            .await
            .unwrap()
    };
    assert_eq!(enter("a").await, Some(1));
    assert_eq!(enter("b").await, None);
    eventually("the dead request to be forgotten", async || enter("b").await).await;
}

#[tokio::test]
async fn who_leaves_while_redis_is_away_leaves_when_it_is_back() {
    let bench = Bench::new().await;
    let meter = &bench.meters[1];
    assert_eq!(meter.enter(&bench.counter, "a", 1, MINUTE).await, Ok(Some(1)));
    bench.server.stall();
    let lost = meter.enter(&bench.counter, "b", 1, MINUTE).await;
    assert_eq!(lost, Err(MeterError::Redis(RedisError::Timeout)));
    meter.leave(&bench.counter, "a");
    bench.server.resume();
    eventually("all to have left", async || {
        (bench.server.command(&["ZCARD", bench.counter.name()]) == "0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn delayed_windows_agree_after_a_while() {
    let server = RedisServer::start().await;
    let meters = [(); 2].map(|()| {
        let local = Arc::new(LocalCounters::new(100, Instant::now()));
        meter(&server, &local, Some(Duration::from_millis(100)))
    });
    let counter = CounterNames::new("limit-count", "/apisix/routes/1", "s", true).counter("k");
    let take = async |meter: &Meter| {
        let decision = meter
            .take(&counter, WindowKind::Fixed, 10, MINUTE, Instant::now())
            .await
            .unwrap();
        (decision.admitted, decision.consumed)
    };
    assert_eq!(take(&meters[0]).await, (true, 1));
    assert_eq!(take(&meters[1]).await, (true, 2), "the first of each asks redis");
    for _ in 0..4 {
        assert!(take(&meters[0]).await.0);
        assert!(take(&meters[1]).await.0);
    }
    eventually("redis to be told", async || {
        (server.command(&["GET", counter.name()]) == "10").then_some(())
    })
    .await;
    eventually("both to know", async || {
        (!take(&meters[0]).await.0 && !take(&meters[1]).await.0).then_some(())
    })
    .await;
}
