//! `ai-queue`: a server with few slots is shared fairly by those who wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sluice_testkit::{Answer, Completion, FakeProvider, Gate, Gateway, Recorded, Reply, Usage, eventually};
use tokio::task::JoinHandle;

use crate::support::{chat, chat_stream, gateway, openai, put_consumer, put_route};

async fn put_queued(gateway: &Gateway, provider: &FakeProvider, queue: Value) {
    let plugins = json!({ "key-auth": {}, "ai-proxy": openai(provider), "ai-queue": queue });
    put_route(gateway, "1", "/v1/chat/completions", plugins).await;
}

/// A gateway with these consumers and a queue before this provider.
async fn queued(provider: &FakeProvider, users: &[&str], queue: Value) -> Gateway {
    let gateway = gateway().await;
    for user in users {
        put_consumer(&gateway, user).await;
    }
    put_queued(&gateway, provider, queue).await;
    gateway
}

async fn ask(gateway: &Gateway, user: &str, body: &Value) -> Answer {
    let call = gateway.client().post("/v1/chat/completions");
    call.key(&format!("key-{user}")).json(body).send().await
}

/// A call as this user, which says so.
fn call(gateway: &Arc<Gateway>, user: &str) -> JoinHandle<Answer> {
    let (gateway, user) = (gateway.clone(), user.to_owned());
    tokio::spawn(async move { ask(&gateway, &user, &chat(&user)).await })
}

