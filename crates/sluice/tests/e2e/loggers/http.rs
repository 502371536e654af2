//! Loggers that post: http-logger, loki-logger, elasticsearch-logger.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Reply};

use super::{call, collector, put_logger};
use crate::scrape::Scrape;
use crate::support::gateway;

#[tokio::test]
async fn loki_gets_streams() {
    let (upstream, collector, gateway) = (FakeProvider::start(), collector(), gateway().await);
    collector.next(Reply::json(500, &json!({})));
    let conf = json!({
        "endpoint_addrs": [collector.url("")], "tenant_id": "team-a", "headers": { "X-Token": "loki-key" },
        "log_labels": { "job": "gw", "path": "$uri" }, "log_format": { "path": "$uri" },
        "batch_max_size": 3, "max_retry_count": 1,
    });
    put_logger(&gateway, &upstream, "/log/*", "loki-logger", conf).await;
    call(&gateway, &["/log/a", "/log/b", "/log/a"]).await;

    let requests = collector.wait_requests(2).await;
    assert_eq!(
        requests[0].body, requests[1].body,
        "a batch that failed is sent again"
    );
    let push = &requests[1];
    assert_eq!((push.method.as_str(), &*push.path), ("POST", "/loki/api/v1/push"));
    assert_eq!(push.header("x-scope-orgid"), Some("team-a"));
    assert_eq!(push.header("x-token"), Some("loki-key"));
    assert_eq!(push.header("content-type"), Some("application/json"));
    let body = push.json();
    let streams = body["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 2);
    for (stream, path, count) in [(&streams[0], "/log/a", 2), (&streams[1], "/log/b", 1)] {
        assert_eq!(stream["stream"], json!({ "job": "gw", "path": path }));
        let values = stream["values"].as_array().unwrap();
        assert_eq!(values.len(), count);
        for value in values {
            let time = value[0].as_str().unwrap();
            assert!(time.len() == 19 && time.ends_with("000000"), "{time}");
            let entry: Value = serde_json::from_str(value[1].as_str().unwrap()).unwrap();
            assert_eq!(entry, json!({ "path": path, "route_id": "1" }));
        }
    }
}

#[tokio::test]
async fn loki_takes_nothing_from_300_on() {
    let (upstream, collector, gateway) = (FakeProvider::start(), collector(), gateway().await);
    collector.always(Reply::json(302, &json!({})));
    let conf = json!({ "endpoint_addrs": [collector.url("")], "batch_max_size": 1 });
    put_logger(&gateway, &upstream, "/log", "loki-logger", conf).await;
    call(&gateway, &["/log"]).await;
    Scrape::when(&gateway, "a lost entry", |scrape| {
        scrape.sum(
            "sluice_batch_lost_entries_total",
            &[("name", "loki logger"), ("route_id", "1")],
        ) == 1.0
    })
    .await;
}

#[tokio::test]
async fn elasticsearch_gets_documents() {
    let (upstream, collector, gateway) = (FakeProvider::start(), collector(), gateway().await);
    let refusal = json!({ "took": 1, "errors": true, "items": [
        { "create": { "status": 201 } }, { "create": { "status": 400, "error": { "type": "x" } } },
    ] });
    collector.next(Reply::json(200, &refusal));
    let conf = json!({
        "endpoint_addrs": [collector.url("")], "field": { "index": "gw-$request_method", "type": "log" },
        "auth": { "username": "elastic", "password": "secret" }, "headers": { "X-Opaque-Id": "gw" },
        "log_format": { "path": "$uri" }, "batch_max_size": 2,
    });
    put_logger(&gateway, &upstream, "/log/*", "elasticsearch-logger", conf).await;
    call(&gateway, &["/log/a", "/log/b"]).await;

    let bulk = collector.wait_requests(1).await.remove(0);
    assert_eq!((bulk.method.as_str(), &*bulk.path), ("POST", "/_bulk"));
    assert_eq!(bulk.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(bulk.header("authorization"), Some("Basic ZWxhc3RpYzpzZWNyZXQ="));
    assert_eq!(bulk.header("x-opaque-id"), Some("gw"));
    let text = String::from_utf8(bulk.body.to_vec()).unwrap();
    assert!(text.ends_with('\n'));
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let action = json!({ "create": { "_index": "gw-GET", "_type": "log" } });
    let document = |path: &str| json!({ "path": path, "route_id": "1" });
    assert_eq!(
        lines,
        [action.clone(), document("/log/a"), action, document("/log/b")]
    );
    Scrape::when(&gateway, "the document that was refused", |scrape| {
        scrape.sum(
            "sluice_batch_lost_entries_total",
            &[("name", "elasticsearch-logger")],
        ) == 1.0
    })
    .await;
    let stored = gateway.admin().get("/routes/1").await.json();
    let conf = &stored["value"]["plugins"]["elasticsearch-logger"];
    assert_eq!(
        conf["auth"]["password"], "secret",
        "reads show it, the store has it encrypted"
    );
}

#[tokio::test]
async fn http_logger_posts_arrays_lines_and_single_entries() {
    let (upstream, gateway) = (FakeProvider::start(), gateway().await);
    for (method, size, expected) in [
        (
            "json",
            2,
            r#"[{"path":"/log/a","route_id":"1"},{"path":"/log/b","route_id":"1"}]"#,
        ),
        (
            "new_line",
            2,
            "{\"path\":\"/log/a\",\"route_id\":\"1\"}\n{\"path\":\"/log/b\",\"route_id\":\"1\"}",
        ),
        ("json", 1, r#"{"path":"/log/a","route_id":"1"}"#),
    ] {
        let collector = collector();
        let conf = json!({
            "uri": collector.url("/in?x=1"), "auth_header": "Basic Zm9v", "concat_method": method,
            "batch_max_size": size, "log_format": { "path": "$uri" },
        });
        put_logger(&gateway, &upstream, "/log/*", "http-logger", conf).await;
        // The edit is in force when the collector is asked.
        let mut first = Vec::new();
        while first.is_empty() {
            call(&gateway, &["/log/a", "/log/b"]).await;
            first = collector.wait_requests(1).await;
        }
        let request = &first[0];
        assert_eq!((&*request.path, request.query.as_deref()), ("/in", Some("x=1")));
        assert_eq!(request.header("authorization"), Some("Basic Zm9v"));
        let sorted = |text: &str| -> Vec<Value> {
            text.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        assert_eq!(sorted(&body), sorted(expected), "{method} {size}");
    }
}
