//! What a hit costs, and where it shows.

use serde_json::{Value, json};
use sluice_record::Cost;
use sluice_testkit::{FakeProvider, Gateway, RedisServer, Reply, eventually};

use super::{CHAT, Seen, ask, keys, on_redis};
use crate::ledger::entries;
use crate::scrape::Scrape;
use crate::support::{binary, chat, chat_stream, done, openai, put_route};

fn ten_tokens() -> Reply {
    let usage = json!({ "prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10 });
    Reply::json(
        200,
        &json!({ "object": "chat.completion", "model": "m", "choices": [], "usage": usage }),
    )
}

#[tokio::test]
async fn a_hit_costs_no_tokens_and_no_quota() {
    let (provider, guard, redis) = (
        FakeProvider::start(),
        FakeProvider::start(),
        RedisServer::start().await,
    );
    provider.always(ten_tokens());
    guard.always(Reply::json(200, &json!({ "flagged": false })));
    let gateway = crate::support::gateway().await;
    let plugins = json!({
        "ai-proxy": openai(&provider), "ai-cache": on_redis(&redis, json!({})), "prometheus": {},
        "ai-rate-limiting": { "limit": 20, "time_window": 60, "rejected_code": 429 },
        "ai-lakera-guard": { "api_key": "k", "lakera_endpoint": guard.url("/v2/guard") },
    });
    put_route(&gateway, "1", CHAT, plugins).await;
    assert_eq!(ask(&gateway, &chat("a")).await.cache(), "MISS");
    keys(&redis, 1).await;
    for _ in 0..3 {
        let answer = gateway.client().post(CHAT).json(&chat("a")).send().await;
        assert_eq!(
            answer.header("x-ai-ratelimit-limit-ai-proxy-openai"),
            None,
            "no quota is looked at"
        );
        assert_eq!(Seen::of(answer.expect_status(200).await).await.cache(), "HIT");
    }
    assert_eq!(guard.requests().len(), 1, "no guard is asked");
    assert_eq!(ask(&gateway, &chat("b")).await.cache(), "MISS");
    keys(&redis, 2).await;
    // The quota is used up: by two calls, not by five.
    let refused = gateway.client().post(CHAT).json(&chat("c")).send().await;
    assert_eq!(Seen::of(refused.expect_status(429).await).await.cache(), "MISS");
    assert_eq!(ask(&gateway, &chat("a")).await.cache(), "HIT", "hits go on");
    let scrape = Scrape::when(&gateway, "all requests to be measured", |scrape| {
        scrape.sum("apisix_ai_cache_hits_total", &[]) == 4.0
            && scrape.sum("apisix_ai_cache_misses_total", &[]) == 3.0
    })
    .await;
    assert_eq!(scrape.sum("apisix_llm_prompt_tokens", &[]), 6.0);
    assert_eq!(scrape.sum("apisix_llm_completion_tokens", &[]), 14.0);
}

#[tokio::test]
async fn metrics_access_log_and_ledger_tell() {
    let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
    let format = r#"{"s":"$ai_cache_status","l":"$ai_cache_layer"}"#;
    let builder = Gateway::builder(binary()).env("SLUICE_ACCESS_LOG_TARGET", "access.log");
    let mut gateway = builder.env("SLUICE_ACCESS_LOG_FORMAT", format).start().await;
    let conf = on_redis(
        &redis,
        json!({ "bypass_on": [{ "header": "x-fresh", "equals": "1" }] }),
    );
    let plugins =
        json!({ "ai-proxy": openai(&provider), "ai-cache": conf, "prometheus": { "prefer_name": true } });
    let route = json!({ "uri": CHAT, "name": "the-chat", "plugins": plugins });
    crate::support::put(&gateway, "/routes/1", route).await;
    ask(&gateway, &chat_stream("conf:hello")).await;
    keys(&redis, 1).await;
    ask(&gateway, &chat_stream("conf:hello")).await;
    done(
        gateway
            .client()
            .post(CHAT)
            .header("x-fresh", "1")
            .json(&chat("conf:hello")),
        200,
    )
    .await;
    let scrape = Scrape::when(&gateway, "the hit and the bypass to be counted", |scrape| {
        scrape.sum("apisix_ai_cache_bypasses_total", &[]) == 1.0
    })
    .await;
    let labels = [
        ("route", "the-chat"),
        ("route_id", "1"),
        ("service", ""),
        ("service_id", ""),
        ("consumer", ""),
        ("node", "ai-proxy-openai"),
        ("request_llm_model", "gpt-4o"),
    ];
    let of = |name: &str, more: &[(&str, &str)]| scrape.sum(name, &[&labels[..], more].concat());
    let hit = [
        ("layer", "exact"),
        ("request_type", "ai_stream"),
        ("llm_model", ""),
    ];
    assert_eq!(of("apisix_ai_cache_hits_total", &hit), 1.0);
    let sent = [("request_type", "ai_stream"), ("llm_model", "gpt-4o")];
    assert_eq!(of("apisix_ai_cache_misses_total", &sent), 1.0);
    assert_eq!(
        of("apisix_ai_cache_bypasses_total", &[("request_type", "ai_chat")]),
        1.0
    );
    let log = gateway.dir().join("access.log");
    let lines = eventually("three lines in the access log", async || {
        let text = std::fs::read_to_string(&log).ok()?;
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (lines.len() == 3).then_some(lines)
    })
    .await;
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["s"].as_str().unwrap(), line["l"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("miss", "-"), ("hit", "exact"), ("bypass", "-")]);
    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
    let rows = entries(&gateway).await;
    let caches: Vec<_> = rows
        .iter()
        .map(|row| row.detail.cache.clone().unwrap().into_owned())
        .collect();
    assert_eq!(caches, ["miss", "exact", "bypass"]);
    let hit = &rows[1];
    assert_eq!(
        (hit.usage.total(), hit.cost),
        (0, Cost::Unpriced),
        "a hit has no tokens and costs nothing"
    );
}
