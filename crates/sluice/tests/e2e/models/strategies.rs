//! How targets are chosen.

use std::time::Duration;

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gate, Reply};

use super::{answered, ask, chat_with, counts, model, served, with_providers};
use crate::support::{chat_stream, stream_to_end};

#[tokio::test]
async fn a_plain_lookup_calls_the_provider_with_its_name_for_the_model_and_its_key() {
    let fake = FakeProvider::start();
    let gateway = with_providers(&[&fake]).await;
    model(&gateway, &["a"], json!({})).await;
    let answer = served(&gateway).await;
    assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
    let sent = fake.last_request();
    assert_eq!(sent.path, "/v1/chat/completions");
    assert_eq!(sent.json()["model"], "a-model");
    assert_eq!(sent.header("authorization"), Some("Bearer sk-upstream"));
}

#[tokio::test]
async fn weights_share_the_traffic() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    let targets = json!([
        { "provider": "a", "model": "x", "weight": 3 }, { "provider": "b", "model": "y", "weight": 1 },
    ]);
    model(&gateway, &[], json!({ "targets": targets })).await;
    for _ in 0..8 {
        served(&gateway).await;
    }
    assert_eq!(counts([&a, &b]), [6, 2]);
}

#[tokio::test]
async fn priority_takes_the_first_until_it_fails() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    let targets = json!([
        { "provider": "a", "model": "x" }, { "provider": "b", "model": "y", "priority": 5 },
    ]);
    model(
        &gateway,
        &[],
        json!({ "targets": targets, "strategy": "priority" }),
    )
    .await;
    served(&gateway).await;
    served(&gateway).await;
    assert_eq!(counts([&a, &b]), [0, 2]);
    b.next(Reply::json(500, &json!({})));
    served(&gateway).await;
    assert_eq!(counts([&a, &b]), [1, 3]);
}

#[tokio::test]
async fn least_latency_prefers_who_begins_first_and_looks_at_everybody_once() {
    let (slow, fast) = (FakeProvider::start(), FakeProvider::start());
    slow.always(Reply::contract().head_after(Duration::from_millis(150)));
    let gateway = with_providers(&[&slow, &fast]).await;
    model(&gateway, &["a", "b"], json!({ "strategy": "least_latency" })).await;
    for _ in 0..5 {
        served(&gateway).await;
    }
    assert_eq!(counts([&slow, &fast]), [1, 4]);
}

#[tokio::test]
async fn least_busy_avoids_who_has_requests_under_way() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    model(&gateway, &["a", "b"], json!({ "strategy": "least_busy" })).await;
    let gate = Gate::closed();
    a.always(Reply::events(["{\"n\":1}", "[DONE]"]).gated(&gate));
    b.always(Reply::contract());
    let mut body = chat_stream("conf:hello");
    body["model"] = json!("m");
    let hanging = ask(&gateway, &body);
    let hanging = tokio::spawn(stream_to_end(hanging));
    a.wait_requests(1).await;
    for _ in 0..3 {
        served(&gateway).await;
    }
    assert_eq!(counts([&a, &b]), [1, 3]);
    gate.open_for_good();
    hanging.await.unwrap();
}

#[tokio::test]
async fn least_cost_takes_the_cheapest_for_the_request() {
    let (dear, cheap) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&dear, &cheap]).await;
    let price = |input: u64, output: u64| json!({ "rates": { "input": input, "output": output } });
    let targets = json!([
        { "provider": "a", "model": "x", "prices": price(10_000_000, 10_000_000) },
        { "provider": "b", "model": "y", "prices": price(1_000_000, 1_000_000) },
    ]);
    model(
        &gateway,
        &[],
        json!({ "targets": targets, "strategy": "least_cost" }),
    )
    .await;
    served(&gateway).await;
    served(&gateway).await;
    assert_eq!(counts([&dear, &cheap]), [0, 2]);
    cheap.next(Reply::json(503, &json!({})));
    served(&gateway).await;
    assert_eq!(counts([&dear, &cheap]), [1, 3]);
}

#[tokio::test]
async fn adaptive_moves_traffic_away_from_who_fails_and_keeps_looking() {
    let (bad, good) = (FakeProvider::start(), FakeProvider::start());
    bad.always(Reply::json(500, &json!({})));
    let gateway = with_providers(&[&bad, &good]).await;
    let members = json!({ "strategy": "adaptive", "cool_down": { "enabled": false } });
    model(&gateway, &["a", "b"], members).await;
    for _ in 0..20 {
        served(&gateway).await;
    }
    let [bad, good] = counts([&bad, &good]);
    assert_eq!(good, 20, "every call was served");
    assert!((1..=7).contains(&bad), "{bad} of 20 went to the one that fails");
}

#[tokio::test]
async fn consistent_hash_keeps_a_conversation_where_it_began() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    model(&gateway, &["a", "b"], json!({ "strategy": "consistent_hash" })).await;
    let turn = |number: usize, turns: usize| {
        let mut body = chat_with("m", &format!("conf:hello {number}"));
        let messages = body["messages"].as_array_mut().unwrap();
        for _ in 0..turns {
            messages.push(json!({ "role": "assistant", "content": "Hi" }));
            messages.push(json!({ "role": "user", "content": "conf:hello again" }));
        }
        body
    };
    let mut both = [false; 2];
    for number in 0..12 {
        let mut homes = Vec::new();
        for turns in 0..3 {
            let before = counts([&a, &b]);
            answered(ask(&gateway, &turn(number, turns))).await;
            homes.push(usize::from(counts([&a, &b])[1] > before[1]));
        }
        assert!(homes.iter().all(|home| *home == homes[0]), "{homes:?}");
        both[homes[0]] = true;
    }
    assert_eq!(both, [true, true], "conversations are spread");
}

#[tokio::test]
async fn consistent_hash_goes_by_a_header_where_told() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    let hash = json!({ "on": "header", "header": "x-session" });
    model(
        &gateway,
        &["a", "b"],
        json!({ "strategy": "consistent_hash", "hash": hash }),
    )
    .await;
    for number in 0..6 {
        let body = chat_with("m", &format!("conf:hello {number}"));
        answered(ask(&gateway, &body).header("x-session", "s-1")).await;
    }
    let mut counts = counts([&a, &b]);
    counts.sort_unstable();
    assert_eq!(counts, [0, 6]);
}

#[tokio::test]
async fn patterns_serve_what_no_name_does_and_hand_their_text_on() {
    let fake = FakeProvider::start();
    let gateway = with_providers(&[&fake]).await;
    let model = |name: &str, upstream: Value| {
        let mut target = json!({ "provider": "a" });
        if !upstream.is_null() {
            target["model"] = upstream;
        }
        json!({ "name": name, "targets": [target] })
    };
    for (id, resource) in [
        ("1", model("*", Value::Null)),
        ("2", model("openai/*", json!("*"))),
        ("3", model("openai/gpt-4*", json!("four-*"))),
        ("4", model("openai/gpt-4o", json!("exact"))),
    ] {
        crate::support::put(&gateway, &format!("/models/{id}"), resource).await;
    }
    for (asked, sent) in [
        ("openai/gpt-4o", "exact"),
        ("openai/gpt-4-turbo", "four--turbo"),
        ("openai/o3", "o3"),
        ("anything", "anything"),
    ] {
        answered(ask(&gateway, &chat_with(asked, "conf:hello"))).await;
        assert_eq!(fake.last_request().json()["model"], sent, "{asked}");
    }
}
