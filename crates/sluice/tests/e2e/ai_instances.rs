//! Instances of `ai-proxy-multi` that are checked, hashed or picked by meaning (compat §4.3), and the gauge that counts
//! calls by instance (compat §7).

use serde_json::{Value, json};
use sluice_testkit::{Answer, FakeProvider, Gate, Gateway, Reply, eventually};

use crate::support::{chat, gateway, openai, put, with_route};

const CHAT: &str = "/v1/chat/completions";

fn instance(provider: &FakeProvider, name: &str, members: Value) -> Value {
    let mut instance = openai(provider);
    instance["name"] = json!(name);
    instance["weight"] = json!(1);
    instance["options"] = json!({ "model": name });
    for (name, value) in members.as_object().unwrap() {
        instance[name] = value.clone();
    }
    instance
}

async fn say(gateway: &Gateway, text: &str) -> Answer {
    gateway
        .client()
        .post(CHAT)
        .json(&chat(text))
        .send()
        .await
        .expect_status(200)
        .await
}

fn calls(provider: &FakeProvider) -> usize {
    provider
        .requests()
        .iter()
        .filter(|request| request.path == CHAT)
        .count()
}

#[tokio::test]
async fn instances_that_fail_their_checks_are_passed_over() {
    let (sick, well) = (FakeProvider::start(), FakeProvider::start());
    let checks = json!({ "checks": { "active": {
        "http_path": "/health?deep=1", "healthy": { "successes": 1 }, "unhealthy": { "http_failures": 1 },
    } } });
    let mut first = instance(&sick, "a", checks);
    first["auth"] = json!({ "header": { "Authorization": "Bearer upstream-key" }, "query": { "k": "a b" } });
    let conf = json!({ "instances": [first, instance(&well, "b", json!({}))] });
    let gateway = with_route(json!({ "ai-proxy-multi": conf })).await;
    sick.always(Reply::contract());
    say(&gateway, "conf:hello").await.bytes().await;
    let probe = eventually("a probe", async || {
        sick.requests()
            .into_iter()
            .find(|request| request.path == "/health")
    })
    .await;
    assert_eq!(probe.header("authorization"), Some("Bearer upstream-key"));
    assert_eq!(probe.query.as_deref(), Some("deep=1&k=a%20b"));
    let status = async || -> Option<Value> {
        let report: Value = gateway
            .control()
            .get("/v1/healthcheck/routes/1")
            .send()
            .await
            .json()
            .await;
        let name = "/apisix/routes/1#plugins['ai-proxy-multi'].instances[0]";
        (report["name"] == name).then(|| report["nodes"][0]["status"].clone())
    };
    sick.always(Reply::json(500, &json!({})));
    eventually("the sick instance to be found out", async || {
        (status().await? == "unhealthy").then_some(())
    })
    .await;
    let before = calls(&sick);
    for _ in 0..4 {
        say(&gateway, "conf:hello").await.bytes().await;
    }
    assert_eq!(calls(&sick), before);
    sick.always(Reply::body(200, "application/json", "{}"));
    eventually("the instance to be back", async || {
        (status().await? == "healthy").then_some(())
    })
    .await;
    for _ in 0..2 {
        say(&gateway, "conf:hello").await.bytes().await;
    }
    assert_eq!(calls(&sick), before + 1);
}

#[tokio::test]
async fn instances_are_hashed_like_nodes() {
    let provider = FakeProvider::start();
    let instances = ["a", "b", "c"].map(|name| instance(&provider, name, json!({})));
    let balancer = json!({ "algorithm": "chash", "hash_on": "header", "key": "X-User" });
    let gateway =
        with_route(json!({ "ai-proxy-multi": { "instances": instances, "balancer": balancer } })).await;
    let mut homes = Vec::new();
    for user in 0..12 {
        let mut models = Vec::new();
        for _ in 0..2 {
            let call = gateway.client().post(CHAT).header("x-user", &user.to_string());
            call.json(&chat("conf:hello"))
                .send()
                .await
                .expect_status(200)
                .await
                .bytes()
                .await;
            models.push(provider.last_request().json()["model"].clone());
        }
        assert_eq!(models[0], models[1]);
        homes.push(models.remove(0));
    }
    assert!(homes.iter().any(|home| *home != homes[0]), "{homes:?}");
}

