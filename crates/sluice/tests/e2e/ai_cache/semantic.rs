//! The semantic layer, in front of a Redis that speaks the search commands.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Recorded, RedisSearch, RedisServer, Reply, eventually};

use super::{CHAT, Seen, ask, keys, on_port};
use crate::scrape::Scrape;
use crate::support::{chat, openai, put_route, with_route};

/// A service that knows what some texts mean.
pub(super) fn embeddings() -> FakeProvider {
    let service = FakeProvider::start();
    service.always(Reply::by(|request: &Recorded| {
        let body = request.json();
        let text = body["input"][0].as_str().unwrap();
        let vector = match text {
            text if text.contains("capital of France") => [1.0, 0.0, 0.0],
            text if text.contains("France's capital") => [0.9, 0.4, 0.0],
            text if text.contains("capital of Spain") => [0.5, 0.5, 0.5],
            _ => [0.0, 0.0, 1.0],
        };
        Reply::json(200, &json!({ "data": [{ "index": 0, "embedding": vector }] }))
    }));
    service
}

/// Members for an OpenAI-like service; `semantic` goes beside it.
pub(super) fn layers(service: &FakeProvider, semantic: Value) -> Value {
    let mut all = json!({
        "similarity_threshold": 0.9,
        "embedding": { "openai": { "endpoint": service.url("/v1/embeddings"), "model": "e-small", "api_key": "e-key" } },
        "vector_search": { "redis": { "index": "idx" } },
    });
    all.as_object_mut()
        .unwrap()
        .extend(semantic.as_object().unwrap().clone());
    json!({ "layers": ["exact", "semantic"], "semantic": all })
}

struct Bench {
    provider: FakeProvider,
    embeddings: FakeProvider,
    redis: RedisServer,
    search: RedisSearch,
    gateway: Gateway,
}

impl Bench {
    async fn start(semantic: Value) -> Self {
        let (provider, embeddings) = (FakeProvider::start(), embeddings());
        let redis = RedisServer::start().await;
        let search = RedisSearch::start(&redis);
        let conf = on_port(search.port(), layers(&embeddings, semantic));
        let plugins = json!({ "ai-proxy": openai(&provider), "ai-cache": conf, "prometheus": {} });
        let gateway = with_route(plugins).await;
        Self {
            provider,
            embeddings,
            redis,
            search,
            gateway,
        }
    }

    /// Asks something new, and waits until the answer is kept in both layers.
    async fn teach(&self, body: &Value) -> Seen {
        let before: usize = self.redis.command(&["DBSIZE"]).parse().unwrap();
        let seen = ask(&self.gateway, body).await;
        assert_eq!(seen.cache(), "MISS");
        keys(&self.redis, before + 2).await;
        seen
    }

    async fn hash(&self) -> String {
        let keys = keys(&self.redis, 2).await;
        keys.into_iter().find(|key| key.starts_with("idx:l2:")).unwrap()
    }
}

#[tokio::test]
async fn what_means_the_same_gets_the_same_answer() {
    let bench = Bench::start(json!({ "ttl": 500 })).await;
    let first = bench.teach(&chat("What is the capital of France?")).await;
    let similar = ask(&bench.gateway, &chat("Tell me France's capital")).await;
    assert_eq!(similar.cache(), "HIT");
    assert_eq!(similar.similarity.as_deref(), Some("0.9138"));
    assert!(similar.age.unwrap() < 60);
    assert_eq!(similar.body, first.body);
    assert_eq!(similar.content_type.as_deref(), Some("application/json"));
    assert_eq!(bench.provider.requests().len(), 1);
    // It has become an exact answer, too.
    keys(&bench.redis, 3).await;
    let again = ask(&bench.gateway, &chat("Tell me France's capital")).await;
    assert_eq!((again.cache(), again.similarity.as_deref()), ("HIT", None));
    assert_eq!(bench.embeddings.requests().len(), 2);
    let other = ask(&bench.gateway, &chat("What is the capital of Spain?")).await;
    assert_eq!(other.cache(), "MISS");
    let scrape = Scrape::when(&bench.gateway, "the requests to be measured", |scrape| {
        scrape.sum("apisix_ai_cache_misses_total", &[]) == 2.0
    })
    .await;
    assert_eq!(
        scrape.sum("apisix_ai_cache_hits_total", &[("layer", "semantic")]),
        1.0
    );
    assert_eq!(
        scrape.sum("apisix_ai_cache_hits_total", &[("layer", "exact")]),
        1.0
    );
    assert_eq!(scrape.sum("apisix_ai_cache_embedding_latency_count", &[]), 3.0);
}

