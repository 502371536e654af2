//! Secrets in replies and at rest (compat §1.4, §1.11).

use serde_json::{Value, json};
use sluice_store::Keyring;

use super::support::{Admin, certificate};

/// Everything in the files of the store.
fn stored_bytes(admin: &Admin) -> Vec<u8> {
    let files = std::fs::read_dir(admin.folder.path()).unwrap();
    files
        .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn write_replies_show_ciphertext_and_get_shows_plain_text() {
    let admin = Admin::start().await;
    let put = admin
        .put(
            "consumers",
            json!({"username": "c1", "plugins": {"key-auth": {"key": "c1"}}}),
        )
        .await;
    assert_eq!(
        put.value()["plugins"]["key-auth"]["key"],
        "Yxywhhzm4BCPyxW/EfgKxg=="
    );
    let get = admin.get("consumers/c1").await;
    assert_eq!(get.value()["plugins"]["key-auth"]["key"], "c1");
    assert_eq!(admin.get("consumers").await.json()["list"][0], get.json());

    let credential = json!({"plugins": {"key-auth": {"key": "jk"}}});
    let put = admin.put("consumers/c1/credentials/a", credential).await;
    assert_eq!(
        put.value()["plugins"]["key-auth"]["key"],
        "d0NJAio9L4fzqm1WJyKIyg=="
    );

    let header = json!({"header": {"Authorization": "Bearer up", "n": 1}, "query": {}});
    let route = json!({"uri": "/", "plugins": {
        "ai-proxy": {"auth": header},
        "ai-proxy-multi": {"instances": [{"auth": {"header": {"x": "jk"}}}, {"name": "b"}]},
    }});
    let posted = admin.post("routes", route.clone()).await.value();
    let shown = &posted["plugins"]["ai-proxy"]["auth"]["header"];
    assert_eq!(
        *shown,
        json!({"Authorization": "Eb3RwIhB/RYYbv3GsUhXAQ==", "n": 1})
    );
    let shown = &posted["plugins"]["ai-proxy-multi"]["instances"][0]["auth"]["header"]["x"];
    assert_eq!(*shown, "d0NJAio9L4fzqm1WJyKIyg==");
    let id = posted["id"].as_str().unwrap();
    assert_eq!(
        admin.get(&format!("routes/{id}")).await.value()["plugins"],
        route["plugins"]
    );
}

#[tokio::test]
async fn without_a_keyring_replies_show_what_was_sent() {
    let admin = Admin::with(|state| state.keyring = Keyring::new([] as [&str; 0])).await;
    let consumer = json!({"username": "c1", "plugins": {"key-auth": {"key": "c1"}}});
    assert_eq!(
        admin.put("consumers", consumer).await.value()["plugins"]["key-auth"]["key"],
        "c1"
    );
}

#[tokio::test]
async fn private_keys_never_come_back() {
    let admin = Admin::start().await;
    let (cert, pem) = certificate();
    let ssl = json!({"sni": "a.b", "cert": cert, "key": pem, "certs": [cert], "keys": [pem]});
    let put = admin.put("ssls/1", ssl).await.value();
    for place in ["/key", "/keys/0"] {
        let shown = put.pointer(place).and_then(Value::as_str).unwrap();
        assert!(!shown.contains("PRIVATE"), "{shown}");
    }
    for value in [
        admin.get("ssls/1").await.value(),
        admin.get("ssls").await.json()["list"][0]["value"].clone(),
    ] {
        assert_eq!((value.get("key"), value.get("keys")), (None, None));
        assert_eq!(value["cert"], json!(cert));
    }
    // A patch does not need to bring the key again.
    assert_eq!(admin.patch("ssls/1", json!({"sni": "c.d"})).await.status, 200);
    assert_eq!(
        admin.store.get("/ssls/1").await.unwrap().unwrap().value["key"],
        json!(pem)
    );

    let tls = json!({"client_cert": cert, "client_key": pem});
    let put = admin
        .put("upstreams/1", json!({"nodes": {"a:1": 1}, "tls": tls}))
        .await;
    let shown = put.value()["tls"]["client_key"].clone();
    assert!(!shown.as_str().unwrap().contains("PRIVATE"), "{shown}");
}

#[tokio::test]
async fn nothing_secret_is_stored_in_plain_text() {
    let admin = Admin::start().await;
    let (cert, pem) = certificate();
    let vault = json!({"uri": "http://127.0.0.1:8200", "prefix": "kv", "token": "canary-vault"});
    for (path, body) in [
        (
            "consumers",
            json!({"username": "c", "plugins": {"key-auth": {"key": "canary-consumer"}}}),
        ),
        (
            "consumers/c/credentials/1",
            json!({"plugins": {"key-auth": {"key": "canary-credential"}}}),
        ),
        (
            "routes/1",
            json!({"uri": "/", "plugins": {"ai-proxy-multi": {"instances": [
                {"auth": {"header": {"a": "canary-instance"}}},
            ]}}}),
        ),
        ("ssls/1", json!({"sni": "a.b", "cert": cert, "key": pem})),
        ("secrets/vault/1", vault),
    ] {
        admin.has(path, body).await;
    }
    let bytes = stored_bytes(&admin);
    assert!(contains(&bytes, "ai-proxy-multi"));
    assert!(!contains(&bytes, "canary"));
    let line = pem.lines().nth(1).unwrap();
    assert!(!contains(&bytes, line), "the private key");
    assert_eq!(
        admin.get("secrets/vault/1").await.value()["token"],
        "canary-vault"
    );
}
