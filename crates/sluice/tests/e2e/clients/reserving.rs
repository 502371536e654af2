//! Limits hold whatever comes at once, and wherever the request goes.

use futures_util::stream::{self, StreamExt};
use sluice_testkit::{Completion, Gate, Reply, Usage, eventually};

use super::*;
use crate::support::{openai, put_route};

fn answer(input: u64, output: u64) -> Reply {
    let usage = Usage {
        input,
        cached: 0,
        cache_write: 0,
        output,
        reasoning: 0,
    };
    Reply::completion(Completion::new().text("ok").usage(usage))
}

async fn standing(site: &Site, id: &str, name: &str) -> (u64, u64) {
    let limits = site.get(&format!("/clients/{id}/limits")).await;
    let items = limits["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["name"] == name).unwrap();
    (item["used"].as_u64().unwrap(), item["reserved"].as_u64().unwrap())
}

#[tokio::test]
async fn a_thousand_calls_at_once_pass_no_limit_and_the_books_are_exact() {
    let site = Site::start().await;
    let limits = json!({ "requests_per_day": 600, "tokens_total": 1_000_000 });
    let (id, key) = site.client(json!({ "limits": limits })).await;
    site.upstream.always(answer(100, 23));
    let calls = stream::iter(0..1000)
        .map(|_| site.ask(&key))
        .buffer_unordered(200);
    let statuses: Vec<u16> = calls.map(|(status, _)| status).collect().await;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(200), count(429)), (600, 400));
    assert_eq!(standing(&site, &id, "requests_per_day").await, (600, 0));
    assert_eq!(standing(&site, &id, "tokens_total").await, (600 * 123, 0));
}

#[tokio::test]
async fn tokens_at_once_pass_a_limit_by_one_request_at_most() {
    let site = Site::start().await;
    let (id, key) = site
        .client(json!({ "limits": { "output_tokens_per_day": 2000 } }))
        .await;
    site.upstream.always(answer(10, 90));
    // What answers of this model are like is learned first.
    assert_eq!(site.ask(&key).await.0, 200);
    let calls = stream::iter(0..300).map(|_| site.ask(&key)).buffer_unordered(100);
    calls.map(|(status, _)| status).collect::<Vec<_>>().await;
    while site.ask(&key).await.0 == 200 {}
    let (used, reserved) = standing(&site, &id, "output_tokens_per_day").await;
    assert_eq!(reserved, 0);
    assert!((2000..2090).contains(&used), "{used}");
}

#[tokio::test]
async fn the_limits_of_the_route_hold_beside_those_of_the_client() {
    let site = Site::start().await;
    let plugins = json!({ "key-auth": {}, "ai-proxy": openai(&site.upstream), "ai-limits": { "requests_per_minute": 3 } });
    put_route(&site.gateway, "shared", CHAT, plugins).await;
    let (_, first) = site
        .client(json!({ "limits": { "requests_per_minute": 2 } }))
        .await;
    let (_, second) = site.client(json!({ "name": "b", "limits": {} })).await;
    let statuses = [
        site.ask(&first).await.0,
        site.ask(&first).await.0,
        site.ask(&first).await.0,
        site.ask(&second).await.0,
        site.ask(&second).await.0,
    ];
    assert_eq!(statuses, [200, 200, 429, 200, 429]);
}

#[tokio::test]
async fn a_cached_answer_costs_a_request_and_no_tokens() {
    let site = Site::start().await;
    let plugins =
        json!({ "key-auth": {}, "ai-proxy": openai(&site.upstream), "ai-cache": { "policy": "local" } });
    put_route(&site.gateway, "cached", CHAT, plugins).await;
    let limits = json!({ "requests_per_day": 100_000, "tokens_per_day": 1_000_000 });
    let (id, key) = site.client(json!({ "limits": limits, "provider": null })).await;
    site.upstream.always(answer(100, 23));
    let client = site.gateway.client().with_header("x-api-key", &key);
    // An answer is kept after it was sent.
    let mut calls = 0;
    eventually("the answer to be kept", async || {
        calls += 1;
        let answer = client.post(CHAT).json(&chat("conf:hello")).send().await;
        let hit = answer.header("x-ai-cache-status") == Some("HIT");
        answer.bytes().await;
        hit.then_some(())
    })
    .await;
    let asked = site.upstream.requests().len() as u64;
    assert!(asked < calls);
    assert_eq!(standing(&site, &id, "requests_per_day").await, (calls, 0));
    assert_eq!(standing(&site, &id, "tokens_per_day").await, (asked * 123, 0));
    site.change(&id, json!({ "limits": { "requests_per_day": calls } }))
        .await;
    assert_eq!(site.ask(&key).await.0, 429, "hits are limited, too");
}