#[tokio::test]
async fn the_index_and_its_hashes() {
    let bench = Bench::start(json!({ "ttl": 500 })).await;
    let first = bench.teach(&chat("What is the capital of France?")).await;
    let embedded = bench.embeddings.last_request();
    assert_eq!(embedded.path, "/v1/embeddings");
    assert_eq!(embedded.header("authorization"), Some("Bearer e-key"));
    assert_eq!(
        embedded.json(),
        json!({ "model": "e-small", "input": ["What is the capital of France?"] })
    );
    let key = bench.hash().await;
    let parts: Vec<_> = key.split(':').collect();
    assert_eq!(
        (parts.len(), parts[0], parts[1], parts[3]),
        (5, "idx", "l2", "3"),
        "{key}"
    );
    let get = |field: &str| bench.redis.command(&["HGET", &key, field]);
    assert_eq!(get("response").as_bytes(), first.body);
    assert_eq!(get("format"), "json");
    assert!(get("created_at").parse::<u64>().unwrap() > 1_700_000_000);
    assert_eq!(get("partition").len(), 64);
    assert_eq!(bench.redis.command(&["HSTRLEN", &key, "embedding"]), "12");
    let ttl: u32 = bench.redis.command(&["TTL", &key]).parse().unwrap();
    assert!((490..=500).contains(&ttl), "{ttl}");
    let created = bench.search.commands();
    let created = created
        .iter()
        .find(|words| words[0] == "FT.CREATE")
        .unwrap()
        .join(" ");
    let model = parts[2];
    assert_eq!(
        created,
        format!(
            "FT.CREATE idx:idx:{model}:3 ON HASH PREFIX 1 idx:l2:{model}:3: SCHEMA partition TAG embedding VECTOR \
             HNSW 6 TYPE FLOAT32 DIM 3 DISTANCE_METRIC COSINE"
        )
    );
    // A second gateway finds the index there.
    let conf = on_port(bench.search.port(), layers(&bench.embeddings, json!({})));
    let second = with_route(json!({ "ai-proxy": openai(&bench.provider), "ai-cache": conf })).await;
    assert_eq!(ask(&second, &chat("France's capital?")).await.cache(), "HIT");
    assert_eq!(ask(&second, &chat("weather")).await.cache(), "MISS");
    keys(&bench.redis, 5).await;
}

#[tokio::test]
async fn everything_but_the_prompt_must_be_the_same() {
    let bench = Bench::start(json!({})).await;
    let asked = |system: &str, user: &str| json!({ "model": "m", "messages": [{ "role": "system", "content": system }, { "role": "user", "content": user }] });
    bench.teach(&asked("be brief", "the capital of France")).await;
    let mut warm = asked("be brief", "France's capital");
    warm["temperature"] = json!(1);
    for body in [asked("be long", "France's capital"), warm] {
        assert_eq!(ask(&bench.gateway, &body).await.cache(), "MISS", "{body}");
    }
    assert_eq!(
        ask(&bench.gateway, &asked("be brief", "France's capital"))
            .await
            .cache(),
        "HIT"
    );
    // Another route is another scope.
    let conf = on_port(bench.search.port(), layers(&bench.embeddings, json!({})));
    let plugins = json!({ "ai-proxy": openai(&bench.provider), "ai-cache": conf });
    put_route(&bench.gateway, "2", "/2", plugins).await;
    let call = bench
        .gateway
        .client()
        .post("/2")
        .json(&asked("be brief", "France's capital"));
    assert_eq!(Seen::of(call.send().await).await.cache(), "MISS");
}

