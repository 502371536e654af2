//! Who shares answers.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, RedisServer};

use super::{CHAT, Seen, keys, on_redis};
use crate::support::{chat, gateway, openai, put_consumer, put_route};

struct Bench {
    provider: FakeProvider,
    redis: RedisServer,
    gateway: Gateway,
}

impl Bench {
    /// Routes `/a/…` and `/b/…` with the same provider and these members of `cache_key`, for consumers.
    async fn start(key: Value) -> Self {
        let (provider, redis) = (FakeProvider::start(), RedisServer::start().await);
        let gateway = gateway().await;
        for name in ["ann", "bob"] {
            put_consumer(&gateway, name).await;
        }
        for id in ["a", "b"] {
            let plugins = json!({
                "key-auth": {}, "ai-proxy": openai(&provider),
                "ai-cache": on_redis(&redis, json!({ "cache_key": key })),
            });
            put_route(&gateway, id, &format!("/{id}{CHAT}"), plugins).await;
        }
        Self {
            provider,
            redis,
            gateway,
        }
    }

    async fn ask(&self, route: &str, consumer: &str, tenant: &str) -> String {
        let call = self.gateway.client().post(&format!("/{route}{CHAT}"));
        let call = call
            .header("apikey", &format!("key-{consumer}"))
            .header("x-tenant", tenant);
        let answer = call.json(&chat("conf:hello")).send().await;
        Seen::of(answer.expect_status(200).await).await.cache().to_owned()
    }

    /// What comes before the fingerprints of the keys.
    async fn scopes(&self, count: usize) -> Vec<String> {
        let keys = keys(&self.redis, count).await;
        let scope = |key: &String| key.rsplit_once(':').unwrap().0.to_owned();
        keys.iter().map(scope).collect()
    }
}

#[tokio::test]
async fn a_route_has_its_own() {
    let bench = Bench::start(json!({})).await;
    assert_eq!(bench.ask("a", "ann", "t").await, "MISS");
    assert_eq!(bench.scopes(1).await, ["ai-cache:l1:route=a"]);
    assert_eq!(bench.ask("a", "bob", "u").await, "HIT", "consumers share it");
    assert_eq!(bench.ask("b", "ann", "t").await, "MISS");
    assert_eq!(
        bench.scopes(2).await,
        ["ai-cache:l1:route=a", "ai-cache:l1:route=b"]
    );
}

#[tokio::test]
async fn routes_can_share() {
    let bench = Bench::start(json!({ "share_across_routes": true })).await;
    assert_eq!(bench.ask("a", "ann", "t").await, "MISS");
    assert_eq!(bench.scopes(1).await, ["ai-cache:l1:shared"]);
    assert_eq!(bench.ask("b", "bob", "u").await, "HIT");
    assert_eq!(bench.provider.requests().len(), 1);
}

#[tokio::test]
async fn consumers_and_variables_can_have_their_own() {
    let key = json!({ "include_consumer": true, "include_vars": ["http_x_tenant", "arg_none"] });
    let bench = Bench::start(key).await;
    assert_eq!(bench.ask("a", "ann", "50%:a=b").await, "MISS");
    let scope = "ai-cache:l1:route=a:consumer=ann:http_x_tenant=50%25%3Aa%3Db:arg_none=";
    assert_eq!(bench.scopes(1).await, [scope]);
    assert_eq!(bench.ask("a", "ann", "50%:a=b").await, "HIT");
    assert_eq!(bench.ask("a", "bob", "50%:a=b").await, "MISS");
    assert_eq!(bench.scopes(2).await.len(), 2);
    assert_eq!(bench.ask("a", "ann", "other").await, "MISS");
    assert_eq!(bench.scopes(3).await.len(), 3);
}

#[tokio::test]
async fn consumers_can_share_across_routes_each_with_themselves() {
    let key = json!({ "include_consumer": true, "share_across_routes": true });
    let bench = Bench::start(key).await;
    assert_eq!(bench.ask("a", "ann", "t").await, "MISS");
    assert_eq!(bench.scopes(1).await, ["ai-cache:l1:consumer=ann"]);
    assert_eq!(bench.ask("b", "ann", "t").await, "HIT");
    assert_eq!(bench.ask("b", "bob", "t").await, "MISS");
}
