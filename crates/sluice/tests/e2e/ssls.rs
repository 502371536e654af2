//! `ssls`: certificates by name on TLS listeners, mutual TLS, and certificates shown to upstreams.

mod authority;
mod clients;
mod upstreams;

use std::net::SocketAddr;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};
use sluice_testkit::{FakeVault, Gateway};

use self::authority::{Authority, Pair};
use self::clients::Client;
use crate::support::{binary, put, put_route};

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const ONLY_12: &[&SupportedProtocolVersion] = &[&TLS12];

/// A gateway with a TLS listener and no certificate.
async fn gateway() -> (Gateway, SocketAddr) {
    let gateway = Gateway::builder(binary())
        .env("SLUICE_PROXY_TLS_LISTEN", "127.0.0.1:0")
        .start()
        .await;
    put_speaking(&gateway).await;
    let addr = tls_addr(&gateway);
    (gateway, addr)
}

async fn put_speaking(gateway: &Gateway) {
    put_route(
        gateway,
        "any",
        "/*",
        json!({"mocking": {"response_example": "spoken"}}),
    )
    .await;
}

/// The last address of the proxy.
fn tls_addr(gateway: &Gateway) -> SocketAddr {
    let ready = std::fs::read(gateway.dir().join("ready.json")).unwrap();
    let ready: Value = serde_json::from_slice(&ready).unwrap();
    ready["proxies"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

fn ssl(pair: &Pair, names: &[&str]) -> Value {
    json!({"snis": names, "cert": pair.cert, "key": pair.key})
}

#[tokio::test]
async fn names_choose_certificates_and_edits_count_from_the_next_handshake() {
    let (gateway, addr) = gateway().await;
    let authority = Authority::new();
    let client = Client::of(&authority, addr);
    client.refused("a.test.com", "no certificate at all").await;

    let (exact, wild) = (authority.server(), authority.server());
    put(
        &gateway,
        "/ssls/exact",
        ssl(&exact, &["a.test.com", "B.test.com"]),
    )
    .await;
    put(&gateway, "/ssls/wild", ssl(&wild, &["*.test.com"])).await;
    for (name, expected) in [
        ("a.test.com", &exact),
        ("b.test.com", &exact),
        ("c.test.com", &wild),
    ] {
        assert_eq!(client.shown(name).await, expected.der, "{name}");
    }
    for name in ["test.com", "x.y.test.com", "other.com"] {
        client.refused(name, "no certificate for this name").await;
    }
    client.refused("127.0.0.1", "no name").await;

    // Whoever is connected stays so; the next one sees the new certificate.
    let mut before = client.connect("a.test.com").await.unwrap();
    assert_eq!(before.get("a.test.com", "/").await, (200, "spoken".to_owned()));
    let renewed = authority.server();
    put(&gateway, "/ssls/exact", ssl(&renewed, &["a.test.com"])).await;
    assert_eq!(client.shown("a.test.com").await, renewed.der);
    assert_eq!(client.shown("b.test.com").await, wild.der);
    assert_eq!(before.get("a.test.com", "/").await.0, 200);

    let mut disabled = ssl(&renewed, &["a.test.com"]);
    disabled["status"] = json!(0);
    put(&gateway, "/ssls/exact", disabled).await;
    assert_eq!(client.shown("a.test.com").await, wild.der);
    gateway.admin().delete("/ssls/wild").await.expect_status(200);
    client.refused("a.test.com", "disabled").await;
}

#[tokio::test]
async fn what_the_client_can_use_and_which_versions_it_may() {
    let (gateway, addr) = gateway().await;
    let authority = Authority::new();
    let (rsa, curve) = (authority.rsa_server(), authority.server());
    let mut both = ssl(&curve, &["a.test.com"]);
    both["certs"] = json!([rsa.cert]);
    both["keys"] = json!([rsa.key]);
    put(&gateway, "/ssls/1", both.clone()).await;
    let client = Client::of(&authority, addr);
    assert_eq!(client.shown("a.test.com").await, curve.der);
    assert_eq!(client.clone().rsa_only().shown("a.test.com").await, rsa.der);

    both["ssl_protocols"] = json!(["TLSv1.1", "TLSv1.3"]);
    put(&gateway, "/ssls/1", both.clone()).await;
    assert_eq!(client.shown("a.test.com").await, curve.der);
    let old = client.clone().versions(ONLY_12);
    old.refused("a.test.com", "TLS 1.2 is not spoken").await;
    both["ssl_protocols"] = json!(["TLSv1.2"]);
    put(&gateway, "/ssls/1", both.clone()).await;
    assert_eq!(old.shown("a.test.com").await, curve.der);

    // What cannot be spoken is refused, and leaves what is in force.
    both["ssl_protocols"] = json!(["TLSv1.1"]);
    let refused = gateway.admin().put("/ssls/1", both).await.expect_status(400);
    assert!(refused.text().contains("ssl_protocols"), "{}", refused.text());
    assert_eq!(old.shown("a.test.com").await, curve.der);
}

#[tokio::test]
async fn certificates_of_files_and_a_fallback_name_stand_in() {
    let authority = Authority::new();
    let (file, named) = (authority.server(), authority.server());
    let gateway = Gateway::builder(binary())
        .file("cert.pem", &*file.cert)
        .file("key.pem", &*file.key)
        .env("SLUICE_PROXY_TLS_CERT", "cert.pem")
        .env("SLUICE_PROXY_TLS_KEY", "key.pem")
        .env("SLUICE_PROXY_TLS_LISTEN", "127.0.0.1:0")
        .env("SLUICE_PROXY_TLS_FALLBACK_SNI", "Fallback.test.com")
        .start()
        .await;
    put_speaking(&gateway).await;
    let client = Client::of(&authority, tls_addr(&gateway));
    assert_eq!(client.shown("a.test.com").await, file.der);
    assert_eq!(client.shown("127.0.0.1").await, file.der);
    put(&gateway, "/ssls/1", ssl(&named, &["fallback.test.com"])).await;
    assert_eq!(
        client.shown("127.0.0.1").await,
        named.der,
        "no name means the fallback"
    );
    assert_eq!(client.shown("a.test.com").await, file.der);
}

#[tokio::test]
async fn clients_must_show_a_certificate_that_holds() {
    let (gateway, addr) = gateway().await;
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let mut strict = ssl(&authority.server(), &["strict.test.com", "twin.test.com"]);
    strict["client"] = json!({"ca": clients.cert});
    put(&gateway, "/ssls/strict", strict.clone()).await;
    put(
        &gateway,
        "/ssls/open",
        ssl(&authority.server(), &["open.test.com"]),
    )
    .await;
    let client = Client::of(&authority, addr);
    let known = client.clone().showing(clients.client());
    let stranger = client.clone().showing(strangers.client());
    client.refused("strict.test.com", "no certificate").await;
    stranger.refused("strict.test.com", "of another authority").await;
    let mut connected = known.connect("strict.test.com").await.unwrap();
    assert_eq!(connected.get("strict.test.com", "/").await.0, 200);

    // Who got in under one name is not in under another.
    assert_eq!(connected.get("twin.test.com", "/").await.0, 400);
    let mut open = client.connect("open.test.com").await.unwrap();
    assert_eq!(open.get("open.test.com", "/").await.0, 200);
    let (status, page) = open.get("Strict.Test.Com:443", "/").await;
    assert_eq!(status, 400);
    assert!(page.contains("<h1>400 Bad Request</h1>"), "{page}");

    // Some paths need none.
    strict["client"]["skip_mtls_uri_regex"] = json!(["^/open/", "/also$"]);
    put(&gateway, "/ssls/strict", strict.clone()).await;
    for lenient in [&client, &stranger] {
        let mut connected = lenient.connect("strict.test.com").await.unwrap();
        for (path, status) in [
            ("/open/x", 200),
            ("/x/also?q", 200),
            ("/", 400),
            ("/x/open/", 400),
        ] {
            assert_eq!(connected.get("strict.test.com", path).await.0, status, "{path}");
        }
    }
    let mut connected = known.connect("strict.test.com").await.unwrap();
    assert_eq!(connected.get("strict.test.com", "/").await.0, 200);
}

#[tokio::test]
async fn the_depth_of_client_chains_is_bounded() {
    let (gateway, addr) = gateway().await;
    let (authority, root) = (Authority::new(), Authority::new());
    let near = root.intermediate();
    let far = near.intermediate();
    let client = Client::of(&authority, addr);
    for (depth, accepted) in [(0, 0), (1, 1), (2, 2)] {
        let mut config = ssl(&authority.server(), &["a.test.com"]);
        config["client"] = json!({"ca": root.cert, "depth": depth});
        put(&gateway, "/ssls/1", config).await;
        for (length, issuer) in [&root, &near, &far].into_iter().enumerate() {
            let client = client.clone().showing(issuer.client());
            match length <= accepted {
                true => {
                    let mut connected = client.connect("a.test.com").await.unwrap();
                    assert_eq!(
                        connected.get("a.test.com", "/").await.0,
                        200,
                        "{length} within {depth}"
                    );
                }
                false => client.refused("a.test.com", "too far away").await,
            }
        }
    }
}

#[tokio::test]
async fn certificates_and_keys_may_be_kept_in_vault() {
    let (gateway, addr) = gateway().await;
    let authority = Authority::new();
    let (pair, renewed) = (authority.server(), authority.server());
    let vault = FakeVault::start("token");
    let keep = |pair: &Pair| vault.write("kv/tls", json!({"cert": pair.cert, "key": pair.key}));
    keep(&pair);
    let config = |prefix: &str| json!({"uri": vault.url(), "prefix": prefix, "token": "token"});
    put(&gateway, "/secrets/vault/1", config("kv")).await;
    let reference = |field: &str| format!("$secret://vault/1/tls/{field}");
    let stored = json!({"sni": "a.test.com", "cert": reference("cert"), "key": reference("key")});
    put(&gateway, "/ssls/1", stored).await;
    let client = Client::of(&authority, addr);
    assert_eq!(client.shown("a.test.com").await, pair.der);
    keep(&renewed);
    put(&gateway, "/secrets/vault/1", config("/kv/")).await;
    sluice_testkit::eventually("the renewed certificate", async || {
        (client.shown("a.test.com").await == renewed.der).then_some(())
    })
    .await;
}

#[tokio::test]
async fn apisix_configuration_names_listeners_and_the_fallback() {
    let file = "apisix:\n  ssl:\n    listen: [{ip: 127.0.0.1, port: 0}, {ip: 127.0.0.1, port: 0, enable_http3: false}]\n\
                \x20   fallback_sni: a.test.com\n\
                plugin_attr: {prometheus: {enable_export_server: false}}\n\
                deployment: {admin: {admin_key: [{name: admin, key: testkit-admin-key-0123456789abcdef, role: admin}]}}\n";
    let gateway = Gateway::builder(binary())
        .file("apisix.yaml", file)
        .arg("--apisix-config")
        .arg("apisix.yaml")
        .start()
        .await;
    put_speaking(&gateway).await;
    let authority = Authority::new();
    let pair = authority.server();
    put(&gateway, "/ssls/1", ssl(&pair, &["a.test.com"])).await;
    let client = Client::of(&authority, tls_addr(&gateway));
    assert_eq!(client.shown("127.0.0.1").await, pair.der);
    assert!(!gateway.output().contains("apisix.ssl"), "{}", gateway.output());
}
