//! Connections that become something else.

use http::Request;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Body, Timeouts};
use crate::testing::{Upstream, fetch, get, pool};

#[tokio::test]
async fn an_upgraded_connection_is_handed_out_and_never_reused() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let request = Request::get("/ws")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .body(Body::empty())
        .unwrap();
    let serve = async {
        let mut conn = upstream.accept().await;
        let head = conn.head().await;
        assert!(head.contains("upgrade: websocket\r\n"), "{head}");
        conn.write(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nfirst",
        )
        .await;
        let mut received = [0; 4];
        conn.stream.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"ping");
        conn.write("pong").await;
        conn
    };
    let call = async {
        let answer = pool.send(&origin, request, Timeouts::default()).await.unwrap();
        assert_eq!(answer.response.status(), 101);
        let mut tunnel = TokioIo::new(hyper::upgrade::on(answer.response).await.unwrap());
        let mut received = [0; 5];
        tunnel.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"first");
        tunnel.write_all(b"ping").await.unwrap();
        tunnel.read_exact(&mut received[..4]).await.unwrap();
        assert_eq!(&received[..4], b"pong");
        tunnel
    };
    let (_tunnel, _conn) = tokio::join!(call, serve);

    let serve = async { upstream.accept().await.answer("plain").await };
    let (answer, _) = tokio::join!(fetch(&pool, &origin, get("/")), serve);
    assert_eq!(answer, ("plain".into(), false));
}
