//! `serve --demo`: what somebody sees who starts the gateway for the first time.

use serde_json::json;
use sluice_testkit::Gateway;

use crate::support::{binary, chat, stream_to_end};

/// The key in the `curl` that the gateway prints.
async fn printed_key(gateway: &Gateway) -> String {
    gateway.wait_output("Authorization: Bearer ").await;
    let output = gateway.output();
    let (_, rest) = output.split_once("Authorization: Bearer ").unwrap();
    rest.split('\'').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_printed_key_gets_an_answer() {
    let gateway = Gateway::builder(binary()).arg("--demo").start().await;
    let key = printed_key(&gateway).await;
    let call = gateway
        .client()
        .post("/v1/chat/completions")
        .header("authorization", &format!("Bearer {key}"));
    let answer = call
        .json(&chat("Hello, Sluice"))
        .send()
        .await
        .expect_status(200)
        .await
        .json()
        .await;
    assert_eq!(answer["choices"][0]["message"]["content"], "Hello, Sluice");
    assert!(answer["usage"]["total_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn the_echo_provider_streams_and_embeds() {
    let gateway = Gateway::builder(binary()).arg("--demo").start().await;
    let key = printed_key(&gateway).await;
    let body = json!({ "model": "echo", "stream": true, "messages": [{ "role": "user", "content": "one two three" }] });
    let call = gateway
        .client()
        .post("/v1/chat/completions")
        .header("authorization", &format!("Bearer {key}"));
    let finished = stream_to_end(call.json(&body)).await;
    assert!(!finished.broken);
    assert!(finished.data().len() > 3, "several chunks");
    assert_eq!(*finished.data().last().unwrap(), "[DONE]");

    let body = json!({ "model": "echo-embedding", "input": ["a", "b"] });
    let call = gateway.client().post("/v1/embeddings").header("x-api-key", &key);
    let answer = call
        .json(&body)
        .send()
        .await
        .expect_status(200)
        .await
        .json()
        .await;
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn without_demo_nothing_exists_that_nobody_made() {
    let gateway = crate::support::gateway().await;
    let call = gateway
        .client()
        .post("/v1/chat/completions")
        .header("authorization", "Bearer anything");
    let answer = call
        .json(&chat("hi"))
        .send()
        .await
        .expect_status(401)
        .await
        .json()
        .await;
    assert_eq!(answer["error"]["code"], "invalid_api_key");
}
