//! The proxy's listeners: TLS, HTTP/2, connections that are kept, slow clients, shutdown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gate, Gateway, GatewayBuilder, RawConn, Reply, eventually, within};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{binary, node, put};

/// A route that answers its id, whatever becomes of the request.
async fn put_speaking(gateway: &Gateway, id: &str, mut route: Value) {
    route["plugins"] = json!({ "response-rewrite": { "status_code": 200, "body": id } });
    put(gateway, &format!("/routes/{id}"), route).await;
}

/// A route to this upstream.
async fn put_plain(gateway: &Gateway, uri: &str, provider: &FakeProvider) {
    put(
        gateway,
        "/routes/plain",
        json!({ "uri": uri, "upstream": node(provider.addr()) }),
    )
    .await;
}

fn ok() -> Reply {
    Reply::body(200, "text/plain", "ok")
}

/// A gateway that has certificate files at hand, and the certificate.
fn with_certificate() -> (GatewayBuilder, CertificateDer<'static>) {
    let certified = rcgen::generate_simple_self_signed(["gateway.test".to_owned()]).unwrap();
    let builder = Gateway::builder(binary())
        .file("cert.pem", certified.cert.pem())
        .file("key.pem", certified.signing_key.serialize_pem())
        .env("SLUICE_PROXY_TLS_CERT", "cert.pem")
        .env("SLUICE_PROXY_TLS_KEY", "key.pem");
    (builder, certified.cert.der().clone())
}

/// All addresses of the proxy, in the order of the configuration.
fn proxies(gateway: &Gateway) -> Vec<SocketAddr> {
    let ready = std::fs::read(gateway.dir().join("ready.json")).unwrap();
    let ready: Value = serde_json::from_slice(&ready).unwrap();
    serde_json::from_value(ready["proxies"].clone()).unwrap()
}

async fn connect_tls(
    addr: SocketAddr,
    cert: &CertificateDer<'static>,
    protocol: &str,
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(cert.clone()).unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(addr).await.unwrap();
    let name = ServerName::try_from("gateway.test").unwrap();
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let stream = within("a TLS handshake", connected).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
    stream
}

type Http2 = http2::SendRequest<Full<Bytes>>;

