//! `policy: local`: the same without any server.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway};

use super::semantic::{embeddings, layers};
use super::{CHAT, ask, ask_until_hit, cached};
use crate::support::{binary, chat, chat_stream, openai, put_route};

fn local(more: Value) -> Value {
    let mut conf = json!({ "policy": "local" });
    conf.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    conf
}

#[tokio::test]
async fn answers_are_kept_in_process() {
    let provider = FakeProvider::start();
    let gateway = cached(&provider, local(json!({}))).await;
    for body in [chat("conf:hello"), chat_stream("conf:hello")] {
        let first = ask(&gateway, &body).await;
        assert_eq!(first.cache(), "MISS");
        let again = ask_until_hit(&gateway, &body).await;
        assert!(again.age.unwrap() < 60);
        assert_eq!(
            again.content_type,
            first.content_type.map(|kind| kind.replace("; charset=utf-8", ""))
        );
    }
    // They outlive a change of the route.
    let plugins =
        json!({ "ai-proxy": openai(&provider), "ai-cache": local(json!({ "exact": { "ttl": 7 } })) });
    put_route(&gateway, "1", CHAT, plugins).await;
    assert_eq!(ask(&gateway, &chat("conf:hello")).await.cache(), "HIT");
}

#[tokio::test]
async fn answers_are_kept_no_longer_than_wanted() {
    let provider = FakeProvider::start();
    let gateway = cached(&provider, local(json!({ "exact": { "ttl": 1 } }))).await;
    ask_until_hit(&gateway, &chat("conf:hello")).await;
    sluice_testkit::eventually("the answer to expire", async || {
        (ask(&gateway, &chat("conf:hello")).await.cache() == "MISS").then_some(())
    })
    .await;
}

#[tokio::test]
async fn meaning_is_compared_in_process() {
    let (provider, embeddings) = (FakeProvider::start(), embeddings());
    let mut conf = local(layers(&embeddings, json!({})));
    conf["semantic"].as_object_mut().unwrap().remove("vector_search");
    let gateway = cached(&provider, conf).await;
    let first = ask(&gateway, &chat("the capital of France")).await;
    ask_until_hit(&gateway, &chat("the capital of France")).await;
    let similar = ask_until_hit(&gateway, &chat("France's capital")).await;
    assert_eq!(similar.body, first.body);
    assert_eq!(ask(&gateway, &chat("the capital of Spain")).await.cache(), "MISS");
}

#[tokio::test]
async fn the_store_is_bounded() {
    let provider = FakeProvider::start();
    let config = "plugin_attr:\n  ai-cache:\n    local_max_bytes: 100\n";
    let gateway = Gateway::builder(binary())
        .file("config.yaml", config)
        .start()
        .await;
    put_route(
        &gateway,
        "1",
        CHAT,
        json!({ "ai-proxy": openai(&provider), "ai-cache": local(json!({})) }),
    )
    .await;
    for _ in 0..5 {
        assert_eq!(ask(&gateway, &chat("conf:hello")).await.cache(), "MISS");
    }
}
