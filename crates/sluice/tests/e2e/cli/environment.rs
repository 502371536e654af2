//! Settings as environment variables.

use std::path::Path;

use serde_json::{Value, json};
use sluice_testkit::{Admin, Client, FakeProvider, eventually};

use super::folder;
use crate::process::{Sluice, serve, sluice};
use crate::support::{done, node};

/// `sluice serve` without options.
fn bare(dir: &Path) -> Sluice {
    let any = "127.0.0.1:0";
    sluice(dir, ["serve"])
        .env("SLUICE_PROXY_LISTEN", any)
        .env("SLUICE_ADMIN_LISTEN", any)
        .env("SLUICE_CONTROL_LISTEN", any)
        .env("SLUICE_ADMIN_KEY", "123456")
}

/// The variable and the text of every setting that has a default.
fn defaults(value: &Value, name: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::String(text) => found.push((name.to_owned(), text.clone())),
        Value::Object(members) if name != "SLUICE_PLUGIN_ATTR" => {
            for (member, value) in members {
                defaults(value, &format!("{name}_{}", member.to_uppercase()), found);
            }
        }
        other => found.push((name.to_owned(), other.to_string())),
    }
}

#[tokio::test]
async fn every_setting_has_a_variable() {
    let dir = folder();
    let mut settings = Vec::new();
    defaults(
        &serde_json::to_value(sluice::Config::default()).unwrap(),
        "SLUICE",
        &mut settings,
    );
    assert!(settings.len() > 30, "{settings:?}");
    // Ports come from `bare`; what may be run is for the file alone to say.
    settings.retain(|(name, _)| !name.ends_with("_LISTEN") && !name.starts_with("SLUICE_COMMANDS_"));
    let command = settings
        .iter()
        .fold(bare(dir.path()), |command, (name, text)| command.env(name, text));
    let serving = command.serving().await;
    assert!(!serving.stderr().contains("WARN"), "{}", serving.stderr());
}

#[tokio::test]
async fn settings_without_a_default_have_variables_too() {
    let dir = folder();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let serving = bare(dir.path())
        .env("SLUICE_PROXY_TLS_LISTEN", "127.0.0.1:0")
        .env("SLUICE_PROXY_TLS_CERT", "cert.pem")
        .env("SLUICE_PROXY_TLS_KEY", "key.pem")
        .env("SLUICE_ADMIN_TLS_CERT", "cert.pem")
        .env("SLUICE_ADMIN_TLS_KEY", "key.pem")
        .env("SLUICE_ADMIN_PASSWORD", "null")
        .env("SLUICE_METRICS_LISTEN", "127.0.0.1:0")
        .env("SLUICE_METRICS_USERNAME", "1")
        .env("SLUICE_METRICS_PASSWORD", "true")
        .serving()
        .await;
    let greeting = serving.stdout();
    let [plain, tls] = serving.proxies()[..] else {
        panic!("{greeting}")
    };
    let expected = [
        format!("http://{plain}"),
        format!("https://{tls}"),
        format!("https://{}", serving.addr("admin")),
    ];
    for address in expected {
        assert!(greeting.contains(&address), "{address}: {greeting}");
    }
    let metrics = Client::new(serving.addr("metrics"));
    metrics.get("/metrics").send().await.expect_status(401).await;
    metrics
        .get("/metrics")
        .header("authorization", "Basic MTp0cnVl")
        .send()
        .await
        .expect_status(200)
        .await;
    for addr in [tls, serving.addr("admin")] {
        assert!(speaks_tls(addr, made.cert.der()).await, "{addr}");
    }
}

/// Whether a TLS handshake succeeds with a server that shows this certificate.
async fn speaks_tls(addr: std::net::SocketAddr, cert: &rustls::pki_types::CertificateDer<'static>) -> bool {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert.clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    connector
        .connect("localhost".try_into().unwrap(), stream)
        .await
        .is_ok()
}

