//! Signed thoughts: they go back to the target that made them, and others get the conversation without them.

use serde_json::{Value, json};
use sluice_testkit::{Call, Completion, FakeProvider, Gateway, Reply};

use super::{answered, counts, model, post, refused, with_providers};
use crate::support::{put, stream_to_end};

/// Providers `a` and `b` of these types, and a model `m` of both that takes turns.
async fn two(types: [&str; 2]) -> (FakeProvider, FakeProvider, Gateway) {
    let (a, b) = (FakeProvider::strict(), FakeProvider::strict());
    let gateway = with_providers(&[]).await;
    for ((id, fake), kind) in [("a", &a), ("b", &b)].into_iter().zip(types) {
        let provider =
            json!({ "type": kind, "base_url": fake.url(""), "auth": { "api_key": "sk-upstream" } });
        put(&gateway, &format!("/providers/{id}"), provider).await;
    }
    for (fake, signature) in [(&a, "c2lnbmVkIGJ5IGE="), (&b, "c2lnbmVkIGJ5IGI=")] {
        let thought = Completion::new().thinking("Let me see.", signature);
        fake.always(Reply::completion(thought.text("Paris is warm.")));
    }
    let target = |id: &str, kind: &str| json!({ "name": id, "provider": id, "model": model_of(kind) });
    let targets = json!({ "targets": [target("a", types[0]), target("b", types[1])] });
    model(&gateway, &[], targets).await;
    (a, b, gateway)
}

fn model_of(kind: &str) -> &'static str {
    match kind {
        "anthropic" => "claude-sonnet-4-5",
        "gemini" => "gemini-2.5-flash",
        _ => "gpt-5",
    }
}

/// A turn of an Anthropic client, after what the model said.
fn turn(said: Option<&Value>) -> Value {
    let mut messages = vec![json!({ "role": "user", "content": "Weather?" })];
    if let Some(said) = said {
        messages.push(json!({ "role": "assistant", "content": said["content"] }));
        messages.push(json!({ "role": "user", "content": "Sure?" }));
    }
    json!({
        "model": "m", "max_tokens": 9000, "messages": messages,
        "thinking": { "type": "enabled", "budget_tokens": 2000 },
    })
}

fn messages(gateway: &Gateway, body: &Value) -> Call {
    post(gateway, "/v1/messages", body)
}

#[tokio::test]
async fn thoughts_go_back_to_who_signed_them() {
    let (a, b, gateway) = two(["anthropic", "anthropic"]).await;
    let said = answered(messages(&gateway, &turn(None))).await;
    let home = usize::from(counts([&a, &b])[1] == 1);
    for _ in 0..3 {
        answered(messages(&gateway, &turn(Some(&said)))).await;
    }
    assert_eq!(counts([&a, &b])[home], 4);
    assert_eq!([a.refused(), b.refused()].concat(), Vec::<String>::new());
}

#[tokio::test]
async fn streams_are_remembered_too() {
    let (a, b, gateway) = two(["anthropic", "anthropic"]).await;
    for turn_of in ["first", "second"] {
        let before = counts([&a, &b]);
        let mut body = turn(None);
        body["stream"] = json!(true);
        let events = stream_to_end(messages(&gateway, &body)).await.json();
        let signature = events
            .iter()
            .find_map(|event| event["delta"]["signature"].as_str());
        let signature = signature.unwrap_or_else(|| panic!("{turn_of}: {events:?}"));
        let said = json!({ "content": [
            { "type": "thinking", "thinking": "x", "signature": signature }, { "type": "text", "text": "Paris." },
        ] });
        let home = usize::from(counts([&a, &b])[1] > before[1]);
        let began = counts([&a, &b])[home];
        for _ in 0..2 {
            answered(messages(&gateway, &turn(Some(&said)))).await;
        }
        assert_eq!(counts([&a, &b])[home], began + 2, "{turn_of}");
    }
    assert_eq!([a.refused(), b.refused()].concat(), Vec::<String>::new());
}

#[tokio::test]
async fn another_target_gets_the_conversation_without_them_and_the_client_is_told() {
    let (a, b, gateway) = two(["anthropic", "gemini"]).await;
    for fails in [&a, &b] {
        let mut said = None;
        // Weights share first turns: one of two is this target's.
        while said.is_none() {
            let before = fails.requests().len();
            let answer = answered(messages(&gateway, &turn(None))).await;
            said = (fails.requests().len() > before).then_some(answer);
        }
        fails.next(Reply::error(500, "broken"));
        let answer = messages(&gateway, &turn(said.as_ref())).send().await;
        let answer = answer.expect_status(200).await;
        let dropped = answer.headers.get("x-sluice-dropped").cloned();
        assert_eq!(
            dropped.as_ref().and_then(|names| names.to_str().ok()),
            Some("reasoning_content"),
        );
    }
    assert_eq!([a.refused(), b.refused()].concat(), Vec::<String>::new());
}

#[tokio::test]
async fn a_chat_client_may_change_from_one_that_thinks_aloud_to_openai() {
    let (a, b, gateway) = two(["anthropic", "openai"]).await;
    let body = |said: Option<&Value>| {
        let mut messages = vec![json!({ "role": "user", "content": "Weather?" })];
        if let Some(said) = said {
            messages.push(said["choices"][0]["message"].clone());
            messages.push(json!({ "role": "user", "content": "Sure?" }));
        }
        json!({ "model": "m", "messages": messages, "reasoning_effort": "low", "max_completion_tokens": 9000 })
    };
    let ask = |body: &Value| post(&gateway, "/v1/chat/completions", body);
    let mut said = None;
    while said.is_none() {
        let answer = answered(ask(&body(None))).await;
        said = (!answer["choices"][0]["message"]["reasoning_content"].is_null()).then_some(answer);
    }
    a.next(Reply::error(500, "broken"));
    let before = b.requests().len();
    answered(ask(&body(said.as_ref()))).await;
    assert_eq!(b.requests().len(), before + 1);
    assert!(!b.last_request().json().to_string().contains("reasoning_content"));
    assert_eq!([a.refused(), b.refused()].concat(), Vec::<String>::new());
}

#[tokio::test]
async fn encrypted_reasoning_goes_to_its_maker_or_fails() {
    let (a, b, gateway) = two(["openai", "openai"]).await;
    let body = |said: Option<&Value>| {
        let mut input = vec![json!({ "role": "user", "content": "Weather?" })];
        input.extend(
            said.iter()
                .flat_map(|said| said["output"].as_array().unwrap().clone()),
        );
        json!({ "model": "m", "input": input, "store": false, "include": ["reasoning.encrypted_content"] })
    };
    let ask = |body: &Value| post(&gateway, "/v1/responses", body);
    let said = answered(ask(&body(None))).await;
    let home = usize::from(counts([&a, &b])[1] == 1);
    for _ in 0..2 {
        answered(ask(&body(Some(&said)))).await;
    }
    assert_eq!(counts([&a, &b])[home], 3);
    let other = ["b", "a"][home];
    let targets = json!({ "targets": [
        { "name": other, "provider": other }, { "name": "again", "provider": other, "model": "x" },
    ] });
    model(&gateway, &[], targets).await;
    assert_eq!(
        refused(ask(&body(Some(&said))), 409).await,
        "reasoning_unavailable"
    );
    assert_eq!(counts([&a, &b])[1 - home], 0);
}
