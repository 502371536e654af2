//! The exact layer: what is the same question, and how it is answered again.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, RedisServer};

use super::{CHAT, Seen, ask, cached, keys, on_redis, refusal};
use crate::support::{binary, chat, chat_stream, done, gateway, openai, put_route, with_route};

#[tokio::test]
async fn the_same_question_gets_the_same_answer() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let gateway = cached(&provider, on_redis(&redis, json!({ "exact": { "ttl": 100 } }))).await;
    let first = ask(&gateway, &chat("conf:hello")).await;
    assert_eq!((first.cache(), first.age), ("MISS", None));
    let key = keys(&redis, 1).await.remove(0);
    let fingerprint = key.strip_prefix("ai-cache:l1:route=1:").unwrap();
    assert!(
        fingerprint.len() == 64 && fingerprint.bytes().all(|b| b.is_ascii_hexdigit()),
        "{key}"
    );
    let ttl: u32 = redis.command(&["TTL", &key]).parse().unwrap();
    assert!((90..=100).contains(&ttl), "{ttl}");
    let value: Value = serde_json::from_str(&redis.command(&["GET", &key])).unwrap();
    assert_eq!(value["format"], "json");
    assert_eq!(value["body"].as_str().unwrap().as_bytes(), first.body);
    assert_eq!(value.as_object().unwrap().len(), 3);
    assert!(value["created_at"].as_u64().unwrap() > 1_700_000_000);

    let again = gateway
        .client()
        .post(CHAT)
        .body(r#"{ "messages": [{"content": "conf:hello", "role": "user"}], "model": "gpt-4o" }"#);
    let again = again.header("content-type", "application/json").send().await;
    let again = Seen::of(again.expect_status(200).await).await;
    assert_eq!(again.cache(), "HIT");
    assert!(again.age.unwrap() < 60);
    assert_eq!(again.similarity, None);
    assert_eq!(again.content_type.as_deref(), Some("application/json"));
    assert_eq!(again.body, first.body);
    assert_eq!(provider.requests().len(), 1);

    assert_eq!(redis.command(&["EXPIRE", &key, "0"]), "1");
    assert_eq!(ask(&gateway, &chat("conf:hello")).await.cache(), "MISS");
}

#[tokio::test]
async fn another_question_is_asked() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let gateway = cached(&provider, on_redis(&redis, json!({}))).await;
    let mut others = vec![chat("conf:hello"); 5];
    others[1]["model"] = json!("gpt-5");
    others[2]["temperature"] = json!(0.5);
    others[3]["messages"][0]["role"] = json!("system");
    others[4]["stream"] = json!(true);
    for (asked, body) in others.iter().enumerate() {
        assert_eq!(ask(&gateway, body).await.cache(), "MISS", "{body}");
        assert_eq!(provider.requests().len(), asked + 1);
        keys(&redis, asked + 1).await;
    }
    // The model that counts is the one that is called, and so are the settings of the call.
    for (options, outcome) in [
        (json!({ "model": "own" }), "MISS"),
        (json!({ "model": "own", "n": 2 }), "MISS"),
    ] {
        let mut proxy = openai(&provider);
        proxy["options"] = options;
        put_route(
            &gateway,
            "1",
            CHAT,
            json!({ "ai-proxy": proxy, "ai-cache": on_redis(&redis, json!({})) }),
        )
        .await;
        let before = redis.command(&["DBSIZE"]).parse::<usize>().unwrap();
        assert_eq!(ask(&gateway, &others[0]).await.cache(), outcome);
        keys(&redis, before + 1).await;
        assert_eq!(
            ask(&gateway, &others[1]).await.cache(),
            "HIT",
            "the body's model is overwritten"
        );
    }
}

