use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Reply};

use super::{answered, post, refused};
use crate::translation::client_of;

const NOTHING: Vec<String> = Vec::new();

/// Where each client asks for two texts, and where it finds the second vector.
fn clients() -> [(&'static str, Value, &'static str); 4] {
    let part = |text: &str| json!({ "content": { "parts": [{ "text": text }] }, "outputDimensionality": 4 });
    [
        (
            "/v1/embeddings",
            json!({ "model": "m", "input": ["a", "b"], "dimensions": 4 }),
            "/data/1/embedding",
        ),
        (
            "/v1beta/models/m:batchEmbedContents",
            json!({ "requests": [part("a"), part("b")] }),
            "/embeddings/1/values",
        ),
        (
            "/api/embed",
            json!({ "model": "m", "input": ["a", "b"], "dimensions": 4 }),
            "/embeddings/1",
        ),
        (
            "/v2/embed",
            json!({ "model": "m", "texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float"],
                "output_dimension": 4 }),
            "/embeddings/float/1",
        ),
    ]
}

#[tokio::test]
async fn any_client_on_any_provider() {
    for (name, path) in [
        ("openai", "/v1/embeddings"),
        ("vllm", "/v1/embeddings"),
        ("gemini", "/v1beta/models/gemini-2.5-flash:batchEmbedContents"),
        ("ollama", ""),
        ("cohere", "/v2/embed"),
        ("vertex-ai", ""),
    ] {
        let provider = FakeProvider::strict();
        if name == "vertex-ai" {
            provider.always(Reply::json(
                200,
                &json!({ "predictions": [
                    { "embeddings": { "values": [0.5], "statistics": { "token_count": 2 } } },
                    { "embeddings": { "values": [0.25], "statistics": { "token_count": 2 } } },
                ] }),
            ));
        }
        let gateway = client_of(name, &provider).await;
        for (asked, body, vector) in clients() {
            let answer = answered(post(&gateway, asked).json(&body)).await;
            let vector = answer.pointer(vector).unwrap_or(&Value::Null);
            assert!(vector[0].is_number(), "{asked} on {name}: {answer}");
            let sent = provider.last_request();
            assert!(sent.path.ends_with(path), "{asked} on {name}: {}", sent.path);
        }
        assert_eq!(provider.refused(), NOTHING, "{name}");
    }
}

#[tokio::test]
async fn single_texts_and_base64() {
    let provider = FakeProvider::strict();
    let gateway = client_of("cohere", &provider).await;
    let body = json!({ "model": "m", "input": "a", "encoding_format": "base64", "user": "u" });
    let answer = post(&gateway, "/v1/embeddings").json(&body).send().await;
    let answer = answer.expect_status(200).await;
    assert_eq!(answer.header("x-sluice-dropped"), Some("user"));
    let answer = answer.json().await;
    assert_eq!(answer["data"][0]["embedding"], "AACAPgAAgD4AAIA+AACAPg==");
    assert_eq!(answer["usage"]["prompt_tokens"], 4);
    assert_eq!(answer["model"], "m");
    let body = json!({ "content": { "parts": [{ "text": "a" }] }, "taskType": "CLUSTERING" });
    let answer = answered(post(&gateway, "/v1beta/models/m:embedContent").json(&body)).await;
    assert_eq!(answer["embedding"]["values"][0], 0.25);
    assert_eq!(provider.last_request().json()["input_type"], "clustering");
    let body = json!({ "model": "m", "prompt": "a" });
    let answer = answered(post(&gateway, "/api/embeddings").json(&body)).await;
    assert_eq!(answer["embedding"][0], 0.25);
    assert_eq!(provider.refused(), NOTHING);
}

#[tokio::test]
async fn the_same_protocol_passes_and_the_model_is_mapped_everywhere() {
    let provider = FakeProvider::strict();
    let gateway = client_of("gemini", &provider).await;
    let request = json!({ "model": "models/m", "content": { "parts": [{ "text": "a" }] }, "taskType": "FACT_VERIFICATION" });
    let body = json!({ "requests": [request] });
    answered(post(&gateway, "/v1beta/models/m:batchEmbedContents").json(&body)).await;
    let sent = provider.last_request().json();
    assert_eq!(sent["requests"][0]["model"], "models/gemini-2.5-flash");
    assert_eq!(sent["requests"][0]["taskType"], "FACT_VERIFICATION");
    assert_eq!(provider.refused(), NOTHING);
}

#[tokio::test]
async fn errors_are_in_the_clients_dialect() {
    let provider = FakeProvider::strict();
    let gateway = client_of("cohere", &provider).await;
    let ask = |path: &str, body: Value| post(&gateway, path).json(&body);
    let openai = json!({ "model": "m", "input": "a" });
    provider.next(Reply::error(429, "slow down").header("retry-after", "3"));
    let answer = ask("/v1/embeddings", openai.clone())
        .send()
        .await
        .expect_status(429)
        .await;
    assert_eq!(answer.header("retry-after"), Some("3"));
    assert_eq!(answer.json().await["error"]["message"], "slow down");
    provider.next(Reply::error(400, "too long"));
    let gemini = json!({ "content": { "parts": [{ "text": "a" }] } });
    let answer = refused(ask("/v1beta/models/m:embedContent", gemini), 400).await;
    assert_eq!(answer["error"]["status"], "INVALID_ARGUMENT");
    assert_eq!(answer["error"]["message"], "too long");
    // Tokens mean nothing to another vocabulary.
    let tokens = json!({ "model": "m", "input": [1, 2] });
    let answer = refused(ask("/v1/embeddings", tokens), 400).await;
    assert_eq!(answer["error"]["param"], "input");
    let answer = refused(ask("/api/embed", json!({ "model": "m" })), 400).await;
    assert_eq!(answer["error"], "input: `input` is required");
    provider.next(Reply::json(200, &json!({ "embeddings": {} })));
    let answer = refused(ask("/v1/embeddings", openai), 502).await;
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("no embeddings")
    );
}

#[tokio::test]
async fn a_provider_without_embeddings_is_named() {
    let provider = FakeProvider::strict();
    let gateway = client_of("anthropic", &provider).await;
    let body = json!({ "model": "m", "input": "a" });
    let answer = refused(post(&gateway, "/v1/embeddings").json(&body), 400).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("provider anthropic does not support openai-embeddings protocol"),
        "{message}"
    );
    assert_eq!(provider.requests().len(), 0);
}
