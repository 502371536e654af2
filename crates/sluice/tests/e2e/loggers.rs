//! Loggers (compat §6.9): what arrives on the other side, and what happens when nothing is there to take it.

mod faults;
mod http;
mod kafka;
mod lines;
mod pressure;
mod tracing;
mod variables;

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use crate::support::{done, node, put};

/// A server that takes everything.
fn collector() -> FakeProvider {
    let collector = FakeProvider::start();
    collector.always(Reply::json(200, &json!({})));
    collector
}

/// Stores a route to a plain upstream with one logger.
async fn put_logger(gateway: &Gateway, upstream: &FakeProvider, uri: &str, logger: &str, conf: Value) {
    upstream.always(Reply::body(200, "text/plain", "ok"));
    let route = json!({ "uri": uri, "plugins": { logger: conf }, "upstream": node(upstream.addr()) });
    put(gateway, "/routes/1", route).await;
}

/// Calls these paths, one after the other.
async fn call(gateway: &Gateway, paths: &[&str]) {
    for path in paths {
        done(gateway.client().get(path), 200).await;
    }
}