#[tokio::test]
async fn variables_reach_the_data_plane() {
    let dir = folder();
    let variables = [
        ("SLUICE_DATA_DIR", "elsewhere"),
        ("SLUICE_PROXY_ALSO_LISTEN", "['127.0.0.1:0']"),
        ("SLUICE_PROXY_MAX_BODY_BYTES", "10"),
        ("SLUICE_ACCESS_LOG_TARGET", "access.log"),
        (
            "SLUICE_ACCESS_LOG_FORMAT",
            r#"{"status": "$status", "uri": "$uri"}"#,
        ),
        ("SLUICE_LEDGER_ENABLED", "false"),
        ("SLUICE_BUILTIN_ROUTES_ENABLED", "false"),
        ("SLUICE_APISIX_ENABLE_SERVER_TOKENS", "false"),
    ];
    let serving = bare(dir.path()).envs(&variables).serving().await;
    assert!(dir.path().join("elsewhere/sluice.db").exists());
    assert!(!dir.path().join("data").exists() && !dir.path().join("elsewhere/ledger.db").exists());

    let upstream = FakeProvider::start();
    let route = json!({ "uri": "/x", "upstream": node(upstream.addr()) });
    let admin = Admin::new(serving.addr("admin"), "123456");
    admin.put("/routes/1", route).await.expect_status(201);
    for addr in serving.proxies() {
        let client = Client::new(addr);
        let answer = client
            .post("/x")
            .body("0123456789ab")
            .send()
            .await
            .expect_status(413)
            .await;
        assert_eq!(answer.header("server"), Some("APISIX"));
        done(client.post("/v1/chat/completions"), 404).await;
    }
    let log = dir.path().join("access.log");
    let line = eventually("a line of the access log", async || {
        let text = std::fs::read_to_string(&log).ok()?;
        text.contains('\n').then_some(text)
    });
    assert!(line.await.starts_with("{\"status\": \"413\", \"uri\": \"/x\"}\n"));
}