/// An answer of the embeddings service.
fn vectors(vectors: &[&[f32]]) -> Reply {
    // Not in order: the index says whose is whose.
    let data: Vec<Value> = vectors
        .iter()
        .enumerate()
        .rev()
        .map(|(index, vector)| json!({ "object": "embedding", "index": index, "embedding": vector }))
        .collect();
    Reply::json(200, &json!({ "object": "list", "data": data }))
}

struct Semantic {
    gateway: Gateway,
    provider: FakeProvider,
    embeddings: FakeProvider,
}

async fn semantic(opts: Value) -> Semantic {
    let (provider, embeddings) = (FakeProvider::start(), FakeProvider::start());
    let mut opts = opts;
    opts["debugging"] = json!(true);
    opts["embeddings"] = json!({
        "provider": "openai", "model": "embedder", "endpoint": embeddings.url(""),
        "auth": { "header": { "Authorization": "Bearer embeddings-key" }, "query": { "v": "1" } },
    });
    let instances = [
        instance(
            &provider,
            "code",
            json!({ "examples": ["fix this bug", "write a test"] }),
        ),
        instance(
            &provider,
            "chat",
            json!({ "examples": ["how are you"], "threshold": 0.9 }),
        ),
    ];
    let conf = json!({
        "balancer": { "algorithm": "semantic" }, "semantic_opts": opts, "instances": instances,
        "fallback_strategy": ["http_5xx"],
    });
    let gateway = with_route(json!({ "ai-proxy-multi": conf })).await;
    Semantic {
        gateway,
        provider,
        embeddings,
    }
}

const EXAMPLES: &[&[f32]] = &[&[1.0, 0.0], &[0.8, 0.6], &[0.0, 2.0]];

impl Semantic {
    /// Says something whose vector is this one; returns scores and pick as the headers show them.
    async fn pick(&self, vector: &[f32]) -> (Option<String>, String) {
        self.embeddings.next(vectors(&[vector]));
        self.picked().await
    }

    async fn picked(&self) -> (Option<String>, String) {
        let answer = say(&self.gateway, "conf:hello").await;
        let header = |name: &str| answer.header(name).map(str::to_owned);
        let shown = (
            header("x-ai-semantic-scores"),
            header("x-ai-semantic-picked-instance").unwrap(),
        );
        answer.bytes().await;
        shown
    }

    fn model(&self) -> Value {
        self.provider.last_request().json()["model"].clone()
    }
}

#[tokio::test]
async fn the_instance_closest_in_meaning_answers() {
    let test = semantic(json!({ "threshold": 0.5 })).await;
    test.embeddings.next(vectors(EXAMPLES));
    let (scores, picked) = test.pick(&[3.0, 0.0]).await;
    assert_eq!(
        (scores.as_deref(), &*picked),
        (Some("code:1.0000,chat:0.0000"), "code")
    );
    assert_eq!(test.model(), "code");
    let (scores, picked) = test.pick(&[0.0, 1.0]).await;
    assert_eq!(
        (scores.as_deref(), &*picked),
        (Some("chat:1.0000,code:0.6000"), "chat")
    );
    // The best is not close enough for its own threshold, the next is for that of all.
    let (scores, picked) = test.pick(&[0.6, 0.8]).await;
    assert_eq!(
        (scores.as_deref(), &*picked),
        (Some("code:0.9600,chat:0.8000"), "code")
    );
    let (_, picked) = test.pick(&[-1.0, 0.0]).await;
    assert_eq!(
        (&*picked, test.model()),
        ("fallback", json!("code")),
        "nobody is close: the first"
    );

    let asked = test.embeddings.requests();
    assert_eq!(asked.len(), 5, "the examples are asked for once");
    assert_eq!(
        asked[0].json(),
        json!({ "input": ["fix this bug", "write a test", "how are you"], "model": "embedder" })
    );
    assert_eq!(asked[1].json()["input"], json!(["conf:hello"]));
    assert_eq!(
        (asked[0].path.as_str(), asked[0].query.as_deref()),
        ("/v1/embeddings", Some("v=1"))
    );
    assert_eq!(asked[0].header("authorization"), Some("Bearer embeddings-key"));
}

