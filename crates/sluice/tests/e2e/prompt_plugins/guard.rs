//! `ai-prompt-guard`.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway};

use crate::support::{chat, done, gateway, openai, with_route};

const CHAT: &str = "/v1/chat/completions";

async fn guarded(provider: &FakeProvider, conf: Value) -> Gateway {
    with_route(json!({ "ai-prompt-guard": conf, "ai-proxy": openai(provider) })).await
}

#[tokio::test]
async fn allowed_and_denied_prompts() {
    let provider = FakeProvider::start();
    let conf =
        json!({ "allow_patterns": ["conf:hello", "secret"], "deny_patterns": ["(?i)SECRET(?! sauce)"] });
    let gateway = guarded(&provider, conf).await;
    let post = |text: &str| gateway.client().post(CHAT).json(&chat(text));
    done(post("conf:hello"), 200).await;
    done(post("conf:hello, secret sauce"), 200).await;
    let answer = post("weather").send().await.expect_status(400).await;
    assert_eq!(
        answer.json().await,
        json!({ "message": "Request doesn't match allow patterns" })
    );
    let answer = post("conf:hello, Secret").send().await.expect_status(400).await;
    assert_eq!(
        answer.json().await,
        json!({ "message": "Request contains prohibited content" })
    );
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn an_assistants_last_word_ends_the_request() {
    let provider = FakeProvider::start();
    let gateway = guarded(&provider, json!({ "deny_patterns": ["x"] })).await;
    let body = json!({ "model": "m", "messages": [{ "role": "assistant", "content": "hi" }] });
    let answer = gateway.client().post(CHAT).json(&body).send().await;
    assert_eq!(answer.expect_status(200).await.text().await, "");
    let answer = gateway.client().post(CHAT).body("").send().await;
    let answer = answer.expect_status(400).await.json().await;
    assert_eq!(answer, json!({ "message": "Empty request body" }));
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn what_it_does_not_recognise_follows_the_fail_mode() {
    let provider = FakeProvider::start();
    let gateway = guarded(&provider, json!({ "deny_patterns": ["x"], "fail_mode": "error" })).await;
    let answer = gateway
        .client()
        .post(CHAT)
        .json(&json!({ "prompt": "x" }))
        .send()
        .await;
    let answer = answer.expect_status(400).await.json().await;
    assert_eq!(
        answer,
        json!({ "message": "Request format not recognized by ai-prompt-guard" })
    );
    let answer = gateway.client().post(CHAT).body("{").send().await;
    answer.expect_status(400).await;
}

#[tokio::test]
async fn patterns_are_checked_when_written() {
    let gateway = gateway().await;
    for (member, text) in [
        ("allow_patterns", "invalid allow_pattern: ("),
        ("deny_patterns", "invalid deny_pattern: ("),
    ] {
        let route = json!({ "uri": "/a", "plugins": { "ai-prompt-guard": { member: ["("] } } });
        let answer = gateway.admin().put("/routes/1", route).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(text), "{}", answer.text());
    }
}
