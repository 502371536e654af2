//! HTTP/2 connections: many requests at a time.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body as _;
use hyper::client::conn::http2;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Timeouts;
use super::head;
use super::lease::{Failed, Lease};
use crate::body::{Body, UpstreamBody};
use crate::error::is_of_stream;
use crate::io::UpstreamIo;
use crate::origin::Origin;
use crate::outflow::Outflow;
use crate::timer::StallTimer;

/// Unread bytes that one stream may hold; a slow client holds up no more memory than this.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Unread bytes of all streams together: room for each stream's window, so that slow ones do not stop the others.
const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;
/// Bounds the head of an answer, as with HTTP/1.
const MAX_HEADER_LIST: u32 = 64 * 1024;
/// Streams per connection where the server allows more: one connection's task must not become the bottleneck.
const MAX_STREAMS: usize = 250;
/// How long others wait for the server's word on how many streams it allows, before the default is assumed.
const SETTINGS_WAIT: Duration = Duration::from_secs(1);

type Connection<S> = http2::Connection<UpstreamIo<S>, Body, TokioExecutor>;

/// A connection and what is known of it.
pub(super) struct H2Conn {
    sender: http2::SendRequest<Body>,
    addr: SocketAddr,
    outflow: Arc<Outflow>,
    epoch: Instant,
    /// Requests under way.
    active: AtomicUsize,
    /// Streams that the server allows at a time.
    limit: AtomicUsize,
    served: AtomicU32,
    /// Gets no more requests.
    retired: AtomicBool,
    /// Milliseconds from `epoch` to when the last request ended.
    idle_since: AtomicU64,
}

/// A connection that has been opened and is not driven yet.
pub(super) struct H2Start<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    pub(super) conn: Arc<H2Conn>,
    connection: Connection<S>,
    settings: oneshot::Receiver<()>,
}

impl H2Conn {
    /// Starts HTTP/2 on a stream.
    pub(super) async fn start<S>(stream: S, addr: SocketAddr) -> hyper::Result<H2Start<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let outflow = Arc::new(Outflow::new());
        let (first_read, settings) = oneshot::channel();
        let io = UpstreamIo::new(stream, outflow.clone(), Some(first_read));
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEADER_LIST)
            .handshake(io)
            .await?;
        let conn = Arc::new(Self {
            sender,
            addr,
            outflow,
            epoch: Instant::now(),
            active: AtomicUsize::new(0),
            limit: AtomicUsize::new(connection.current_max_send_streams()),
            served: AtomicU32::new(0),
            retired: AtomicBool::new(false),
            idle_since: AtomicU64::new(0),
        });
        Ok(H2Start {
            conn,
            connection,
            settings,
        })
    }

    /// Whether it gets no more requests.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Relaxed) || self.sender.is_closed()
    }

    /// When it became idle; `None` while it is serving.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.active.load(Relaxed) == 0)
            .then(|| self.epoch + Duration::from_millis(self.idle_since.load(Relaxed)))
    }

    /// A share of the connection for one request, if there is one left. The caller holds the pool's lock, so that no
    /// two get the last one.
    pub(super) fn lease(self: &Arc<Self>, origin: &Arc<Origin>) -> Option<H2Lease> {
        let full = self.active.load(Relaxed) >= self.limit.load(Relaxed).min(MAX_STREAMS);
        (!full && !self.is_retired()).then(|| self.first_lease(origin))
    }

    /// The share of the request that the connection was opened for.
    pub(super) fn first_lease(self: &Arc<Self>, origin: &Arc<Origin>) -> H2Lease {
        self.active.fetch_add(1, Relaxed);
        if self.served.fetch_add(1, Relaxed) + 1 >= origin.config.pool.max_requests {
            self.retired.store(true, Relaxed);
        }
        H2Lease {
            conn: self.clone(),
            origin: origin.clone(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> H2Start<S> {
    /// Drives the connection to its end on a task of its own. `share` is called once the server has said how many
    /// streams it allows: before that, a crowd of requests would queue up behind an unknown limit.
    pub(super) fn drive(self, share: impl FnOnce() + Send + 'static) {
        let Self {
            conn,
            mut connection,
            settings,
        } = self;
        let weak = Arc::downgrade(&conn);
        let addr = conn.addr;
        drop(conn);
        tokio::spawn(async move {
            let mut settings = pin!(tokio::time::timeout(SETTINGS_WAIT, settings));
            let ended = poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
                Poll::Ready(result) => Poll::Ready(Some(result)),
                Poll::Pending => settings.as_mut().poll(cx).map(|_| None),
            })
            .await;
            let mut share = Some(share);
            let result = match ended {
                Some(result) => result,
                None => {
                    poll_fn(|cx| {
                        let polled = Pin::new(&mut connection).poll(cx);
                        if let Some(conn) = weak.upgrade() {
                            conn.limit.store(connection.current_max_send_streams(), Relaxed);
                        }
                        if let Some(share) = share.take() {
                            share();
                        }
                        polled
                    })
                    .await
                }
            };
            if let Err(error) = result {
                tracing::debug!(%addr, %error, "upstream connection failed");
            }
        });
    }
}

/// A share of a connection that is serving a request.
pub(crate) struct H2Lease {
    conn: Arc<H2Conn>,
    origin: Arc<Origin>,
}

impl H2Lease {
    pub(super) fn addr(&self) -> SocketAddr {
        self.conn.addr
    }

    pub(super) async fn exchange(
        self,
        mut request: Request<Body>,
        timeouts: Timeouts,
    ) -> Result<Response<Body>, Box<Failed>> {
        head::to_http2(&mut request, &self.origin);
        self.conn.outflow.begin(timeouts.send, false);
        // The connection's own outflow belongs to all its streams and says nothing about this one.
        let outflow = head::is_streamed(&request).then(|| Arc::new(Outflow::new()));
        if let Some(outflow) = &outflow {
            outflow.begin(timeouts.send, true);
            request = head::watch_upload(request, outflow);
        }
        let mut timer = StallTimer::new(timeouts.read);
        let answer = self.conn.sender.clone().try_send_request(request);
        match head::wait(answer, &mut timer, timeouts.read, outflow.as_deref()).await {
            None => {
                self.retire();
                Err(Failed::timed_out())
            }
            Some(Err(error)) => {
                if !is_of_stream(error.error()) {
                    self.retire();
                }
                Err(Failed::in_exchange(error, outflow.as_deref()))
            }
            Some(Ok(response)) => Ok(response.map(|incoming| {
                if incoming.is_end_stream() {
                    return Body::Empty;
                }
                let body = UpstreamBody::new(incoming, timeouts.read, timer, Lease::H2(self));
                Body::Upstream(Box::new(body))
            })),
        }
    }

    /// Lets the connection end with the requests that it is serving.
    pub(super) fn retire(self) {
        self.conn.retired.store(true, Relaxed);
    }
}

impl Drop for H2Lease {
    fn drop(&mut self) {
        let now = Instant::now().saturating_duration_since(self.conn.epoch);
        self.conn
            .idle_since
            .store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Relaxed);
        self.conn.active.fetch_sub(1, Relaxed);
    }
}
