//! Reused connections that turn out to be dead.

use bytes::Bytes;
use http::Request;
use http_body_util::StreamBody;

use super::{Answer, SendError, SendErrorKind, Timeouts};
use crate::origin::Replay;
use crate::testing::{Conn, Upstream, fetch, get, origin, pool, post, text};
use crate::{Body, BodyError};

/// Serves one request on a connection, lets it die under the next, and answers whatever comes on another.
async fn dying(upstream: Upstream) {
    let mut conn = upstream.accept().await;
    conn.answer("").await;
    conn.head().await;
    drop(conn);
    let mut conn = upstream.accept().await;
    conn.answer("again").await;
    conn.closed().await;
}

async fn send_on_dying(replay: Replay, request: Request<Body>) -> Result<Answer, SendError> {
    let upstream = Upstream::start().await;
    let mut config = upstream.config();
    config.replay = replay;
    let (pool, origin) = (pool(), origin(config));
    tokio::spawn(dying(upstream));
    fetch(&pool, &origin, get("/")).await;
    pool.send(&origin, request, Timeouts::default()).await
}

fn streamed() -> Request<Body> {
    let frames = [Ok::<_, BodyError>(http_body::Frame::data(Bytes::from_static(
        b"x",
    )))];
    post(Body::boxed(StreamBody::new(futures_util::stream::iter(frames))))
}

#[tokio::test]
async fn an_idempotent_request_is_sent_again() {
    let answer = send_on_dying(Replay::Idempotent, get("/")).await.unwrap();
    assert!(!answer.reused);
    assert_eq!(text(answer).await, "again");
}

#[tokio::test]
async fn any_request_with_its_body_at_hand_is_sent_again_where_that_is_allowed() {
    let answer = send_on_dying(Replay::Any, post("")).await.unwrap();
    assert_eq!(text(answer).await, "again");
}

#[tokio::test]
async fn other_requests_are_not() {
    for (replay, request) in [(Replay::Idempotent, post("x")), (Replay::Any, streamed())] {
        let error = send_on_dying(replay, request).await.unwrap_err();
        assert_eq!(error.kind, SendErrorKind::Reset);
        assert!(error.reused && error.request_may_have_been_sent);
    }
}

#[tokio::test]
async fn a_request_can_be_made_anew_instead_of_copied() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    tokio::spawn(dying(upstream));
    let mut made = 0;
    for expected in ["", "again"] {
        let make = || {
            made += 1;
            get("/")
        };
        let answer = pool.send_with(&origin, make, Timeouts::default()).await.unwrap();
        assert_eq!(text(answer).await, expected);
    }
    assert_eq!(made, 3);
}

#[tokio::test]
async fn a_request_that_never_went_out_is_sent_again_whatever_it_is() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let serve = async {
        upstream.accept().await.answer("").await;
        let mut conn = upstream.accept().await;
        let head = conn.answer("again").await;
        assert!(head.starts_with("POST / "));
        conn
    };
    let call = async {
        fetch(&pool, &origin, get("/")).await;
        // The server has closed its end by now or does so soon: either way the body is not sent twice.
        tokio::task::yield_now().await;
        pool.send(&origin, streamed(), Timeouts::default()).await
    };
    let (answer, _conn): (_, Conn) = tokio::join!(call, serve);
    assert_eq!(text(answer.unwrap()).await, "again");
}

#[tokio::test]
async fn a_new_connection_that_dies_is_an_error() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let serve = async {
        upstream.accept().await.head().await;
    };
    let (answer, ()) = tokio::join!(pool.send(&origin, get("/"), Timeouts::default()), serve);
    let error = answer.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Reset);
    assert!(!error.reused && error.request_may_have_been_sent);
}

#[tokio::test]
async fn half_an_answer_is_never_asked_for_again() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let serve = async {
        let mut conn = upstream.accept().await;
        conn.answer("").await;
        conn.head().await;
        conn.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            .await;
    };
    let call = async {
        fetch(&pool, &origin, get("/")).await;
        let answer = pool.send(&origin, get("/"), Timeouts::default()).await.unwrap();
        answer.response.into_body().collect_limited(100).await
    };
    let (result, ()) = tokio::join!(call, serve);
    assert!(matches!(result, Err(BodyError::Broken(_))), "{result:?}");
}
