//! Which answers are kept.

use serde_json::{Value, json};
use sluice_testkit::{
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, FakeProvider, Gate, Gateway, RedisServer, Reply, eventually,
};

use super::{CHAT, Seen, ask, cached, keys, on_redis};
use crate::support::{chat, chat_stream, openai, put_route, with_route};

/// Sees that nothing was kept: of what is asked next, the answer is the first that is.
async fn expect_nothing_kept(gateway: &Gateway, redis: &RedisServer) {
    assert_eq!(ask(gateway, &chat("conf:hello")).await.cache(), "MISS");
    let key = keys(redis, 1).await.remove(0);
    assert_eq!(redis.command(&["DEL", &key]), "1");
}

fn chunk(text: &str) -> String {
    json!({ "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": { "content": text } }] })
        .to_string()
}

#[tokio::test]
async fn only_whole_successes() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let gateway = cached(&provider, on_redis(&redis, json!({}))).await;
    for (status, reply) in [
        (400, Reply::json(400, &json!({ "error": { "message": "no" } }))),
        (429, Reply::json(429, &json!({}))),
        (500, Reply::json(500, &json!({}))),
        (201, Reply::json(201, &json!({ "choices": [] }))),
        (200, Reply::body(200, "application/octet-stream", "\u{1}")),
    ] {
        provider.next(reply);
        let answer = gateway.client().post(CHAT).json(&chat("conf:tool")).send().await;
        let seen = Seen::of(answer.expect_status(status).await).await;
        assert_eq!(seen.cache(), "MISS");
        expect_nothing_kept(&gateway, &redis).await;
    }
}

#[tokio::test]
async fn only_streams_that_came_to_their_end() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let gateway = cached(&provider, on_redis(&redis, json!({}))).await;
    // Ends well, as far as HTTP goes, but without its last event.
    provider.next(Reply::events([chunk("a"), chunk("b")]));
    assert_eq!(ask(&gateway, &chat_stream("x")).await.cache(), "MISS");
    expect_nothing_kept(&gateway, &redis).await;
    // Breaks off.
    provider.next(Reply::events([chunk("a"), chunk("b"), "[DONE]".to_owned()]).cut_after(1));
    let answer = gateway.client().post(CHAT).json(&chat_stream("x")).send().await;
    answer.expect_status(200).await.try_bytes().await.unwrap_err();
    expect_nothing_kept(&gateway, &redis).await;
    // The client leaves.
    let gate = Gate::closed();
    provider.next(Reply::events([chunk("a"), "[DONE]".to_owned()]).gated(&gate));
    gate.open(1);
    let mut answer = gateway.client().post(CHAT).json(&chat_stream("x")).send().await;
    answer.chunk().await.unwrap().unwrap();
    drop(answer);
    provider.wait_disconnected().await;
    expect_nothing_kept(&gateway, &redis).await;
    // And one that does come to it.
    provider.next(Reply::events([chunk("a"), "[DONE]".to_owned()]));
    let first = ask(&gateway, &chat_stream("x")).await;
    keys(&redis, 1).await;
    assert_eq!(ask(&gateway, &chat_stream("x")).await.body, first.body);
}

#[tokio::test]
async fn only_what_is_small_enough() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let gateway = cached(
        &provider,
        on_redis(&redis, json!({ "max_cache_body_size": 2000 })),
    )
    .await;
    let sized = |length: usize| {
        let empty = json!({ "choices": [], "x": "" });
        let padding = "x".repeat(length - empty.to_string().len());
        Reply::json(200, &json!({ "choices": [], "x": padding }))
    };
    provider.next(sized(2001));
    assert_eq!(ask(&gateway, &chat("large")).await.body.len(), 2001);
    let long = chunk(&"x".repeat(1500));
    provider.next(Reply::events([long.clone(), long, "[DONE]".to_owned()]));
    ask(&gateway, &chat_stream("large")).await;
    expect_nothing_kept(&gateway, &redis).await;
    provider.next(sized(2000));
    ask(&gateway, &chat("fits")).await;
    keys(&redis, 1).await;
    assert_eq!(ask(&gateway, &chat("fits")).await.cache(), "HIT");
}

