//! The request's body for one attempt after the other.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use sluice_net::{Body, BodyError};

/// Hands out the body of a request until somebody has begun to read what the client sends only once.
pub(super) enum Supply {
    /// At hand: every attempt gets a copy.
    Copies(Body),
    /// Being received: an attempt that read nothing of it leaves it to the next one.
    Loans(Arc<Mutex<Option<Body>>>),
}

impl Supply {
    pub(super) fn new(body: Body) -> Self {
        match body.replay() {
            Some(copy) => Self::Copies(copy),
            None => Self::Loans(Arc::new(Mutex::new(Some(body)))),
        }
    }

    /// The body for the next attempt; `None` when an earlier one has begun to read it.
    pub(super) fn next(&self) -> Option<Body> {
        match self {
            Self::Copies(body) => body.replay(),
            Self::Loans(lent) => {
                let size = with(lent, |body| body.as_ref().map(HttpBody::size_hint))?;
                let loan = Loan {
                    lent: lent.clone(),
                    body: None,
                    size,
                };
                Some(Body::boxed(loan))
            }
        }
    }
}

fn with<T>(lent: &Mutex<Option<Body>>, look: impl FnOnce(&mut Option<Body>) -> T) -> T {
    look(&mut lent.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A body that is taken when it is first read.
struct Loan {
    lent: Arc<Mutex<Option<Body>>>,
    body: Option<Body>,
    /// Before it is taken.
    size: SizeHint,
}

impl HttpBody for Loan {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.body.is_none() {
            this.body = with(&this.lent, Option::take);
        }
        match &mut this.body {
            Some(body) => Pin::new(body).poll_frame(task),
            // A later attempt reads it. An end here would look like the end of the body.
            None => Poll::Ready(Some(Err(BodyError::other("another attempt has the body")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(self.size, HttpBody::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn stream() -> Body {
        let frame = Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"once")));
        Body::boxed(StreamBody::new(futures_util::stream::iter([frame])))
    }

    async fn text(body: Body) -> Result<Bytes, BodyError> {
        body.collect().await.map(http_body_util::Collected::to_bytes)
    }

    #[tokio::test]
    async fn bytes_at_hand_are_copied_for_every_attempt() {
        let supply = Supply::new(Body::from("twice"));
        for _ in 0..2 {
            assert_eq!(text(supply.next().unwrap()).await.unwrap(), "twice");
        }
    }

    #[tokio::test]
    async fn a_stream_goes_to_the_first_that_reads_it() {
        let supply = Supply::new(stream());
        drop(supply.next().unwrap());
        let (late, reader) = (supply.next().unwrap(), supply.next().unwrap());
        assert_eq!(text(reader).await.unwrap(), "once");
        assert!(supply.next().is_none());
        assert!(text(late).await.is_err(), "an end would look like an empty body");
    }

    #[test]
    fn a_loan_tells_the_length_before_it_is_read() {
        let supply = Supply::new(Body::boxed(http_body_util::Full::new(Bytes::from_static(
            b"12345",
        ))));
        let loan = supply.next().unwrap();
        assert_eq!(loan.size_hint().exact(), Some(5));
        assert!(!loan.is_end_stream());
    }
}
