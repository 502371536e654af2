//! A client that leaves takes its upstream request along.

use http_body_util::BodyExt;

use super::Timeouts;
use crate::testing::{Upstream, get, limits, pool, send};

#[tokio::test]
async fn dropping_the_body_closes_the_connection() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let open = async {
        let mut conn = upstream.accept().await;
        conn.head().await;
        conn.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")
            .await;
        conn
    };
    let (answer, mut conn) = tokio::join!(pool.send(&origin, get("/"), Timeouts::default()), open);
    let mut body = answer.unwrap().response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "part");
    drop(body);
    conn.closed().await;
}

#[tokio::test]
async fn dropping_a_body_that_was_never_read_closes_the_connection() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let open = async {
        let mut conn = upstream.accept().await;
        conn.head().await;
        conn.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        conn
    };
    let (answer, mut conn) = tokio::join!(pool.send(&origin, get("/"), Timeouts::default()), open);
    drop(answer);
    conn.closed().await;
}

#[tokio::test]
async fn giving_up_before_the_answer_closes_the_connection() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let call = send(&pool, &origin, get("/"), limits(60));
    let mut conn = upstream.accept().await;
    conn.head().await;
    call.abort();
    conn.closed().await;
}

#[tokio::test]
async fn a_body_that_ends_early_is_an_error() {
    for head in [
        "content-length: 100\r\n\r\npart",
        "transfer-encoding: chunked\r\n\r\n4\r\npart\r\n",
    ] {
        let upstream = Upstream::start().await;
        let (pool, origin) = (pool(), upstream.origin());
        let serve = async {
            let mut conn = upstream.accept().await;
            conn.head().await;
            conn.write(&format!("HTTP/1.1 200 OK\r\n{head}")).await;
        };
        let (answer, ()) = tokio::join!(pool.send(&origin, get("/"), Timeouts::default()), serve);
        let mut body = answer.unwrap().response.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "part");
        assert!(body.frame().await.unwrap().is_err(), "{head}");
        assert!(body.frame().await.is_none());
    }
}
