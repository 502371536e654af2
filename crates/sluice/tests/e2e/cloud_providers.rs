//! Bedrock and Vertex AI behind `ai-proxy`: signatures, access tokens, binary streams, embeddings (compat §4.1.2,
//! §4.1.4, §5.2, §5.5, §5.6).

mod bedrock;
mod vertex;

use serde_json::Value;
use sluice_testkit::Gateway;

use crate::support::{gateway, put_route};

/// A gateway whose route `uri` calls through `ai-proxy`.
async fn proxying(uri: &str, conf: Value) -> Gateway {
    let gateway = gateway().await;
    put_route(
        &gateway,
        "1",
        uri,
        serde_json::json!({ "ai-proxy": conf, "prometheus": {} }),
    )
    .await;
    gateway
}

/// What the Admin API says to a configuration that it refuses.
async fn refusal(gateway: &Gateway, plugin: &str, conf: Value) -> String {
    let route = serde_json::json!({ "uri": "/refused", "plugins": { plugin: conf } });
    let answer = gateway
        .admin()
        .put("/routes/refused", route)
        .await
        .expect_status(400);
    answer.json()["error_msg"].as_str().unwrap().to_owned()
}
