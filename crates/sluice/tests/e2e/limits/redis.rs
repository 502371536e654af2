//! The Redis policies: single server, cluster, sentinel.

use serde_json::{Value, json};
use sluice_testkit::{
    Answer, FakeProvider, Gateway, RedisCluster, RedisSentinel, RedisServer, Reply, eventually,
};

use super::{limited, on_redis, put_limited, refusal, statuses, upstream, with};
use crate::support::{binary, chat, gateway, openai, put_route, with_route};

const CHAT: &str = "/v1/chat/completions";

fn count(count: u32, more: Value) -> Value {
    with(
        json!({ "count": count, "time_window": 60, "rejected_code": 429 }),
        more,
    )
}

/// An answer that costs ten tokens.
fn ten_tokens() -> Reply {
    let usage = json!({ "prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10 });
    Reply::json(
        200,
        &json!({ "object": "chat.completion", "model": "m", "choices": [], "usage": usage }),
    )
}

async fn ask(gateway: &Gateway) -> Answer {
    gateway.client().post(CHAT).json(&chat("hi")).send().await
}

/// What is left according to the header, once it is this much: Redis is told after the answer.
async fn expect_left(gateway: &Gateway, left: &str) {
    eventually(&format!("{left} tokens to be left"), async || {
        let answer = ask(gateway).await;
        let found = answer.header("x-ai-ratelimit-remaining-ai-proxy-openai") == Some(left);
        found.then_some(())
    })
    .await;
}

#[tokio::test]
async fn gateways_share_a_window() {
    let provider = upstream();
    let redis = RedisServer::start().await;
    for kind in ["fixed", "sliding"] {
        let conf = count(3, on_redis(&redis, json!({ "window_type": kind })));
        let (one, two) = (
            limited(&provider, "limit-count", conf.clone()).await,
            limited(&provider, "limit-count", conf).await,
        );
        assert_eq!(statuses(&one, "/r").await, [200, 200], "{kind}");
        assert_eq!(statuses(&two, "/r").await, [200, 429, 429], "{kind}");
        let refused = one.client().get("/r").send().await.expect_status(429).await;
        assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
        let reset: f64 = refused.header("x-ratelimit-reset").unwrap().parse().unwrap();
        assert!((1.0..=120.0).contains(&reset), "{reset}");
    }
    let keys = redis.command(&["KEYS", "*"]);
    assert_eq!(keys.lines().count(), 2, "{keys}");
    assert!(
        keys.lines()
            .all(|key| key.starts_with("plugin-limit-count:v1:/apisix/routes/r:")),
        "{keys}"
    );
}

#[tokio::test]
async fn tokens_are_charged_when_the_request_is_over() {
    let provider = FakeProvider::start();
    provider.always(ten_tokens());
    let redis = RedisServer::start().await;
    let conf = json!({ "limit": 15, "time_window": 60, "rejected_code": 429 });
    let plugins = json!({ "ai-proxy": openai(&provider), "ai-rate-limiting": on_redis(&redis, conf) });
    let gateway = with_route(plugins.clone()).await;
    let first = ask(&gateway).await.expect_status(200).await;
    assert_eq!(first.header("x-ai-ratelimit-limit-ai-proxy-openai"), Some("15"));
    assert_eq!(
        first.header("x-ai-ratelimit-remaining-ai-proxy-openai"),
        Some("15")
    );
    assert_eq!(first.header("x-ai-ratelimit-reset-ai-proxy-openai"), Some("60"));
    first.bytes().await;
    let key = eventually("redis to be told", async || {
        let key = redis.command(&["KEYS", "*"]);
        (redis.command(&["GET", &key]) == "10").then_some(key)
    })
    .await;
    assert!(
        key.starts_with("plugin-ai-rate-limiting:v1:/apisix/routes/1:"),
        "{key}"
    );
    assert!(key.ends_with(":ai-rate-limiting#global"), "{key}");
    assert_ne!(redis.command(&["TTL", &key]), "-1");
    let other = with_route(plugins).await;
    let second = ask(&other).await.expect_status(200).await;
    assert_eq!(
        second.header("x-ai-ratelimit-remaining-ai-proxy-openai"),
        Some("5")
    );
    second.bytes().await;
    expect_left(&gateway, "0").await;
    let page = ask(&gateway).await.expect_status(429).await.text().await;
    assert!(page.contains("<title>429 Too Many Requests</title>"), "{page}");
    assert_eq!(
        redis.command(&["GET", &key]),
        "20",
        "a refused call costs nothing"
    );
}

#[tokio::test]
async fn rules_and_expressions_count_in_redis_too() {
    let provider = FakeProvider::start();
    provider.always(ten_tokens());
    let redis = RedisServer::start().await;
    let conf = json!({
        "limit_strategy": "expression", "cost_expr": "math.max(prompt_tokens, completion_tokens) * 2",
        "rules": [
            { "count": 20, "time_window": 60, "key": "user:${http_user}", "header_prefix": "User" },
            { "count": 1000, "time_window": "${http_window ?? 60}", "key": "all" },
        ],
    });
    let plugins = json!({ "ai-proxy": openai(&provider), "ai-rate-limiting": on_redis(&redis, conf) });
    let gateway = with_route(plugins).await;
    let call = |user: &str| {
        gateway
            .client()
            .post(CHAT)
            .header("user", user)
            .json(&chat("hi"))
            .send()
    };
    call("ann").await.expect_status(200).await.bytes().await;
    let left = eventually("redis to be told", async || {
        let answer = call("bob").await;
        let left = answer.header("x-ai-2-ratelimit-remaining")?.to_owned();
        (left != "1000").then_some(left)
    });
    assert_eq!(left.await.parse::<u32>().unwrap() % 14, 1000 % 14);
    let key = redis.command(&["KEYS", "*:user:ann"]);
    assert_eq!(redis.command(&["GET", &key]), "14");
}

#[tokio::test]
async fn the_next_instance_is_asked_when_redis_says_that_one_is_used_up() {
    let provider = FakeProvider::start();
    provider.always(ten_tokens());
    let redis = RedisServer::start().await;
    let instance = |name: &str, priority: u32| {
        let own = json!({ "name": name, "weight": 1, "priority": priority, "options": { "model": name } });
        with(openai(&provider), own)
    };
    let multi =
        json!({ "instances": [instance("a", 9), instance("b", 1)], "fallback_strategy": ["rate_limiting"] });
    let conf = json!({ "limit": 5, "time_window": 60 });
    let plugins = json!({ "ai-proxy-multi": multi, "ai-rate-limiting": on_redis(&redis, conf) });
    let gateway = with_route(plugins).await;
    ask(&gateway).await.expect_status(200).await.bytes().await;
    let answer = eventually("the other instance", async || {
        let answer = ask(&gateway).await;
        (answer.header("x-ai-ratelimit-remaining-b") == Some("5")).then_some(answer)
    })
    .await;
    assert_eq!(answer.header("x-ai-ratelimit-remaining-a"), Some("0"));
    answer.bytes().await;
    let text = eventually("both to be used up", async || {
        let answer = ask(&gateway).await;
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(text.await.text().await, "all servers tried");
}

#[tokio::test]
async fn all_limits_count_in_a_cluster() {
    let provider = upstream();
    let cluster = RedisCluster::start().await;
    let nodes: Vec<_> = cluster
        .nodes()
        .iter()
        .map(|node| format!("127.0.0.1:{}", node.port()))
        .collect();
    let on_cluster = |more: Value| {
        let conf =
            json!({ "policy": "redis-cluster", "redis_cluster_nodes": nodes, "redis_cluster_name": "c" });
        with(conf, more)
    };
    let by_user = count(1, on_cluster(json!({ "key": "http_user" })));
    let gateway = limited(&provider, "limit-count", by_user).await;
    for user in 0..10 {
        for status in [200, 429] {
            let call = gateway.client().get("/r").header("user", &user.to_string());
            call.send().await.expect_status(status).await;
        }
    }
    let even = on_cluster(json!({ "rate": 0.01, "burst": 0, "key": "uri", "nodelay": true }));
    put_limited(&gateway, "/req", &provider, "limit-req", even).await;
    assert_eq!(statuses(&gateway, "/req").await, [200, 503]);
    let one =
        on_cluster(json!({ "conn": 1, "burst": 0, "key": "uri", "default_conn_delay": 1, "key_ttl": 60 }));
    put_limited(&gateway, "/conn", &provider, "limit-conn", one).await;
    assert_eq!(statuses(&gateway, "/conn").await, [200]);
    let provider = FakeProvider::start();
    provider.always(ten_tokens());
    let tokens = on_cluster(json!({ "limit": 100, "time_window": 60 }));
    let plugins = json!({ "ai-proxy": openai(&provider), "ai-rate-limiting": tokens });
    put_route(&gateway, "ai", CHAT, plugins).await;
    ask(&gateway).await.expect_status(200).await.bytes().await;
    expect_left(&gateway, "80").await;
}

#[tokio::test]
async fn limits_follow_a_failover_of_sentinels() {
    let provider = upstream();
    let login = ["--requirepass", "secret", "--masterauth", "secret"];
    let mut group = RedisSentinel::start(
        &login,
        &["sentinel auth-pass mymaster secret", "requirepass watch"],
    )
    .await;
    let on_sentinel = |more: Value| {
        let conf = json!({
            "policy": "redis-sentinel", "redis_master_name": "mymaster", "redis_password": "secret",
            "redis_sentinels": [{ "host": "127.0.0.1", "port": group.port() }], "sentinel_password": "watch",
        });
        with(conf, more)
    };
    let gateway = limited(&provider, "limit-count", count(3, on_sentinel(json!({})))).await;
    assert_eq!(statuses(&gateway, "/r").await, [200, 200]);
    let ai = FakeProvider::start();
    ai.always(ten_tokens());
    let tokens = on_sentinel(json!({ "limit": 100, "time_window": 60 }));
    let plugins = json!({ "ai-proxy": openai(&ai), "ai-rate-limiting": tokens });
    put_route(&gateway, "ai", CHAT, plugins).await;
    ask(&gateway).await.expect_status(200).await.bytes().await;
    expect_left(&gateway, "80").await;
    let keys = redis_keys(group.master());
    assert_eq!(keys, 2);
    eventually("the replica to have all", async || {
        (redis_keys(group.replica()) == 2).then_some(())
    })
    .await;
    group.master().kill();
    let status = eventually("the replica to take over", async || {
        let [status] = statuses(&gateway, "/r").await;
        (status != 500).then_some(status)
    });
    assert_eq!(status.await, 200, "the third of three");
    assert_eq!(statuses(&gateway, "/r").await, [429]);
}

fn redis_keys(server: &RedisServer) -> usize {
    server.command(&["KEYS", "*"]).lines().count()
}

#[tokio::test]
async fn encrypted_connections_logins_and_databases() {
    let provider = upstream();
    let folder = tempfile::tempdir().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("cert.pem"), cert.pem()).unwrap();
    std::fs::write(path("key.pem"), signing_key.serialize_pem()).unwrap();
    let tls_port = crate::support::dead_addr().port();
    let (port, cert, key) = (tls_port.to_string(), path("cert.pem"), path("key.pem"));
    let redis = RedisServer::with_args(&[
        "--requirepass",
        "secret",
        "--tls-port",
        &port,
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &cert,
        "--tls-auth-clients",
        "no",
    ])
    .await;
    let conf = |more: Value| {
        let tls = json!({
            "policy": "redis", "redis_host": "localhost", "redis_port": tls_port, "redis_ssl": true,
            "redis_username": "default", "redis_password": "secret", "redis_database": 5,
        });
        count(2, with(tls, more))
    };
    let gateway = gateway().await;
    put_limited(&gateway, "/any", &provider, "limit-count", conf(json!({}))).await;
    assert_eq!(statuses(&gateway, "/any").await, [200, 200, 429]);
    assert_eq!(redis.command(&["-n", "5", "DBSIZE"]), "1");
    put_limited(
        &gateway,
        "/strict",
        &provider,
        "limit-count",
        conf(json!({ "redis_ssl_verify": true })),
    )
    .await;
    assert_eq!(
        statuses(&gateway, "/strict").await,
        [500],
        "nobody vouches for the certificate"
    );
    let trusting = Gateway::builder(binary())
        .env("SSL_CERT_FILE", path("cert.pem"))
        .start()
        .await;
    put_limited(
        &trusting,
        "/strict",
        &provider,
        "limit-count",
        conf(json!({ "redis_ssl_verify": true })),
    )
    .await;
    assert_eq!(statuses(&trusting, "/strict").await, [200, 200, 429]);
}

#[tokio::test]
async fn counts_may_be_told_later() {
    let provider = upstream();
    let redis = RedisServer::start().await;
    let conf = count(100, on_redis(&redis, json!({ "sync_interval": 0.1 })));
    let gateways = [
        limited(&provider, "limit-count", conf.clone()).await,
        limited(&provider, "limit-count", conf).await,
    ];
    for gateway in &gateways {
        assert_eq!(statuses(gateway, "/r").await, [200; 5]);
    }
    eventually("redis to be told of all", async || {
        (redis.command(&["GET", &redis.command(&["KEYS", "*"])]) == "10").then_some(())
    })
    .await;
}

#[tokio::test]
async fn wrong_configurations_are_refused() {
    let gateway = gateway().await;
    let sentinel = json!({ "policy": "redis-sentinel", "redis_sentinels": [{ "host": "ab" }], "redis_master_name": "m" });
    for (bad, says) in [
        (json!({ "policy": "redis" }), "then clause did not match"),
        (
            json!({ "policy": "redis", "redis_host": "a" }),
            "then clause did not match",
        ),
        (
            json!({ "policy": "redis-cluster", "redis_cluster_nodes": ["a:1"] }),
            "else clause did not match",
        ),
        (
            json!({ "policy": "redis-cluster", "redis_cluster_nodes": [], "redis_cluster_name": "c" }),
            "else clause did not match",
        ),
        (sentinel, "else clause did not match"),
        (
            json!({ "policy": "memcached" }),
            "property \"policy\" validation failed: matches none of the enum values",
        ),
        (
            json!({ "policy": "redis-cluster", "redis_cluster_nodes": ["a:b"], "redis_cluster_name": "c" }),
            "redis_cluster_nodes: `a:b` is no host and port",
        ),
    ] {
        for (plugin, limit) in [
            ("limit-count", json!({ "count": 1, "time_window": 1 })),
            ("ai-rate-limiting", json!({ "limit": 1, "time_window": 1 })),
        ] {
            let text = refusal(&gateway, plugin, with(limit, bad.clone())).await;
            let expected = format!("failed to check the configuration of plugin {plugin} err: {says}");
            assert!(text.starts_with(&expected), "{text}");
        }
    }
    for (interval, says) in [
        (0.05, "sync_interval must be at least 0.1"),
        (60.0, "sync_interval must be smaller than time_window"),
    ] {
        let text = refusal(
            &gateway,
            "limit-count",
            count(1, json!({ "sync_interval": interval })),
        )
        .await;
        assert!(text.contains(says), "{text}");
    }
}
