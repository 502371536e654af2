//! kafka-logger, against a fake that speaks the wire protocol.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use sluice_testkit::{FakeKafka, FakeProvider, Gateway};

use super::{call, put_logger};
use crate::scrape::Scrape;
use crate::support::{binary, gateway};

const LOST: &str = "sluice_batch_lost_entries_total";

/// A certificate for 127.0.0.1 in PEM, and a server that shows it.
fn certified() -> (String, Arc<ServerConfig>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let made = params.self_signed(&key).unwrap();
    let der = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], der)
        .unwrap();
    (made.pem(), Arc::new(config))
}

/// A logger to a broker that wants this user, one entry a message.
fn as_user(broker: &FakeKafka, mechanism: &str, password: &str) -> Value {
    let sasl = json!({ "mechanism": mechanism, "user": "gw", "password": password });
    json!({
        "brokers": [{ "host": "127.0.0.1", "port": broker.addr().port(), "sasl_config": sasl }],
        "kafka_topic": "requests", "batch_max_size": 1, "producer_type": "sync",
        "log_format": { "path": "$uri" },
    })
}

async fn lost(gateway: &Gateway, entries: f64) {
    Scrape::when(gateway, "lost entries", |scrape| scrape.sum(LOST, &[]) == entries).await;
}

#[tokio::test]
async fn a_batch_is_a_message() {
    let (upstream, gateway) = (FakeProvider::start(), gateway().await);
    let broker = FakeKafka::with_user(3, "gw", "kafka-key");
    let sasl = json!({ "mechanism": "SCRAM-SHA-256", "user": "gw", "password": "kafka-key" });
    let conf = json!({
        "brokers": [{ "host": "127.0.0.1", "port": broker.addr().port(), "sasl_config": sasl }],
        "kafka_topic": "requests", "key": "gw-1", "required_acks": -1, "batch_max_size": 2,
        "log_format": { "path": "$uri" },
    });
    put_logger(&gateway, &upstream, "/log/*", "kafka-logger", conf).await;
    call(&gateway, &["/log/a", "/log/b"]).await;
    let message = broker.wait_messages(1).await.remove(0);
    let said: Value = serde_json::from_slice(&message.value).unwrap();
    let entry = |path: &str| json!({ "path": path, "route_id": "1" });
    assert_eq!(said, json!([entry("/log/a"), entry("/log/b")]));
    assert_eq!((&*message.topic, message.acks), ("requests", -1));
    assert_eq!(message.key.as_deref(), Some(&b"gw-1"[..]));
    assert_eq!(broker.authenticated(), ["SCRAM-SHA-256"]);
}

#[tokio::test]
async fn single_entries_share_a_request_and_may_be_the_request_as_it_came() {
    let (upstream, gateway) = (FakeProvider::start(), gateway().await);
    let broker = FakeKafka::start(1);
    let conf = json!({
        "broker_list": { "127.0.0.1": broker.addr().port() }, "kafka_topic": "requests",
        "meta_format": "origin", "batch_max_size": 1, "producer_batch_num": 2,
    });
    put_logger(&gateway, &upstream, "/log/*", "kafka-logger", conf).await;
    call(&gateway, &["/log/a?key=secret", "/log/b"]).await;
    let messages = broker.wait_messages(2).await;
    let text = |nth: usize| String::from_utf8(messages[nth].value.to_vec()).unwrap();
    assert!(
        text(0).starts_with("GET /log/a?key=*** HTTP/1.1\r\n"),
        "{}",
        text(0)
    );
    assert!(text(1).starts_with("GET /log/b HTTP/1.1\r\n"), "{}", text(1));
    assert!(text(1).contains("host: ") && text(1).ends_with("\r\n\r\n"));
    assert_eq!((messages[0].request, messages[1].request), (1, 1));
}

#[tokio::test]
async fn every_mechanism_proves_who_we_are() {
    let (upstream, gateway) = (FakeProvider::start(), gateway().await);
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let broker = FakeKafka::with_user(1, "gw", "kafka-key");
        let conf = as_user(&broker, mechanism, "kafka-key");
        put_logger(&gateway, &upstream, "/log/*", "kafka-logger", conf).await;
        call(&gateway, &["/log/a"]).await;
        broker.wait_messages(1).await;
        assert_eq!(broker.authenticated(), [mechanism]);
    }
}

#[tokio::test]
async fn a_broker_that_refuses_us_gets_nothing() {
    let (upstream, gateway) = (FakeProvider::start(), gateway().await);
    let broker = FakeKafka::with_user(1, "gw", "kafka-key");
    for (nth, mechanism) in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
        .into_iter()
        .enumerate()
    {
        let conf = as_user(&broker, mechanism, "wrong-kafka-key");
        put_logger(&gateway, &upstream, "/log/*", "kafka-logger", conf).await;
        call(&gateway, &["/log/a"]).await;
        lost(&gateway, nth as f64 + 1.0).await;
    }
    broker.offer_only("PLAIN");
    let conf = as_user(&broker, "SCRAM-SHA-512", "kafka-key");
    put_logger(&gateway, &upstream, "/log/*", "kafka-logger", conf).await;
    call(&gateway, &["/log/a"]).await;
    lost(&gateway, 4.0).await;
    assert!(broker.authenticated().is_empty());
    assert!(!gateway.output().contains("kafka-key"), "{}", gateway.output());
}

#[tokio::test]
async fn a_broker_behind_tls_is_believed_as_configured() {
    let upstream = FakeProvider::start();
    let (root, tls) = certified();
    let trusting = Gateway::builder(binary())
        .file("roots.pem", root)
        .env("SSL_CERT_FILE", "roots.pem")
        .start()
        .await;
    let doubting = gateway().await;
    for (gateway, verify, believes) in [
        (&trusting, true, true),
        (&doubting, false, true),
        (&doubting, true, false),
    ] {
        let broker = FakeKafka::with_user_and_tls(1, "gw", "kafka-key", tls.clone());
        let mut conf = as_user(&broker, "SCRAM-SHA-512", "kafka-key");
        conf["tls"] = json!({ "verify": verify });
        put_logger(gateway, &upstream, "/log/*", "kafka-logger", conf).await;
        call(gateway, &["/log/a"]).await;
        if believes {
            let message = broker.wait_messages(1).await.remove(0);
            let said: Value = serde_json::from_slice(&message.value).unwrap();
            assert_eq!(said["path"], "/log/a");
            assert_eq!(broker.authenticated(), ["SCRAM-SHA-512"]);
        } else {
            lost(gateway, 1.0).await;
            assert!(broker.authenticated().is_empty());
        }
    }
}

#[tokio::test]
async fn without_tls_a_broker_behind_it_gets_nothing() {
    let (upstream, gateway) = (FakeProvider::start(), gateway().await);
    let broker = FakeKafka::with_user_and_tls(1, "gw", "kafka-key", certified().1);
    let mut conf = as_user(&broker, "PLAIN", "kafka-key");
    conf["timeout"] = json!(1);
    put_logger(&gateway, &upstream, "/log/*", "kafka-logger", conf).await;
    call(&gateway, &["/log/a"]).await;
    lost(&gateway, 1.0).await;
}