#[tokio::test]
async fn only_of_the_instance_that_was_picked() {
    let (broken, provider, redis) = (
        FakeProvider::start(),
        FakeProvider::start(),
        RedisServer::start().await,
    );
    broken.next(Reply::json(500, &json!({})));
    let instance = |provider: &FakeProvider, name: &str, priority: u32| {
        let mut instance = openai(provider);
        instance["name"] = json!(name);
        instance["weight"] = json!(1);
        instance["priority"] = json!(priority);
        instance
    };
    let multi = json!({
        "instances": [instance(&broken, "first", 2), instance(&provider, "second", 1)],
        "fallback_strategy": ["http_5xx"],
    });
    let conf = on_redis(&redis, json!({}));
    let gateway = with_route(json!({ "ai-proxy-multi": multi, "ai-cache": conf })).await;
    assert_eq!(ask(&gateway, &chat("conf:hello")).await.cache(), "MISS");
    assert_eq!(provider.requests().len(), 1, "the second instance answered");
    expect_nothing_kept(&gateway, &redis).await;
    assert_eq!(broken.requests().len(), 2);
}

#[tokio::test]
async fn only_what_a_provider_said() {
    let (provider, guard, redis) = (
        FakeProvider::start(),
        FakeProvider::start(),
        RedisServer::start().await,
    );
    guard.always(Reply::json(200, &json!({ "flagged": true })));
    let plugins = json!({
        "ai-proxy": openai(&provider), "ai-cache": on_redis(&redis, json!({})),
        "ai-lakera-guard": { "api_key": "k", "lakera_endpoint": guard.url("/v2/guard") },
    });
    let gateway = with_route(plugins).await;
    let refused = ask(&gateway, &chat("conf:hello")).await;
    assert_eq!(refused.cache(), "MISS");
    let text = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(text.contains("Request blocked by Lakera Guard"), "{text}");
    assert!(provider.requests().is_empty());
    guard.always(Reply::json(200, &json!({ "flagged": false })));
    expect_nothing_kept(&gateway, &redis).await;
}

#[tokio::test]
async fn streams_that_are_no_events_go_past_the_cache() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let bedrock = json!({
        "provider": "bedrock",
        "auth": { "aws": { "access_key_id": AWS_ACCESS_KEY_ID, "secret_access_key": AWS_SECRET_ACCESS_KEY } },
        "provider_conf": { "region": "eu-central-1" },
        "override": { "endpoint": provider.url("") },
    });
    let gateway = crate::support::gateway().await;
    let plugins = json!({ "ai-proxy": bedrock, "ai-cache": on_redis(&redis, json!({})) });
    put_route(&gateway, "1", "/my/converse", plugins).await;
    let plain =
        json!({ "model": "m", "messages": [{ "role": "user", "content": [{ "text": "conf:hello" }] }] });
    let mut stream = plain.clone();
    stream["stream"] = json!(true);
    let send = async |body: &Value| {
        let answer = gateway.client().post("/my/converse").json(body).send().await;
        Seen::of(answer.expect_status(200).await).await
    };
    assert_eq!(send(&stream).await.cache(), "BYPASS");
    assert_eq!(send(&stream).await.cache(), "BYPASS");
    assert_eq!(send(&plain).await.cache(), "MISS");
    keys(&redis, 1).await;
    assert_eq!(send(&plain).await.cache(), "HIT");
}

#[tokio::test]
async fn what_cannot_be_read_back_is_asked_again() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let gateway = cached(&provider, on_redis(&redis, json!({}))).await;
    ask(&gateway, &chat("conf:hello")).await;
    let key = keys(&redis, 1).await.remove(0);
    assert_eq!(redis.command(&["SET", &key, "not what the gateway writes"]), "OK");
    assert_eq!(ask(&gateway, &chat("conf:hello")).await.cache(), "MISS");
    eventually("the entry to be written again", async || {
        redis.command(&["GET", &key]).starts_with('{').then_some(())
    })
    .await;
}
