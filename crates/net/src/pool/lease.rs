//! A connection, or a share of one, in the hands of one request.

use std::net::SocketAddr;

use http::{Request, Response};
use hyper::client::conn::TrySendError;

use super::Timeouts;
use super::h1::H1Lease;
use super::h2::H2Lease;
use crate::body::Body;
use crate::error::{SendError, SendErrorKind, TimeoutPhase, is_unprocessed};
use crate::outflow::Outflow;

/// What a request needs to be sent, and its answer's body to be read. Dropped, it cancels the request.
pub(crate) enum Lease {
    H1(H1Lease),
    H2(H2Lease),
}

impl Lease {
    pub(super) fn addr(&self) -> SocketAddr {
        match self {
            Self::H1(lease) => lease.addr(),
            Self::H2(lease) => lease.addr(),
        }
    }

    /// Sends a request; the body of its answer takes the lease along.
    pub(super) async fn exchange(
        self,
        request: Request<Body>,
        timeouts: Timeouts,
    ) -> Result<Response<Body>, Box<Failed>> {
        match self {
            Self::H1(lease) => lease.exchange(request, timeouts).await,
            Self::H2(lease) => lease.exchange(request, timeouts).await,
        }
    }

    /// The answer has been read to its end: the connection can serve again.
    pub(crate) fn release(self) {
        match self {
            Self::H1(lease) => lease.release(),
            Self::H2(lease) => drop(lease),
        }
    }

    /// The upstream fell silent: nothing more is sent on this connection.
    pub(crate) fn abandon(self) {
        match self {
            Self::H1(lease) => drop(lease),
            Self::H2(lease) => lease.retire(),
        }
    }
}

/// A request that got no answer head.
pub(super) struct Failed {
    pub(super) error: SendError,
    /// The request, when it never went out.
    pub(super) unsent: Option<Request<Body>>,
}

impl Failed {
    pub(super) fn timed_out() -> Box<Self> {
        let mut error = SendError::new(SendErrorKind::Timeout(TimeoutPhase::Read));
        error.request_may_have_been_sent = true;
        Box::new(Self { error, unsent: None })
    }

    /// `outflow` is the one that the request's body reports to.
    pub(super) fn in_exchange(
        mut error: TrySendError<Request<Body>>,
        outflow: Option<&Outflow>,
    ) -> Box<Self> {
        let unsent = error.take_message();
        let error = error.into_error();
        let untouched = unsent.is_some() || is_unprocessed(&error);
        let mut error = SendError::in_exchange(error, untouched);
        if outflow.is_some_and(Outflow::upload_failed) {
            error.kind = SendErrorKind::RequestBody;
        }
        Box::new(Self { error, unsent })
    }
}
