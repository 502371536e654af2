//! The plugins that are not about AI, on routes with a plain upstream (compat §3.5, §6.1–6.8).

mod access;
mod api_breaker;
mod echo;
mod fault_injection;
mod key_auth;
mod limit_count;
mod mocking;
mod redirect;
mod request_id;
mod rewrite;
mod traffic_split;

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use crate::support::{node, put};

/// An upstream that answers `ok` to everything.
fn upstream() -> FakeProvider {
    let provider = FakeProvider::start();
    provider.always(Reply::body(200, "text/plain", "ok"));
    provider
}

/// Stores a route to this upstream with these plugins.
async fn put_plain(gateway: &Gateway, id: &str, uri: &str, provider: &FakeProvider, plugins: Value) {
    let route = json!({ "uri": uri, "plugins": plugins, "upstream": node(provider.addr()) });
    put(gateway, &format!("/routes/{id}"), route).await;
}

/// A gateway whose only route, `/*`, leads to this upstream through these plugins.
async fn through(provider: &FakeProvider, plugins: Value) -> Gateway {
    let gateway = crate::support::gateway().await;
    put_plain(&gateway, "1", "/*", provider, plugins).await;
    gateway
}

/// What the Admin API says of this plugin on a route.
async fn refusal(gateway: &Gateway, name: &str, conf: Value) -> String {
    let route = json!({ "uri": "/refused", "plugins": { name: conf } });
    let answer = gateway
        .admin()
        .put("/routes/refused", route)
        .await
        .expect_status(400);
    answer.json()["error_msg"].as_str().unwrap().to_owned()
}
