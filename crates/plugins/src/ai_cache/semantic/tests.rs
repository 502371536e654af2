use serde::Deserialize;
use serde_json::json;
use sluice_core::{AiLogging, Context};

use super::*;
use crate::fixture::{Fixture, chat};

/// A layer in process with these members of `match`.
fn semantic(fixture: &Fixture, matching: Value) -> Semantic {
    let mut all = json!({
        "message_countback": 1, "ignore_system_prompts": true, "ignore_assistant_prompts": true,
        "ignore_tool_prompts": true,
    });
    let members = all.as_object_mut().unwrap();
    members.extend(matching.as_object().unwrap().clone());
    let config = json!({
        "similarity_threshold": 0.9, "top_k": 1, "ttl": 60, "match": all,
        "embedding": { "openai": {
            "endpoint": "http://127.0.0.1:1/e", "model": "m", "api_key": "k", "ssl_verify": true, "timeout": 1,
        } },
    });
    let config = SemanticConfig::deserialize(config).unwrap();
    Semantic::compile(&config, None, &fixture.services).unwrap()
}

fn prompt(cx: &Context, semantic: &Semantic, body: &'static str) -> Option<(String, String)> {
    let ai = chat(body, AiLogging::default());
    let question = Question::of(cx, &ai).unwrap();
    let prompt = semantic.prompt("route=1", &question, &ai)?;
    Some((prompt.text, prompt.partition))
}

#[tokio::test]
async fn the_last_messages_that_count_are_compared() {
    let fixture = Fixture::new();
    let cx = fixture.context("POST", "/v1/chat/completions");
    let body = r#"{"messages":[
        {"role":"system","content":"s"}, {"role":"user","content":"u1"}, {"role":"assistant","content":"a"},
        {"role":"user","content":[{"type":"text","text":"u2"},{"type":"text","text":"u3"}]},
        {"role":"developer","content":"d"}]}"#;
    for (matching, text) in [
        (json!({}), "u2 u3"),
        (json!({ "message_countback": 2 }), "u1\nu2 u3"),
        (json!({ "message_countback": 9 }), "u1\nu2 u3"),
        (json!({ "ignore_system_prompts": false }), "d"),
        (
            json!({ "message_countback": 3, "ignore_assistant_prompts": false }),
            "u1\na\nu2 u3",
        ),
    ] {
        let found = prompt(&cx, &semantic(&fixture, matching.clone()), body);
        assert_eq!(found.unwrap().0, text, "{matching}");
    }
}

#[tokio::test]
async fn everything_else_must_be_the_same() {
    let fixture = Fixture::new();
    let cx = fixture.context("POST", "/v1/chat/completions");
    let semantic = semantic(&fixture, json!({}));
    let partition = |body| prompt(&cx, &semantic, body).unwrap().1;
    let one =
        partition(r#"{"n":1,"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"}]}"#);
    assert_eq!(
        partition(r#"{"n":1,"messages":[{"role":"system","content":"s"},{"role":"user","content":"b"}]}"#),
        one
    );
    for other in [
        r#"{"n":2,"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"}]}"#,
        r#"{"n":1,"messages":[{"role":"system","content":"t"},{"role":"user","content":"a"}]}"#,
        r#"{"n":1,"messages":[{"role":"system","content":"s"},{"role":"user","content":"a","name":"x"}]}"#,
        r#"{"n":1,"messages":[{"role":"user","content":"a"}]}"#,
    ] {
        assert_ne!(partition(other), one, "{other}");
    }
}

#[tokio::test]
async fn meaning_is_not_enough_everywhere() {
    let fixture = Fixture::new();
    let cx = fixture.context("POST", "/v1/chat/completions");
    let semantic = semantic(&fixture, json!({}));
    for body in [
        r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}]}"#,
        r#"{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},
            {"role":"user","content":"a"}]}"#,
        r#"{"messages":[{"role":"system","content":"a"}]}"#,
        r#"{"messages":[{"role":"user","content":" "}]}"#,
        r#"{"messages":[1,{"role":"user","content":"a"}]}"#,
        r#"{"messages":"a"}"#,
        r#"{"input":"a"}"#,
    ] {
        assert_eq!(prompt(&cx, &semantic, body), None, "{body}");
    }
    let mut ai = chat(
        r#"{"messages":[{"role":"user","content":"a"}]}"#,
        AiLogging::default(),
    );
    ai.protocol = Protocol::AnthropicMessages;
    let question = Question::of(&cx, &ai).unwrap();
    assert!(semantic.prompt("", &question, &ai).is_none());
}

#[tokio::test]
async fn a_service_that_fails_is_left_alone_for_a_while() {
    let fixture = Fixture::new();
    let cx = fixture.context("POST", "/v1/chat/completions");
    let semantic = semantic(&fixture, json!({}));
    assert!(!semantic.rests());
    let prompt = Prompt {
        text: "a".to_owned(),
        partition: "p".to_owned(),
    };
    assert!(semantic.likeness(&cx.worker.pool, prompt).await.is_none());
    assert!(semantic.rests());
}

#[test]
fn models_are_told_apart() {
    let service = |endpoint: &str, model: Option<&str>| ServiceConfig {
        endpoint: endpoint.to_owned(),
        model: model.map(str::to_owned),
        api_key: String::new(),
        dimensions: None,
        ssl_verify: true,
        timeout: 1,
    };
    let one = model_digest(&service("http://a", Some("m")));
    assert_eq!(one.len(), MODEL_DIGITS);
    assert_ne!(one, model_digest(&service("http://a", Some("n"))));
    assert_ne!(one, model_digest(&service("http://b", Some("m"))));
    assert_ne!(one, model_digest(&service("http://a", None)));
}