/// Speaks HTTP/2 on a connection.
async fn speak_http2(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Http2 {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

/// Status and body of a call over HTTP/2.
async fn call_http2(sender: &Http2, uri: &str, body: &'static str) -> (u16, String) {
    let request = Request::post(uri).body(Full::from(body)).unwrap();
    let answer = within("an answer", sender.clone().send_request(request))
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let body = within("a body", answer.into_body().collect())
        .await
        .unwrap()
        .to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_second_listener_speaks_tls() {
    let provider = FakeProvider::start();
    let (builder, cert) = with_certificate();
    let gateway = builder
        .env("SLUICE_PROXY_TLS_LISTEN", "127.0.0.1:0")
        .start()
        .await;
    put_plain(&gateway, "/*", &provider).await;
    let addrs = proxies(&gateway);
    assert_eq!((addrs.len(), addrs[0]), (2, gateway.proxy_addr()));
    provider.always(ok());
    gateway.client().get("/").send().await.expect_status(200).await;
    assert_eq!(provider.last_request().header("x-forwarded-proto"), Some("http"));

    let stream = connect_tls(addrs[1], &cert, "http/1.1").await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for n in 0..2 {
        let request = Request::post("/")
            .header("host", "a.com")
            .body(Full::<Bytes>::from(format!("body {n}")))
            .unwrap();
        let answer = within("an answer", sender.send_request(request)).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        answer.into_body().collect().await.unwrap();
        let sent = provider.last_request();
        assert_eq!(sent.body, format!("body {n}"));
        assert_eq!(sent.header("x-forwarded-proto"), Some("https"));
        assert_eq!(
            sent.header("x-forwarded-port"),
            Some(addrs[1].port().to_string().as_str())
        );
    }

    // Whoever does not speak TLS there harms nobody.
    let mut plain = RawConn::connect(addrs[1]).await;
    plain.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = plain.read_to_end().await;
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    connect_tls(addrs[1], &cert, "http/1.1").await;
}

#[tokio::test]
async fn a_certificate_alone_makes_the_listener_speak_tls() {
    let (builder, cert) = with_certificate();
    let gateway = builder.start().await;
    put_speaking(
        &gateway,
        "it",
        json!({ "uri": "/", "vars": [["scheme", "==", "https"]] }),
    )
    .await;
    assert_eq!(proxies(&gateway), [gateway.proxy_addr()]);
    let sender = speak_http2(connect_tls(gateway.proxy_addr(), &cert, "h2").await).await;
    assert_eq!(
        call_http2(&sender, "https://gateway.test/", "").await,
        (200, "it".to_owned())
    );
}

/// Many requests at once on one connection, of which the first ends last.
async fn multiplexes(gateway: &Gateway, sender: Http2, scheme: &str, provider: &FakeProvider) {
    put_speaking(gateway, "host", json!({ "uri": "/host", "host": "by.authority" })).await;
    put_plain(gateway, "/up", provider).await;
    let uri = |path: &str| format!("{scheme}://by.authority{path}");
    let gate = Gate::closed();
    provider.next(Reply::body(200, "text/plain", "slow").head_gated(&gate));
    let (slow, slow_uri) = (sender.clone(), uri("/up"));
    let slow = tokio::spawn(async move { call_http2(&slow, &slow_uri, "a body").await });
    let sent = provider.wait_requests(1).await.pop().unwrap();
    assert_eq!(sent.body, "a body");
    assert_eq!(sent.header("host"), Some("by.authority"));
    assert_eq!(sent.header("x-forwarded-proto"), Some(scheme));
    provider.always(ok());
    for _ in 0..5 {
        assert_eq!(
            call_http2(&sender, &uri("/host"), "").await,
            (200, "host".to_owned())
        );
        assert_eq!(
            call_http2(&sender, &uri("/up"), "x").await,
            (200, "ok".to_owned())
        );
    }
    assert_eq!(call_http2(&sender, &uri("/nowhere"), "").await.0, 404);
    gate.open_for_good();
    assert_eq!(slow.await.unwrap(), (200, "slow".to_owned()));
}

#[tokio::test]
async fn http2_over_tls() {
    let provider = FakeProvider::start();
    let (builder, cert) = with_certificate();
    let gateway = builder.start().await;
    let sender = speak_http2(connect_tls(gateway.proxy_addr(), &cert, "h2").await).await;
    multiplexes(&gateway, sender, "https", &provider).await;
}

#[tokio::test]
async fn http2_by_prior_knowledge() {
    let provider = FakeProvider::start();
    let gateway = crate::support::gateway().await;
    let sender = speak_http2(TcpStream::connect(gateway.proxy_addr()).await.unwrap()).await;
    multiplexes(&gateway, sender, "http", &provider).await;
}

#[tokio::test]
async fn all_listeners_serve_the_same_routes() {
    let gateway = Gateway::builder(binary())
        .env("SLUICE_PROXY_ALSO_LISTEN", "[\"127.0.0.1:0\", \"127.0.0.1:0\"]")
        .start()
        .await;
    put_speaking(&gateway, "same", json!({ "uri": "/" })).await;
    let addrs = proxies(&gateway);
    assert_eq!(addrs.len(), 3);
    for addr in addrs {
        let mut conn = RawConn::connect(addr).await;
        conn.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await;
        assert!(conn.read_to_end().await.ends_with(b"\r\n\r\nsame"), "{addr}");
    }
}

#[tokio::test]
async fn connections_are_kept_and_pipelined_answers_come_in_order() {
    let provider = FakeProvider::start();
    let gateway = crate::support::gateway().await;
    put_plain(&gateway, "/up", &provider).await;
    put_speaking(&gateway, "second", json!({ "uri": "/2" })).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    let gate = Gate::closed();
    provider.next(Reply::body(200, "text/plain", "first").head_gated(&gate));
    let mut conn = gateway.client().raw().await;
    let body = "POST /up HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody";
    conn.write([body, &get("/2"), &get("/none"), &get("/2")].concat())
        .await;
    provider.wait_requests(1).await;
    gate.open_for_good();
    for (status, body) in [
        ("200", "first"),
        ("200", "second"),
        ("404", "\r\n0\r\n\r\n"),
        ("200", "second"),
    ] {
        assert!(conn.read_head().await.starts_with(&format!("HTTP/1.1 {status} ")));
        conn.read_until(body).await;
    }
    assert_eq!(provider.last_request().body, "body");
    // Still the same connection; then the client has had enough.
    conn.write(get("/2")).await;
    conn.read_until("second").await;
    conn.write("GET /2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await;
    assert!(conn.read_to_end().await.ends_with(b"\r\n\r\nsecond"));
}

#[tokio::test]
async fn http_1_0_clients_are_served() {
    let gateway = crate::support::gateway().await;
    put_speaking(&gateway, "old", json!({ "uri": "/" })).await;
    let mut conn = gateway.client().raw().await;
    conn.write("GET / HTTP/1.0\r\n\r\n").await;
    let answer = conn.read_to_end().await;
    assert!(
        answer.starts_with(b"HTTP/1.0 200 OK\r\n") && answer.ends_with(b"old"),
        "{answer:?}"
    );
    let mut conn = gateway.client().raw().await;
    conn.write("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        .await;
    conn.read_until("old").await;
    conn.write("GET /none HTTP/1.0\r\n\r\n").await;
    let answer = String::from_utf8(conn.read_to_end().await.to_vec()).unwrap();
    assert!(answer.starts_with("HTTP/1.0 404 "), "{answer}");
    assert!(
        answer.ends_with("\r\n\r\n{\"error_msg\":\"404 Route Not Found\"}\n"),
        "chunks are unknown to it: {answer}"
    );
}

#[tokio::test]
async fn clients_that_send_no_head_are_let_go() {
    let (builder, _) = with_certificate();
    let gateway = builder
        .env("SLUICE_PROXY_HEAD_TIMEOUT", "1")
        .env("SLUICE_PROXY_TLS_LISTEN", "127.0.0.1:0")
        .start()
        .await;
    let [plain, tls] = proxies(&gateway)[..] else {
        panic!("two listeners")
    };
    let mut begun = Vec::new();
    for (addr, bytes) in [
        (plain, ""),
        (plain, "GET"),
        (plain, "GET / HTTP/1.1\r\nhost: x\r\n"),
        (plain, "GET /none HTTP/1.1\r\nhost: x\r\n\r\n"),
        (tls, ""),
        (tls, "\x16\x03\x01"),
    ] {
        let mut conn = RawConn::connect(addr).await;
        conn.write(bytes).await;
        begun.push((conn, bytes));
    }
    for (mut conn, bytes) in begun {
        let answer = conn.read_to_end().await;
        let was_served = answer.starts_with(b"HTTP/1.1 404 ");
        assert_eq!(
            was_served,
            bytes.ends_with("\r\n\r\n") && bytes.starts_with("GET"),
            "{bytes:?}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn clients_that_pause_in_their_body_are_told() {
    let provider = FakeProvider::start();
    let gateway = Gateway::builder(binary())
        .env("SLUICE_PROXY_BODY_TIMEOUT", "1")
        .start()
        .await;
    put_plain(&gateway, "/up", &provider).await;
    let mut conn = gateway.client().raw().await;
    conn.write("POST /up HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf")
        .await;
    let head = conn.read_head().await;
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
}

/// A gateway that is streaming an answer, of which the client has the first of three pieces.
async fn streaming(
    provider: &FakeProvider,
    gate: &Gate,
    builder: GatewayBuilder,
) -> (Gateway, sluice_testkit::Events) {
    let gateway = builder.start().await;
    put_plain(&gateway, "/*", provider).await;
    gate.open(1);
    provider.next(Reply::events(["one", "two", "three"]).gated(gate));
    let mut events = gateway
        .client()
        .get("/")
        .send()
        .await
        .expect_status(200)
        .await
        .events();
    assert_eq!(events.next().await.unwrap().data, "one");
    (gateway, events)
}

async fn refuses_connections(addr: SocketAddr) {
    eventually("the listener to close", async || {
        TcpStream::connect(addr).await.is_err().then_some(())
    })
    .await;
}

#[tokio::test]
async fn shutdown_lets_running_requests_finish() {
    let provider = FakeProvider::start();
    let gate = Gate::closed();
    let (mut gateway, mut events) = streaming(&provider, &gate, Gateway::builder(binary())).await;
    let mut idle = gateway.client().raw().await;
    idle.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    provider.wait_requests(2).await;
    idle.read_head().await;
    let mut silent = gateway.client().raw().await;
    gateway.terminate();
    refuses_connections(gateway.proxy_addr()).await;
    idle.read_to_end().await;
    silent.read_to_end().await;
    gate.open(1);
    assert_eq!(events.next().await.unwrap().data, "two", "the stream goes on");
    gate.open_for_good();
    let finished = events.finish().await;
    assert_eq!((finished.data(), finished.broken), (vec!["three"], false));
    assert_eq!(gateway.wait_exit().await.code(), Some(0));
    assert!(
        gateway.output().contains("\"request_uri\":\"/\""),
        "it was logged"
    );
}

#[tokio::test]
async fn shutdown_waits_for_http2_streams_too() {
    let provider = FakeProvider::start();
    let mut gateway = crate::support::gateway().await;
    put_plain(&gateway, "/*", &provider).await;
    let gate = Gate::closed();
    provider.next(ok().head_gated(&gate));
    let sender = speak_http2(TcpStream::connect(gateway.proxy_addr()).await.unwrap()).await;
    let running = sender.clone();
    let running = tokio::spawn(async move { call_http2(&running, "http://x/", "").await });
    provider.wait_requests(1).await;
    gateway.interrupt();
    refuses_connections(gateway.proxy_addr()).await;
    gate.open_for_good();
    assert_eq!(running.await.unwrap(), (200, "ok".to_owned()));
    assert_eq!(
        gateway.wait_exit().await.code(),
        Some(0),
        "a connection without requests holds nothing up"
    );
}

/// A client preface with empty settings (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn http2_connections_without_requests_are_closed() {
    let gateway = Gateway::builder(binary())
        .env("SLUICE_PROXY_HEAD_TIMEOUT", "1")
        .start()
        .await;
    for start in [&PREFACE[..10], PREFACE] {
        let mut conn = gateway.client().raw().await;
        conn.write(start).await;
        conn.read_to_end().await;
    }
}

#[tokio::test]
async fn an_http2_connection_with_a_request_outlives_the_idle_limit() {
    let provider = FakeProvider::start();
    let gateway = Gateway::builder(binary())
        .env("SLUICE_PROXY_HEAD_TIMEOUT", "1")
        .start()
        .await;
    put_plain(&gateway, "/*", &provider).await;
    let gate = Gate::closed();
    provider.next(ok().head_gated(&gate));
    let sender = speak_http2(TcpStream::connect(gateway.proxy_addr()).await.unwrap()).await;
    let running = sender.clone();
    let running = tokio::spawn(async move { call_http2(&running, "http://x/", "").await });
    provider.wait_requests(1).await;
    // An idle one that began later is closed: by then the limit has passed for both.
    let mut idle = gateway.client().raw().await;
    idle.write(PREFACE).await;
    idle.read_to_end().await;
    gate.open_for_good();
    assert_eq!(running.await.unwrap(), (200, "ok".to_owned()));
    eventually("the connection to be closed", async || {
        sender.is_closed().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let provider = FakeProvider::start();
    let gate = Gate::closed();
    let (mut gateway, events) = streaming(&provider, &gate, Gateway::builder(binary())).await;
    gateway.terminate();
    refuses_connections(gateway.proxy_addr()).await;
    let asked = Instant::now();
    gateway.terminate();
    assert_eq!(gateway.wait_exit().await.code(), Some(130));
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "it waited {:?}",
        asked.elapsed()
    );
    assert!(events.finish().await.broken);
}

#[tokio::test]
async fn the_drain_has_an_end() {
    let provider = FakeProvider::start();
    let gate = Gate::closed();
    let builder = Gateway::builder(binary()).env("SLUICE_PROXY_DRAIN", "1");
    let (mut gateway, events) = streaming(&provider, &gate, builder).await;
    gateway.terminate();
    assert_eq!(gateway.wait_exit().await.code(), Some(0));
    assert!(events.finish().await.broken);
    assert!(
        gateway.output().contains("requests were still running"),
        "and says so"
    );
}
