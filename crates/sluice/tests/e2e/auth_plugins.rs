//! The auth plugins beside `key-auth`, and `forward-auth` (compat §1.7, §3.4, §3.6, §6.8).

mod basic_auth;
mod consumers;
mod forward_auth;
mod hmac_auth;
mod jwt_auth;
mod multi_auth;

use serde_json::{Value, json};
use sluice_testkit::{Call, FakeProvider, Gateway, Reply};

use crate::support::{node, put};

/// An upstream that answers `ok` to everything.
fn upstream() -> FakeProvider {
    let provider = FakeProvider::start();
    provider.always(Reply::body(200, "text/plain", "ok"));
    provider
}

/// A gateway whose only route, `/*`, leads to this upstream through these plugins.
async fn through(provider: &FakeProvider, plugins: Value) -> Gateway {
    let gateway = crate::support::gateway().await;
    put_plain(&gateway, provider, plugins).await;
    gateway
}

/// Stores the route `/*` to this upstream with these plugins.
async fn put_plain(gateway: &Gateway, provider: &FakeProvider, plugins: Value) {
    let route = json!({ "uri": "/*", "plugins": plugins, "upstream": node(provider.addr()) });
    put(gateway, "/routes/1", route).await;
}

/// Stores a consumer with these plugins.
async fn put_consumer(gateway: &Gateway, name: &str, plugins: Value) {
    put(
        gateway,
        "/consumers",
        json!({ "username": name, "plugins": plugins }),
    )
    .await;
}

/// Status, challenge and message of a refusal.
async fn refused(call: Call) -> (u16, Option<String>, Value) {
    let answer = call.send().await;
    let challenge = answer.header("www-authenticate").map(str::to_owned);
    (answer.status.as_u16(), challenge, answer.json().await)
}

/// A refusal with status 401.
fn refusal(challenge: &str, message: &str) -> (u16, Option<String>, Value) {
    (401, Some(challenge.to_owned()), json!({ "message": message }))
}

/// What the upstream was told of the caller: consumer and credential.
fn caller(provider: &FakeProvider) -> (Option<String>, Option<String>) {
    let sent = provider.last_request();
    let header = |name| sent.header(name).map(str::to_owned);
    (header("x-consumer-username"), header("x-credential-identifier"))
}

/// A consumer that was found without a credential.
fn consumer(name: &str) -> (Option<String>, Option<String>) {
    (Some(name.to_owned()), None)
}

/// What the Admin API says of this plugin on a route.
async fn refused_route(gateway: &Gateway, name: &str, conf: Value) -> String {
    let route = json!({ "uri": "/refused", "plugins": { name: conf } });
    refused_write(gateway, "/routes/refused", route).await
}

/// What the Admin API says of a resource that it does not take.
async fn refused_write(gateway: &Gateway, path: &str, resource: Value) -> String {
    let answer = gateway.admin().put(path, resource).await.expect_status(400);
    answer.json()["error_msg"].as_str().unwrap().to_owned()
}
