//! Pools against servers that the tests drive by hand.

mod cancel;
mod h2;
mod reuse;
mod stale;
mod timeouts;
mod tls;
mod upgrade;

use super::*;
use crate::testing::{Upstream, get, pool};

#[test]
fn can_be_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Pool>();
    check::<Body>();
    check::<Answer>();
    check::<SendError>();
    check::<Origin>();
    check::<Resolver>();
}

#[tokio::test]
async fn adds_host_and_sends_the_path_only() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let own_host = Request::get("/")
        .header("host", "other.test")
        .body(Body::empty())
        .unwrap();
    let serve = async {
        let mut conn = upstream.accept().await;
        (conn.answer("").await, conn.answer("").await)
    };
    let call = async {
        pool.send(&origin, get("http://elsewhere.test/a?b=c"), Timeouts::default())
            .await
            .unwrap();
        pool.send(&origin, own_host, Timeouts::default()).await.unwrap();
    };
    let ((first, second), ()) = tokio::join!(serve, call);
    assert_eq!(
        first,
        format!("GET /a?b=c HTTP/1.1\r\nhost: {}\r\n\r\n", upstream.addr)
    );
    assert_eq!(second, "GET / HTTP/1.1\r\nhost: other.test\r\n\r\n");
}

#[tokio::test]
async fn reports_what_is_wrong_with_an_answer() {
    for garbage in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ] {
        let upstream = Upstream::start().await;
        let (pool, origin) = (pool(), upstream.origin());
        let serve = async {
            let mut conn = upstream.accept().await;
            conn.head().await;
            conn.write(garbage).await;
            conn
        };
        let (answer, _conn) = tokio::join!(pool.send(&origin, get("/"), Timeouts::default()), serve);
        let error = answer.unwrap_err();
        assert_eq!(error.kind, SendErrorKind::InvalidHead, "{garbage:?}");
        assert!(error.request_may_have_been_sent);
        assert_eq!(error.addr, Some(upstream.addr));
    }
}

#[tokio::test]
async fn bounds_the_head_of_an_answer() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let serve = async {
        let mut conn = upstream.accept().await;
        conn.head().await;
        conn.write(&format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(100_000)))
            .await;
        conn
    };
    let (answer, _conn) = tokio::join!(pool.send(&origin, get("/"), Timeouts::default()), serve);
    assert_eq!(answer.unwrap_err().kind, SendErrorKind::InvalidHead);
}

#[tokio::test]
async fn a_refused_connection_has_sent_nothing() {
    let upstream = Upstream::start().await;
    let origin = upstream.origin();
    let addr = upstream.addr;
    drop(upstream);
    let error = pool()
        .send(&origin, get("/"), Timeouts::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Connect);
    assert!(!error.request_may_have_been_sent && !error.reused);
    assert_eq!(error.addr, Some(addr));
    assert!(
        !error.to_string().contains("127.0.0.1"),
        "the text is safe to show: {error}"
    );
}

#[tokio::test]
async fn a_failing_request_body_is_the_clients_fault() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let body = Body::boxed(http_body_util::StreamBody::new(futures_util::stream::iter([
        Ok(http_body::Frame::data(bytes::Bytes::from_static(b"part"))),
        Err(crate::BodyError::other("client went away")),
    ])));
    let request = Request::post("/").body(body).unwrap();
    let serve = async {
        let mut conn = upstream.accept().await;
        conn.closed().await;
    };
    let (answer, ()) = tokio::join!(pool.send(&origin, request, Timeouts::default()), serve);
    assert_eq!(answer.unwrap_err().kind, SendErrorKind::RequestBody);
}
