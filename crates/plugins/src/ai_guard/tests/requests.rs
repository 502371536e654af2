//! The request's side.

use sluice_core::{AiLogging, Verdict};
use sluice_llm::RequestView;

use super::*;
use crate::fixture::{Fixture, chat};

/// What becomes of a request: its body, or the status of a refusal and its text.
fn judge(conf: &Value, protocol: Protocol, body: &Value) -> Result<Value, (u16, String)> {
    let fixture = Fixture::new();
    let guard = guard(conf);
    let mut cx = fixture.context("POST", "/v1/chat/completions");
    let mut ai = chat("{}", AiLogging::default());
    ai.protocol = protocol;
    ai.request = Some(RequestView::parse(body.to_string().into()).unwrap());
    cx.ai = Some(ai);
    match guard.judge_request(&mut cx) {
        Verdict::Continue => {
            let request = cx.ai.unwrap().request.unwrap();
            Ok(serde_json::from_slice(request.bytes()).unwrap())
        }
        Verdict::Reply(reply) => Err((reply.status.as_u16(), format!("{:?}", reply.headers))),
        Verdict::Fail(failure) => Err((failure.status().as_u16(), failure.message.to_string())),
    }
}

#[tokio::test]
async fn every_place_of_a_chat() {
    let body = json!({ "messages": [
        { "role": "system", "content": "s@x.example" },
        { "role": "user", "content": [{ "type": "text", "text": "u@x.example [EMAIL_1]" }] },
        { "role": "assistant", "content": null, "tool_calls": [
            { "id": "1", "type": "function", "function": { "name": "f", "arguments": r#"{"to":"\nt@x.example"}"# } }] },
        { "role": "tool", "content": "r@x.example u@x.example" },
    ] });
    let masked = judge(&json!({ "mask": ["email"] }), Protocol::OpenAiChat, &body).unwrap();
    let messages = &masked["messages"];
    assert_eq!(
        messages[0]["content"], "s@x.example",
        "system texts only if a rule says so"
    );
    assert_eq!(messages[1]["content"][0]["text"], "[EMAIL_2] [EMAIL_1]");
    assert_eq!(
        messages[2]["tool_calls"][0]["function"]["arguments"],
        r#"{"to":"\n[EMAIL_3]"}"#
    );
    assert_eq!(messages[3]["content"], "[EMAIL_4] [EMAIL_2]");

    let only = |place: &str| {
        let rule = json!({ "recognizer": "email", "action": "mask", "on": [place], "placeholder": "X" });
        let masked = judge(&json!({ "rules": [rule] }), Protocol::OpenAiChat, &body).unwrap();
        masked["messages"].to_string().matches("[X_").count()
    };
    let places = ["system", "request", "tool_arguments", "tool_results", "response"];
    assert_eq!(places.map(only), [1, 1, 1, 2, 0]);
}

#[tokio::test]
async fn other_protocols() {
    let mask = json!({ "mask": ["email"] });
    let anthropic = json!({
        "messages": [
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "a@x.example", "signature": "s" },
                { "type": "tool_use", "id": "1", "name": "f", "input": { "q": ["b@x.example"] } }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "1", "content": "c@x.example" }] },
        ],
        "system": "d@x.example",
    });
    let masked = judge(&mask, Protocol::AnthropicMessages, &anthropic).unwrap();
    let first = &masked["messages"][0]["content"];
    assert_eq!(first[0]["thinking"], "a@x.example", "signed thoughts stay");
    assert_eq!(first[1]["input"]["q"][0], "[EMAIL_2]");
    assert_eq!(masked["messages"][1]["content"][0]["content"], "[EMAIL_3]");
    let responses = json!({ "input": [{ "type": "function_call_output", "output": "o@x.example" }], "instructions": "i" });
    let masked = judge(&mask, Protocol::OpenAiResponses, &responses).unwrap();
    assert_eq!(masked["input"][0]["output"], "[EMAIL_1]");
    let embeddings = json!({ "input": ["a@x.example", "b"] });
    let masked = judge(&mask, Protocol::OpenAiEmbeddings, &embeddings).unwrap();
    assert_eq!(masked["input"], json!(["[EMAIL_1]", "b"]));
}

#[tokio::test]
async fn refusals() {
    let body = json!({ "messages": [
        { "role": "user", "content": "a@x.example" },
        { "role": "assistant", "content": "ok" },
        { "role": "user", "content": "b" },
    ] });
    let (status, _) = judge(&json!({ "block": ["email"] }), Protocol::OpenAiChat, &body).unwrap_err();
    assert_eq!(status, 200);
    let conf = json!({ "block": ["email"], "deny_code": 403 });
    assert_eq!(judge(&conf, Protocol::OpenAiChat, &body).unwrap_err().0, 403);
    let conf = json!({ "block": ["email"], "match_all_history": false });
    assert!(judge(&conf, Protocol::OpenAiChat, &body).is_ok());
    let (status, text) = judge(&conf, Protocol::Passthrough, &body).unwrap_err();
    assert_eq!((status, &*text), (500, "unsupported protocol: passthrough"));
    let conf = json!({ "block": ["email"], "fail_mode": "skip" });
    assert!(judge(&conf, Protocol::Passthrough, &body).is_ok());
}
