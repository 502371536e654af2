//! Connections to nodes: kept, replaced, upgraded.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use sluice_testkit::{Reply, within};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::{answering, ok, to, to_with};
use crate::peer::Server;
use crate::support::{node, put};

#[tokio::test]
async fn connections_to_nodes_are_kept_and_reused() {
    let provider = answering(ok());
    let gateway = to(node(provider.addr())).await;
    for n in 0..5 {
        let call = gateway.client().post("/").body(format!("{n}"));
        call.send().await.expect_status(200).await.bytes().await;
    }
    assert_eq!(provider.connections(), 1);
    let mut upstream = node(provider.addr());
    upstream["keepalive_pool"] = json!({ "size": 10, "idle_timeout": 60, "requests": 2 });
    put(
        &gateway,
        "/routes/1",
        json!({ "uri": "/*", "upstream": upstream }),
    )
    .await;
    for _ in 0..4 {
        gateway
            .client()
            .get("/")
            .send()
            .await
            .expect_status(200)
            .await
            .bytes()
            .await;
    }
    assert_eq!(provider.connections(), 3, "two requests each");
}

#[tokio::test]
async fn a_kept_connection_that_the_node_closed_is_replaced() {
    let server = Server::start().await;
    let gateway = to(node(server.addr())).await;
    for method in ["GET", "POST", "POST"] {
        let running = tokio::spawn(gateway.client().call(method.parse().unwrap(), "/").send());
        let mut peer = server.accept().await;
        peer.read_head().await;
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let answer = running.await.unwrap().expect_status(200).await;
        assert_eq!(answer.text().await, "ok");
        // The node closes, and the next request comes before or after the gateway has noticed.
        drop(peer);
    }
}

/// A WebSocket server that says everything twice.
async fn repeat(server: &Server) {
    let mut socket = tokio_tungstenite::accept_async(server.accept_tcp().await)
        .await
        .unwrap();
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message {
            let twice = format!("{text}{text}");
            socket.send(Message::text(twice)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn websockets_pass_where_they_are_enabled() {
    let server = Server::start().await;
    let gateway = to_with(node(server.addr()), json!({ "enable_websocket": true })).await;
    let echo = async {
        let stream = TcpStream::connect(gateway.proxy_addr()).await.unwrap();
        let url = format!("ws://{}/socket", gateway.proxy_addr());
        let (mut socket, answer) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        assert_eq!(answer.status().as_u16(), 101);
        for text in ["ping", "and again"] {
            socket.send(Message::text(text)).await.unwrap();
            let back = socket.next().await.unwrap().unwrap();
            assert_eq!(back, Message::text(format!("{text}{text}")));
        }
        // A configuration change does not end it.
        gateway.admin().delete("/routes/1").await.expect_status(200);
        socket.send(Message::text("x")).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("xx"));
        socket.close(None).await.unwrap();
        while socket.next().await.is_some_and(|message| message.is_ok()) {}
    };
    within("a conversation and its end on both sides", async {
        tokio::join!(repeat(&server), echo)
    })
    .await;
}

#[tokio::test]
async fn websockets_are_no_upgrade_where_they_are_not_enabled() {
    let provider = answering(Reply::body(426, "text/plain", "upgrade, please"));
    let gateway = to(node(provider.addr())).await;
    let mut conn = gateway.client().raw().await;
    conn.write(
        "GET /socket HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await;
    assert!(conn.read_head().await.starts_with("HTTP/1.1 426 "));
    let sent = provider.last_request();
    assert_eq!((sent.header("upgrade"), sent.header("connection")), (None, None));
    // With it, a node that does not switch is an answer like any other.
    put(
        &gateway,
        "/routes/1",
        json!({ "uri": "/*", "upstream": node(provider.addr()), "enable_websocket": true }),
    )
    .await;
    let call = gateway
        .client()
        .get("/socket")
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    assert_eq!(
        call.send().await.expect_status(426).await.text().await,
        "upgrade, please"
    );
    assert_eq!(provider.last_request().header("upgrade"), Some("websocket"));
}

#[tokio::test]
async fn a_node_that_switches_unasked_is_not_believed() {
    let server = Server::start().await;
    let gateway = to(node(server.addr())).await;
    let mut conn = gateway.client().raw().await;
    conn.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut peer = server.accept().await;
    peer.read_head().await;
    peer.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: odd\r\n\r\n")
        .await;
    assert!(conn.read_head().await.starts_with("HTTP/1.1 502 "));
}

/// A gRPC server for one connection: it answers the request's body once more, and trailers.
async fn speak_grpc(server: &Server) {
    let service = service_fn(async |request: Request<Incoming>| {
        assert_eq!(request.version(), Version::HTTP_2);
        assert_eq!(
            request.headers().get("te").unwrap(),
            "trailers",
            "gRPC servers insist on it"
        );
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let body = request.into_body().collect().await?.to_bytes();
        let body = Full::new(body).with_trailers(async { Some(Ok(trailers)) });
        Ok::<_, hyper::Error>(Response::new(body))
    });
    let stream = TokioIo::new(server.accept_tcp().await);
    let serving = http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service);
    // It ends with the gateway.
    let _ = serving.await;
}

#[tokio::test]
async fn grpc_passes_with_its_trailers() {
    let server = Server::start().await;
    let mut upstream = node(server.addr());
    upstream["scheme"] = json!("grpc");
    let gateway = to(upstream).await;
    tokio::spawn(async move { speak_grpc(&server).await });
    let stream = TcpStream::connect(gateway.proxy_addr()).await.unwrap();
    let handshake = client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    for n in 0..2 {
        let request = Request::post("http://grpc.test/pkg.Service/Method")
            .header("te", "trailers")
            .header("content-type", "application/grpc")
            .body(Full::<Bytes>::from(format!("message {n}")));
        let answer = within("an answer", sender.send_request(request.unwrap()))
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let whole = within("its end", answer.into_body().collect()).await.unwrap();
        assert_eq!(whole.trailers().unwrap().get("grpc-status").unwrap(), "0");
        assert_eq!(whole.to_bytes(), format!("message {n}"));
    }
}
