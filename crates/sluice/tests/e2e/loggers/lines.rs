//! Loggers over bare sockets: tcp-logger, udp-logger, syslog; and what all refuse.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, within};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpListener, UdpSocket};

use super::{call, put_logger};
use crate::support::gateway;

fn entry(path: &str) -> Value {
    json!({ "path": path, "route_id": "1" })
}

#[tokio::test]
async fn tcp_logger_opens_a_connection_per_batch() {
    let (upstream, gateway) = (FakeProvider::start(), gateway().await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let conf = json!({
        "host": "127.0.0.1", "port": listener.local_addr().unwrap().port(), "batch_max_size": 2,
        "log_format": { "path": "$uri" },
    });
    put_logger(&gateway, &upstream, "/log/*", "tcp-logger", conf).await;
    for paths in [["/log/a", "/log/b"], ["/log/c", "/log/d"]] {
        call(&gateway, &paths).await;
        let (mut stream, _) = within("a connection", listener.accept()).await.unwrap();
        let mut text = String::new();
        within("the end of the batch", stream.read_to_string(&mut text))
            .await
            .unwrap();
        let batch: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(batch, json!(paths.map(entry)));
    }
}

#[tokio::test]
async fn udp_logger_sends_a_datagram_per_batch() {
    let (upstream, gateway) = (FakeProvider::start(), gateway().await);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let conf = json!({
        "host": "localhost", "port": socket.local_addr().unwrap().port(), "batch_max_size": 2,
        "log_format": { "path": "$uri" },
    });
    put_logger(&gateway, &upstream, "/log/*", "udp-logger", conf).await;
    call(&gateway, &["/log/a", "/log/b"]).await;
    let mut heard = vec![0; 65_536];
    let length = within("a datagram", socket.recv(&mut heard)).await.unwrap();
    let batch: Value = serde_json::from_slice(&heard[..length]).unwrap();
    assert_eq!(batch, json!([entry("/log/a"), entry("/log/b")]));
}

#[tokio::test]
async fn syslog_writes_lines_of_rfc_5424() {
    let (upstream, gateway) = (FakeProvider::start(), gateway().await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let conf = json!({
        "host": "127.0.0.1", "port": listener.local_addr().unwrap().port(), "batch_max_size": 1,
        "log_format": { "path": "$uri" },
    });
    put_logger(&gateway, &upstream, "/log/*", "syslog", conf).await;
    call(&gateway, &["/log/a"]).await;
    let (stream, _) = within("a connection", listener.accept()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    call(&gateway, &["/log/b"]).await;
    for path in ["/log/a", "/log/b"] {
        let line = within("a line", lines.next_line()).await.unwrap().unwrap();
        let words: Vec<&str> = line.splitn(8, ' ').collect();
        assert_eq!((words[0], words[3]), ("<46>1", "apisix"), "{line}");
        assert!(words[1].ends_with('Z') && words[1].len() == 24, "{line}");
        assert_eq!(words[4], gateway.pid().to_string());
        assert_eq!((words[5], words[6]), ("-", "-"));
        assert_eq!(serde_json::from_str::<Value>(words[7]).unwrap(), entry(path));
    }
}

#[tokio::test]
async fn bad_configurations_are_refused_with_their_fields() {
    let gateway = gateway().await;
    for (plugin, conf, error) in [
        (
            "tcp-logger",
            json!({ "host": "a" }),
            "property \"port\" is required",
        ),
        (
            "tcp-logger",
            json!({ "host": "a", "port": 1, "timeout": 0 }),
            "property \"timeout\" validation failed: expected 0 to be at least 1",
        ),
        (
            "udp-logger",
            json!({ "port": 1 }),
            "property \"host\" is required",
        ),
        (
            "syslog",
            json!({ "host": "a", "port": 1, "pool_size": 1 }),
            "property \"pool_size\" validation failed: expected 1 to be at least 5",
        ),
        (
            "loki-logger",
            json!({}),
            "property \"endpoint_addrs\" is required",
        ),
        (
            "kafka-logger",
            json!({ "brokers": [{ "host": "a", "port": 1 }], "kafka_topic": "t", "required_acks": 2 }),
            "property \"required_acks\" validation failed: matches none of the enum values",
        ),
        (
            "elasticsearch-logger",
            json!({ "endpoint_addrs": ["http://a"], "field": {} }),
            "property \"field\" validation failed: property \"index\" is required",
        ),
        (
            "loki-logger",
            json!({ "endpoint_addrs": ["http://a"], "include_req_body_expr": [["a", "<>", "b"]] }),
            "failed to validate the 'include_req_body_expr' expression: invalid operator '<>'",
        ),
    ] {
        let route = json!({ "uri": "/x", "plugins": { plugin: conf } });
        let answer = gateway.admin().put("/routes/1", route).await.expect_status(400);
        let said = answer.json()["error_msg"].as_str().unwrap().to_owned();
        let expected = format!("failed to check the configuration of plugin {plugin} err: {error}");
        assert!(said.starts_with(&expected), "{said}");
    }
}
