//! Why a request got no answer.

use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;

use crate::io::SendStalled;

/// A request that got no answer head.
///
/// Its `Display` names no host and no address; those are in [`addr`](Self::addr), for logs.
#[derive(Debug)]
pub struct SendError {
    /// What happened.
    pub kind: SendErrorKind,
    /// Whether the upstream may have seen some of the request: then only a request that may be processed twice can be
    /// sent elsewhere.
    pub request_may_have_been_sent: bool,
    /// Whether the connection had served requests before.
    pub reused: bool,
    /// The address tried last; `None` when the name did not resolve.
    pub addr: Option<SocketAddr>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Kinds of [`SendError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendErrorKind {
    /// The host name has no address.
    Resolve,
    /// No address took the connection.
    Connect,
    /// The TLS handshake failed, for instance because the certificate does not hold.
    Tls,
    /// A time limit passed.
    Timeout(TimeoutPhase),
    /// The connection ended before the answer's head was whole.
    Reset,
    /// The upstream answered something that is not HTTP, or a head beyond the limits.
    InvalidHead,
    /// The body of the request failed: the client's fault, not the upstream's.
    RequestBody,
}

/// Which of the [`Timeouts`](crate::Timeouts) passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutPhase {
    /// Resolving, connecting and handshakes together.
    Connect,
    /// One write to the upstream was blocked.
    Send,
    /// The wait for the head of the answer, from the end of the request on.
    Read,
}

impl SendError {
    pub(crate) fn new(kind: SendErrorKind) -> Self {
        Self {
            kind,
            request_may_have_been_sent: false,
            reused: false,
            addr: None,
            source: None,
        }
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn at(mut self, addr: SocketAddr) -> Self {
        self.addr = Some(addr);
        self
    }

    pub(crate) fn on(self, addr: SocketAddr, reused: bool) -> Self {
        Self {
            reused,
            ..self.at(addr)
        }
    }

    /// The error of a request that was handed to a connection. `untouched` says that the upstream did not process it.
    pub(crate) fn in_exchange(error: hyper::Error, untouched: bool) -> Self {
        let kind = if find::<SendStalled>(&error).is_some() {
            SendErrorKind::Timeout(TimeoutPhase::Send)
        } else if error.is_parse() {
            SendErrorKind::InvalidHead
        } else {
            SendErrorKind::Reset
        };
        Self {
            request_may_have_been_sent: !untouched,
            ..Self::new(kind).with_source(error)
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            SendErrorKind::Resolve => "host name could not be resolved",
            SendErrorKind::Connect => "connection failed",
            SendErrorKind::Tls => "TLS handshake failed",
            SendErrorKind::Timeout(TimeoutPhase::Connect) => "connecting timed out",
            SendErrorKind::Timeout(TimeoutPhase::Send) => "sending timed out",
            SendErrorKind::Timeout(TimeoutPhase::Read) => "waiting for the answer timed out",
            SendErrorKind::Reset => "connection ended before the answer",
            SendErrorKind::InvalidHead => "answer is not valid HTTP",
            SendErrorKind::RequestBody => "request body failed",
        })
    }
}

impl StdError for SendError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Whether the upstream says that it did not process the request (RFC 9113 §8.7): the stream was refused, or lies
/// beyond the last one that a closing connection still serves.
pub(crate) fn is_unprocessed(error: &hyper::Error) -> bool {
    find::<h2::Error>(error).is_some_and(|h2| {
        h2.is_remote() && (h2.is_go_away() || h2.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// Whether an error concerns one HTTP/2 stream alone, so that its connection can go on serving.
pub(crate) fn is_of_stream(error: &hyper::Error) -> bool {
    find::<h2::Error>(error)
        .is_some_and(|h2| h2.is_reset() && h2.reason() != Some(h2::Reason::REFUSED_STREAM))
}

/// The first error of a type in the chain of causes. An `io::Error` shows its payload only when asked for it.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && let Some(payload) = io.get_ref()
            && let Some(found) = payload.downcast_ref::<E>()
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}