#[tokio::test]
async fn answers_are_capped_in_every_dialect() {
    let site = Site::start().await;
    let (_, key) = site
        .client(json!({ "limits": { "max_output_tokens": 100 } }))
        .await;
    let client = site.gateway.client().with_header("x-api-key", &key);
    let sent = |path: &'static str, body: Value| {
        let (client, upstream) = (client.clone(), &site.upstream);
        async move {
            client
                .post(path)
                .json(&body)
                .send()
                .await
                .expect_status(200)
                .await
                .bytes()
                .await;
            let sent = upstream.last_request().json();
            let member = sent
                .get("max_completion_tokens")
                .or_else(|| sent.get("max_tokens"));
            member.cloned().unwrap_or_default()
        }
    };
    let say = json!([{ "role": "user", "content": "conf:hello" }]);
    let mut body = chat("conf:hello");
    assert_eq!(sent(CHAT, body.clone()).await, 100);
    body["max_tokens"] = 7.into();
    assert_eq!(sent(CHAT, body).await, 7);
    let messages = json!({ "model": "gpt-4o", "max_tokens": 5000, "messages": say });
    assert_eq!(sent("/v1/messages", messages).await, 100);
    let contents = json!([{ "role": "user", "parts": [{ "text": "conf:hello" }] }]);
    let gemini = json!({ "contents": contents, "generationConfig": { "maxOutputTokens": 5000 } });
    assert_eq!(sent("/v1beta/models/gpt-4o:generateContent", gemini).await, 100);
}

#[tokio::test]
async fn too_long_a_request_is_told_its_size_and_the_next_is_none_the_worse() {
    let site = Site::start().await;
    let limits = json!({ "max_input_tokens": 500, "tokens_per_day": 1_000_000 });
    let (_, key) = site.client(json!({ "limits": limits })).await;
    // The provider counts more than the cap: what was said before does not make a short request long.
    site.upstream.next(answer(5000, 5));
    assert_eq!((site.ask(&key).await.0, site.ask(&key).await.0), (200, 200));
    let client = site.gateway.client().with_header("x-api-key", &key);
    let long = "word ".repeat(1000);
    for (path, body, kind) in [
        (CHAT, chat(&long), "/error/code"),
        (
            "/v1/messages",
            json!({ "model": "gpt-4o", "max_tokens": 5, "messages": [{ "role": "user", "content": long }] }),
            "/error/type",
        ),
        (
            "/v1beta/models/gpt-4o:generateContent",
            json!({ "contents": [{ "role": "user", "parts": [{ "text": long }] }] }),
            "/error/status",
        ),
    ] {
        let refused = client
            .post(path)
            .json(&body)
            .send()
            .await
            .expect_status(400)
            .await
            .json()
            .await;
        let expected = ["input_too_long", "invalid_request_error", "INVALID_ARGUMENT"];
        let told = refused.pointer(kind).and_then(Value::as_str).unwrap_or_default();
        assert!(expected.contains(&told), "{refused}");
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains("tokens; this client may send 500"), "{message}");
    }
}

#[tokio::test]
async fn answers_tell_how_the_limits_stand() {
    let site = Site::start().await;
    let limits = json!({ "requests_per_minute": 10, "requests_per_day": 5, "concurrency": 4 });
    let (id, key) = site.client(json!({ "limits": limits })).await;
    let client = site.gateway.client().with_header("x-api-key", &key);
    let answer = client
        .post(CHAT)
        .json(&chat("conf:hello"))
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(
        answer.header("x-ratelimit-limit-requests"),
        Some("5"),
        "the tightest"
    );
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("4"));
    assert!(answer.header("x-ratelimit-reset-requests").is_some());
    answer.bytes().await;
    assert_eq!(standing(&site, &id, "concurrency").await, (0, 0));
}

#[tokio::test]
async fn endpoints_are_allowed_by_protocol_and_by_path() {
    let site = Site::start().await;
    let allowed = json!(["openai-*", "/v1beta/*"]);
    let (_, key) = site.client(json!({ "allowed_endpoints": allowed })).await;
    let client = site.gateway.client().with_header("x-api-key", &key);
    assert_eq!(site.ask(&key).await.0, 200);
    let messages = json!({ "model": "gpt-4o", "max_tokens": 5, "messages": [] });
    let refused = client
        .post("/v1/messages")
        .json(&messages)
        .send()
        .await
        .expect_status(403)
        .await;
    assert_eq!(refused.json().await["error"]["type"], "permission_error");
}

