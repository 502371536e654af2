//! References to secrets kept elsewhere (compat §1.11), through fake secret managers.

mod managers;
mod trouble;

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, FakeVault, Gateway, eventually};

use crate::support::{chat, done, put, put_route};

const TOKEN: &str = "hvs.token-of-the-vault";

/// A Vault, a provider, and a gateway that knows both.
struct Scene {
    vault: FakeVault,
    provider: FakeProvider,
    gateway: Gateway,
}

impl Scene {
    async fn start() -> Self {
        let vault = FakeVault::start(TOKEN);
        let gateway = crate::support::gateway().await;
        put(&gateway, "/secrets/vault/1", configured(&vault)).await;
        Self {
            vault,
            provider: FakeProvider::start(),
            gateway,
        }
    }

    /// A route whose provider key is this reference.
    async fn put_route(&self, id: &str, uri: &str, reference: &str) {
        put_route(
            &self.gateway,
            id,
            uri,
            json!({ "ai-proxy": self.ai_proxy(reference) }),
        )
        .await;
    }

    fn ai_proxy(&self, reference: &str) -> Value {
        json!({
            "provider": "openai",
            "auth": { "header": { "Authorization": reference } },
            "override": { "endpoint": format!("http://{}/v1/chat/completions", self.provider.addr()) },
        })
    }

    /// The `Authorization` that the provider sees.
    async fn provider_key(&self, uri: &str) -> String {
        done(self.gateway.client().post(uri).json(&chat("conf:hello")), 200).await;
        let seen = self.provider.last_request();
        seen.header("authorization").unwrap_or_default().to_owned()
    }

    /// Waits until the provider sees this.
    async fn sees(&self, uri: &str, key: &str) {
        eventually(&format!("{key} at the provider"), async || {
            (self.provider_key(uri).await == key).then_some(())
        })
        .await;
    }

    /// Makes the gateway read everything again: a configuration that differs, and means the same.
    async fn read_again(&self, n: u32) {
        let mut config = configured(&self.vault);
        config["prefix"] = format!("kv{}apisix", "/".repeat(n as usize + 1)).into();
        put(&self.gateway, "/secrets/vault/1", config).await;
    }
}

fn configured(vault: &FakeVault) -> Value {
    json!({ "uri": vault.url(), "prefix": "kv/apisix", "token": TOKEN })
}

/// The status that a caller with this key gets.
async fn status_of(gateway: &Gateway, key: &str) -> u16 {
    let call = gateway.client().get("/guarded").header("apikey", key);
    call.send().await.status.as_u16()
}

async fn put_guarded(gateway: &Gateway) {
    let plugins = json!({ "key-auth": {}, "mocking": { "response_example": "in" } });
    put_route(gateway, "guarded", "/guarded", plugins).await;
}

#[tokio::test]
async fn provider_keys_come_from_vault_and_are_shown_nowhere() {
    let scene = Scene::start().await;
    scene
        .vault
        .write("kv/apisix/openai", json!({"key": "Bearer sk-canary-1"}));
    let reference = "$secret://vault/1/openai/key";
    // In force as soon as the Admin API has answered.
    scene.put_route("1", "/chat", reference).await;
    assert_eq!(scene.provider_key("/chat").await, "Bearer sk-canary-1");
    assert_eq!(
        scene.vault.requests().len(),
        1,
        "a request asks no secret manager"
    );
    assert_eq!(scene.provider_key("/chat").await, "Bearer sk-canary-1");
    assert_eq!(scene.vault.requests().len(), 1);

    scene
        .vault
        .write("kv/apisix/openai", json!({"key": "Bearer sk-canary-2"}));
    scene.read_again(1).await;
    scene.sees("/chat", "Bearer sk-canary-2").await;

    let admin = scene.gateway.admin();
    let shown = admin.get("/routes/1").await.expect_status(200);
    assert!(shown.text().contains(reference), "{}", shown.text());
    let status = admin.client().get("/status").send().await.text().await;
    let control = scene
        .gateway
        .control()
        .get("/v1/routes")
        .send()
        .await
        .text()
        .await;
    let metrics = admin.client().get("/metrics").send().await.text().await;
    for (sink, text) in [
        ("Admin API", shown.text()),
        ("status", status),
        ("control API", control),
        ("metrics", metrics),
        ("output", scene.gateway.output()),
    ] {
        assert!(!text.contains("sk-canary"), "{sink} shows a secret: {text}");
        assert!(!text.contains(TOKEN), "{sink} shows the token: {text}");
    }
}

