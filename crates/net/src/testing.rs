//! Hand-driven servers and clocks for the tests of this crate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use crate::dns::{DnsError, Found, Lookup, Resolver};
use crate::{Answer, Body, Origin, OriginConfig, Origins, Pool, Scheme, SendError, Timeouts, TlsClients};

/// A clock that stands still until the test advances it: the running blocking task keeps tokio from skipping ahead
/// while sockets are waited for.
pub(crate) struct ManualClock {
    _stop: std::sync::mpsc::Sender<()>,
}

impl ManualClock {
    pub(crate) fn start() -> Self {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || stopped.recv());
        tokio::time::pause();
        Self { _stop: stop }
    }

    pub(crate) async fn advance(&self, seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }
}

/// A listener whose connections the test serves by hand.
pub(crate) struct Upstream {
    pub(crate) listener: TcpListener,
    pub(crate) addr: SocketAddr,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        Self { listener, addr }
    }

    pub(crate) fn config(&self) -> OriginConfig {
        OriginConfig::new(Scheme::Http, "127.0.0.1", self.addr.port())
    }

    pub(crate) fn origin(&self) -> Arc<Origin> {
        origin(self.config())
    }

    pub(crate) async fn accept(&self) -> Conn {
        Conn {
            stream: self.listener.accept().await.unwrap().0,
        }
    }
}

pub(crate) fn origin(config: OriginConfig) -> Arc<Origin> {
    Origins::new(TlsClients::new()).get(config).unwrap()
}

/// The server's end of a connection.
pub(crate) struct Conn {
    pub(crate) stream: TcpStream,
}

impl Conn {
    /// Reads a request's head.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    pub(crate) async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads a request without a body and answers it.
    pub(crate) async fn answer(&mut self, body: &str) -> String {
        let head = self.head().await;
        self.write(&format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
        head
    }

    /// Returns once the client has closed or reset the connection.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest).await;
    }
}

/// Answers every name with the same addresses.
pub(crate) struct Fixed(pub(crate) Vec<std::net::IpAddr>);

impl Lookup for Fixed {
    fn lookup(&self, _: Arc<str>) -> std::pin::Pin<Box<dyn Future<Output = Result<Found, DnsError>> + Send>> {
        let addresses = self.0.clone();
        Box::pin(async {
            Ok(Found {
                addresses,
                ttl: Duration::from_secs(60),
            })
        })
    }
}

pub(crate) fn pool() -> Pool {
    Pool::new(Resolver::new(
        Fixed(vec![[127, 0, 0, 1].into()]),
        Handle::current(),
    ))
}

pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

pub(crate) fn post(body: impl Into<Body>) -> Request<Body> {
    Request::post("/").body(body.into()).unwrap()
}

/// Sends a request and reads the answer to its end.
pub(crate) async fn fetch(pool: &Pool, origin: &Arc<Origin>, request: Request<Body>) -> (String, bool) {
    let answer = pool.send(origin, request, Timeouts::default()).await.unwrap();
    let reused = answer.reused;
    (text(answer).await, reused)
}

pub(crate) async fn text(answer: Answer) -> String {
    let bytes = answer
        .response
        .into_body()
        .collect_limited(1 << 20)
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn limits(seconds: u64) -> Timeouts {
    let limit = Duration::from_secs(seconds);
    Timeouts {
        connect: limit,
        send: limit,
        read: limit,
    }
}

/// Sends in the background.
pub(crate) fn send(
    pool: &Pool,
    origin: &Arc<Origin>,
    request: Request<Body>,
    timeouts: Timeouts,
) -> tokio::task::JoinHandle<Result<Answer, SendError>> {
    let (pool, origin) = (pool.clone(), origin.clone());
    tokio::spawn(async move { pool.send(&origin, request, timeouts).await })
}
