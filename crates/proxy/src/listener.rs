//! Threads that accept connections and serve them.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use sluice_core::{Services, SnapshotCell, TlsPeer, Worker};
use sluice_net::Pool;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::server::TlsStream;

use crate::beside::Beside;
use crate::dialer::Dialer;
use crate::handler::{Connection, Handler};
use crate::idle::{Activity, BusyBody};
use crate::options::{ListenerTls, ProxyOptions};
use crate::tls;

/// How long an idle client of HTTP/2 gets to take leave.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why the proxy cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// An address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A thread or its runtime cannot be made.
    #[error("cannot start a data-plane thread: {0}")]
    Thread(#[from] io::Error),
}

/// Sockets that are bound and not yet served.
pub struct Proxy {
    options: ProxyOptions,
    sockets: Vec<Vec<StdListener>>,
    addrs: Vec<SocketAddr>,
    dialer: Dialer,
    dialed: mpsc::Receiver<DuplexStream>,
}

impl Proxy {
    /// Binds every listener for every thread.
    ///
    /// # Errors
    /// When an address is taken or not ours.
    pub fn bind(options: ProxyOptions) -> Result<Self, ProxyError> {
        let mut sockets: Vec<Vec<StdListener>> = (0..options.workers).map(|_| Vec::new()).collect();
        let mut addrs = Vec::new();
        for listener in &options.listeners {
            let fail = |source| ProxyError::Bind {
                addr: listener.addr,
                source,
            };
            // A plain bind first: sharing the port with a stranger would succeed silently.
            let probe = bind(listener.addr, false).map_err(fail)?;
            let addr = probe.local_addr().map_err(fail)?;
            addrs.push(addr);
            if options.workers == 1 {
                sockets[0].push(probe);
                continue;
            }
            drop(probe);
            for worker in &mut sockets {
                worker.push(bind(addr, true).map_err(fail)?);
            }
        }
        let (dialer, dialed) = Dialer::new();
        Ok(Self {
            options,
            sockets,
            addrs,
            dialer,
            dialed,
        })
    }

    /// The addresses that were bound, in the order of the options.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Connects to the proxy from within the process, once it has started.
    #[must_use]
    pub fn dialer(&self) -> Dialer {
        self.dialer.clone()
    }