#[tokio::test]
async fn a_stream_is_played_again_in_one_piece() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let gateway = cached(&provider, on_redis(&redis, json!({}))).await;
    let first = ask(&gateway, &chat_stream("conf:hello")).await;
    assert_eq!(first.cache(), "MISS");
    let key = keys(&redis, 1).await.remove(0);
    let value: Value = serde_json::from_str(&redis.command(&["GET", &key])).unwrap();
    assert_eq!(value["format"], "sse");
    let mut answer = gateway
        .client()
        .post(CHAT)
        .json(&chat_stream("conf:hello"))
        .send()
        .await;
    assert_eq!(answer.header("x-ai-cache-status"), Some("HIT"));
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.chunk().await.unwrap().unwrap(), first.body);
    assert_eq!(answer.chunk().await.unwrap(), None);
    assert!(first.body.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn answers_of_other_protocols_are_kept_as_the_client_got_them() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let gateway = gateway().await;
    let plugins = json!({ "ai-proxy": openai(&provider), "ai-cache": on_redis(&redis, json!({})) });
    put_route(&gateway, "1", "/v1/*", plugins).await;
    let messages = json!([{ "role": "user", "content": "conf:hello" }]);
    let plain = json!({ "model": "m", "max_tokens": 9, "messages": messages });
    let mut stream = plain.clone();
    stream["stream"] = json!(true);
    let embeddings = json!({ "model": "m", "input": "text" });
    for (asked, (path, body)) in [
        ("/v1/messages", plain),
        ("/v1/messages", stream),
        ("/v1/embeddings", embeddings),
        ("/v1/responses", json!({ "model": "m", "input": "conf:hello" })),
    ]
    .into_iter()
    .enumerate()
    {
        let send = || gateway.client().post(path).json(&body).send();
        let first = Seen::of(send().await.expect_status(200).await).await;
        assert_eq!(first.cache(), "MISS", "{path}");
        keys(&redis, asked + 1).await;
        let second = Seen::of(send().await).await;
        assert_eq!(
            (second.cache(), &second.body),
            ("HIT", &first.body),
            "{path} {body}"
        );
    }
    assert_eq!(provider.requests().len(), 4);
}

#[tokio::test]
async fn native_routes_have_a_cache_too() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let mut proxy = openai(&provider);
    proxy["profile"] = json!("native");
    let gateway = with_route(json!({ "ai-proxy": proxy, "ai-cache": on_redis(&redis, json!({})) })).await;
    for (asked, body) in [chat("conf:hello"), chat_stream("conf:hello")].iter().enumerate() {
        let first = ask(&gateway, body).await;
        keys(&redis, asked + 1).await;
        let second = ask(&gateway, body).await;
        assert_eq!((second.cache(), &second.body), ("HIT", &first.body));
    }
}

#[tokio::test]
async fn headers_can_be_left_out() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let gateway = cached(&provider, on_redis(&redis, json!({ "cache_headers": false }))).await;
    for _ in 0..2 {
        let seen = ask(&gateway, &chat("conf:hello")).await;
        assert_eq!((seen.cache, seen.age), (None, None));
        keys(&redis, 1).await;
    }
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn gateways_share_a_redis() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let one = cached(&provider, on_redis(&redis, json!({}))).await;
    let two = cached(&provider, on_redis(&redis, json!({}))).await;
    let first = ask(&one, &chat("conf:hello")).await;
    keys(&redis, 1).await;
    let second = ask(&two, &chat("conf:hello")).await;
    assert_eq!((second.cache(), &second.body), ("HIT", &first.body));
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn a_password_is_used_and_not_stored_in_the_clear() {
    let provider = FakeProvider::start();
    let redis = RedisServer::with_args(&["--requirepass", "canary-pass"]).await;
    let gateway = cached(
        &provider,
        on_redis(&redis, json!({ "redis_password": "canary-pass" })),
    )
    .await;
    ask(&gateway, &chat("conf:hello")).await;
    keys(&redis, 1).await;
    assert_eq!(ask(&gateway, &chat("conf:hello")).await.cache(), "HIT");
    let stored = std::fs::read(gateway.dir().join("data/sluice.db")).unwrap();
    assert!(!stored.windows(11).any(|window| window == b"canary-pass"));
}

#[tokio::test]
async fn requests_that_no_instance_was_picked_for() {
    let (upstream, redis) = (FakeProvider::start(), RedisServer::start().await);
    upstream.always(sluice_testkit::Reply::body(200, "text/plain", "ok"));
    let gateway = sluice_testkit::Gateway::start(binary()).await;
    for mode in ["skip", "warn", "error"] {
        let route = json!({
            "uri": format!("/{mode}"),
            "plugins": { "ai-cache": on_redis(&redis, json!({ "fail_mode": mode })) },
            "upstream": crate::support::node(upstream.addr()),
        });
        crate::support::put(&gateway, &format!("/routes/{mode}"), route).await;
    }
    let text = "ai-cache must be used with the ai-proxy or ai-proxy-multi plugin";
    for path in ["/skip", "/warn"] {
        let answer = gateway.client().post(path).json(&chat("x")).send().await;
        assert_eq!(answer.header("x-ai-cache-status"), Some("BYPASS"));
        assert_eq!(answer.expect_status(200).await.text().await, "ok");
    }
    gateway.wait_output(text).await;
    let answer = gateway.client().post("/error").json(&chat("x")).send().await;
    assert_eq!(answer.header("x-ai-cache-status"), Some("BYPASS"));
    assert_eq!(answer.expect_status(500).await.text().await, text);
    assert_eq!(redis.command(&["DBSIZE"]), "0");
}

