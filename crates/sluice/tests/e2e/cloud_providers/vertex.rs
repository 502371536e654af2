use serde_json::{Value, json};
use sluice_testkit::{Answer, FakeProvider, Gateway, Reply};

use super::{proxying, refusal};
use crate::scrape::Scrape;
use crate::support::{binary, chat, dead_addr, gateway, put_route};

const EMBEDDINGS: &str = "/v1/embeddings";

/// A key file whose tokens the fake gives out.
fn account(endpoint: &str) -> String {
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let file = json!({
        "client_email": "gw@p.iam.gserviceaccount.com", "private_key": key.serialize_pem(), "token_uri": endpoint,
    });
    file.to_string()
}

fn vertex(provider: &FakeProvider) -> Value {
    json!({
        "provider": "vertex-ai",
        "auth": { "gcp": { "service_account_json": account(&provider.url("/token")) } },
        "provider_conf": { "project_id": "p-1", "region": "us-central1" },
        "override": { "endpoint": provider.url("") },
    })
}

async fn embed(gateway: &Gateway, body: &Value, status: u16) -> Answer {
    let call = gateway.client().post(EMBEDDINGS).json(body);
    call.send().await.expect_status(status).await
}

#[tokio::test]
async fn embeddings_become_predictions_and_come_back() {
    let provider = FakeProvider::start();
    let gateway = proxying(EMBEDDINGS, vertex(&provider)).await;
    let body = json!({ "model": "text-embedding-005", "input": ["abc", ["de", "f"]], "dimensions": 2 });
    let answer = embed(&gateway, &body, 200).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.json().await,
        json!({
            "object": "list",
            "data": [
                { "object": "embedding", "index": 0, "embedding": [0.25, -0.5] },
                { "object": "embedding", "index": 1, "embedding": [0.25, -0.5] },
            ],
            "model": "text-embedding-005",
            "usage": { "prompt_tokens": 7, "total_tokens": 7 },
        })
    );
    let [token, sent] = <[_; 2]>::try_from(provider.requests()).unwrap();
    assert_eq!((token.path.as_str(), token.method.as_str()), ("/token", "POST"));
    assert_eq!(
        sent.path,
        "/v1/projects/p-1/locations/us-central1/publishers/google/models/text-embedding-005:predict"
    );
    assert_eq!(
        sent.json(),
        json!({ "instances": [{ "content": "abc" }, { "content": "de f" }] })
    );
    assert_eq!(sent.header("authorization"), Some("Bearer ya29.fake-1"));
    let counted = Scrape::when(&gateway, "the request", |scrape| {
        scrape.sum("apisix_llm_prompt_tokens", &[]) == 7.0
    });
    counted.await;
}

#[tokio::test]
async fn one_token_serves_many_calls() {
    let provider = FakeProvider::start();
    let mut conf = vertex(&provider);
    conf["options"] = json!({ "model": "text-embedding-005" });
    let gateway = proxying(EMBEDDINGS, conf).await;
    for _ in 0..3 {
        let answer = embed(&gateway, &json!({ "input": "abc" }), 200).await;
        assert_eq!(answer.json().await["model"], "unknown");
    }
    let tokens = provider
        .requests()
        .iter()
        .filter(|request| request.path == "/token")
        .count();
    assert_eq!(tokens, 1);
}

#[tokio::test]
async fn chat_goes_to_the_openai_endpoint_with_a_token() {
    let provider = FakeProvider::start();
    let gateway = proxying("/chat", vertex(&provider)).await;
    let call = gateway.client().post("/chat").json(&chat("conf:hello"));
    let call = call.header("authorization", "Bearer the client's");
    call.send().await.expect_status(200).await;
    let sent = provider.last_request();
    assert_eq!(
        sent.path,
        "/v1beta1/projects/p-1/locations/us-central1/endpoints/openapi/chat/completions"
    );
    assert_eq!(sent.header("authorization"), Some("Bearer ya29.fake-1"));
}

#[tokio::test]
async fn bad_input_is_refused() {
    let provider = FakeProvider::start();
    let gateway = proxying(EMBEDDINGS, vertex(&provider)).await;
    for (input, told) in [
        (json!(7), "`input` must be string or array"),
        (json!(["a", 7]), "unsupported input type at index 2"),
    ] {
        let answer = embed(&gateway, &json!({ "model": "m", "input": input }), 400).await;
        assert_eq!(answer.json().await, json!({ "error_msg": told }));
    }
    let answer = embed(&gateway, &json!({ "input": "abc" }), 400).await;
    let told = answer.json().await["error_msg"].as_str().unwrap().to_owned();
    assert!(told.starts_with("could not resolve upstream path"), "{told}");
    assert!(provider.requests().is_empty(), "nothing was asked of anybody");
}

