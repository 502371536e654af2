//! `ai-cache` (compat §4.13).

mod accounting;
mod exact;
mod faults;
mod kept;
mod local;
mod scopes;
mod semantic;

use bytes::Bytes;
use serde_json::{Value, json};
use sluice_testkit::{Answer, FakeProvider, Gateway, RedisServer, eventually};

use crate::support::{openai, with_route};

const CHAT: &str = "/v1/chat/completions";

/// A configuration that keeps answers in this Redis, and `more`.
fn on_redis(redis: &RedisServer, more: Value) -> Value {
    on_port(redis.port(), more)
}

fn on_port(port: u16, more: Value) -> Value {
    let mut conf = json!({ "redis_host": "127.0.0.1", "redis_port": port, "redis_timeout": 400 });
    conf.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    conf
}

/// A gateway whose chat route has this cache in front of an OpenAI provider.
async fn cached(provider: &FakeProvider, conf: Value) -> Gateway {
    with_route(json!({ "ai-proxy": openai(provider), "ai-cache": conf })).await
}

/// What a client sees of an answer.
#[derive(Debug)]
struct Seen {
    cache: Option<String>,
    age: Option<u64>,
    similarity: Option<String>,
    content_type: Option<String>,
    body: Bytes,
}

impl Seen {
    async fn of(answer: Answer) -> Self {
        let header = |name| answer.header(name).map(str::to_owned);
        Self {
            cache: header("x-ai-cache-status"),
            age: header("x-ai-cache-age").map(|age| age.parse().unwrap()),
            similarity: header("x-ai-cache-similarity"),
            content_type: header("content-type"),
            body: answer.bytes().await,
        }
    }

    fn cache(&self) -> &str {
        self.cache.as_deref().expect("a cache status")
    }
}

async fn ask(gateway: &Gateway, body: &Value) -> Seen {
    let answer = gateway.client().post(CHAT).json(body).send().await;
    Seen::of(answer.expect_status(200).await).await
}

/// Asks until the answer comes from the cache: it is written after it was sent.
async fn ask_until_hit(gateway: &Gateway, body: &Value) -> Seen {
    eventually("the answer to be kept", async || {
        let seen = ask(gateway, body).await;
        (seen.cache() == "HIT").then_some(seen)
    })
    .await
}

/// The keys in a Redis, once there are so many.
async fn keys(redis: &RedisServer, count: usize) -> Vec<String> {
    let mut found = eventually(&format!("{count} keys in redis"), async || {
        let text = redis.command(&[
            "EVAL",
            "return table.concat(redis.call('keys', '*'), '\\n')..'\\n.'",
            "0",
        ]);
        let keys: Vec<_> = text
            .lines()
            .filter(|key| *key != ".")
            .map(str::to_owned)
            .collect();
        (keys.len() == count).then_some(keys)
    })
    .await;
    found.sort();
    found
}

/// The Admin API's word on a configuration.
async fn refusal(gateway: &Gateway, conf: Value) -> String {
    let route = json!({ "uri": "/refused", "plugins": { "ai-cache": conf } });
    let answer = gateway
        .admin()
        .put("/routes/refused", route)
        .await
        .expect_status(400);
    answer.json()["error_msg"].as_str().unwrap().to_owned()
}
