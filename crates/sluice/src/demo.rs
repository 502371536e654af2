//! `--demo`: a client with a key, in front of the built-in `echo` provider.

use std::sync::Arc;

use serde_json::{Value, json};
use sluice_core::Services;
use sluice_store::Store;

use crate::random;

const KEY: &str = "/consumers/demo";

/// Makes the demo client unless it is there, and returns its key.
pub(crate) async fn prepare(store: &Store) -> anyhow::Result<String> {
    if let Some(item) = store.get(KEY).await?
        && let Some(key) = item
            .value
            .pointer("/plugins/key-auth/key")
            .and_then(Value::as_str)
    {
        return Ok(key.to_owned());
    }
    let key = format!("sk-demo-{}", random::secret(24));
    let client = json!({
        "username": "demo",
        "desc": "made by `sluice serve --demo`",
        "plugins": {
            "key-auth": { "key": key },
            "ai-proxy": { "provider": "echo", "auth": {} },
        },
    });
    store.put(KEY, client, None).await?;
    Ok(key)
}

/// Loads the tokenizer that `echo` counts with, off the request path.
pub(crate) fn warm_up(services: &Arc<Services>) {
    let services = services.clone();
    services
        .background
        .clone()
        .spawn_blocking(move || services.tokens.count("echo", "Hello"));
}
