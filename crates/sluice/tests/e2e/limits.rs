//! `limit-req` and `limit-conn`, and the Redis policies of all limits (compat §4.4, §6.3, §6.4).

mod faults;
mod limit_conn;
mod limit_req;
mod redis;

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, RedisServer, Reply};

use crate::support::{gateway, node, put};

/// An upstream that answers `ok` to everything.
fn upstream() -> FakeProvider {
    let provider = FakeProvider::start();
    provider.always(Reply::body(200, "text/plain", "ok"));
    provider
}

/// Stores a route to this upstream with one plugin.
async fn put_limited(gateway: &Gateway, uri: &str, provider: &FakeProvider, plugin: &str, conf: Value) {
    let route = json!({ "uri": uri, "plugins": { plugin: conf }, "upstream": node(provider.addr()) });
    let id = uri.trim_start_matches('/');
    put(gateway, &format!("/routes/{id}"), route).await;
}

/// A gateway with one route, `/r`, that carries one plugin.
async fn limited(provider: &FakeProvider, plugin: &str, conf: Value) -> Gateway {
    let gateway = gateway().await;
    put_limited(&gateway, "/r", provider, plugin, conf).await;
    gateway
}

/// The statuses of calls, one after the other.
async fn statuses<const N: usize>(gateway: &Gateway, target: &str) -> [u16; N] {
    let mut statuses = [0; N];
    for status in &mut statuses {
        let answer = gateway.client().get(target).send().await;
        *status = answer.status.as_u16();
        answer.bytes().await;
    }
    statuses
}

/// The fields of policy `redis` for this server, and `more`.
fn on_redis(server: &RedisServer, more: Value) -> Value {
    with(
        json!({ "policy": "redis", "redis_host": "127.0.0.1", "redis_port": server.port() }),
        more,
    )
}

fn with(mut conf: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    conf.as_object_mut().unwrap().extend(more);
    conf
}

/// What the Admin API says of this plugin on a route.
async fn refusal(gateway: &Gateway, plugin: &str, conf: Value) -> String {
    let route = json!({ "uri": "/refused", "plugins": { plugin: conf } });
    let answer = gateway
        .admin()
        .put("/routes/refused", route)
        .await
        .expect_status(400);
    answer.json()["error_msg"].as_str().unwrap().to_owned()
}
