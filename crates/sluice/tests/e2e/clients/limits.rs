//! Limits of clients: reserve, settle, and what callers are told.

use sluice_testkit::{Completion, Reply, Usage};

use super::*;
use crate::process::serve;

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

async fn used(site: &Site, id: &str, name: &str) -> Value {
    let limits = site.get(&format!("/clients/{id}/limits")).await;
    let items = limits["items"].as_array().unwrap();
    items.iter().find(|item| item["name"] == name).unwrap().clone()
}

#[tokio::test]
async fn over_a_limit_says_which_its_use_and_when_it_starts_over() {
    let site = Site::start().await;
    let (id, key) = site
        .client(json!({ "limits": { "requests_per_minute": 2 } }))
        .await;
    assert_eq!((site.ask(&key).await.0, site.ask(&key).await.0), (200, 200));
    let client = site
        .gateway
        .client()
        .with_header("authorization", &format!("Bearer {key}"));
    let refused = client
        .post(CHAT)
        .json(&chat("conf:hello"))
        .send()
        .await
        .expect_status(429)
        .await;
    let again: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&again));
    let message = refused.json().await["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        message.contains("requests_per_minute is reached: 2 requests of 2 requests used"),
        "{message}"
    );
    // An edit holds with the next request, and keeps what was spent.
    let (status, changed) = site
        .change(&id, json!({ "limits": { "requests_per_minute": 3 } }))
        .await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!((site.ask(&key).await.0, site.ask(&key).await.0), (200, 429));
    assert_eq!(used(&site, &id, "requests_per_minute").await["used"], 3);
    let reset = format!("/clients/{id}/limits/requests_per_minute/reset");
    assert_eq!(site.call(Method::POST, &reset, json!({})).await.0, 204);
    assert_eq!(site.ask(&key).await.0, 200);
    let messages =
        json!({ "model": "m", "max_tokens": 5, "messages": [{ "role": "user", "content": "conf:hello" }] });
    site.change(&id, json!({ "limits": { "requests_per_minute": 1 } }))
        .await;
    let anthropic = site.gateway.client().with_header("x-api-key", &key);
    let refused = anthropic
        .post("/v1/messages")
        .json(&messages)
        .send()
        .await
        .expect_status(429)
        .await;
    assert_eq!(refused.json().await["error"]["type"], "rate_limit_error");
}

#[tokio::test]
async fn tokens_and_money_are_settled_to_the_unit() {
    let site = Site::start().await;
    let limits = json!({ "tokens_per_day": 1000, "input_tokens_per_day": 900, "budget_micro_usd_per_month": 1_000_000 });
    let (id, key) = site.client(json!({ "limits": limits })).await;
    site.upstream.next(answer(100, 23));
    assert_eq!(site.ask(&key).await.0, 200);
    assert_eq!(used(&site, &id, "tokens_per_day").await["used"], 123);
    assert_eq!(used(&site, &id, "input_tokens_per_day").await["used"], 100);
    let spent = used(&site, &id, "budget_micro_usd_per_month").await;
    // gpt-4o: 2.50 and 10 dollars per million tokens.
    assert_eq!(
        (&spent["used"], &spent["reserved"]),
        (&json!(250 + 230), &json!(0))
    );
    site.upstream.next(answer(1000, 1));
    assert_eq!(site.ask(&key).await.0, 200);
    let (status, refused) = site.ask(&key).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (429, &json!("limit_reached")),
        "{refused}"
    );
    // What fails costs nothing but the request.
    site.change(
        &id,
        json!({ "limits": { "tokens_per_day": 100_000, "requests_per_day": 5 } }),
    )
    .await;
    site.upstream.next(Reply::error(500, "broken"));
    site.ask(&key).await;
    assert_eq!(used(&site, &id, "tokens_per_day").await["used"], 1124);
    assert_eq!(used(&site, &id, "requests_per_day").await["used"], 1);
}

