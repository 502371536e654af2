//! Listeners: connections accepted, bounded and ended.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// Time for a TLS handshake and for a request head; an idle connection is closed after it, too.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections of a listener at one time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 1000;

/// Largest request head, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// The listeners of a server.
///
/// Everything runs on the tokio runtime in which [`Listeners::serve`] is called.
pub(crate) struct Listeners {
    stop: watch::Sender<bool>,
}

impl Default for Listeners {
    fn default() -> Self {
        Self {
            stop: watch::Sender::new(false),
        }
    }
}

impl Listeners {
    /// Serves a router. Returns the address of the socket.
    pub(crate) fn serve(
        &self,
        router: Router,
        socket: StdListener,
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<SocketAddr> {
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        let address = socket.local_addr()?;
        let acceptor = Acceptor {
            router,
            tls: tls.map(TlsAcceptor::from),
            stop: self.stop.subscribe(),
        };
        tokio::spawn(acceptor.accept(socket));
        Ok(address)
    }

    /// Stops accepting and lets running requests finish for up to `drain`. Returns whether all did.
    pub(crate) async fn shutdown(&self, drain: Duration) -> bool {
        self.stop.send_replace(true);
        // Every listener and connection holds a receiver.
        tokio::time::timeout(drain, self.stop.closed()).await.is_ok()
    }
}

#[derive(Clone)]
struct Acceptor {
    router: Router,
    tls: Option<TlsAcceptor>,
    stop: watch::Receiver<bool>,
}

impl Acceptor {
    async fn accept(mut self, socket: TcpListener) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, socket.accept().await)
            };
            let (place, accepted) = tokio::select! {
                next = next => next,
                () = stopped(&mut self.stop) => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = self.clone();
                    tokio::spawn(async move {
                        connection.connect(stream, peer).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file descriptors: leave the processor to those who may free some.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// The protocol is known before the first byte, so that a silent client meets the timeout for heads.
    async fn connect(self, stream: TcpStream, peer: SocketAddr) {
        stream.set_nodelay(true).ok();
        let Some(tls) = self.tls.clone() else {
            return self.drive(stream, peer, builder().http1_only()).await;
        };
        match tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let protocol = stream.get_ref().1.alpn_protocol();
                let builder = match protocol {
                    Some(b"h2") => builder().http2_only(),
                    _ => builder().http1_only(),
                };
                self.drive(stream, peer, builder).await;
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
        }
    }

    async fn drive(
        mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        builder: auto::Builder<TokioExecutor>,
    ) {
        let router = self.router;
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let router = router.clone();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            async move {
                Ok::<_, Infallible>(
                    router
                        .oneshot(request)
                        .await
                        .unwrap_or_else(|never| match never {}),
                )
            }
        });
        let mut serving = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let served = tokio::select! {
            served = serving.as_mut() => served,
            () = stopped(&mut self.stop) => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%peer, error, "connection ended");
        }
    }
}

/// Waits for the signal to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error says that the server is gone: that stops everything, too.
    stop.wait_for(|stopped| *stopped).await.ok();
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .keep_alive_interval(HEAD_TIMEOUT);
    builder
}
