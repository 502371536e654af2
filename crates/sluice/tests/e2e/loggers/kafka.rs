//! kafka-logger, against a fake that speaks the wire protocol.

use serde_json::{Value, json};
use sluice_testkit::{FakeKafka, FakeProvider};

use super::{call, put_logger};
use crate::support::gateway;

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
