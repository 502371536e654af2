//! Redis away, killed, stalled: what becomes of requests, and of those that need no Redis.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, RedisServer, eventually};

use super::{on_redis, put_limited, statuses, upstream};
use crate::scrape::Scrape;

/// The bound of a decision in these tests.
const BOUND: Duration = Duration::from_millis(400);

struct Bench {
    gateway: Gateway,
    redis: RedisServer,
    _provider: FakeProvider,
}

impl Bench {
    /// A gateway whose `/strict` and `/lenient` are limited in Redis, and whose `/free` is not. With two data-plane
    /// threads, so that one that waits would show.
    async fn start(plugin: &str, conf: Value, redis: RedisServer) -> Self {
        let provider = upstream();
        let gateway = crate::support::gateway().await;
        for (uri, degrades) in [("/strict", false), ("/lenient", true)] {
            let more = json!({ "allow_degradation": degrades, "redis_timeout": BOUND.as_millis() as u64 });
            let conf = super::with(on_redis(&redis, conf.clone()), more);
            put_limited(&gateway, uri, &provider, plugin, conf).await;
        }
        put_limited(&gateway, "/free", &provider, "request-id", json!({})).await;
        Self {
            gateway,
            redis,
            _provider: provider,
        }
    }

    /// While Redis is known to be down, nobody waits for it.
    async fn degrades_at_once(&self) {
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(statuses(&self.gateway, "/strict").await, [500]);
            assert_eq!(statuses(&self.gateway, "/lenient").await, [200]);
        }
        let took = start.elapsed();
        assert!(took < 4 * BOUND, "40 requests took {took:?}");
    }

    async fn recovers(&self) {
        eventually("redis to count again", async || {
            let [status] = statuses(&self.gateway, "/strict").await;
            (status != 500).then_some(())
        })
        .await;
        let scrape = Scrape::of(&self.gateway).await;
        assert_eq!(scrape.sum("sluice_redis_up", &[]), 1.0);
    }
}

fn count() -> Value {
    json!({ "count": 1000, "time_window": 60 })
}

#[tokio::test]
async fn redis_away_at_the_start() {
    let mut redis = RedisServer::start().await;
    redis.kill();
    let mut bench = Bench::start("limit-count", count(), redis).await;
    let answer = bench
        .gateway
        .client()
        .get("/strict")
        .send()
        .await
        .expect_status(500)
        .await;
    assert_eq!(answer.text().await, "{\"error_msg\":\"failed to limit count\"}\n");
    bench.degrades_at_once().await;
    let scrape = Scrape::of(&bench.gateway).await;
    assert_eq!(scrape.sum("sluice_redis_up", &[]), 0.0);
    assert!(scrape.sum("sluice_redis_failures_total", &[("reason", "down")]) >= 20.0);
    assert!(scrape.sum("sluice_limit_undecided_total", &[("outcome", "passed")]) >= 20.0);
    assert!(scrape.sum("sluice_limit_undecided_total", &[("outcome", "refused")]) >= 21.0);
    bench.redis.restart().await;
    bench.recovers().await;
}

#[tokio::test]
async fn redis_killed_while_it_counts() {
    let rate = json!({ "rate": 1000, "burst": 0, "key": "uri", "nodelay": true });
    let conn = json!({ "conn": 100, "burst": 0, "key": "uri", "default_conn_delay": 1 });
    for (plugin, conf) in [
        ("limit-count", count()),
        ("limit-req", rate),
        ("limit-conn", conn),
    ] {
        let redis = RedisServer::start().await;
        let mut bench = Bench::start(plugin, conf, redis).await;
        assert_eq!(statuses(&bench.gateway, "/strict").await, [200], "{plugin}");
        bench.redis.kill();
        bench.degrades_at_once().await;
        bench.redis.restart().await;
        bench.recovers().await;
    }
}

#[tokio::test]
async fn redis_stalled_while_it_counts() {
    let redis = RedisServer::start().await;
    let bench = Bench::start("limit-count", count(), redis).await;
    assert_eq!(statuses(&bench.gateway, "/strict").await, [200]);
    bench.redis.stall();
    let start = Instant::now();
    let waiting: Vec<_> = (0..20)
        .map(|_| tokio::spawn(bench.gateway.client().get("/strict").send()))
        .collect();
    // Requests on the same threads that need no Redis go through meanwhile.
    assert_eq!(statuses(&bench.gateway, "/free").await, [200; 10]);
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    for call in waiting {
        assert_eq!(call.await.unwrap().status, 500);
    }
    let took = start.elapsed();
    assert!(took < 3 * BOUND, "the wait is bounded: {took:?}");
    bench.degrades_at_once().await;
    bench.redis.resume();
    bench.recovers().await;
}

#[tokio::test]
async fn something_that_is_no_redis() {
    let (provider, gateway) = (upstream(), crate::support::gateway().await);
    let addr = crate::support::babbling().await;
    for (plugin, conf) in [
        ("limit-count", count()),
        (
            "limit-req",
            json!({ "rate": 1000, "burst": 0, "key": "uri", "nodelay": true }),
        ),
        (
            "limit-conn",
            json!({ "conn": 100, "burst": 0, "key": "uri", "default_conn_delay": 1 }),
        ),
    ] {
        for (degrades, expected) in [(false, 500), (true, 200)] {
            let redis = json!({
                "policy": "redis", "redis_host": "127.0.0.1", "redis_port": addr.port(),
                "allow_degradation": degrades, "redis_timeout": BOUND.as_millis() as u64,
            });
            put_limited(
                &gateway,
                "/r",
                &provider,
                plugin,
                super::with(conf.clone(), redis),
            )
            .await;
            let start = Instant::now();
            assert_eq!(statuses(&gateway, "/r").await, [expected; 20], "{plugin}");
            let took = start.elapsed();
            assert!(took < 4 * BOUND, "{plugin}: 20 requests took {took:?}");
        }
    }
}
