//! The listeners, on real sockets.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;

use super::support::{Admin, KEY};

fn socket() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// Sends one request and reads until the server closes.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\nconnection: close\r\n\r\n")
}

#[tokio::test]
async fn each_listener_serves_its_own() {
    let admin = Admin::start().await;
    let api = admin.server.serve_admin(socket(), None).unwrap();
    let control = admin.server.serve_control(socket()).unwrap();
    let metrics = admin.server.serve_metrics(socket()).unwrap();
    for (address, path, status) in [
        (api, "/apisix/admin/routes", "200"),
        (api, "/v1/routes", "404"),
        (control, "/v1/routes", "200"),
        (control, "/apisix/admin/routes", "404"),
        (metrics, "/metrics", "200"),
        (metrics, "/status", "404"),
    ] {
        let stream = TcpStream::connect(address).await.unwrap();
        let answer = exchange(stream, &request(path)).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{address} {path}: {answer}"
        );
    }
    assert!(admin.server.shutdown(Duration::from_secs(10)).await);
    assert!(TcpStream::connect(api).await.is_err());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_answered() {
    let admin = Admin::start().await;
    let address = admin.server.serve_admin(socket(), None).unwrap();
    let size = 4 << 20;
    let request = format!(
        "PUT /apisix/admin/routes/1 HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\nconnection: close\r\n\
         content-length: {size}\r\n\r\n{}",
        " ".repeat(size)
    );
    let answer = exchange(TcpStream::connect(address).await.unwrap(), &request).await;
    let message = format!("request size {size} is greater than the maximum size 1572864 allowed");
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.contains(&message),
        "{answer}"
    );
}

#[tokio::test]
async fn tls_is_served_with_a_certificate() {
    let admin = Admin::start().await;
    let own = rcgen::generate_simple_self_signed(["admin.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let address = admin
        .server
        .serve_admin(socket(), Some(Arc::new(server)))
        .unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("admin.test").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let stream = TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
        .unwrap();
    let answer = exchange(stream, &request("/apisix/admin/routes")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn shutdown_waits_for_running_requests() {
    let admin = Admin::start().await;
    let (entered, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (entered, go) = (Arc::clone(&entered), Arc::clone(&go));
        move || async move {
            entered.notify_one();
            go.notified().await;
            "done"
        }
    };
    // Other routes go in front of the Admin API.
    let router: Router = admin.server.admin_router().route("/slow", get(handler));
    let address = admin.server.serve(router, socket(), None).unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let asking = tokio::spawn(async move { exchange(stream, &request("/slow")).await });
    entered.notified().await;
    assert!(
        !admin.server.shutdown(Duration::ZERO).await,
        "a request is still running"
    );
    go.notify_one();
    assert!(admin.server.shutdown(Duration::from_secs(10)).await);
    assert!(asking.await.unwrap().ends_with("done"));
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_shutdown() {
    let admin = Admin::start().await;
    let address = admin.server.serve_admin(socket(), None).unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /status HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    assert!(admin.server.shutdown(Duration::from_secs(10)).await);
}
