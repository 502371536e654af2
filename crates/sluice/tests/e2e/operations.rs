//! What is no conversation, on native routes: embeddings, rerank, token counting, images, audio, files, batches.

mod counting;
mod embeddings;
mod lists;
mod media;
mod objects;
mod rerank;
mod units;

use serde_json::{Value, json};
use sluice_testkit::{Call, FakeProvider, Gateway};

use crate::support::{gateway, openai, put};

/// A gateway with a client whose provider is OpenAI, called with the model `up`.
async fn on_openai(provider: &FakeProvider) -> Gateway {
    let gateway = gateway().await;
    let mut conf = openai(provider);
    conf["options"] = json!({ "model": "up" });
    let plugins = json!({ "key-auth": { "key": "sk-native" }, "ai-proxy": conf });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "native", "plugins": plugins }),
    )
    .await;
    gateway
}

fn post(gateway: &Gateway, path: &str) -> Call {
    gateway.client().post(path).key("sk-native")
}

async fn answered(call: Call) -> Value {
    call.send().await.expect_status(200).await.json().await
}

async fn refused(call: Call, status: u16) -> Value {
    call.send().await.expect_status(status).await.json().await
}
