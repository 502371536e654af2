//! What the Admin API makes of the configurations of auth plugins on consumers and credentials (compat §1.7, §1.11).

use serde_json::{Value, json};

use super::{put_consumer, refused_write};
use crate::support::put;

/// A plugin, a configuration for a consumer, the member that finds the consumer and the one that is secret.
fn plugins() -> [(&'static str, Value, &'static str, &'static str); 4] {
    [
        ("key-auth", json!({ "key": "same" }), "key", "key"),
        (
            "jwt-auth",
            json!({ "key": "same", "secret": "s3cret" }),
            "key",
            "secret",
        ),
        (
            "basic-auth",
            json!({ "username": "same", "password": "s3cret" }),
            "username",
            "password",
        ),
        (
            "hmac-auth",
            json!({ "key_id": "same", "secret_key": "s3cret" }),
            "key_id",
            "secret_key",
        ),
    ]
}

#[tokio::test]
async fn what_finds_a_caller_stands_once() {
    let gateway = crate::support::gateway().await;
    for (name, conf, attribute, _) in plugins() {
        let with = |conf: &Value| json!({ name: conf });
        put_consumer(&gateway, "bob", with(&conf)).await;
        put_consumer(&gateway, "bob", with(&conf)).await;
        let alex = |conf: &Value| json!({ "username": "alex", "plugins": with(conf) });
        assert_eq!(
            refused_write(&gateway, "/consumers", alex(&conf)).await,
            format!("duplicate key of plugin {name} found with consumer: bob")
        );
        let mut other = conf.clone();
        other[attribute] = json!("other");
        put_consumer(&gateway, "alex", json!({})).await;
        put(
            &gateway,
            "/consumers/alex/credentials/cred-a",
            json!({ "plugins": with(&other) }),
        )
        .await;
        put(&gateway, "/consumers", alex(&other)).await;
        assert_eq!(
            refused_write(
                &gateway,
                "/consumers/bob/credentials/1",
                json!({ "plugins": with(&other) })
            )
            .await,
            format!("duplicate key of plugin {name} found with credential: cred-a of consumer: alex")
        );
        let mut reference = conf.clone();
        reference[attribute] = json!("$env://SLUICE_TEST_NOT_SET");
        for id in ["1", "2"] {
            let resource = json!({ "plugins": with(&reference) });
            put(&gateway, &format!("/consumers/bob/credentials/{id}"), resource).await;
        }
        for id in ["alex", "bob"] {
            let path = format!("/consumers/{id}");
            gateway.admin().delete(&path).await.expect_status(200);
        }
    }
}

#[tokio::test]
async fn secrets_are_encrypted_in_replies_to_writes_and_plain_in_reads() {
    let gateway = crate::support::gateway().await;
    for (name, conf, _, secret) in plugins() {
        put_consumer(&gateway, "bob", json!({})).await;
        let consumer = json!({ "username": "bob", "plugins": { name: conf } });
        let credential = json!({ "plugins": { name: conf } });
        for (path, at, resource) in [
            ("/consumers", "/consumers/bob", consumer),
            (
                "/consumers/bob/credentials/1",
                "/consumers/bob/credentials/1",
                credential,
            ),
        ] {
            let written = gateway.admin().put(path, resource).await;
            assert!(matches!(written.status, 200 | 201), "{name}: {}", written.text());
            let written = written.json()["value"]["plugins"][name].clone();
            assert_ne!(written[secret], conf[secret], "{name}");
            let read = gateway.admin().get(at).await.expect_status(200).json();
            assert_eq!(read["value"]["plugins"][name], conf, "defaults are not stored");
            put_consumer(&gateway, "bob", json!({})).await;
        }
        gateway.admin().delete("/consumers/bob").await.expect_status(200);
    }
}

#[tokio::test]
async fn consumer_schemas_can_be_read() {
    let gateway = crate::support::gateway().await;
    for (name, _, attribute, _) in plugins() {
        let path = format!("/schema/plugins/{name}?schema_type=consumer");
        let schema = gateway.admin().get(&path).await.expect_status(200).json();
        assert_eq!(schema["required"][0], attribute, "{name}");
    }
}
