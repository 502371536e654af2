//! What the Admin API looks at beyond schemas: certificates, plugin metadata, groups (compat §1.7, §6.3, §6.9).

use serde_json::{Value, json};
use sluice_testkit::Gateway;

use crate::support::{gateway, put};

async fn refused(gateway: &Gateway, path: &str, body: Value) -> String {
    let answer = gateway.admin().put(path, body).await.expect_status(400);
    answer.json()["error_msg"].as_str().unwrap().to_owned()
}

fn certificate() -> (String, String) {
    let own = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
    (own.cert.pem(), own.signing_key.serialize_pem())
}

#[tokio::test]
async fn certificates_are_read_when_they_are_written() {
    let gateway = gateway().await;
    let ((cert, key), (_, other)) = (certificate(), certificate());
    let ssl = |cert: &str, key: &str| json!({ "sni": "a.test", "cert": cert, "key": key });
    let x = "x".repeat(200);
    let no_cert = "failed to parse cert: PEM_read_bio_X509_AUX() failed";
    let no_key = "failed to parse key: PEM_read_bio_PrivateKey() failed";
    let unfit = "cert and key do not match";
    assert_eq!(refused(&gateway, "/ssls/1", ssl(&x, &key)).await, no_cert);
    assert_eq!(refused(&gateway, "/ssls/1", ssl(&cert, &cert)).await, no_key);
    assert_eq!(refused(&gateway, "/ssls/1", ssl(&cert, &other)).await, unfit);
    assert_eq!(
        refused(&gateway, "/ssls/1", ssl(&cert, &x)).await,
        "failed to decrypt previous encrypted key"
    );
    let mut pairs = ssl(&cert, &key);
    (pairs["certs"], pairs["keys"]) = (json!([cert, cert]), json!([key, other]));
    assert_eq!(
        refused(&gateway, "/ssls/1", pairs).await,
        format!("failed to handle cert-key pair[2]: {unfit}")
    );
    let mut upstream = json!({ "type": "roundrobin", "nodes": { "a.test:1": 1 } });
    upstream["tls"] = json!({ "client_cert": cert, "client_key": other });
    assert_eq!(refused(&gateway, "/upstreams/1", upstream.clone()).await, unfit);
    assert_eq!(
        refused(&gateway, "/services/1", json!({ "upstream": upstream })).await,
        unfit
    );
    let created = gateway
        .admin()
        .put("/ssls/1", ssl(&cert, &key))
        .await
        .expect_status(201);
    assert!(!created.text().contains("PRIVATE KEY"));
    let again = ssl(&cert, created.json()["value"]["key"].as_str().unwrap());
    put(&gateway, "/ssls/1", again).await;
    let line = key.lines().nth(1).unwrap();
    for file in std::fs::read_dir(gateway.dir().join("data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(
            !String::from_utf8_lossy(&bytes).contains(line),
            "encrypted at rest"
        );
    }
}

#[tokio::test]
async fn a_file_logger_needs_a_path_somewhere() {
    let gateway = gateway().await;
    let route = json!({ "uri": "/", "plugins": { "file-logger": {} } });
    assert_eq!(
        refused(&gateway, "/routes/1", route.clone()).await,
        "failed to check the configuration of plugin file-logger err: property \"path\" is not set in either the \
         plugin conf or the metadata"
    );
    put(
        &gateway,
        "/plugin_metadata/file-logger",
        json!({ "path": "log.jsonl" }),
    )
    .await;
    put(&gateway, "/routes/1", route).await;
}

#[tokio::test]
async fn all_of_a_limit_count_group_is_configured_alike() {
    let gateway = gateway().await;
    let with = |count: u32| {
        let limit = json!({ "count": count, "time_window": 60, "group": "shared" });
        json!({ "uri": "/", "plugins": { "limit-count": limit } })
    };
    put(&gateway, "/routes/1", with(1)).await;
    put(&gateway, "/routes/2", with(1)).await;
    let text = "failed to check the configuration of plugin limit-count err: group conf mismatched";
    assert_eq!(refused(&gateway, "/routes/3", with(2)).await, text);
    assert_eq!(
        refused(&gateway, "/services/1", json!({ "plugins": with(2)["plugins"] })).await,
        text
    );
}