#[tokio::test]
async fn credentials_are_found_by_the_key_that_vault_keeps() {
    let scene = Scene::start().await;
    let gateway = &scene.gateway;
    put_guarded(gateway).await;
    let reference = "$secret://vault/1/jack/auth-key";
    scene
        .vault
        .write("kv/apisix/jack", json!({"auth-key": "jacks-key"}));
    put(gateway, "/consumers", json!({"username": "jack"})).await;
    let plugins = json!({"key-auth": {"key": reference}});
    put(
        gateway,
        "/consumers/jack/credentials/c",
        json!({"plugins": plugins}),
    )
    .await;
    assert_eq!(status_of(gateway, "jacks-key").await, 200);
    assert_eq!(status_of(gateway, reference).await, 401, "a reference is no key");

    // A reference that leads nowhere opens nothing, and shuts nothing else.
    let plugins = json!({"key-auth": {"key": "$secret://vault/1/jack/none"}});
    put(
        gateway,
        "/consumers",
        json!({"username": "jill", "plugins": plugins}),
    )
    .await;
    assert_eq!(status_of(gateway, "$secret://vault/1/jack/none").await, 401);
    assert_eq!(status_of(gateway, "jacks-key").await, 200);
    let status = gateway.admin().client().get("/status").send().await.json().await;
    let warned = status["warnings"].to_string();
    assert!(warned.contains("/apisix/consumers/jill"), "{warned}");
    assert!(
        warned.contains("$secret://vault/1/jack/none is not resolved"),
        "{warned}"
    );
    gateway.wait_output("secret is not resolved").await;

    scene.vault.write(
        "kv/apisix/jack",
        json!({"auth-key": "new-key", "none": "jills-key"}),
    );
    scene.read_again(1).await;
    eventually("the keys to be those of Vault", async || {
        let statuses = (
            status_of(gateway, "jacks-key").await,
            status_of(gateway, "new-key").await,
            status_of(gateway, "jills-key").await,
        );
        (statuses == (401, 200, 200)).then_some(())
    })
    .await;

    // Without the manager nobody vouches for the key.
    gateway
        .admin()
        .delete("/secrets/vault/1")
        .await
        .expect_status(200);
    eventually("the key to be refused", async || {
        (status_of(gateway, "new-key").await == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn variables_of_the_environment() {
    let gateway = Gateway::builder(crate::support::binary())
        .env("JACKS_KEY", "from-environment")
        .env("KEYS", r#"{"jill": "from-json", "n": 7}"#)
        .start()
        .await;
    put_guarded(&gateway).await;
    for (name, reference) in [
        ("jack", "$env://JACKS_KEY"),
        ("jill", "$ENV://KEYS/jill"),
        ("john", "$env://NO_SUCH_VARIABLE"),
    ] {
        let plugins = json!({"key-auth": {"key": reference}});
        put(
            &gateway,
            "/consumers",
            json!({"username": name, "plugins": plugins}),
        )
        .await;
    }
    for (key, status) in [
        ("from-environment", 200),
        ("from-json", 200),
        ("$env://JACKS_KEY", 401),
        ("$env://NO_SUCH_VARIABLE", 401),
        ("", 401),
    ] {
        assert_eq!(status_of(&gateway, key).await, status, "{key}");
    }
    // Elsewhere the text stays what it is.
    let rewrite = json!({"headers": {"set": {"x-a": "$env://JACKS_KEY", "x-b": "$env://NO_SUCH_VARIABLE"}}});
    put_route(
        &gateway,
        "1",
        "/headers",
        json!({"mocking": {"response_example": "ok"}, "response-rewrite": rewrite}),
    )
    .await;
    let answer = gateway
        .client()
        .get("/headers")
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.header("x-a"), Some("from-environment"));
    assert!(!gateway.output().contains("from-environment"));
}
