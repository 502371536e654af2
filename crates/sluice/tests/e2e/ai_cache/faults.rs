//! Redis or the embeddings service away or slow: a miss, and no long wait.

use std::time::{Duration, Instant};

use serde_json::json;
use sluice_testkit::{FakeProvider, RedisServer, Reply};

use super::{CHAT, ask, ask_until_hit, cached, keys, on_redis};
use crate::support::{babbling, chat, dead_addr, openai, put_route};

/// `redis_timeout` of these tests.
const BOUND: Duration = Duration::from_millis(400);

#[tokio::test]
async fn redis_away_from_the_start_and_back() {
    let (provider, mut redis) = (FakeProvider::start(), RedisServer::start().await);
    redis.kill();
    let gateway = cached(&provider, on_redis(&redis, json!({}))).await;
    let start = Instant::now();
    for asked in 1..=10 {
        assert_eq!(ask(&gateway, &chat("conf:hello")).await.cache(), "MISS");
        assert_eq!(provider.requests().len(), asked);
    }
    assert!(start.elapsed() < 4 * BOUND, "{:?}", start.elapsed());
    redis.restart().await;
    ask_until_hit(&gateway, &chat("conf:hello")).await;
}

#[tokio::test]
async fn something_that_is_no_redis() {
    let provider = FakeProvider::start();
    let redis = json!({
        "redis_host": "127.0.0.1", "redis_port": babbling().await.port(), "redis_timeout": BOUND.as_millis() as u64,
    });
    let gateway = cached(&provider, redis).await;
    let start = Instant::now();
    for _ in 0..10 {
        assert_eq!(ask(&gateway, &chat("conf:hello")).await.cache(), "MISS");
    }
    assert!(start.elapsed() < 4 * BOUND, "{:?}", start.elapsed());
}

#[tokio::test]
async fn redis_stalls_while_it_is_asked() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let gateway = cached(&provider, on_redis(&redis, json!({}))).await;
    ask(&gateway, &chat("conf:hello")).await;
    keys(&redis, 1).await;
    redis.stall();
    let start = Instant::now();
    for _ in 0..10 {
        assert_eq!(ask(&gateway, &chat("conf:hello")).await.cache(), "MISS");
    }
    assert!(start.elapsed() < 4 * BOUND, "{:?}", start.elapsed());
    redis.resume();
    ask_until_hit(&gateway, &chat("conf:hello")).await;
}

#[tokio::test]
async fn the_embeddings_service_is_away_or_slow_or_broken() {
    let (provider, embeddings, redis) = (
        FakeProvider::start(),
        FakeProvider::start(),
        RedisServer::start().await,
    );
    let gateway = crate::support::gateway().await;
    let conf = |endpoint: String| {
        let service = json!({ "endpoint": endpoint, "model": "e", "api_key": "canary-key", "timeout": 300 });
        let semantic = json!({ "embedding": { "openai": service }, "vector_search": { "redis": {} } });
        on_redis(
            &redis,
            json!({ "layers": ["exact", "semantic"], "semantic": semantic }),
        )
    };
    let mut asked = 0;
    for (id, endpoint, reply) in [
        ("away", format!("http://{}/e", dead_addr()), Reply::hang_up()),
        (
            "slow",
            embeddings.url("/e"),
            Reply::json(200, &json!({})).head_after(Duration::from_secs(60)),
        ),
        (
            "refuses",
            embeddings.url("/e"),
            Reply::json(401, &json!({ "error": "bad key" })),
        ),
        (
            "empty",
            embeddings.url("/e"),
            Reply::json(200, &json!({ "data": [] })),
        ),
        (
            "zero",
            embeddings.url("/e"),
            Reply::json(200, &json!({ "data": [{ "embedding": [0.0] }] })),
        ),
    ] {
        embeddings.always(reply);
        let plugins = json!({ "ai-proxy": openai(&provider), "ai-cache": conf(endpoint) });
        put_route(&gateway, "1", CHAT, plugins).await;
        let start = Instant::now();
        for n in 0..5 {
            let body = chat(&format!("conf:hello {id} {n}"));
            assert_eq!(ask(&gateway, &body).await.cache(), "MISS", "{id}");
            asked += 1;
        }
        let took = start.elapsed();
        assert!(took < Duration::from_millis(1200), "{id}: {took:?}");
        // The exact layer goes on.
        keys(&redis, asked).await;
        assert_eq!(
            ask(&gateway, &chat(&format!("conf:hello {id} 0"))).await.cache(),
            "HIT",
            "{id}"
        );
    }
    let output = gateway.output();
    assert!(output.contains("prompts are not compared by meaning"), "{output}");
    assert!(
        !output.contains("canary-key") && !output.contains("127.0.0.1:1/e"),
        "{output}"
    );
}

#[tokio::test]
async fn a_redis_without_search_still_keeps_exact_answers() {
    let (provider, embeddings, redis) = (
        FakeProvider::start(),
        FakeProvider::start(),
        RedisServer::start().await,
    );
    embeddings.always(Reply::json(
        200,
        &json!({ "data": [{ "embedding": [1.0, 0.0] }] }),
    ));
    let service = json!({ "endpoint": embeddings.url("/e"), "model": "e", "api_key": "k" });
    let semantic = json!({ "embedding": { "openai": service }, "vector_search": { "redis": {} } });
    let conf = on_redis(
        &redis,
        json!({ "layers": ["exact", "semantic"], "semantic": semantic }),
    );
    let gateway = cached(&provider, conf).await;
    for n in 0..5 {
        assert_eq!(
            ask(&gateway, &chat(&format!("conf:hello {n}"))).await.cache(),
            "MISS"
        );
    }
    keys(&redis, 5).await;
    assert_eq!(ask(&gateway, &chat("conf:hello 3")).await.cache(), "HIT");
    assert!(
        embeddings.requests().len() < 5,
        "what cannot be searched is not embedded"
    );
}
