//! Where quotas are counted: in the gateway, over restarts, or in a Redis that several gateways share.

use serde_json::{Value, json};
use sluice_testkit::{Client, Completion, RedisServer, Reply, Usage, eventually};

use super::{Event, chat, succeeded, text};

const REMAINING: &str = "x-ai-ratelimit-remaining-lemonade-instance";

/// An answer of so many tokens.
fn answer(tokens: u64) -> Reply {
    let usage = Usage {
        input: tokens - 1,
        output: 1,
        ..Usage::default()
    };
    Reply::completion(Completion::new().text("ok").usage(usage))
}

async fn ask(client: &Client, status: u16) -> Option<u64> {
    let answer = client.post("/v1/chat/completions").json(&chat()).send().await;
    let answer = answer.expect_status(status).await;
    answer.header(REMAINING)?.parse().ok()
}

#[tokio::test]
async fn quotas_of_a_setup_survive_restarts() {
    let mut event = Event::start().await;
    let rows = event.rows([]).await;
    let limits = json!({ "limit": 500, "time_window": 60, "rejected_code": 429 });
    let plugins = json!({ "key-auth": { "key": "plain" }, "ai-rate-limiting": limits });
    let plain = json!({ "username": "plain", "plugins": plugins });
    event
        .gateway
        .admin()
        .put("/consumers", plain)
        .await
        .expect_status(201);
    let alice = event.gateway.client().with_key(text(&rows[0], "api_key"));
    let other = event.gateway.client().with_key("plain");
    event.llm.always(answer(300));
    ask(&alice, 200).await;
    ask(&other, 200).await;

    // A crash forgets the last second at most.
    eventually("the windows to be saved", async || {
        let path = event.gateway.dir().join("data/windows.json");
        let saved: Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
        (saved[0]["consumed"] == 300).then_some(())
    })
    .await;
    event.gateway.restart().await;
    assert_eq!(ask(&alice, 200).await, Some(200));
    assert_eq!(
        ask(&other, 200).await,
        Some(500),
        "others begin anew, as at APISIX"
    );
    ask(&alice, 429).await;

    // A proper end forgets nothing.
    event.gateway.terminate();
    event.gateway.wait_exit().await;
    event.gateway.restart().await;
    ask(&alice, 429).await;
}

#[tokio::test]
async fn two_gateways_share_the_counters_of_one_redis() {
    let redis = RedisServer::start().await;
    let port = redis.port().to_string();
    let (a, b) = (Event::start().await, Event::start().await);
    let setup = [
        "--redis-host",
        "127.0.0.1",
        "--redis-port",
        &port,
        "--rate-limit",
        "1000",
    ];
    let mut clients = Vec::new();
    for event in [&a, &b] {
        let rows = event.rows(setup).await;
        event.llm.always(answer(100));
        clients.push(event.gateway.client().with_key(text(&rows[0], "api_key")));
        let status = succeeded(event.command(["status"]).ended().await);
        assert!(status.stdout.contains("Redis: connected"), "{status:?}");
    }
    let counted = || {
        let keys = redis.command(&["KEYS", "*"]);
        let keys = keys.split_whitespace();
        let values = keys.map(|key| redis.command(&["GET", key]).trim().parse::<u64>().unwrap_or(0));
        values.sum::<u64>()
    };
    let reaches = async |tokens: u64| {
        eventually("the tokens in Redis", async || {
            (counted() == tokens).then_some(())
        })
        .await;
    };
    // Nine at once, on both: not a token is lost.
    let calls = (0..9).map(|index| ask(&clients[index % 2], 200));
    futures_util::future::join_all(calls).await;
    reaches(900).await;
    assert_eq!(
        ask(&clients[0], 200).await,
        Some(100),
        "what the other has used counts here"
    );
    reaches(1000).await;
    for client in &clients {
        assert_eq!(ask(client, 429).await, Some(0));
    }
    assert_eq!(counted(), 1000);
}

#[tokio::test]
async fn a_lost_redis_refuses_or_lets_pass_as_was_said() {
    let mut redis = RedisServer::start().await;
    let port = redis.port().to_string();
    let event = Event::start().await;
    let setup = ["--redis-host", "127.0.0.1", "--redis-port", &port];
    let rows = event.rows(setup).await;
    let client = event.gateway.client().with_key(text(&rows[0], "api_key"));
    ask(&client, 200).await;
    redis.kill();
    eventually("the gateway to notice", async || {
        let call = client.post("/v1/chat/completions").json(&chat());
        (call.send().await.status == 500).then_some(())
    })
    .await;
    let status = event.command(["status"]).ended().await;
    assert!(status.stdout.contains("cannot be reached"), "{status:?}");
    event.rows([&setup[..], &["--redis-fail-open"]].concat()).await;
    ask(&client, 200).await;
    redis.restart().await;
    event.rows(setup).await;
    eventually("redis to count again", async || {
        let call = client.post("/v1/chat/completions").json(&chat());
        (call.send().await.status == 200).then_some(())
    })
    .await;
    let status = succeeded(event.command(["status"]).ended().await);
    assert!(status.stdout.contains("Redis: connected"), "{status:?}");
}
