//! Checkers against a server that the test steers, on a clock that the test moves.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sluice_net::{DnsError, Found, Lookup, Origins, Resolver, TlsClients};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::*;
use crate::Health;

/// Every name is this machine.
struct Loopback;

impl Lookup for Loopback {
    fn lookup(&self, _: Arc<str>) -> Pin<Box<dyn Future<Output = Result<Found, DnsError>> + Send>> {
        Box::pin(async {
            Ok(Found {
                addresses: vec![[127, 0, 0, 1].into()],
                ttl: Duration::from_secs(60),
            })
        })
    }
}

fn checkers() -> Checkers {
    let resolver = Resolver::new(Loopback, Handle::current());
    Checkers::new(Handle::current(), resolver, Origins::new(TlsClients::new()))
}

/// A clock that stands still: the blocking task keeps tokio from skipping ahead while sockets are waited for.
struct Clock {
    _stop: std::sync::mpsc::Sender<()>,
}

impl Clock {
    fn stop() -> Self {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || stopped.recv());
        tokio::time::pause();
        Self { _stop: stop }
    }

    async fn tick(&self) {
        // Timers round up to whole milliseconds.
        tokio::time::advance(Duration::from_millis(1002)).await;
    }
}

/// Answers with `status` and counts.
#[derive(Default)]
struct Server {
    status: AtomicU16,
    asked: AtomicUsize,
}

impl Server {
    async fn start() -> (Arc<Self>, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Arc::new(Self::default());
        server.status.store(200, SeqCst);
        let serving = server.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 1024];
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let read = stream.read(&mut buffer).await.unwrap();
                    head.extend_from_slice(&buffer[..read]);
                }
                let status = serving.status.load(SeqCst);
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
                serving.asked.fetch_add(1, SeqCst);
            }
        });
        (server, port)
    }
}

async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

fn target(host: &str, port: u16) -> Target {
    Target {
        host: host.into(),
        port,
        host_header: None,
        certificate: None,
    }
}

fn config(name: &str, port: u16) -> CheckerConfig {
    let mut active = ActiveChecks::default();
    active.unhealthy.http_failures = 2;
    CheckerConfig {
        name: name.into(),
        checks: ChecksConfig {
            active,
            passive: None,
        },
        targets: vec![target("one.test", port)],
    }
}

fn state(checker: &Checker) -> Option<&'static str> {
    checker.status().map(|report| report.nodes[0].status.name())
}

#[tokio::test]
async fn a_node_falls_and_comes_back() {
    let (server, port) = Server::start().await;
    let checkers = checkers();
    let checker = checkers.checker("u", config("u", port)).unwrap();
    let clock = Clock::stop();
    checker.touch();
    tokio::task::yield_now().await;
    assert!(checker.status().is_none(), "checks begin later");
    clock.tick().await;
    until(|| checker.status().is_some()).await;
    clock.tick().await;
    until(|| server.asked.load(SeqCst) == 1).await;
    assert_eq!(state(&checker), Some("healthy"));

    server.status.store(503, SeqCst);
    for expected in ["mostly_healthy", "unhealthy"] {
        clock.tick().await;
        until(|| state(&checker) == Some(expected)).await;
    }
    assert!(!checker.healthy(0));
    server.status.store(200, SeqCst);
    for expected in ["mostly_unhealthy", "healthy"] {
        clock.tick().await;
        until(|| state(&checker) == Some(expected)).await;
    }
    assert!(checker.healthy(0));
    let report = &checkers.status()[0];
    assert_eq!((&*report.name, report.nodes[0].port), ("u", port));
    assert_eq!(&*report.nodes[0].hostname, "one.test");
}

#[tokio::test]
async fn what_clients_see_counts_too() {
    let (_server, port) = Server::start().await;
    let checkers = checkers();
    let mut config = config("u", port);
    config.checks.passive = Some(PassiveChecks::default());
    let checker = checkers.checker("u", config).unwrap();
    checker.report(0, None, Outcome::Broken);
    let clock = Clock::stop();
    checker.touch();
    tokio::task::yield_now().await;
    clock.tick().await;
    until(|| checker.status().is_some_and(|report| !report.nodes.is_empty())).await;
    let elsewhere = "10.0.0.9:80".parse().ok();
    checker.report(0, elsewhere, Outcome::Broken);
    checker.report(7, None, Outcome::Broken);
    assert_eq!(
        state(&checker),
        Some("healthy"),
        "neither that address nor that node exists"
    );
    checker.report(0, None, Outcome::Broken);
    checker.report(0, Some(([127, 0, 0, 1], port).into()), Outcome::Broken);
    assert!(!checker.healthy(0));
}

#[tokio::test]
async fn checkers_end_with_what_asked_for_them() {
    let (_server, port) = Server::start().await;
    let checkers = checkers();
    let clock = Clock::stop();
    let first = checkers.checker("u", config("u", port)).unwrap();
    checkers.settle("u");
    first.touch();
    tokio::task::yield_now().await;
    clock.tick().await;
    until(|| first.status().is_some()).await;

    // Compiled again as it was, then broken, then with another config, then gone.
    assert!(Arc::ptr_eq(
        &first,
        &checkers.checker("u", config("u", port)).unwrap()
    ));
    checkers.settle("u");
    drop(checkers.checker("u", config("broken", port)));
    checkers.revert("u");
    assert_eq!(checkers.status().len(), 1);
    let second = checkers.checker("u", config("u2", port)).unwrap();
    checkers.settle("u");
    assert!(first.status().is_none(), "although somebody still holds it");
    second.touch();
    tokio::task::yield_now().await;
    clock.tick().await;
    until(|| second.status().is_some()).await;
    checkers.settle("u");
    assert!(second.status().is_none() && checkers.status().is_empty());
}

#[tokio::test]
async fn checks_can_be_off() {
    assert!(checkers().disabled().checker("u", config("u", 1)).is_none());
}

#[test]
fn headers_do_not_show() {
    let checks = ActiveChecks {
        req_headers: vec!["Authorization: Bearer canary".to_owned()],
        http_path: "/?key=canary".to_owned(),
        ..ActiveChecks::default()
    };
    assert!(!format!("{checks:?}").contains("canary"));
}
