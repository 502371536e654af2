//! Getting a connection: one at hand, or a new one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::h1::{H1Conn, H1Lease};
use super::h2::H2Conn;
use super::lease::Lease;
use super::shared::Shared;
use crate::connect::{self, Opened, Stream};
use crate::error::{SendError, SendErrorKind, TimeoutPhase};
use crate::origin::Origin;

impl Shared {
    /// A connection for one request, and whether it served others before. `fresh` leaves idle ones alone, when one of
    /// them was found dead.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        origin: &Arc<Origin>,
        fresh: bool,
        limit: Duration,
    ) -> Result<(Lease, bool), SendError> {
        if let Some(lease) = self.checkout(origin, fresh) {
            return Ok((lease, true));
        }
        // Boxed, since it is rare and large: every request in flight would carry its size.
        timeout(limit, Box::pin(self.open(origin, fresh)))
            .await
            .unwrap_or_else(|_| Err(SendError::new(SendErrorKind::Timeout(TimeoutPhase::Connect))))
    }

    async fn open(self: &Arc<Self>, origin: &Arc<Origin>, fresh: bool) -> Result<(Lease, bool), SendError> {
        let mut guard = None;
        if let Some(gate) = self.gate(origin) {
            guard = Some(gate.lock_owned().await);
            if let Some(lease) = self.checkout(origin, fresh) {
                return Ok((lease, true));
            }
            if self.gate(origin).is_none() {
                guard = None;
            }
        }
        self.start_sweeper();
        let Opened { stream, addr, http2 } = connect::open(origin, &self.resolver).await?;
        let started = match stream {
            Stream::Plain(stream) => self.start(stream, addr, http2, origin, guard).await,
            Stream::Tls(stream) => self.start(*stream, addr, http2, origin, guard).await,
        };
        let failed = |error| SendError::new(SendErrorKind::Connect).with_source(error).at(addr);
        started.map(|lease| (lease, false)).map_err(failed)
    }

    /// Starts HTTP on a stream. `gate` keeps others from opening connections that they could share with this one.
    async fn start<S>(
        self: &Arc<Self>,
        stream: S,
        addr: SocketAddr,
        http2: bool,
        origin: &Arc<Origin>,
        gate: Option<OwnedMutexGuard<()>>,
    ) -> hyper::Result<Lease>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.learn(origin, http2);
        if !http2 {
            let conn = H1Conn::start(stream, addr).await?;
            return Ok(Lease::H1(H1Lease::new(conn, origin.clone(), self.clone())));
        }
        let start = H2Conn::start(stream, addr).await?;
        let (conn, pool, origin) = (start.conn.clone(), self.clone(), origin.clone());
        let lease = conn.first_lease(&origin);
        start.drive(move || {
            if origin.config.pool.max_idle > 0 {
                pool.put_shared(&origin, conn);
            }
            drop(gate);
        });
        Ok(Lease::H2(lease))
    }
}