    /// Starts the threads. `pool` makes each thread's upstream connections; `beside` answers what is theirs on the
    /// first address.
    ///
    /// # Errors
    /// When a thread cannot be made.
    pub fn start(
        self,
        services: Arc<Services>,
        snapshots: Arc<SnapshotCell>,
        pool: impl Fn() -> Pool,
        beside: Option<&Arc<dyn Beside>>,
    ) -> Result<RunningProxy, ProxyError> {
        let (stop, _) = watch::channel(false);
        let behaviour = Arc::new(self.options.behaviour.clone());
        let mut threads = Vec::new();
        let local = self.addrs.first().copied();
        let mut inside = local.map(|local| (self.dialed, local));
        for (index, sockets) in self.sockets.into_iter().enumerate() {
            let handler = Handler {
                services: services.clone(),
                worker: Arc::new(Worker::new(pool())),
                snapshots: snapshots.clone(),
                behaviour: behaviour.clone(),
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            // Only the first address is shared.
            let beside = std::iter::once(beside.cloned()).chain(std::iter::repeat(None));
            let tls = self.options.listeners.iter().map(|listener| listener.tls.clone());
            let with = tls.zip(beside);
            let listeners: Vec<_> = sockets
                .into_iter()
                .zip(with)
                .map(|(socket, (tls, beside))| Bound { socket, tls, beside })
                .collect();
            let (options, stop, inside) = (self.options.clone(), stop.subscribe(), inside.take());
            let thread = std::thread::Builder::new().name(format!("sluice-proxy-{index}"));
            threads.push(thread.spawn(move || {
                runtime.block_on(work(Arc::new(handler), listeners, inside, options, stop));
            })?);
        }
        Ok(RunningProxy { stop, threads })
    }
}

/// A proxy that serves.
pub struct RunningProxy {
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl RunningProxy {
    /// Stops accepting, lets running requests finish for up to `drain`, and ends the threads. Returns whether all
    /// requests finished.
    pub async fn shutdown(self, drain: Duration) -> bool {
        self.stop.send_replace(true);
        let done = tokio::time::timeout(drain, self.stop.closed()).await.is_ok();
        if done {
            let joined = tokio::task::spawn_blocking(|| self.threads.into_iter().all(|t| t.join().is_ok()));
            return joined.await.unwrap_or(false);
        }
        false
    }
}

fn bind(addr: SocketAddr, shared: bool) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&addr.into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// One address of one thread.
struct Bound {
    socket: StdListener,
    tls: Option<ListenerTls>,
    beside: Option<Arc<dyn Beside>>,
}

/// One thread: accepts on all listeners until told to stop, then waits for its connections.
async fn work(
    handler: Arc<Handler>,
    listeners: Vec<Bound>,
    inside: Option<(mpsc::Receiver<DuplexStream>, SocketAddr)>,
    options: ProxyOptions,
    stop: watch::Receiver<bool>,
) {
    let builder = Arc::new(connection_builder(&options));
    let (alive, mut ended) = mpsc::channel::<Infallible>(1);
    let acceptor = |tls, beside| Acceptor {
        handler: handler.clone(),
        builder: builder.clone(),
        tls,
        beside,
        stop: stop.clone(),
        _alive: alive.clone(),
        head_timeout: options.head_timeout,
    };
    for Bound { socket, tls, beside } in listeners {
        if let Ok(socket) = TcpListener::from_std(socket) {
            tokio::spawn(acceptor(tls, beside).accept(socket));
        }
    }
    if let Some((dialed, local)) = inside {
        tokio::spawn(acceptor(None, None).accept_inside(dialed, local));
    }
    drop((alive, handler));
    // Ends when every acceptor and connection has dropped its sender.
    ended.recv().await;
    drop(stop);
}

/// Waits for the signal to stop; whoever sends it is gone only after it was sent.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}

/// Most bytes that are read at once: a prompt of usual size comes in one piece, which saves joining it. Heads have a
/// limit of their own.
const READ_MAX: usize = 256 << 10;

fn connection_builder(options: &ProxyOptions) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.head_timeout)
        .max_buf_size(options.behaviour.max_head_bytes.max(READ_MAX))
        .max_headers(options.max_headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(options.behaviour.max_head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(256)
        .keep_alive_interval(Duration::from_secs(30));
    builder
}

#[derive(Clone)]
struct Acceptor {
    handler: Arc<Handler>,
    builder: Arc<auto::Builder<TokioExecutor>>,
    tls: Option<ListenerTls>,
    beside: Option<Arc<dyn Beside>>,
    stop: watch::Receiver<bool>,
    _alive: mpsc::Sender<Infallible>,
    head_timeout: Duration,
}

impl Acceptor {
    async fn accept(mut self, socket: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = stopped(&mut self.stop) => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    tokio::spawn(self.clone().serve(stream, peer));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file descriptors: leave the processor to those who may free some.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Connections from within the process.
    async fn accept_inside(mut self, mut dialed: mpsc::Receiver<DuplexStream>, local: SocketAddr) {
        let connection = Connection {
            peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            local,
            scheme: "http",
            tls: None,
            beside: None,
        };
        loop {
            let stream = tokio::select! {
                stream = dialed.recv() => stream,
                () = stopped(&mut self.stop) => return,
            };
            let Some(stream) = stream else { return };
            tokio::spawn(self.clone().drive(stream, connection.clone(), false));
        }
    }

    async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        let _gauge = self.handler.services.metrics.server().connection();
        let Ok(local) = stream.local_addr() else { return };
        let _ = stream.set_nodelay(true);
        let beside = self.beside.clone();
        let of = |scheme, tls| Connection {
            peer,
            local,
            scheme,
            tls,
            beside,
        };
        // The protocol is known before the connection is driven, so that a silent client meets the time limit.
        let begun = tokio::time::timeout(self.head_timeout, async {
            match &self.tls {
                None => Ok((speaks_http2(&stream).await?, Transport::Plain(stream))),
                Some(tls) => {
                    let (stream, peer) = tls::accept(tls, &self.handler.snapshots, stream).await?;
                    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    Ok((http2, Transport::Tls(Box::new(stream), peer)))
                }
            }
        });
        let mut stop = self.stop.clone();
        let begun = tokio::select! {
            begun = begun => begun,
            // Nothing has been asked yet: nothing is owed.
            () = stopped(&mut stop) => return,
        };
        match begun {
            Ok(Ok((http2, Transport::Plain(stream)))) => self.drive(stream, of("http", None), http2).await,
            Ok(Ok((http2, Transport::Tls(stream, peer)))) => {
                // Boxed, so that plain connections do not carry the room for a TLS session.
                Box::pin(self.drive(*stream, of("https", Some(Arc::new(peer))), http2)).await;
            }
            Ok(Err::<_, io::Error>(error)) => tracing::debug!(%peer, %error, "connection did not begin"),
            Err(_) => tracing::debug!(%peer, "connection took too long to begin"),
        }
    }

    async fn drive(
        mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        connection: Connection,
        http2: bool,
    ) {
        if http2 {
            return Box::pin(self.drive_http2(stream, connection)).await;
        }
        let (handler, on) = (self.handler, connection.clone());
        let service = service_fn(move |request| {
            let (handler, connection) = (handler.clone(), on.clone());
            // Boxed, so that its memory is given back when the head is out and a long stream begins.
            Box::pin(async move { Ok::<_, Infallible>(handler.answer(connection, request).await) })
        });
        let builder = auto::Builder::clone(&self.builder).http1_only();
        let mut serving = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let served = tokio::select! {
            served = serving.as_mut() => served,
            () = stopped(&mut self.stop) => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        ended(&connection, served);
    }

    async fn drive_http2(
        mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        connection: Connection,
    ) {
        let (handler, on, limit) = (self.handler, connection.clone(), self.head_timeout);
        let activity = Activity::new();
        let requests = activity.clone();
        let service = service_fn(move |request| {
            let (handler, connection, busy) = (handler.clone(), on.clone(), requests.begin());
            // Boxed, so that its memory is given back when the head is out and a long stream begins.
            Box::pin(async move {
                let answer = handler.answer(connection, request).await;
                Ok::<_, Infallible>(answer.map(|body| BusyBody::new(body, busy)))
            })
        });
        let builder = auto::Builder::clone(&self.builder).http2_only();
        let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let served = tokio::select! {
            served = serving.as_mut() => served,
            () = stopped(&mut self.stop) => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
            () = activity.idle(limit) => {
                serving.as_mut().graceful_shutdown();
                tokio::select! {
                    served = serving.as_mut() => served,
                    // It takes no leave, or has not even begun: half a preface. Requests that came last are answered.
                    () = activity.idle(limit + FAREWELL) => return,
                }
            }
        };
        ended(&connection, served);
    }
}

fn ended(connection: &Connection, served: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = served {
        tracing::debug!(peer = %connection.peer, error, "connection ended");
    }
}

/// A connection that is ready for HTTP.
enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>, TlsPeer),
}

/// Whether a client begins with the preface of HTTP/2 (RFC 9113 §3.4). Waits for its first bytes and leaves them.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut start = [0; PREFACE.len()];
    let length = stream.peek(&mut start).await?;
    Ok(length >= 4 && PREFACE.starts_with(&start[..length]))
}
