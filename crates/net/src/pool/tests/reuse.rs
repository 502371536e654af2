//! When connections are kept, and when they are closed.

use std::sync::Arc;
use std::time::Duration;

use super::{Origin, Pool, Timeouts};
use crate::origin::PoolSettings;
use crate::testing::{Conn, ManualClock, Upstream, fetch, get, origin, pool, post, send};

#[tokio::test]
async fn one_connection_serves_one_request_after_the_other() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let serve = async {
        let mut conn = upstream.accept().await;
        for body in ["one", "", "three"] {
            conn.answer(body).await;
        }
        conn.head().await;
        conn.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nfo\r\n2\r\nur\r\n0\r\n\r\n")
            .await;
        conn.answer("five").await;
    };
    let call = async {
        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.push(fetch(&pool, &origin, get("/")).await);
        }
        answers
    };
    let ((), answers) = tokio::join!(serve, call);
    let expected = [
        ("one", false),
        ("", true),
        ("three", true),
        ("four", true),
        ("five", true),
    ];
    assert_eq!(answers, expected.map(|(body, reused)| (body.to_owned(), reused)));
}

#[tokio::test]
async fn requests_at_the_same_time_have_connections_of_their_own() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let serve = async {
        let (mut first, mut second) = (upstream.accept().await, upstream.accept().await);
        first.answer("a").await;
        second.answer("b").await;
        (first, second)
    };
    let calls = async { tokio::join!(fetch(&pool, &origin, get("/1")), fetch(&pool, &origin, get("/2"))) };
    let (_conns, answers) = tokio::join!(serve, calls);
    assert_eq!(answers, (("a".into(), false), ("b".into(), false)));
}

/// Two connections that became idle one after the other.
async fn two_idle(upstream: &Upstream, pool: &Pool, origin: &Arc<Origin>) -> [Conn; 2] {
    let call = send(pool, origin, get("/1"), Timeouts::default());
    let mut first = upstream.accept().await;
    let other_call = send(pool, origin, get("/2"), Timeouts::default());
    let mut second = upstream.accept().await;
    first.answer("").await;
    call.await.unwrap().unwrap();
    second.answer("").await;
    other_call.await.unwrap().unwrap();
    [first, second]
}

#[tokio::test]
async fn the_connection_used_last_is_used_first() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let [_first, mut second] = two_idle(&upstream, &pool, &origin).await;
    let (head, _) = tokio::join!(second.answer(""), fetch(&pool, &origin, get("/3")));
    assert!(head.starts_with("GET /3 "));
}

#[tokio::test]
async fn no_more_idle_connections_are_kept_than_allowed() {
    let upstream = Upstream::start().await;
    let mut config = upstream.config();
    config.pool = PoolSettings {
        max_idle: 1,
        ..PoolSettings::default()
    };
    let (pool, origin) = (pool(), origin(config));
    let [mut first, mut second] = two_idle(&upstream, &pool, &origin).await;
    first.closed().await;
    let (_, (_, reused)) = tokio::join!(second.answer(""), fetch(&pool, &origin, get("/3")));
    assert!(reused);
}

#[tokio::test]
async fn a_connection_is_closed_after_its_last_request() {
    for settings in [
        PoolSettings {
            max_requests: 1,
            ..PoolSettings::default()
        },
        PoolSettings {
            max_idle: 0,
            ..PoolSettings::default()
        },
    ] {
        let upstream = Upstream::start().await;
        let mut config = upstream.config();
        config.pool = settings;
        let (pool, origin) = (pool(), origin(config));
        let serve = async {
            for _ in 0..2 {
                let mut conn = upstream.accept().await;
                conn.answer("x").await;
                conn.closed().await;
            }
        };
        let calls = async {
            [
                fetch(&pool, &origin, get("/")).await,
                fetch(&pool, &origin, get("/")).await,
            ]
        };
        let ((), answers) = tokio::join!(serve, calls);
        assert!(answers.iter().all(|(_, reused)| !reused));
    }
}

#[tokio::test]
async fn idle_connections_are_closed_in_time() {
    let clock = ManualClock::start();
    let upstream = Upstream::start().await;
    let mut config = upstream.config();
    config.pool.idle_timeout = Duration::from_secs(10);
    let (pool, origin) = (pool(), origin(config));
    let mut conn = None;
    for _ in 0..3 {
        let serve = async {
            if conn.is_none() {
                conn = Some(upstream.accept().await);
            }
            conn.as_mut().unwrap().answer("").await
        };
        tokio::join!(serve, fetch(&pool, &origin, get("/")));
        clock.advance(9).await;
    }
    let mut conn = conn.unwrap();
    clock.advance(2).await;
    conn.closed().await;
}

#[tokio::test]
async fn an_answer_to_an_unfinished_request_does_not_poison_the_connection() {
    let upstream = Upstream::start().await;
    let (pool, origin) = (pool(), upstream.origin());
    let (_keep_open, body) = tokio::sync::mpsc::channel(1);
    let endless = crate::Body::boxed(http_body_util::StreamBody::new(futures_util::stream::unfold(
        body,
        |mut body: tokio::sync::mpsc::Receiver<Result<http_body::Frame<bytes::Bytes>, crate::BodyError>>| async {
            body.recv().await.map(|frame| (frame, body))
        },
    )));
    let serve = async {
        let mut early = upstream.accept().await;
        early.head().await;
        early
            .write("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
            .await;
        let mut other = upstream.accept().await;
        other.answer("ok").await;
    };
    let calls = async {
        let early = pool
            .send(&origin, post(endless), Timeouts::default())
            .await
            .unwrap();
        assert_eq!(early.response.status(), 413);
        fetch(&pool, &origin, get("/")).await
    };
    let ((), answer) = tokio::join!(serve, calls);
    assert_eq!(answer, ("ok".into(), false));
}
