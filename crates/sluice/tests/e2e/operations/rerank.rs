use serde_json::json;
use sluice_testkit::{FakeProvider, Reply};

use super::{answered, post, refused};
use crate::translation::client_of;

#[tokio::test]
async fn both_forms_on_both_forms() {
    for (name, path) in [
        ("cohere", "/v2/rerank"),
        ("vllm", "/v1/rerank"),
        ("jina", "/v1/rerank"),
    ] {
        let provider = FakeProvider::strict();
        let gateway = client_of(name, &provider).await;
        let body =
            json!({ "model": "m", "query": "warm city", "documents": ["cold", "a warm city"], "top_n": 1 });
        let answer = answered(post(&gateway, "/v2/rerank").json(&body)).await;
        assert_eq!(
            answer["results"],
            json!([{ "index": 1, "relevance_score": 1.0 }]),
            "{name}"
        );
        assert!(answer["id"].is_string() && answer["meta"].is_object(), "{answer}");
        assert_eq!(provider.last_request().path, path);
        let mut body = body;
        body["documents"][1] = json!({ "text": "a warm city" });
        let answer = answered(post(&gateway, "/v1/rerank").json(&body)).await;
        assert_eq!(
            answer["results"],
            json!([{ "index": 1, "relevance_score": 1.0, "document": { "text": "a warm city" } }]),
            "{name}"
        );
        assert!(answer["usage"]["total_tokens"].is_u64(), "{answer}");
        assert_eq!(provider.refused(), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn errors_are_in_the_clients_dialect() {
    let provider = FakeProvider::strict();
    let gateway = client_of("vllm", &provider).await;
    let body = json!({ "model": "m", "query": "q", "documents": ["a"] });
    provider.next(Reply::error(400, "too many documents"));
    let answer = refused(post(&gateway, "/v2/rerank").json(&body), 400).await;
    assert_eq!(answer, json!({ "message": "too many documents" }));
    let answer = refused(post(&gateway, "/v2/rerank").json(&json!({ "query": "q" })), 400).await;
    assert_eq!(answer, json!({ "message": "documents: `documents` is required" }));
    let answer = refused(
        post(&gateway, "/v1/rerank")
            .body("query=q")
            .header("content-type", "text/plain"),
        400,
    )
    .await;
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("content-type")
    );
    let gateway = client_of("openai", &provider).await;
    let answer = refused(post(&gateway, "/v1/rerank").json(&body), 400).await;
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("provider openai does not support jina-rerank protocol")
    );
}