#[tokio::test]
async fn answers_that_are_no_predictions_are_500() {
    let provider = FakeProvider::start();
    let gateway = proxying(EMBEDDINGS, vertex(&provider)).await;
    let body = json!({ "model": "m", "input": "abc" });
    embed(&gateway, &body, 200).await;
    for (answer, told) in [
        (json!({}), "vertex response missing predictions"),
        (
            json!({ "predictions": [{ "embeddings": {} }] }),
            "invalid embedding at index 1",
        ),
    ] {
        provider.next(Reply::json(200, &answer));
        assert_eq!(embed(&gateway, &body, 500).await.text().await, told);
    }
    let refusal = json!({ "error": { "code": 400, "message": "no" } });
    provider.next(Reply::json(400, &refusal));
    assert_eq!(embed(&gateway, &body, 400).await.json().await, refusal);
}

#[tokio::test]
async fn without_a_token_there_is_no_call() {
    let provider = FakeProvider::start();
    let gateway = proxying(EMBEDDINGS, vertex(&provider)).await;
    let body = json!({ "model": "m", "input": "abc" });
    let told = async |gateway: &Gateway| {
        let answer = embed(gateway, &body, 500).await.json().await;
        let told = answer["error_msg"].as_str().unwrap();
        told.strip_prefix("failed to get gcp access token: ")
            .unwrap_or_else(|| panic!("{told}"))
            .to_owned()
    };
    let refusal = json!({ "error": "invalid_grant", "error_description": "canary" });
    provider.next(Reply::json(400, &refusal));
    assert_eq!(
        told(&gateway).await,
        "token endpoint answered 400 Bad Request (invalid_grant)"
    );
    assert_eq!(provider.requests().len(), 1, "the provider was not called");
    embed(&gateway, &body, 200).await;

    let conf = |gcp: Value| {
        let mut conf = vertex(&provider);
        conf["auth"]["gcp"] = gcp;
        json!({ "ai-proxy": conf })
    };
    let unreachable = account(&format!("http://{}/token", dead_addr()));
    for (gcp, expected) in [
        (
            json!({ "service_account_json": unreachable }),
            "token endpoint: connection failed",
        ),
        (
            json!({ "service_account_json": "{\"client_email\":\"a@b\",\"private_key\":\"canary\"}" }),
            "private_key is not an RSA key in PEM form",
        ),
        (
            json!({}),
            "the environment variable GCP_SERVICE_ACCOUNT is not set",
        ),
    ] {
        put_route(&gateway, "1", EMBEDDINGS, conf(gcp)).await;
        let expected = async || (told(&gateway).await == expected).then_some(());
        sluice_testkit::eventually("the route's own failure", expected).await;
    }
}

#[tokio::test]
async fn the_environment_can_name_the_account() {
    let provider = FakeProvider::start();
    let gateway = Gateway::builder(binary())
        .env("GCP_SERVICE_ACCOUNT", account(&provider.url("/token")))
        .start()
        .await;
    let mut conf = vertex(&provider);
    conf["auth"]["gcp"] = json!({ "max_ttl": 10, "expire_early_secs": 0 });
    put_route(&gateway, "1", EMBEDDINGS, json!({ "ai-proxy": conf })).await;
    embed(&gateway, &json!({ "model": "m", "input": "abc" }), 200).await;
}

#[tokio::test]
async fn what_vertex_needs_is_asked_for() {
    let gateway = gateway().await;
    let conf = |members: Value| {
        let mut conf = json!({ "provider": "vertex-ai", "auth": { "gcp": {} } });
        conf.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        conf
    };
    let told = refusal(
        &gateway,
        "ai-proxy",
        conf(json!({ "provider_conf": { "region": "r" } })),
    )
    .await;
    assert!(
        told.ends_with("vertex-ai requires either provider_conf (project_id + region) or override.endpoint"),
        "{told}"
    );
    let bad = json!({ "override": { "endpoint": "http://x" }, "auth": { "gcp": { "service_account_json": "canary" } } });
    let told = refusal(&gateway, "ai-proxy", conf(bad)).await;
    assert!(
        told.contains("invalid gcp service_account_json: ") && !told.contains("canary"),
        "{told}"
    );
    let bad = json!({ "override": { "endpoint": "http://x" }, "auth": { "gcp": { "max_ttl": 0 } } });
    let told = refusal(&gateway, "ai-proxy", conf(bad)).await;
    assert!(told.contains("max_ttl"), "{told}");
}
