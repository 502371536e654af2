//! Connections to upstreams, kept open between requests.

mod h1;
mod h2;
mod head;
mod lease;
mod open;
mod resend;
mod shared;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};

use self::lease::Failed;
pub(crate) use self::lease::Lease;
use self::resend::{Copied, Remade, Resend};
use self::shared::Shared;
use crate::body::Body;
use crate::dns::Resolver;
use crate::error::{SendError, SendErrorKind};
use crate::origin::{Origin, Replay};

/// How often a request is sent again because the connection that was to carry it had died. Beyond that the upstream
/// has a problem that sending again does not solve.
const MAX_RESENDS: u32 = 2;

/// Time limits of one exchange (compat §4.1.4: applied to connecting, to each send and to each read).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Resolving, connecting and the TLS handshake together.
    pub connect: Duration,
    /// How long one write may be blocked. Over HTTP/2 the connection's writes are meant, not the stream's.
    pub send: Duration,
    /// Silence of the upstream: from the end of the request to the head of the answer, then between two frames of the
    /// body. Does not run while the request is still being sent, nor while the answer's reader is not reading.
    pub read: Duration,
}

impl Default for Timeouts {
    /// 60 seconds each (compat §8.1).
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            connect: minute,
            send: minute,
            read: minute,
        }
    }
}

/// An answer, and how it was got.
#[derive(Debug)]
pub struct Answer {
    /// The head as it came, and the body as it comes. After `101` the connection is had by `hyper::upgrade::on`.
    pub response: Response<Body>,
    /// The upstream's address.
    pub addr: SocketAddr,
    /// Whether the connection had served requests before.
    pub reused: bool,
}

/// The connections of one thread. Cheap to clone; all clones share the connections.
///
/// Made for a single-threaded runtime with a pool of its own: its locks are then never contended. HTTP/1 connections
/// are reused last in, first out, so that those not needed stay idle and are closed in the end. HTTP/2 connections
/// are shared by as many requests as the server allows streams, and another is opened beyond that.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

impl Pool {
    /// A pool without connections. They are opened on the runtime that sends the request.
    #[must_use]
    pub fn new(resolver: Resolver) -> Self {
        Self {
            shared: Arc::new(Shared::new(resolver)),
        }
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// The request needs no `Host` header: without one the origin's is used. Dropping the future, or the answer's body
    /// before its end, cancels the request: an HTTP/1 connection is closed, an HTTP/2 stream reset.
    ///
    /// A request that went out on a reused connection which turned out to be closed is sent again as far as
    /// [`Replay`] allows. For that its head is copied; [`send_with`](Self::send_with) saves the copy.
    ///
    /// # Errors
    /// When no answer head came, see [`SendError`].
    pub async fn send(
        &self,
        origin: &Arc<Origin>,
        request: Request<Body>,
        timeouts: Timeouts,
    ) -> Result<Answer, SendError> {
        self.run(origin, request, Copied::default(), timeouts).await
    }

    /// As [`send`](Self::send), where `make` makes the same request every time. It is called again only when a reused
    /// connection died, so that the usual case copies nothing. Not for bodies that cannot be made twice.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_with(
        &self,
        origin: &Arc<Origin>,
        mut make: impl FnMut() -> Request<Body>,
        timeouts: Timeouts,
    ) -> Result<Answer, SendError> {
        let request = make();
        self.run(origin, request, Remade(make), timeouts).await
    }

    async fn run(
        &self,
        origin: &Arc<Origin>,
        mut request: Request<Body>,
        mut resend: impl Resend,
        timeouts: Timeouts,
    ) -> Result<Answer, SendError> {
        let mut resends = 0;
        loop {
            let (lease, reused) = self.shared.acquire(origin, resends > 0, timeouts.connect).await?;
            let addr = lease.addr();
            let repeatable = origin.config.replay == Replay::Any || request.method().is_idempotent();
            let may_resend = reused && resends < MAX_RESENDS;
            if may_resend {
                resend.prepare(&request);
            }
            let Failed { error, unsent } = match lease.exchange(request, timeouts).await {
                Ok(response) => {
                    return Ok(Answer {
                        response,
                        addr,
                        reused,
                    });
                }
                Err(failed) => *failed,
            };
            let again = match unsent {
                _ if !may_resend => None,
                Some(request) => Some(request),
                None if !error.request_may_have_been_sent => resend.again(),
                None if error.kind == SendErrorKind::Reset && repeatable => resend.again(),
                None => None,
            };
            let Some(again) = again else {
                return Err(error.on(addr, reused));
            };
            tracing::debug!(?origin, %addr, "reused connection was dead, sending again");
            request = again;
            resends += 1;
        }
    }
}

#[cfg(test)]
mod tests;
