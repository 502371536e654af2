use http::Request;
use serde_json::Value;
use sluice_core::CompileError;
use sluice_net::Body;
use sluice_observe::BatchSender;
use sluice_resource::CheckScope;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::fixture::{self, Fixture};

/// A server whose connections the test answers by hand.
struct Server(TcpListener);

/// A request as it came.
struct Received {
    head: String,
    body: String,
}

impl Server {
    async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn uri(&self, path: &str) -> String {
        format!("http://{}{path}", self.0.local_addr().unwrap())
    }

    async fn accept(&self) -> TcpStream {
        self.0.accept().await.unwrap().0
    }
}

/// Reads one request and answers it.
async fn answer(stream: &mut TcpStream, status: u16) -> Received {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    let reply = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok");
    stream.write_all(reply.as_bytes()).await.unwrap();
    Received {
        head,
        body: String::from_utf8(body).unwrap(),
    }
}

fn sender(fixture: &Fixture, conf: &Value) -> Result<HttpSender, CompileError> {
    let conf = definition()
        .unwrap()
        .info
        .checked(conf, CheckScope::Main)
        .map_err(CompileError)?;
    HttpSender::compile(&Config::deserialize(conf)?, &fixture.services)
}

fn entries(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[tokio::test]
async fn sends_batches_over_one_connection() {
    let (fixture, server) = (Fixture::new(), Server::start().await);
    let sender = sender(
        &fixture,
        &json!({ "uri": server.uri("/log?a=1"), "auth_header": "Basic Zm9v" }),
    )
    .unwrap();
    let sending = tokio::spawn(async move {
        sender.send(&entries(&["{\"a\":1}", "{\"a\":2}"])).await.unwrap();
        sender.send(&entries(&["{\"a\":3}"])).await.unwrap();
    });
    let mut stream = server.accept().await;
    let first = answer(&mut stream, 200).await;
    assert!(
        first.head.starts_with("post /log?a=1 http/1.1\r\n"),
        "{}",
        first.head
    );
    assert!(
        first.head.contains("authorization: basic zm9v\r\n"),
        "{}",
        first.head
    );
    assert!(
        first.head.contains("content-type: application/json\r\n"),
        "{}",
        first.head
    );
    assert_eq!(first.body, "[{\"a\":1},{\"a\":2}]");
    assert_eq!(answer(&mut stream, 204).await.body, "[{\"a\":3}]");
    sending.await.unwrap();
}

#[tokio::test]
async fn a_status_of_400_or_more_is_a_failure() {
    let (fixture, server) = (Fixture::new(), Server::start().await);
    let sender = sender(&fixture, &json!({ "uri": server.uri("") })).unwrap();
    for (status, failed) in [(200, None), (399, None), (400, Some(400)), (500, Some(500))] {
        let sender = HttpSender::clone(&sender);
        let sending = tokio::spawn(async move { sender.send(&entries(&["{}"])).await });
        // Each answer closes its connection.
        let mut stream = server.accept().await;
        let mut received = String::new();
        while !received.ends_with("[{}]") {
            received.push(char::from(stream.read_u8().await.unwrap()));
        }
        assert!(received.starts_with("POST / HTTP/1.1\r\n"), "{received}");
        let reply = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(reply.as_bytes()).await.unwrap();
        let expected = failed.map(|status: u16| format!("server returned status code[{status}]"));
        assert_eq!(
            sending.await.unwrap().err().map(|error| error.to_string()),
            expected
        );
    }
}

#[tokio::test]
async fn nobody_there_is_a_failure() {
    let (fixture, server) = (Fixture::new(), Server::start().await);
    let sender = sender(
        &fixture,
        &json!({ "uri": server.uri("/log"), "auth_header": "canary" }),
    )
    .unwrap();
    drop(server);
    let error = sender.send(&entries(&["{}"])).await.unwrap_err();
    assert!(matches!(error, sender::HttpSendError::Unanswered(_)), "{error}");
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[tokio::test]
async fn bodies_by_method_and_size() {
    let fixture = Fixture::new();
    let uri = "http://127.0.0.1:1/log";
    for (method, size, given, content_type, expected) in [
        ("json", 1000, &["1", "2"][..], "application/json", "[1,2]"),
        ("json", 1000, &["1"], "application/json", "[1]"),
        ("json", 1, &["1"], "application/json", "1"),
        ("new_line", 1000, &["1", "2"], "text/plain", "1\n2"),
        ("new_line", 1, &["1"], "text/plain", "1"),
    ] {
        let conf = json!({ "uri": uri, "concat_method": method, "batch_max_size": size });
        let request: Request<Body> = sender(&fixture, &conf).unwrap().request(&entries(given));
        assert_eq!(request.headers()["content-type"], content_type, "{conf}");
        assert!(!request.headers().contains_key("authorization"));
        let body = request.into_body().collect_limited(100).await.unwrap();
        assert_eq!(body, expected, "{conf}");
    }
}

#[tokio::test]
async fn addresses_that_cannot_be_used() {
    let fixture = Fixture::new();
    let pattern = "property \"uri\" validation failed: failed to match pattern";
    for (uri, error) in [
        (
            "ftp://a.test/",
            "uri cannot be used: its scheme is neither http nor https",
        ),
        ("127.0.0.1:80/log", pattern),
    ] {
        let found = sender(&fixture, &json!({ "uri": uri }))
            .err()
            .unwrap()
            .to_string();
        assert!(found.starts_with(error), "{found}");
    }
    let secret = json!({ "uri": "http://a.test", "auth_header": "canary\n" });
    let error = sender(&fixture, &secret).err().unwrap().to_string();
    assert_eq!(error, "auth_header cannot be a header value");
}

#[tokio::test]
async fn entries_go_out_when_the_batch_is_full() {
    let (fixture, server) = (Fixture::new(), Server::start().await);
    let conf = json!({ "uri": server.uri("/"), "batch_max_size": 2, "log_format": { "uri": "$uri" } });
    let plugin = fixture.compile(definition, &conf).unwrap();
    let mut matched = fixture.context("GET", "/a");
    matched.route = Some(fixture::route(None));
    for cx in [matched, fixture.context("GET", "/b")] {
        plugin.log(&cx, &fixture.record(&cx));
    }
    let received = answer(&mut server.accept().await, 200).await;
    let sent: Value = serde_json::from_str(&received.body).unwrap();
    assert_eq!(
        sent,
        json!([{ "route_id": "1", "uri": "/a" }, { "route_id": "no-matched", "uri": "/b" }])
    );
}

#[tokio::test]
async fn an_edit_loses_no_entries() {
    let (fixture, server) = (Fixture::new(), Server::start().await);
    let conf = json!({
        "uri": server.uri("/"), "log_format": { "uri": "$uri" },
        "inactive_timeout": 3600, "buffer_duration": 3600,
    });
    let plugin = fixture.compile(definition, &conf).unwrap();
    let cx = fixture.context("GET", "/a");
    plugin.log(&cx, &fixture.record(&cx));
    drop(plugin);
    let received = answer(&mut server.accept().await, 200).await;
    assert_eq!(received.body, "[{\"route_id\":\"no-matched\",\"uri\":\"/a\"}]");
}

#[test]
fn defaults_are_those_of_apisix() {
    let info = definition().unwrap().info;
    let filled = info
        .checked(&json!({ "uri": "http://127.0.0.1/log" }), CheckScope::Main)
        .unwrap();
    let expected = json!({
        "uri": "http://127.0.0.1/log", "timeout": 3, "concat_method": "json", "ssl_verify": false,
        "name": "http logger", "batch_max_size": 1000, "inactive_timeout": 5, "buffer_duration": 60,
        "max_retry_count": 0, "retry_delay": 1, "include_req_body": false, "include_resp_body": false,
        "max_req_body_bytes": 524_288, "max_resp_body_bytes": 524_288,
    });
    assert_eq!(filled, expected);
    assert_eq!(
        info.check(&json!({}), CheckScope::Main).unwrap_err(),
        "property \"uri\" is required"
    );
    assert_eq!(info.encrypted_fields(CheckScope::Main), ["auth_header"]);
}
