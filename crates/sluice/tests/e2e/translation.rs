//! Any client protocol on any provider protocol, through built-in routes (native profile).

mod agents;
mod books;
mod clients;
mod exchanges;
mod failures;
mod features;
mod matrix;
mod neutral;
mod page;
mod providers;

use serde_json::{Value, json};
use sluice_testkit::{
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, Completion, FakeProvider, Gateway, Reply, Usage,
};

use crate::support::{gateway, stream_to_end};

/// The configuration of `ai-proxy` for a provider that the fake plays.
pub(crate) fn target(name: &str, provider: &FakeProvider) -> Value {
    let mut conf = json!({
        "provider": name,
        "auth": { "header": { "authorization": "Bearer upstream-key" } },
        "options": { "model": model(name) },
        "override": { "endpoint": provider.url("") },
    });
    match name {
        "bedrock" => {
            conf["auth"] = json!({ "aws": {
                "access_key_id": AWS_ACCESS_KEY_ID, "secret_access_key": AWS_SECRET_ACCESS_KEY,
            } });
            conf["provider_conf"] = json!({ "region": "eu-central-1" });
        }
        "vertex-anthropic" | "vertex-ai" => {
            conf["auth"] = json!({ "header": { "authorization": "Bearer ya29.fake-1" } });
            conf["provider_conf"] = json!({ "project_id": "p", "region": "europe-west4" });
        }
        _ => {}
    }
    conf
}

fn model(provider: &str) -> &'static str {
    match provider {
        "anthropic" | "vertex-anthropic" => "claude-sonnet-4-5",
        "gemini" => "gemini-2.5-flash",
        "bedrock" => "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "cohere" => "command-a-03-2025",
        "ollama" => "qwen3",
        _ => "gpt-4.1",
    }
}

/// A gateway with a client whose provider is that one.
pub(crate) async fn client_of(name: &str, provider: &FakeProvider) -> Gateway {
    let gateway = gateway().await;
    let consumer = json!({
        "username": "native",
        "plugins": { "key-auth": { "key": "sk-native" }, "ai-proxy": target(name, provider) },
    });
    gateway
        .admin()
        .put("/consumers", consumer)
        .await
        .expect_status(201);
    gateway
}

fn answer() -> Completion {
    Completion::new()
        .thinking("Let me see.", "c2lnbmVk")
        .text("Paris is warm.")
        .in_pieces(["Paris ", "is warm."])
        .tool_call("call_a", "get_weather", r#"{"city": "Paris"}"#)
        .in_pieces([r#"{"ci"#, r#"ty": "Paris"}"#])
        .usage(Usage {
            input: 10,
            cached: 100,
            cache_write: 0,
            output: 7,
            reasoning: 0,
        })
}

#[tokio::test]
async fn a_chat_client_on_anthropic() {
    let provider = FakeProvider::strict();
    let gateway = client_of("anthropic", &provider).await;
    let mut body = json!({
        "model": "m", "max_tokens": 9000,
        "messages": [{ "role": "system", "content": "Be kind." }, { "role": "user", "content": "Weather?" }],
        "tools": [{ "type": "function", "function": { "name": "get_weather", "parameters": { "type": "object" } } }],
    });
    provider.next(Reply::completion(answer()));
    let call = |body: &Value| {
        let call = gateway.client().post("/v1/chat/completions");
        call.header("authorization", "Bearer sk-native").json(body)
    };
    let whole = call(&body).send().await;
    let whole = whole.expect_status(200).await.json().await;
    assert_eq!(provider.refused(), Vec::<String>::new());
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["content"], "Paris is warm.");
    assert_eq!(message["reasoning_content"], "Let me see.");
    let called = &message["tool_calls"][0]["function"];
    assert_eq!(called["arguments"], "{\"city\":\"Paris\"}");
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(whole["usage"]["prompt_tokens"], 110);
    assert_eq!(provider.last_request().header("x-api-key"), Some("upstream-key"));

    body["stream"] = json!(true);
    provider.next(Reply::completion(answer()));
    let finished = stream_to_end(call(&body)).await;
    let text: String = finished
        .json()
        .iter()
        .filter_map(|chunk| {
            chunk["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(text, "Paris is warm.");
    assert_eq!(finished.data().last(), Some(&"[DONE]"));
}

#[tokio::test]
async fn an_anthropic_client_on_chat() {
    let provider = FakeProvider::strict();
    let gateway = client_of("openai-compatible", &provider).await;
    let body = json!({
        "model": "m", "max_tokens": 9000, "system": "Be kind.", "stream": true,
        "messages": [{ "role": "user", "content": "Weather?" }],
        "tools": [{ "name": "get_weather", "input_schema": { "type": "object" } }],
    });
    provider.next(Reply::completion(answer()));
    let call = gateway.client().post("/v1/messages");
    let finished = stream_to_end(call.header("x-api-key", "sk-native").json(&body)).await;
    assert_eq!(provider.refused(), Vec::<String>::new());
    let names = finished.names();
    assert_eq!(names.first(), Some(&"message_start"));
    assert_eq!(names.last(), Some(&"message_stop"));
    let delta = finished.json();
    let last = delta
        .iter()
        .find(|event| event["type"] == "message_delta")
        .unwrap();
    assert_eq!(last["delta"]["stop_reason"], "tool_use");
    assert_eq!(last["usage"]["output_tokens"], 7);
}