#[tokio::test]
async fn what_cannot_be_compared_goes_to_the_fallback() {
    let test = semantic(json!({ "fallback": "chat" })).await;
    let fallback = (None, "fallback".to_owned());
    test.embeddings
        .next(Reply::json(500, &json!({ "error": "down" })));
    assert_eq!(test.picked().await, fallback);
    assert_eq!(test.model(), "chat");
    test.embeddings
        .next(vectors(EXAMPLES))
        .next(Reply::body(200, "application/json", "nonsense"));
    assert_eq!(test.picked().await, fallback, "the examples were asked for again");
    assert_eq!(test.pick(&[1.0, 0.0, 0.0]).await, fallback, "another dimension");
    assert_eq!(test.pick(&[1.0, 0.0]).await.1, "code");

    // No user said anything: nothing is asked. A failure of the picked instance is the answer.
    let count = test.embeddings.requests().len();
    let body = json!({ "messages": [{ "role": "system", "content": "conf:hello" }] });
    let answer = test
        .gateway
        .client()
        .post(CHAT)
        .json(&body)
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.header("x-ai-semantic-picked-instance"), Some("fallback"));
    assert_eq!(test.embeddings.requests().len(), count);
    test.embeddings.next(vectors(&[&[1.0, 0.0]]));
    test.provider.next(Reply::json(503, &json!({ "n": 1 })));
    let before = calls(&test.provider);
    let failed = test
        .gateway
        .client()
        .post(CHAT)
        .json(&chat("conf:hello"))
        .send()
        .await;
    failed.expect_status(503).await.bytes().await;
    assert_eq!(calls(&test.provider), before + 1, "nothing is retried");
}

#[tokio::test]
async fn calls_in_flight_show_names_where_metrics_prefer_them() {
    let provider = FakeProvider::start();
    let gate = Gate::closed();
    provider.always(Reply::contract().head_gated(&gate));
    let gateway = gateway().await;
    put(&gateway, "/services/s", json!({ "name": "brain" })).await;
    let route = |prefer_name: bool| {
        json!({
            "uri": CHAT, "name": "talk", "service_id": "s",
            "plugins": { "prometheus": { "prefer_name": prefer_name }, "ai-proxy": openai(&provider) },
        })
    };
    for (prefer_name, route_label, service_label) in [(false, "1", "s"), (true, "talk", "brain")] {
        put(&gateway, "/routes/1", route(prefer_name)).await;
        let call = tokio::spawn(gateway.client().post(CHAT).json(&chat("conf:hello")).send());
        let expected = format!(
            "apisix_llm_active_connections{{route=\"{route_label}\",route_id=\"1\",matched_uri=\"{CHAT}\",\
             matched_host=\"\",service=\"{service_label}\",service_id=\"s\",consumer=\"\",node=\"ai-proxy-openai\","
        );
        eventually("the call in the metrics", async || {
            let text = gateway.admin().client().get("/metrics").send().await.text().await;
            let line = text.lines().find(|line| line.starts_with(&expected))?;
            line.ends_with("} 1").then_some(())
        })
        .await;
        gate.open(1);
        call.await.unwrap().expect_status(200).await.bytes().await;
    }
}