#[tokio::test]
async fn variables_reach_the_control_side() {
    let dir = folder();
    let variables = [
        ("SLUICE_ADMIN_CORS", "false"),
        (
            "SLUICE_ADMIN_KEYS",
            "[{name: reader, key: viewer-key, role: viewer}]",
        ),
        ("SLUICE_CONTROL_ENABLED", "false"),
        ("SLUICE_LOG_FORMAT", "json"),
        ("SLUICE_PLUGINS", "[key-auth, prometheus]"),
        ("SLUICE_PLUGIN_ATTR", "{prometheus: {metric_prefix: mine_}}"),
        ("SLUICE_APISIX_KEY_PREFIX", "/other"),
        ("SLUICE_APISIX_KEYRING", "[]"),
    ];
    let serving = bare(dir.path()).envs(&variables).serving().await;
    assert!(!serving.stdout().contains("control"), "{}", serving.stdout());
    let admin = Admin::new(serving.addr("admin"), "123456");
    let stored = admin
        .put("/routes/1", json!({ "uri": "/x", "plugins": {} }))
        .await
        .expect_status(201);
    assert_eq!(stored.json()["key"], "/other/routes/1");
    assert!(!stored.headers.contains_key("access-control-allow-origin"));
    let consumer = json!({ "username": "a", "plugins": { "key-auth": { "key": "plain" } } });
    let stored = admin.put("/consumers", consumer).await.expect_status(201).json();
    assert_eq!(
        stored["value"]["plugins"]["key-auth"]["key"], "plain",
        "an empty keyring encrypts nothing"
    );
    let refused = admin
        .put("/routes/2", json!({ "uri": "/y", "plugins": { "cors": {} } }))
        .await
        .expect_status(400);
    assert_eq!(refused.json()["error_msg"], "unknown plugin [cors]");
    let viewer = Admin::new(serving.addr("admin"), "viewer-key");
    viewer.get("/routes/1").await.expect_status(200);

    let metrics = Client::new(serving.addr("admin"))
        .get("/metrics")
        .send()
        .await
        .text()
        .await;
    assert!(
        metrics.contains("mine_node_info{") && !metrics.contains("apisix_"),
        "{metrics}"
    );
    let stderr = serving.stderr();
    assert!(stderr.lines().count() > 0);
    for line in stderr.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert!(event["level"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn options_win_over_variables_and_variables_over_the_file() {
    let dir = folder();
    let file = "data_dir: from-file\nlog: {format: xml}\nadmin: {key: of-the-file}\n";
    std::fs::write(dir.path().join("config.yaml"), file).unwrap();
    let command = serve(dir.path(), ["--data-dir", "from-option"]);
    let command = command
        .env("SLUICE_DATA_DIR", "from-variable")
        .env("SLUICE_LOG_FORMAT", "text");
    let serving = command.serving().await;
    assert!(dir.path().join("from-option/sluice.db").exists());
    assert!(!dir.path().join("from-variable").exists() && !dir.path().join("from-file").exists());
    Admin::new(serving.addr("admin"), "of-the-file")
        .get("/routes")
        .await
        .expect_status(200);
}

#[tokio::test]
async fn wrong_variables_are_named() {
    let dir = folder();
    for (name, text, words) in [
        (
            "SLUICE_PROXY_LISTN",
            "x",
            &["SLUICE_PROXY_LISTN", "did you mean `SLUICE_PROXY_LISTEN`?"][..],
        ),
        ("SLUICE_PROXY_WORKERS", "many", &["SLUICE_PROXY_WORKERS", "many"]),
        (
            "SLUICE_PROXY_MAX_HEADERS",
            "-3",
            &["SLUICE_PROXY_MAX_HEADERS", "-3"],
        ),
        (
            "SLUICE_METRICS_LISTEN",
            "9091",
            &["SLUICE_METRICS_LISTEN", "9091"],
        ),
        (
            "SLUICE_LEDGER_ENABLED",
            "maybe",
            &["SLUICE_LEDGER_ENABLED", "maybe"],
        ),
        ("SLUICE_ADMIN_ALLOW", "nowhere", &["SLUICE_ADMIN_ALLOW"]),
        ("SLUICE_LOG_FORMAT", "xml", &["log.format", "xml"]),
        ("SLUICE_ADMIN_KEY", "", &["admin.key", "empty"]),
        ("SLUICE_ADMIN_PASSWORD", "", &["admin.password", "empty"]),
    ] {
        let complaint = serve(dir.path(), []).env(name, text).ended().await.complaint();
        for word in words {
            assert!(
                complaint.contains(word),
                "`{word}` is not said about {name}: {complaint}"
            );
        }
    }
}

#[tokio::test]
async fn complaints_repeat_no_secret() {
    let dir = folder();
    for name in ["SLUICE_ADMIN_KEYS", "SLUICE_APISIX_KEYRING"] {
        let complaint = serve(dir.path(), [])
            .env(name, "canary-secret")
            .ended()
            .await
            .complaint();
        assert!(
            complaint.contains(name) && !complaint.contains("canary-secret"),
            "{complaint}"
        );
    }
    for text in [
        "admin: {keys: canary-secret}",
        "admin: {keys: [canary-secret]}",
        "admin: {key: [canary-secret]}",
        "admin: {password: {canary-secret: 1}}",
        "admin: {keys: [{key: canary-secret, role: king}]}",
        "metrics: {password: [canary-secret]}",
        "apisix: {keyring: canary-secret}",
        "apisix: {keyring: [canary-secret]}",
    ] {
        std::fs::write(dir.path().join("config.yaml"), text).unwrap();
        let complaint = serve(dir.path(), []).ended().await.complaint();
        assert!(!complaint.contains("canary-secret"), "{complaint}");
    }
}
