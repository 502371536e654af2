//! `ai-rag`.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use crate::support::{dead_addr, done, gateway, openai, with_route};

const CHAT: &str = "/v1/chat/completions";

struct Services {
    embeddings: FakeProvider,
    search: FakeProvider,
    provider: FakeProvider,
}

impl Services {
    fn start() -> Self {
        let services = Self {
            embeddings: FakeProvider::start(),
            search: FakeProvider::start(),
            provider: FakeProvider::start(),
        };
        let vector = json!({ "data": [{ "index": 0, "embedding": [0.25, -1] }] });
        services.embeddings.always(Reply::json(200, &vector));
        services
            .search
            .always(Reply::json(200, &json!({ "value": [{ "text": "found" }] })));
        services
    }

    fn conf(&self) -> Value {
        json!({
            "embeddings_provider": { "azure_openai": {
                "endpoint": self.embeddings.url("/openai/deployments/e/embeddings?api-version=1"), "api_key": "e-key",
            } },
            "vector_search_provider": { "azure_ai_search": {
                "endpoint": self.search.url("/indexes/i/docs/search"), "api_key": "s-key",
            } },
        })
    }

    async fn gateway(&self) -> Gateway {
        with_route(json!({ "ai-rag": self.conf(), "ai-proxy": openai(&self.provider) })).await
    }
}

fn question() -> Value {
    json!({
        "model": "m",
        "messages": [{ "role": "user", "content": "conf:hello" }],
        "ai_rag": {
            "embeddings": { "input": "what is known", "dimensions": 2 },
            "vector_search": { "fields": "contentVector" },
        },
    })
}

#[tokio::test]
async fn what_is_found_is_appended() {
    let services = Services::start();
    let gateway = services.gateway().await;
    done(gateway.client().post(CHAT).json(&question()), 200).await;
    let asked = services.embeddings.last_request();
    assert_eq!(asked.path, "/openai/deployments/e/embeddings");
    assert_eq!(asked.query.as_deref(), Some("api-version=1"));
    assert_eq!(asked.header("api-key"), Some("e-key"));
    assert_eq!(asked.json(), json!({ "input": "what is known", "dimensions": 2 }));
    let asked = services.search.last_request();
    assert_eq!(asked.header("api-key"), Some("s-key"));
    assert_eq!(
        asked.json(),
        json!({ "vectorQueries": [{ "kind": "vector", "vector": [0.25, -1], "fields": "contentVector" }] })
    );
    assert_eq!(
        services.provider.last_request().json(),
        json!({
            "model": "m",
            "messages": [
                { "role": "user", "content": "conf:hello" },
                { "role": "user", "content": "{\"value\":[{\"text\":\"found\"}]}" },
            ],
        })
    );
}

#[tokio::test]
async fn a_service_that_refuses_is_the_answer() {
    let services = Services::start();
    let gateway = services.gateway().await;
    services
        .embeddings
        .next(Reply::body(401, "text/plain", "wrong key"));
    let answer = gateway.client().post(CHAT).json(&question()).send().await;
    assert_eq!(answer.expect_status(401).await.text().await, "wrong key");
    services.search.next(Reply::body(404, "text/plain", "no index"));
    let answer = gateway.client().post(CHAT).json(&question()).send().await;
    assert_eq!(answer.expect_status(404).await.text().await, "no index");
    services.embeddings.next(Reply::json(200, &json!({ "data": [] })));
    done(gateway.client().post(CHAT).json(&question()), 500).await;
    assert!(services.provider.requests().is_empty());
}

#[tokio::test]
async fn requests_that_ask_for_nothing() {
    let services = Services::start();
    let gateway = services.gateway().await;
    let mut wrong = question();
    wrong["ai_rag"]["vector_search"] = json!({});
    let plain = json!({ "messages": [] });
    for body in [plain, wrong] {
        let answer = gateway.client().post(CHAT).json(&body).send().await;
        let page = answer.expect_status(400).await.text().await;
        assert!(page.contains("<h1>400 Bad Request</h1>"), "{page}");
    }
    let answer = gateway.client().post(CHAT).body("").send().await;
    let answer = answer.expect_status(400).await.json().await;
    assert_eq!(answer["message"], "could not get body: request body is empty");
}

#[tokio::test]
async fn a_service_that_is_not_there() {
    let services = Services::start();
    let mut conf = services.conf();
    conf["embeddings_provider"]["azure_openai"]["endpoint"] = json!(format!("http://{}/e", dead_addr()));
    let gateway = with_route(json!({ "ai-rag": conf, "ai-proxy": openai(&services.provider) })).await;
    let answer = gateway.client().post(CHAT).json(&question()).send().await;
    let text = answer.expect_status(500).await.text().await;
    assert!(!text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn only_the_known_services_are_accepted() {
    let services = Services::start();
    let gateway = gateway().await;
    let mut conf = services.conf();
    conf["embeddings_provider"] = json!({ "openai": { "endpoint": "x", "api_key": "k" } });
    let route = json!({ "uri": "/a", "plugins": { "ai-rag": conf } });
    let answer = gateway.admin().put("/routes/1", route).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains(r#"property \"azure_openai\" is required"#),
        "{}",
        answer.text()
    );
}
