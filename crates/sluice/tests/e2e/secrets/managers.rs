//! What each secret manager is asked, and how it is proved who asks.

use serde_json::{Value, json};
use sluice_testkit::{
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, FakeAwsSecrets, FakeGcpSecrets, FakeProvider, FakeVault,
    Gateway, Reply, eventually,
};

use super::{TOKEN, configured, put_guarded, status_of};
use crate::support::{binary, gateway, put};

/// Stores a consumer of this name for each reference.
async fn put_keys(gateway: &Gateway, references: &[(&str, &str)]) {
    put_guarded(gateway).await;
    for (name, reference) in references {
        let plugins = json!({"key-auth": {"key": reference}});
        put(
            gateway,
            "/consumers",
            json!({"username": name, "plugins": plugins}),
        )
        .await;
    }
}

#[track_caller]
fn refused(status: u16, key: &str) {
    assert_eq!(status, 401, "{key}");
}

#[tokio::test]
async fn vault_with_namespace_version_2_and_a_token_of_the_environment() {
    let vault = FakeVault::start(TOKEN);
    vault.write_in("team/a", "kv/apisix/jack", json!({"key": "in-namespace"}));
    vault.write("kv/apisix/jack", json!({"key": "in-root"}));
    vault.write_version_2("secret/data/apps/jack%20smith", json!({"key": "version-2"}));
    let gateway = Gateway::builder(binary()).env("THE_TOKEN", TOKEN).start().await;
    let with = |more: Value| {
        let mut config = configured(&vault);
        config["token"] = "$env://THE_TOKEN".into();
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        config
    };
    put(&gateway, "/secrets/vault/root", with(json!({}))).await;
    put(
        &gateway,
        "/secrets/vault/space",
        with(json!({"namespace": "team/a"})),
    )
    .await;
    put(
        &gateway,
        "/secrets/vault/two",
        with(json!({"prefix": "/secret/data/"})),
    )
    .await;
    put(
        &gateway,
        "/secrets/vault/wrong",
        with(json!({"token": "hvs.wrong"})),
    )
    .await;
    put_keys(
        &gateway,
        &[
            ("root", "$secret://vault/root/jack/key"),
            ("space", "$secret://vault/space/jack/key"),
            ("two", "$secret://vault/two/apps/jack smith/key"),
            ("wrong", "$secret://vault/wrong/jack/key"),
            ("nobody", "$secret://vault/none/jack/key"),
        ],
    )
    .await;
    for key in ["in-root", "in-namespace", "version-2"] {
        assert_eq!(status_of(&gateway, key).await, 200, "{key}");
    }
    let status = gateway.admin().client().get("/status").send().await.json().await;
    let warned = status["warnings"].to_string();
    assert!(warned.contains("it answered 403 Forbidden"), "{warned}");
    assert!(
        warned.contains("there is no secret manager `vault/none`"),
        "{warned}"
    );
    assert_eq!(
        vault.requests().last().unwrap().header("x-vault-token"),
        Some("hvs.wrong"),
        "asked last, and only once"
    );
}

