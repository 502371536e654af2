//! HTTP/2 upstreams.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

use super::{Origin, Pool, SendErrorKind, Timeouts};
use crate::origin::{OriginConfig, Protocol, Scheme};
use crate::testing::{ManualClock, fetch, get, limits, origin, pool, post, send, text};
use crate::{Body, BodyError, TimeoutPhase};

/// A server that answers when `gate` lets it, and counts its connections.
struct Gated {
    gate: Arc<Semaphore>,
    arrived: Arc<Semaphore>,
    connections: Arc<AtomicUsize>,
    config: OriginConfig,
}

impl Gated {
    async fn start(max_streams: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = OriginConfig::new(Scheme::Http, "127.0.0.1", listener.local_addr().unwrap().port());
        config.protocol = Protocol::Http2;
        let server = Self {
            gate: Arc::new(Semaphore::new(0)),
            arrived: Arc::new(Semaphore::new(0)),
            connections: Arc::default(),
            config,
        };
        let (gate, arrived, connections) = (
            server.gate.clone(),
            server.arrived.clone(),
            server.connections.clone(),
        );
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, SeqCst);
                let (gate, arrived) = (gate.clone(), arrived.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (gate, arrived) = (gate.clone(), arrived.clone());
                    async move {
                        arrived.add_permits(1);
                        gate.acquire().await.unwrap().forget();
                        let host = request
                            .uri()
                            .authority()
                            .map(ToString::to_string)
                            .unwrap_or_default();
                        Ok::<_, BodyError>(Response::new(Body::from(host + request.uri().path())))
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .max_concurrent_streams(max_streams)
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        server
    }

    async fn arrived(&self, requests: u32) {
        self.arrived.acquire_many(requests).await.unwrap().forget();
    }
}

fn crowd(pool: &Pool, origin: &Arc<Origin>, size: usize) -> Vec<tokio::task::JoinHandle<String>> {
    (0..size)
        .map(|_| {
            let (pool, origin) = (pool.clone(), origin.clone());
            tokio::spawn(async move { fetch(&pool, &origin, get("/x")).await.0 })
        })
        .collect()
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let server = Gated::start(100).await;
    let (pool, origin) = (pool(), origin(server.config.clone()));
    let calls = crowd(&pool, &origin, 50);
    server.arrived(50).await;
    assert_eq!(server.connections.load(SeqCst), 1);
    server.gate.add_permits(50);
    let host = format!("127.0.0.1:{}/x", server.config.port);
    for call in calls {
        assert_eq!(call.await.unwrap(), host);
    }
}

#[tokio::test]
async fn another_connection_is_opened_when_the_streams_run_out() {
    let server = Gated::start(2).await;
    let (pool, origin) = (pool(), origin(server.config.clone()));
    let _calls = crowd(&pool, &origin, 6);
    server.arrived(6).await;
    assert_eq!(server.connections.load(SeqCst), 3);
}

#[tokio::test]
async fn a_host_header_becomes_the_authority() {
    let server = Gated::start(100).await;
    server.gate.add_permits(1);
    let request = Request::get("/y?q")
        .header("host", "virtual.test")
        .body(Body::empty())
        .unwrap();
    let answer = fetch(&pool(), &origin(server.config.clone()), request).await;
    assert_eq!(answer.0, "virtual.test/y");
}

#[tokio::test]
async fn silence_ends_the_request_and_spares_the_next_one_the_connection() {
    let clock = ManualClock::start();
    let server = Gated::start(100).await;
    let (pool, origin) = (pool(), origin(server.config.clone()));
    let call = send(&pool, &origin, get("/"), limits(10));
    server.arrived(1).await;
    clock.advance(11).await;
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Timeout(TimeoutPhase::Read));

    server.gate.add_permits(2);
    let (_, reused) = fetch(&pool, &origin, get("/")).await;
    assert!(!reused);
    assert_eq!(server.connections.load(SeqCst), 2);
}

#[tokio::test]
async fn idle_connections_are_closed_in_time() {
    let clock = ManualClock::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = OriginConfig::new(Scheme::Http, "127.0.0.1", listener.local_addr().unwrap().port());
    config.protocol = Protocol::Http2;
    config.pool.idle_timeout = Duration::from_secs(10);
    let (pool, origin) = (pool(), origin(config));
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(async |_| Ok::<_, BodyError>(Response::new(Body::empty())));
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await
    });
    for _ in 0..2 {
        fetch(&pool, &origin, get("/")).await;
        clock.advance(9).await;
        assert!(!served.is_finished());
    }
    while !served.is_finished() {
        clock.advance(1).await;
    }
    drop(pool);
}

#[tokio::test]
async fn dropping_the_body_resets_the_stream() {
    let (frames, receiver) = mpsc::channel::<Result<http_body::Frame<Bytes>, BodyError>>(1);
    let receiver = std::sync::Mutex::new(Some(receiver));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = OriginConfig::new(Scheme::Http, "127.0.0.1", listener.local_addr().unwrap().port());
    config.protocol = Protocol::Http2;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |_| {
            let body = match receiver.lock().unwrap().take() {
                Some(receiver) => Body::boxed(StreamBody::new(futures_util::stream::unfold(
                    receiver,
                    |mut receiver| async { receiver.recv().await.map(|frame| (frame, receiver)) },
                ))),
                None => Body::from("next"),
            };
            std::future::ready(Ok::<_, BodyError>(Response::new(body)))
        });
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await
    });
    let (pool, origin) = (pool(), origin(config));
    frames
        .send(Ok(http_body::Frame::data(Bytes::from_static(b"part"))))
        .await
        .unwrap();
    let answer = pool.send(&origin, get("/"), Timeouts::default()).await.unwrap();
    let mut body = answer.response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "part");
    drop(body);
    frames.closed().await;
    assert_eq!(
        fetch(&pool, &origin, get("/")).await,
        ("next".into(), true),
        "the connection lives on"
    );
}

/// Serves the first stream of the first connection, refuses the second, and answers on the second connection.
async fn refuse_second(listener: TcpListener) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut first = ::h2::server::handshake(stream).await.unwrap();
    let (_, mut respond) = first.accept().await.unwrap().unwrap();
    respond.send_response(Response::new(()), true).unwrap();
    let (_, mut respond) = first.accept().await.unwrap().unwrap();
    respond.send_reset(::h2::Reason::REFUSED_STREAM);
    tokio::spawn(async move { while first.accept().await.is_some() {} });

    let (stream, _) = listener.accept().await.unwrap();
    let mut second = ::h2::server::handshake(stream).await.unwrap();
    let (_, mut respond) = second.accept().await.unwrap().unwrap();
    let mut body = respond.send_response(Response::new(()), false).unwrap();
    body.send_data(Bytes::from_static(b"again"), true).unwrap();
    while second.accept().await.is_some() {}
}

#[tokio::test]
async fn a_refused_request_is_sent_on_another_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = OriginConfig::new(Scheme::Http, "127.0.0.1", listener.local_addr().unwrap().port());
    config.protocol = Protocol::Http2;
    tokio::spawn(refuse_second(listener));
    let (pool, origin) = (pool(), origin(config));
    fetch(&pool, &origin, get("/")).await;
    let answer = pool
        .send(&origin, post("not idempotent"), Timeouts::default())
        .await
        .unwrap();
    assert!(!answer.reused);
    assert_eq!(text(answer).await, "again");
}