#[tokio::test]
async fn a_stream_that_outgrows_its_estimate_is_seen_while_it_runs_and_goes_on() {
    let site = Site::start().await;
    let limits = json!({ "output_tokens_per_day": 100, "tokens_total": 1_000_000 });
    let (id, key) = site.client(json!({ "limits": limits })).await;
    let gate = Gate::closed();
    let words: Vec<String> = (0..300).map(|n| format!("word{n} ")).collect();
    let long = Completion::new().text(&words.concat()).in_pieces(words);
    site.upstream.always(Reply::completion(long).gated(&gate));
    let mut body = chat("conf:hello");
    body["stream"] = true.into();
    body["max_tokens"] = 10.into();
    let client = site
        .gateway
        .client()
        .with_header("authorization", &format!("Bearer {key}"));
    gate.open(200);
    let answer = client
        .post(CHAT)
        .json(&body)
        .send()
        .await
        .expect_status(200)
        .await;
    let mut events = answer.events();
    eventually("the reservation to grow", async || {
        let (used, reserved) = standing(&site, &id, "output_tokens_per_day").await;
        assert_eq!(used, 0);
        (reserved >= 128).then_some(())
    })
    .await;
    assert!(standing(&site, &id, "tokens_total").await.1 > 128);
    // Who comes now is refused; who is there is served to the end.
    let (status, refusal) = site.ask(&key).await;
    assert_eq!(
        (status, &refusal["error"]["code"]),
        (429, &json!("limit_reached")),
        "{refusal}"
    );
    assert!(events.next().await.is_some());
    gate.open_for_good();
    let finished = events.finish().await;
    assert!(!finished.broken, "{finished:?}");
    eventually("the stream to settle", async || {
        let (used, reserved) = standing(&site, &id, "output_tokens_per_day").await;
        (used > 0 && reserved == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn limits_of_clients_groups_and_routes_are_started_over() {
    let site = Site::start().await;
    let group = json!({ "limits": { "requests_per_day": 1 } });
    let (status, made) = site.call(Method::PUT, "/groups/team", group).await;
    assert_eq!(status, 200, "{made}");
    let (_, key) = site.client(json!({ "group": "team" })).await;
    assert_eq!(site.ask(&key).await.0, 200);
    assert_eq!(site.ask(&key).await.0, 429);
    let reset = async |path: &str| site.call(Method::POST, path, json!({})).await.0;
    assert_eq!(reset("/limits/group/team/requests_per_day/reset").await, 204);
    assert_eq!(site.ask(&key).await.0, 200);

    let plugins = json!({ "ai-proxy": openai(&site.upstream), "ai-limits": { "requests_per_hour": 1 } });
    put_route(&site.gateway, "chat", "/limited", plugins).await;
    let call = async || {
        let answer = site
            .gateway
            .client()
            .post("/limited")
            .json(&chat("conf:hello"))
            .send()
            .await;
        let status = answer.status.as_u16();
        answer.bytes().await;
        status
    };
    assert_eq!((call().await, call().await), (200, 429));
    let limits = site.get("/limits?scope=route").await;
    let own = &limits["items"][0];
    assert_eq!(limits["items"].as_array().unwrap().len(), 1, "{limits}");
    assert_eq!(
        (&own["subject"], &own["name"], &own["used"], &own["limit"]),
        (&json!("chat"), &json!("requests_per_hour"), &json!(1), &json!(1))
    );
    assert_eq!(reset("/limits/route/chat/requests_per_hour/reset").await, 204);
    assert_eq!(call().await, 200);

    for path in [
        "/limits/route/chat/requests_per_day/reset",
        "/limits/route/other/requests_per_hour/reset",
        "/limits/client/nobody/requests_per_day/reset",
    ] {
        assert_eq!(reset(path).await, 404, "{path}");
    }
    assert_eq!(reset("/limits/planet/earth/requests_per_day/reset").await, 400);
    let audit = site.get("/audit").await.to_string();
    assert!(audit.contains("/routes/chat/limits/requests_per_hour"), "{audit}");
    assert!(
        audit.contains("/consumer_groups/team/limits/requests_per_day"),
        "{audit}"
    );
}
