//! The body of every request and answer in the gateway.

mod boxed;
mod collect;
mod timed;
mod upload;
mod upstream;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

pub use self::boxed::BoxedBody;
use self::timed::TimedBody;
pub(crate) use self::upload::UploadBody;
pub use self::upstream::UpstreamBody;

/// A request or answer body: one type from the client's socket to the provider's and back.
///
/// The common cases are variants of their own, so that relaying costs no dynamic dispatch.
#[derive(Default)]
pub enum Body {
    /// No bytes at all.
    #[default]
    Empty,
    /// All bytes at hand; can be sent again.
    Full(Bytes),
    /// Being received by one of our listeners.
    Incoming(Incoming),
    /// Being received from an upstream of a [`Pool`](crate::Pool).
    Upstream(Box<UpstreamBody>),
    /// The inner body, with its length hidden.
    Chunked(Box<Body>),
    /// Anything else.
    Boxed(BoxedBody),
}

/// Why a body did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection broke, or the peer violated the protocol.
    #[error("connection broke before the end of the body")]
    Broken(#[source] hyper::Error),
    /// The peer sent nothing for the read timeout.
    #[error("no data for {} ms", .limit.as_millis())]
    Timeout {
        /// The timeout.
        limit: Duration,
    },
    /// The body is longer than its reader allows.
    #[error("body of {read} bytes or more is larger than {limit} bytes")]
    TooLarge {
        /// Announced length, or the bytes that arrived before the limit was passed.
        read: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Whatever produces the body gave up.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl BodyError {
    /// The error of a body's producer.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }
}

impl From<hyper::Error> for BodyError {
    fn from(error: hyper::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<std::convert::Infallible> for BodyError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl Body {
    /// A body without bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self::Empty
    }

    /// Wraps any other body.
    pub fn boxed<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        Self::Boxed(BoxedBody::new(body))
    }

    /// Hides the length, which makes HTTP/1.1 use chunked encoding.
    #[must_use]
    pub fn into_chunked(self) -> Self {
        match self {
            Self::Chunked(_) => self,
            other => Self::Chunked(Box::new(other)),
        }
    }

    /// Fails with [`BodyError::Timeout`] when a frame takes longer than `limit` to come, counted from when the reader
    /// began to wait for it: a slow reader uses up nothing.
    #[must_use]
    pub fn with_read_timeout(self, limit: Duration) -> Self {
        match self {
            Self::Empty | Self::Full(_) => self,
            other => Self::boxed(TimedBody::new(other, limit)),
        }
    }

    /// Whether bytes are still to come from elsewhere.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Full(_) => false,
            Self::Chunked(inner) => inner.is_stream(),
            Self::Incoming(_) | Self::Upstream(_) | Self::Boxed(_) => true,
        }
    }

    /// The same body once more, if it has been at hand from the start.
    #[must_use]
    pub fn replay(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Full(bytes) => Some(Self::Full(bytes.clone())),
            _ => None,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match this {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *this = Self::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Incoming(incoming) => Pin::new(incoming).poll_frame(cx).map_err(BodyError::Broken),
            Self::Upstream(upstream) => upstream.poll_frame(cx),
            Self::Chunked(inner) => Pin::new(&mut **inner).poll_frame(cx),
            Self::Boxed(boxed) => boxed.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Incoming(incoming) => incoming.is_end_stream(),
            Self::Upstream(upstream) => upstream.is_end_stream(),
            // Said before the head is written, this would become `content-length: 0`.
            Self::Chunked(_) => false,
            Self::Boxed(boxed) => boxed.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Incoming(incoming) => incoming.size_hint(),
            Self::Upstream(upstream) => upstream.size_hint(),
            Self::Chunked(_) => SizeHint::default(),
            Self::Boxed(boxed) => boxed.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    /// Names the variant and the expected length, never the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Empty => "Empty",
            Self::Full(_) => "Full",
            Self::Incoming(_) => "Incoming",
            Self::Upstream(_) => "Upstream",
            Self::Chunked(_) => "Chunked",
            Self::Boxed(_) => "Boxed",
        };
        f.debug_tuple(name)
            .field(&http_body::Body::size_hint(self).exact())
            .finish()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::Empty
        } else {
            Self::Full(bytes)
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::from(Bytes::from(text))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::from(Bytes::from_static(text.as_bytes()))
    }
}

impl From<Incoming> for Body {
    fn from(incoming: Incoming) -> Self {
        if http_body::Body::is_end_stream(&incoming) {
            Self::Empty
        } else {
            Self::Incoming(incoming)
        }
    }
}

#[cfg(test)]
mod tests;
