//! HTTP/1.1 connections: one request at a time.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body::Body as _;
use hyper::client::conn::http1;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Timeouts;
use super::head;
use super::lease::{Failed, Lease};
use super::shared::Shared;
use crate::body::{Body, UpstreamBody};
use crate::io::UpstreamIo;
use crate::origin::Origin;
use crate::outflow::Outflow;
use crate::timer::StallTimer;

/// Bounds the head of an answer, and what is read at once of its body. Buffers start at 8 KiB and grow only under
/// traffic that fills them.
const MAX_BUFFER: usize = 64 * 1024;

/// A connection and what is known of it.
pub(super) struct H1Conn {
    sender: http1::SendRequest<Body>,
    addr: SocketAddr,
    outflow: Arc<Outflow>,
    served: u32,
}

impl H1Conn {
    /// Starts HTTP/1.1 on a stream. The task that drives it ends with the connection.
    pub(super) async fn start<S>(stream: S, addr: SocketAddr) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let outflow = Arc::new(Outflow::new());
        let io = UpstreamIo::new(stream, outflow.clone(), None);
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_BUFFER)
            .handshake(io)
            .await?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%addr, %error, "upstream connection failed");
            }
        });
        Ok(Self {
            sender,
            addr,
            outflow,
            served: 0,
        })
    }

    /// Whether it waits for a request.
    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// Whether it has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

/// A connection that is serving a request.
pub(crate) struct H1Lease {
    conn: H1Conn,
    origin: Arc<Origin>,
    pool: Arc<Shared>,
}

impl H1Lease {
    pub(super) fn new(mut conn: H1Conn, origin: Arc<Origin>, pool: Arc<Shared>) -> Self {
        conn.served += 1;
        Self { conn, origin, pool }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.conn.addr
    }

    pub(super) async fn exchange(
        mut self,
        mut request: Request<Body>,
        timeouts: Timeouts,
    ) -> Result<Response<Body>, Box<Failed>> {
        head::to_http1(&mut request, &self.origin);
        let streamed = head::is_streamed(&request);
        self.conn.outflow.begin(timeouts.send, streamed);
        if streamed {
            request = head::watch_upload(request, &self.conn.outflow);
        }
        let mut timer = StallTimer::new(timeouts.read);
        let answer = self.conn.sender.try_send_request(request);
        match head::wait(answer, &mut timer, timeouts.read, Some(&self.conn.outflow)).await {
            None => Err(Failed::timed_out()),
            Some(Err(error)) => Err(Failed::in_exchange(error, Some(&self.conn.outflow))),
            Some(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                Ok(response.map(|_| Body::Empty))
            }
            Some(Ok(response)) => Ok(response.map(|incoming| {
                if incoming.is_end_stream() {
                    self.release();
                    return Body::Empty;
                }
                let body = UpstreamBody::new(incoming, timeouts.read, timer, Lease::H1(self));
                Body::Upstream(Box::new(body))
            })),
        }
    }

    pub(super) fn release(self) {
        if self.conn.served < self.origin.config.pool.max_requests && !self.conn.is_closed() {
            self.pool.put_idle(&self.origin, self.conn);
        }
    }
}
