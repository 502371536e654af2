//! Time limits, on a clock that the test moves.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::{Pool, SendErrorKind};
use crate::dns::{DnsError, Found, Lookup};
use crate::origin::{OriginConfig, Scheme};
use crate::testing::{ManualClock, Upstream, get, limits, origin, pool, post, send};
use crate::{Body, BodyError, Resolver, TimeoutPhase};

struct Silent;

impl Lookup for Silent {
    fn lookup(&self, _: Arc<str>) -> Pin<Box<dyn Future<Output = Result<Found, DnsError>> + Send>> {
        Box::pin(pending())
    }
}

#[tokio::test(start_paused = true)]
async fn connecting_includes_resolving() {
    let pool = Pool::new(Resolver::new(Silent, Handle::current()));
    let origin = origin(OriginConfig::new(Scheme::Http, "name.test", 80));
    let start = Instant::now();
    let error = pool.send(&origin, get("/"), limits(5)).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Timeout(TimeoutPhase::Connect));
    assert!(!error.request_may_have_been_sent);
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn a_silent_upstream_is_given_up() {
    let clock = ManualClock::start();
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let call = send(&pool, &origin, get("/"), limits(10));
    let mut conn = upstream.accept().await;
    conn.head().await;
    clock.advance(9).await;
    assert!(!call.is_finished());
    clock.advance(2).await;
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Timeout(TimeoutPhase::Read));
    assert!(error.request_may_have_been_sent);
    conn.closed().await;
}

#[tokio::test]
async fn silence_within_a_body_is_given_up() {
    let clock = ManualClock::start();
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let call = send(&pool, &origin, get("/"), limits(10));
    let mut conn = upstream.accept().await;
    conn.head().await;
    clock.advance(9).await;
    conn.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    let mut body = call.await.unwrap().unwrap().response.into_body();
    for _ in 0..3 {
        let frame = tokio::spawn(async move { (body.frame().await, body) });
        tokio::task::yield_now().await;
        clock.advance(9).await;
        conn.write("1\r\nx\r\n").await;
        let (frame, rest) = frame.await.unwrap();
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "x");
        body = rest;
    }
    let frame = tokio::spawn(async move { (body.frame().await, body) });
    tokio::task::yield_now().await;
    clock.advance(11).await;
    let (frame, body) = frame.await.unwrap();
    assert!(matches!(frame, Some(Err(BodyError::Timeout { .. }))), "{frame:?}");
    drop(body);
    conn.closed().await;
}

#[tokio::test]
async fn a_slow_reader_is_no_silent_upstream() {
    let clock = ManualClock::start();
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let call = send(&pool, &origin, get("/"), limits(10));
    let mut conn = upstream.accept().await;
    conn.head().await;
    conn.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab").await;
    let mut body = call.await.unwrap().unwrap().response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
    clock.advance(100).await;
    conn.write("cd").await;
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "cd");
}

#[tokio::test]
async fn a_slow_upload_is_no_silent_upstream() {
    let clock = ManualClock::start();
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let (frames, receiver) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, BodyError>>(1);
    let body = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|frame| (frame, receiver))
    });
    let call = send(
        &pool,
        &origin,
        post(Body::boxed(StreamBody::new(body))),
        limits(10),
    );
    let mut conn = upstream.accept().await;
    conn.head().await;
    for _ in 0..5 {
        clock.advance(9).await;
        frames
            .send(Ok(Frame::data(Bytes::from_static(b"x"))))
            .await
            .unwrap();
    }
    drop(frames);
    let mut chunks = [0; 5 * 6 + 5];
    tokio::io::AsyncReadExt::read_exact(&mut conn.stream, &mut chunks)
        .await
        .unwrap();
    assert!(!call.is_finished());
    clock.advance(9).await;
    assert!(!call.is_finished());
    clock.advance(2).await;
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(
        error.kind,
        SendErrorKind::Timeout(TimeoutPhase::Read),
        "the clock runs once the body is out"
    );
}

#[tokio::test]
async fn a_peer_that_takes_no_bytes_is_given_up() {
    let clock = ManualClock::start();
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let mut timeouts = limits(10);
    timeouts.read = std::time::Duration::from_secs(1);
    let call = send(&pool, &origin, post(vec![b'x'; 64 << 20]), timeouts);
    let _conn = upstream.accept().await;
    let start = Instant::now();
    while !call.is_finished() {
        clock.advance(1).await;
    }
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Timeout(TimeoutPhase::Send));
    assert!(start.elapsed().as_secs() >= 10);
}