#[tokio::test]
async fn the_threshold_decides() {
    let bench = Bench::start(json!({ "similarity_threshold": 0.95 })).await;
    bench.teach(&chat("the capital of France")).await;
    assert_eq!(
        ask(&bench.gateway, &chat("France's capital")).await.cache(),
        "MISS"
    );
    let mut same = chat("Please: the capital of France");
    same["stream"] = json!(false);
    let hit = ask(&bench.gateway, &same).await;
    assert_eq!((hit.cache(), hit.similarity.as_deref()), ("HIT", Some("1.0000")));
}

#[tokio::test]
async fn streams_are_found_by_meaning_too() {
    let bench = Bench::start(json!({})).await;
    let asked = |text: &str| {
        let mut body = chat(text);
        body["stream"] = json!(true);
        body
    };
    let first = bench.teach(&asked("the capital of France")).await;
    let hit = ask(&bench.gateway, &asked("France's capital")).await;
    assert_eq!((hit.cache(), &hit.body), ("HIT", &first.body));
    assert_eq!(hit.content_type.as_deref(), Some("text/event-stream"));
    assert_eq!(
        ask(&bench.gateway, &chat("France's capital")).await.cache(),
        "MISS",
        "not a stream"
    );
}

#[tokio::test]
async fn what_is_more_than_text_is_not_compared() {
    let bench = Bench::start(json!({})).await;
    let image = json!({ "model": "m", "messages": [{ "role": "user", "content": [
        { "type": "text", "text": "the capital of France" }, { "type": "image_url", "image_url": { "url": "data:," } },
    ] }] });
    assert_eq!(ask(&bench.gateway, &image).await.cache(), "MISS");
    keys(&bench.redis, 1).await;
    assert!(bench.embeddings.requests().is_empty());
    assert_eq!(ask(&bench.gateway, &image).await.cache(), "HIT");
}

#[tokio::test]
async fn azure_has_its_own_header_and_no_model() {
    let (provider, embeddings, redis) = (FakeProvider::start(), embeddings(), RedisServer::start().await);
    let search = RedisSearch::start(&redis);
    let service = json!({
        "endpoint": embeddings.url("/openai/deployments/e/embeddings?api-version=1"), "api_key": "azure-key", "dimensions": 3,
    });
    let more = json!({ "embedding": { "azure_openai": service } });
    let conf = on_port(search.port(), layers(&embeddings, more));
    let gateway = with_route(json!({ "ai-proxy": openai(&provider), "ai-cache": conf })).await;
    ask(&gateway, &chat("the capital of France")).await;
    let asked = embeddings.last_request();
    assert_eq!(asked.query.as_deref(), Some("api-version=1"));
    assert_eq!(
        (asked.header("api-key"), asked.header("authorization")),
        (Some("azure-key"), None)
    );
    assert_eq!(
        asked.json(),
        json!({ "input": ["the capital of France"], "dimensions": 3 })
    );
    keys(&redis, 2).await;
    assert_eq!(ask(&gateway, &chat("France's capital")).await.cache(), "HIT");
}

#[tokio::test]
async fn an_index_that_was_dropped_is_made_again() {
    let bench = Bench::start(json!({})).await;
    bench.teach(&chat("the capital of France")).await;
    let fresh = RedisSearch::start(&bench.redis);
    let conf = on_port(fresh.port(), layers(&bench.embeddings, json!({})));
    let plugins = json!({ "ai-proxy": openai(&bench.provider), "ai-cache": conf });
    put_route(&bench.gateway, "1", CHAT, plugins).await;
    assert_eq!(
        ask(&bench.gateway, &chat("the capital of Spain")).await.cache(),
        "MISS"
    );
    eventually("the index to be made", async || {
        fresh
            .commands()
            .iter()
            .any(|words| words[0] == "FT.CREATE")
            .then_some(())
    })
    .await;
    assert_eq!(
        ask(&bench.gateway, &chat("France's capital")).await.cache(),
        "HIT"
    );
}
