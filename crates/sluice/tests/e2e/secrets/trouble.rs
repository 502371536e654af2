//! Vault is slow, away or out of its mind.

use std::time::Duration;

use serde_json::json;
use sluice_testkit::{Gate, Reply, eventually, within};

use super::{Scene, put_guarded, status_of};
use crate::support::put;

const REFERENCE: &str = "$secret://vault/1/openai/key";

#[tokio::test]
async fn a_value_that_was_read_outlives_any_trouble() {
    let scene = Scene::start().await;
    let gateway = &scene.gateway;
    scene
        .vault
        .write("kv/apisix/openai", json!({"key": "Bearer known"}));
    scene.put_route("1", "/chat", REFERENCE).await;
    put_guarded(gateway).await;
    let plugins = json!({"key-auth": {"key": REFERENCE}});
    put(
        gateway,
        "/consumers",
        json!({"username": "jack", "plugins": plugins}),
    )
    .await;
    let troubles = [
        Reply::hang_up(),
        Reply::body(200, "text/html", "<html>not Vault</html>"),
        Reply::json(200, &json!({"data": "nonsense"})),
        Reply::json(503, &json!({"errors": ["Vault is sealed"]})),
        Reply::json(403, &json!({"errors": ["permission denied"]})),
        Reply::body(200, "application/json", "{}").head_gated(&Gate::closed()),
    ];
    for (n, trouble) in (1..).zip(troubles) {
        let asked = scene.vault.requests().len();
        scene.vault.suffer(trouble);
        scene.read_again(n).await;
        scene.vault.wait_requests(asked + 1).await;
        assert_eq!(scene.provider_key("/chat").await, "Bearer known");
        assert_eq!(status_of(gateway, "Bearer known").await, 200);
    }
    gateway.wait_output("the value read before stays in use").await;

    // What is gone for good is gone here too.
    scene.vault.recover();
    scene.vault.delete("kv/apisix/openai");
    scene.read_again(20).await;
    eventually("the key to be refused", async || {
        (status_of(gateway, "Bearer known").await == 401).then_some(())
    })
    .await;
    assert_eq!(
        scene.provider_key("/chat").await,
        REFERENCE,
        "the text as written"
    );
}

#[tokio::test]
async fn a_silent_vault_holds_up_nobody_else() {
    let mut scene = Scene::start().await;
    let gate = Gate::closed();
    scene.vault.suffer(Reply::hang_up().head_gated(&gate));
    put_guarded(&scene.gateway).await;
    let plain = json!({"username": "plain", "plugins": {"key-auth": {"key": "plain"}}});
    put(&scene.gateway, "/consumers", plain).await;
    scene.put_route("1", "/chat", "Bearer before").await;

    // The edit waits for its secret, what is in force serves, others are edited.
    scene.put_route("1", "/chat", REFERENCE).await;
    assert_eq!(scene.provider_key("/chat").await, "Bearer before");
    scene.put_route("2", "/other", "Bearer other").await;
    assert_eq!(scene.provider_key("/other").await, "Bearer other");
    assert_eq!(status_of(&scene.gateway, "plain").await, 200);
    // In the end the text stands in for what cannot be had.
    scene.sees("/chat", REFERENCE).await;

    // A start waits for a bounded time and then serves what it can.
    within("a start without Vault", scene.gateway.restart()).await;
    assert_eq!(scene.provider_key("/other").await, "Bearer other");
    assert_eq!(scene.provider_key("/chat").await, REFERENCE);
    assert_eq!(status_of(&scene.gateway, "plain").await, 200);

    // A healthy one has everything in force from the first request on.
    scene.vault.recover();
    scene
        .vault
        .write("kv/apisix/openai", json!({"key": "Bearer known"}));
    gate.open_for_good();
    within("a start with Vault", scene.gateway.restart()).await;
    assert_eq!(scene.provider_key("/chat").await, "Bearer known");
}

#[tokio::test]
async fn a_slow_vault_delays_only_what_asks_it() {
    let scene = Scene::start().await;
    scene.vault.suffer(
        Reply::json(200, &json!({"data": {"key": "Bearer late"}})).head_after(Duration::from_secs(1)),
    );
    scene.put_route("1", "/chat", REFERENCE).await;
    let client = scene.gateway.client();
    client.get("/chat").send().await.expect_status(404).await;
    eventually("the route to be in force", async || {
        (client.get("/chat").send().await.status != 404).then_some(())
    })
    .await;
    assert_eq!(scene.provider_key("/chat").await, "Bearer late");
}