#[tokio::test]
async fn aws_is_asked_with_a_signature() {
    let aws = FakeAwsSecrets::start("eu-central-1");
    aws.write("jack", "plain-key");
    aws.write("all", r#"{"jill": "member-key"}"#);
    let gateway = gateway().await;
    let config = |secret: &str, more: Value| {
        let mut config = json!({
            "access_key_id": AWS_ACCESS_KEY_ID, "secret_access_key": secret, "region": "eu-central-1",
            "endpoint_url": aws.url(),
        });
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        config
    };
    put(
        &gateway,
        "/secrets/aws/1",
        config(AWS_SECRET_ACCESS_KEY, json!({})),
    )
    .await;
    let session = json!({"session_token": "the-session"});
    put(
        &gateway,
        "/secrets/aws/session",
        config(AWS_SECRET_ACCESS_KEY, session),
    )
    .await;
    put(&gateway, "/secrets/aws/bad", config("another-secret", json!({}))).await;
    put_keys(
        &gateway,
        &[
            ("jack", "$secret://aws/1/jack"),
            ("jill", "$secret://aws/session/all/jill"),
            ("none", "$secret://aws/1/none"),
            ("bad", "$secret://aws/bad/jack"),
        ],
    )
    .await;
    assert_eq!(status_of(&gateway, "plain-key").await, 200);
    assert_eq!(status_of(&gateway, "member-key").await, 200);
    refused(
        status_of(&gateway, "$secret://aws/1/none").await,
        "no such secret",
    );
    let asked = aws.requests();
    assert!(
        asked
            .iter()
            .any(|call| call.header("x-amz-security-token") == Some("the-session"))
    );
    assert_eq!(
        asked[0].json(),
        json!({"SecretId": "jack", "VersionStage": "AWSCURRENT"})
    );
    let status = gateway.admin().client().get("/status").send().await.json().await;
    let warned = status["warnings"].to_string();
    assert!(warned.contains("it does not exist in AWS"), "{warned}");
    assert!(
        warned.contains("AWS answered 400 Bad Request InvalidSignatureException"),
        "{warned}"
    );
    assert!(!gateway.output().contains(AWS_SECRET_ACCESS_KEY));
}

#[tokio::test]
async fn google_is_asked_with_a_token_that_a_signed_grant_gets() {
    let google = FakeGcpSecrets::start();
    google.write("jack", "plain-key");
    google.write("all", r#"{"jill": "member-key"}"#);
    let (account, other) = (google.account(), FakeGcpSecrets::start().account());
    let gateway = Gateway::builder(binary())
        .file("account.json", account.to_string())
        .start()
        .await;
    put(&gateway, "/secrets/gcp/1", json!({"auth_config": account})).await;
    let file = gateway.dir().join("account.json");
    put(
        &gateway,
        "/secrets/gcp/file",
        json!({"auth_file": file, "ssl_verify": false}),
    )
    .await;
    let mut forged = account.clone();
    forged["private_key"] = other["private_key"].clone();
    put(&gateway, "/secrets/gcp/bad", json!({"auth_config": forged})).await;
    put(
        &gateway,
        "/secrets/gcp/gone",
        json!({"auth_file": "/no/such/file"}),
    )
    .await;
    put_keys(
        &gateway,
        &[
            ("jack", "$secret://gcp/1/jack"),
            ("jill", "$secret://gcp/file/all/jill"),
            ("none", "$secret://gcp/1/none"),
            ("bad", "$secret://gcp/bad/jack"),
            ("gone", "$secret://gcp/gone/jack"),
        ],
    )
    .await;
    assert_eq!(status_of(&gateway, "plain-key").await, 200);
    assert_eq!(status_of(&gateway, "member-key").await, 200);
    refused(
        status_of(&gateway, "$secret://gcp/bad/jack").await,
        "a forged grant",
    );
    let grants = google
        .requests()
        .iter()
        .filter(|call| call.path == "/token")
        .count();
    assert_eq!(grants, 3, "a token serves many secrets of one manager");
    let status = gateway.admin().client().get("/status").send().await.json().await;
    let warned = status["warnings"].to_string();
    for reason in [
        "it does not exist in Google Cloud",
        "invalid_grant",
        "auth_file cannot be read",
    ] {
        assert!(warned.contains(reason), "{reason} in {warned}");
    }
    let output = gateway.output();
    assert!(
        !output.contains("PRIVATE KEY") && !output.contains("ya29."),
        "{output}"
    );
}

#[tokio::test]
async fn plugin_metadata_may_refer_to_secrets() {
    let vault = FakeVault::start(TOKEN);
    vault.write("kv/apisix/otel", json!({"key": "collector-key-1"}));
    let collector = FakeProvider::start();
    collector.always(Reply::json(200, &json!({})));
    let gateway = Gateway::builder(binary())
        .env("COLLECTOR", collector.addr().to_string())
        .start()
        .await;
    let with_prefix = async |prefix: &str| {
        let mut config = configured(&vault);
        config["prefix"] = prefix.into();
        put(&gateway, "/secrets/vault/1", config).await;
    };
    with_prefix("kv/apisix").await;
    let metadata = json!({
        "collector": {
            "address": "$env://COLLECTOR", "request_headers": {"x-key": "$secret://vault/1/otel/key"},
        },
        "batch_span_processor": {"inactive_timeout": 0.1},
    });
    put(&gateway, "/plugin_metadata/opentelemetry", metadata.clone()).await;
    let plugins = json!({
        "opentelemetry": {"sampler": {"name": "always_on"}}, "mocking": {"response_example": "in"},
    });
    put(
        &gateway,
        "/routes/1",
        json!({"uri": "/traced", "plugins": plugins}),
    )
    .await;
    let key_at_the_collector = async |wanted: &str| {
        eventually(wanted, async || {
            gateway
                .client()
                .get("/traced")
                .send()
                .await
                .expect_status(200)
                .await
                .bytes()
                .await;
            let found = collector
                .requests()
                .into_iter()
                .any(|request| request.header("x-key") == Some(wanted));
            found.then_some(())
        })
        .await;
    };
    key_at_the_collector("collector-key-1").await;
    vault.write("kv/apisix/otel", json!({"key": "collector-key-2"}));
    with_prefix("kv//apisix").await;
    key_at_the_collector("collector-key-2").await;

    let stored = gateway
        .admin()
        .get("/plugin_metadata/opentelemetry")
        .await
        .expect_status(200);
    assert_eq!(stored.json()["value"]["collector"], metadata["collector"]);
    // One that leads to nowhere is told, and keeps nobody from writing.
    let mut nowhere = metadata;
    nowhere["collector"]["address"] = "$env://NO_COLLECTOR".into();
    put(&gateway, "/plugin_metadata/opentelemetry", nowhere).await;
    put(
        &gateway,
        "/routes/2",
        json!({"uri": "/other", "plugins": plugins}),
    )
    .await;
    let status = gateway.admin().client().get("/status").send().await.text().await;
    assert!(status.contains("$env://NO_COLLECTOR is not resolved"), "{status}");
    assert!(!status.contains("collector-key"), "{status}");
}