#[tokio::test]
async fn bad_configurations_are_refused() {
    let gateway = gateway().await;
    let redis = json!({ "redis_host": "127.0.0.1" });
    let with = |more: Value| {
        let mut conf = redis.clone();
        conf.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        conf
    };
    let service = json!({ "model": "m", "api_key": "k" });
    let semantic = |embedding: Value, search: Value| {
        with(json!({ "layers": ["exact", "semantic"],
            "semantic": { "embedding": embedding, "vector_search": search } }))
    };
    let search = json!({ "redis": {} });
    for (conf, text) in [
        (json!({}), "then clause did not match"),
        (with(json!({ "layers": ["semantic"] })), r#"must contain "exact""#),
        (
            with(json!({ "layers": ["exact", "semantic"] })),
            r#"property "semantic" is required"#,
        ),
        (with(json!({ "layers": ["fast"] })), "layers"),
        (with(json!({ "exact": { "ttl": 0 } })), "ttl"),
        (with(json!({ "max_cache_body_size": -1 })), "max_cache_body_size"),
        (with(json!({ "bypass_on": [] })), "bypass_on"),
        (
            with(json!({ "bypass_on": [{ "header": "a" }] })),
            r#"property "equals" is required"#,
        ),
        (with(json!({ "policy": "redis-cluster" })), "policy"),
        (with(json!({ "fail_mode": "close" })), "fail_mode"),
        (semantic(json!({}), search.clone()), "embedding"),
        (
            semantic(
                json!({ "openai": service, "azure_openai": { "endpoint": "http://a", "api_key": "k" } }),
                search.clone(),
            ),
            "value should match only one schema",
        ),
        (
            semantic(json!({ "openai": { "model": "m" } }), search.clone()),
            r#"property "api_key" is required"#,
        ),
        (
            semantic(json!({ "openai": service }), json!({})),
            r#"property "redis" is required"#,
        ),
    ] {
        let refused = refusal(&gateway, conf.clone()).await;
        assert!(refused.contains(text), "{conf}: {refused}");
    }
    let mut conf = semantic(json!({ "openai": service }), search.clone());
    conf["semantic"].as_object_mut().unwrap().remove("vector_search");
    let refused = refusal(&gateway, conf.clone()).await;
    assert!(
        refused.contains(r#"property "vector_search" is required"#),
        "{refused}"
    );
    conf["semantic"]["vector_search"] = search;
    conf["semantic"]["similarity_threshold"] = json!(1.5);
    assert!(refusal(&gateway, conf).await.contains("similarity_threshold"));
}

#[tokio::test]
async fn requests_that_are_kept_away() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let rules = json!([
        { "header": "Cache-Control", "equals": "no-cache" }, { "header": "x-fresh", "equals": "1" },
    ]);
    let gateway = cached(&provider, on_redis(&redis, json!({ "bypass_on": rules }))).await;
    ask(&gateway, &chat("conf:hello")).await;
    keys(&redis, 1).await;
    for (name, value, outcome) in [
        ("cache-control", "no-cache", "BYPASS"),
        ("cache-control", "no-cache, no-store", "HIT"),
        ("x-fresh", "1", "BYPASS"),
        ("x-fresh", "2", "HIT"),
    ] {
        let call = gateway
            .client()
            .post(CHAT)
            .header(name, value)
            .json(&chat("conf:hello"));
        let seen = Seen::of(call.send().await.expect_status(200).await).await;
        assert_eq!(
            (seen.cache(), seen.age.is_some()),
            (outcome, outcome == "HIT"),
            "{name}: {value}"
        );
    }
    let away = gateway
        .client()
        .post(CHAT)
        .header("x-fresh", "1")
        .json(&chat("conf:tool"));
    done(away, 200).await;
    ask(&gateway, &chat("conf:usage")).await;
    keys(&redis, 2).await;
}