/// Who made a request that arrived.
fn user(request: &Recorded) -> String {
    request.json()["messages"][0]["content"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn queue(gateway: &Gateway) -> Value {
    let status = gateway.admin().client().get("/status").send().await;
    status.json().await["health"]["queues"][0].clone()
}

async fn wait_for(gateway: &Gateway, running: usize, waiting: usize) {
    let what = format!("{running} to run and {waiting} to wait");
    eventually(&what, async || {
        let queue = queue(gateway).await;
        (queue["running"] == json!(running) && queue["waiting"] == json!(waiting)).then_some(())
    })
    .await;
}

/// Keeps so many requests of each user coming until so many have arrived, and returns those.
async fn flood(
    gateway: &Arc<Gateway>,
    provider: &FakeProvider,
    users: &[&str],
    each: usize,
    until: usize,
) -> Vec<String> {
    let over = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = users
        .iter()
        .flat_map(|user| vec![(*user).to_owned(); each])
        .map(|user| {
            let (gateway, over) = (gateway.clone(), over.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let answer = ask(&gateway, &user, &chat(&user)).await;
                    answer.expect_status(200).await.bytes().await;
                }
            })
        })
        .collect();
    let arrived = provider.wait_requests(until).await;
    over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    arrived.iter().take(until).map(user).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_users_get_the_same_share_of_two_slots() {
    let provider = FakeProvider::start();
    provider.always(Reply::completion(Completion::new().text("hi")).head_after(Duration::from_millis(2)));
    let names: Vec<String> = (0..50).map(|number| format!("u{number}")).collect();
    let users: Vec<&str> = names.iter().map(String::as_str).collect();
    let gateway = Arc::new(queued(&provider, &users, json!({ "provider": "local", "slots": 2 })).await);
    let arrived = flood(&gateway, &provider, &users, 2, 1100).await;
    let mut counts: BTreeMap<&str, usize> = users.iter().map(|user| (*user, 0)).collect();
    // Until everybody has come, those who have share alone.
    for user in &arrived[100..] {
        *counts.get_mut(user.as_str()).unwrap() += 1;
    }
    assert!(
        counts.values().all(|count| (18..=22).contains(count)),
        "{counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_answers_and_small_ones_get_the_same_tokens() {
    let provider = FakeProvider::start();
    let answer = |output| {
        let usage = Usage {
            input: 10,
            output,
            ..Usage::default()
        };
        Reply::completion(Completion::new().text("hi").usage(usage)).head_after(Duration::from_millis(10))
    };
    provider.always(Reply::by(move |request| match user(request).as_str() {
        "heavy" => answer(990),
        _ => answer(90),
    }));
    let users = ["heavy", "light"];
    let gateway = Arc::new(queued(&provider, &users, json!({ "provider": "local", "slots": 2 })).await);
    // So many at once that both always have some waiting: who has none cedes its share.
    let arrived = flood(&gateway, &provider, &users, 10, 460).await;
    // The first answers teach how large they are.
    let heavy = arrived[20..].iter().filter(|user| *user == "heavy").count();
    assert!(
        (36..=44).contains(&heavy),
        "{heavy} of 440 requests, each of ten times the size"
    );
}

#[tokio::test]
async fn who_waits_is_told_and_leaves_when_its_client_does() {
    let provider = FakeProvider::start();
    let gate = Gate::closed();
    provider.always(Reply::completion(Completion::new().text("hi")).head_gated(&gate));
    let conf = json!({ "provider": "local", "slots": 1, "max_waiting": 2 });
    let gateway = Arc::new(queued(&provider, &["ann", "bob", "eve"], conf).await);
    let first = call(&gateway, "ann");
    provider.wait_requests(1).await;
    let gone = call(&gateway, "bob");
    wait_for(&gateway, 1, 1).await;
    let second = call(&gateway, "eve");
    wait_for(&gateway, 1, 2).await;
    let refused = ask(&gateway, "eve", &chat("eve")).await.expect_status(429).await;
    assert_eq!(refused.header("retry-after"), Some("1"));
    let message = refused.json().await["error"]["message"].to_string();
    assert!(
        message.contains("2 requests wait for provider local"),
        "{message}"
    );
    gone.abort();
    wait_for(&gateway, 1, 1).await;
    gate.open_for_good();
    let first = first.await.unwrap().expect_status(200).await;
    assert_eq!(first.header("x-sluice-queue-position"), None);
    let second = second.await.unwrap().expect_status(200).await;
    assert_eq!(second.header("x-sluice-queue-position"), Some("2"));
    assert!(second.header("x-sluice-queue-wait-ms").is_some());
    let asked: Vec<_> = provider.requests().iter().map(user).collect();
    assert_eq!(asked, ["ann", "eve"], "who left is not asked for");
    drop((first.bytes().await, second.bytes().await));
    wait_for(&gateway, 0, 0).await;
}

#[tokio::test]
async fn an_edit_keeps_who_waits_and_more_slots_let_them_on() {
    let provider = FakeProvider::start();
    let gate = Gate::closed();
    provider.always(Reply::completion(Completion::new().text("hi")).head_gated(&gate));
    let gateway = Arc::new(queued(&provider, &["ann"], json!({ "provider": "local", "slots": 1 })).await);
    let calls: Vec<_> = (0..4).map(|_| call(&gateway, "ann")).collect();
    wait_for(&gateway, 1, 3).await;
    put_queued(&gateway, &provider, json!({ "provider": "local", "slots": 3 })).await;
    wait_for(&gateway, 3, 1).await;
    gate.open_for_good();
    for call in calls {
        call.await.unwrap().expect_status(200).await.bytes().await;
    }
    wait_for(&gateway, 0, 0).await;
}

#[tokio::test]
async fn who_waits_too_long_is_refused() {
    let provider = FakeProvider::start();
    let gate = Gate::closed();
    provider.always(Reply::completion(Completion::new().text("hi")).head_gated(&gate));
    let conf = json!({ "upstream": "gpu", "slots": 1, "max_wait_ms": 20, "rejected_code": 503 });
    let gateway = Arc::new(queued(&provider, &["ann"], conf).await);
    let first = call(&gateway, "ann");
    provider.wait_requests(1).await;
    let late = ask(&gateway, "ann", &chat("ann")).await.expect_status(503).await;
    assert_eq!(late.json().await["error"]["code"], "queue_timeout");
    gate.open_for_good();
    first.await.unwrap().expect_status(200).await.bytes().await;
    wait_for(&gateway, 0, 0).await;
}

#[tokio::test]
async fn a_slot_is_free_when_the_provider_dies_or_the_client_leaves() {
    let provider = FakeProvider::start();
    let gate = Gate::closed();
    let gateway = Arc::new(queued(&provider, &["ann"], json!({ "provider": "local", "slots": 1 })).await);
    provider.next(Reply::hang_up());
    ask(&gateway, "ann", &chat("ann")).await.bytes().await;
    wait_for(&gateway, 0, 0).await;
    let cut = Reply::completion(Completion::new().text("one two three"));
    provider.next(cut.clone().cut_after(1));
    let answer = ask(&gateway, "ann", &chat_stream("ann"))
        .await
        .expect_status(200)
        .await;
    let _ = answer.try_bytes().await;
    wait_for(&gateway, 0, 0).await;
    provider.next(cut.head_gated(&gate));
    let leaving = call(&gateway, "ann");
    wait_for(&gateway, 1, 0).await;
    leaving.abort();
    wait_for(&gateway, 0, 0).await;
}