#[tokio::test]
async fn a_budget_refuses_a_model_without_a_price() {
    let site = Site::start().await;
    let limits = json!({ "budget_micro_usd_total": 5_000_000 });
    let (_, key) = site
        .client(json!({ "limits": limits, "aliases": { "gpt-4o": "home-made" } }))
        .await;
    let (status, refused) = site.ask(&key).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (403, &json!("model_unpriced")),
        "{refused}"
    );
    assert_eq!(site.upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_group_shares_its_limits() {
    let site = Site::start().await;
    let group = json!({ "id": "team", "plugins": { "ai-limits": { "requests_per_minute": 3 } } });
    site.gateway.admin().put("/consumer_groups/team", group).await;
    let (first, first_key) = site
        .client(json!({ "name": "a", "group": "team", "limits": { "requests_per_minute": 2 } }))
        .await;
    let (_, second_key) = site.client(json!({ "name": "b", "group": "team" })).await;
    assert_eq!(
        (site.ask(&first_key).await.0, site.ask(&first_key).await.0),
        (200, 200)
    );
    let (status, own) = site.ask(&first_key).await;
    assert_eq!(status, 429);
    assert!(
        own["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("this client's"),
        "{own}"
    );
    assert_eq!(site.ask(&second_key).await.0, 200);
    let (status, shared) = site.ask(&second_key).await;
    assert_eq!(status, 429);
    assert!(
        shared["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("this group's"),
        "{shared}"
    );
    let standings = site.get(&format!("/clients/{first}/limits")).await;
    let scopes: Vec<_> = standings["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["scope"].clone(), item["used"].clone()))
        .collect();
    assert_eq!(scopes, [(json!("client"), json!(2)), (json!("group"), json!(3))]);
}

#[tokio::test]
async fn a_thousand_at_once_are_booked_to_the_token_and_pass_no_limit() {
    const CALLS: u64 = 1000;
    let site = Site::start().await;
    site.upstream.always(answer(7, 4));
    let limits = json!({ "requests_per_day": 600, "tokens_per_day": 1_000_000 });
    let (id, key) = site.client(json!({ "limits": limits })).await;
    let client = site
        .gateway
        .client()
        .with_header("authorization", &format!("Bearer {key}"));
    let calls =
        (0..CALLS).map(|_| async { client.post(CHAT).json(&chat("hi")).send().await.status.as_u16() });
    let statuses = futures_util::future::join_all(calls).await;
    let count = |status: u16| statuses.iter().filter(|own| **own == status).count() as u64;
    assert_eq!((count(200), count(429)), (600, 400));
    assert_eq!(site.upstream.requests().len(), 600);
    assert_eq!(used(&site, &id, "requests_per_day").await["used"], 600);
    let tokens = used(&site, &id, "tokens_per_day").await;
    assert_eq!(
        (&tokens["used"], &tokens["reserved"]),
        (&json!(600 * 11), &json!(0))
    );
}

#[tokio::test]
async fn few_run_at_once_where_few_may() {
    let site = Site::start().await;
    let gate = sluice_testkit::Gate::closed();
    let (_, key) = site.client(json!({ "limits": { "concurrency": 2 } })).await;
    for _ in 0..2 {
        site.upstream.next(answer(1, 1).head_gated(&gate));
    }
    let (first, second, third) = tokio::join!(site.ask(&key), site.ask(&key), async {
        sluice_testkit::eventually("both to be under way", async || {
            (site.upstream.requests().len() == 2).then_some(())
        })
        .await;
        let third = site.ask(&key).await;
        gate.open_for_good();
        third
    });
    assert_eq!((first.0, second.0, third.0), (200, 200, 429));
    assert_eq!(third.1["error"]["code"], "too_many_at_once");
    assert_eq!(site.ask(&key).await.0, 200);
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = FakeProvider::start();
    let start = || serve(dir.path(), []).env("SLUICE_ADMIN_KEY", "the-key");
    let serving = start().serving().await;
    let api = |addr| Client::new(addr).with_header("authorization", "Bearer the-key");
    let body = json!({
        "name": "ann", "limits": { "requests_per_day": 2, "tokens_total": 100_000 },
        "provider": { "type": "openai", "base_url": upstream.url("/v1"), "api_key": "k" },
    });
    let made = api(serving.addr("admin"))
        .post("/api/v1/clients")
        .json(&body)
        .send()
        .await
        .expect_status(201)
        .await;
    let key = made.json().await["key"]["key"].as_str().unwrap().to_owned();
    let ask = async |addr| {
        let client = Client::new(addr).with_header("authorization", &format!("Bearer {key}"));
        client
            .post(CHAT)
            .json(&chat("conf:hello"))
            .send()
            .await
            .status
            .as_u16()
    };
    assert_eq!(ask(serving.addr("proxy")).await, 200);
    serving.stop().await;
    let serving = start().serving().await;
    assert_eq!(ask(serving.addr("proxy")).await, 200);
    assert_eq!(ask(serving.addr("proxy")).await, 429);
    let limits = api(serving.addr("admin"))
        .get("/api/v1/clients/ann/limits")
        .send()
        .await
        .json()
        .await;
    let total = limits["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["name"] == "tokens_total")
        .unwrap();
    assert!(total["used"].as_u64().unwrap() > 15, "{limits}");
}
