//! The body of an upstream's answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::BodyError;
use crate::pool::Lease;
use crate::timer::StallTimer;

/// Frames as they come from an upstream, with the read timeout between them.
///
/// Read to its end it gives its connection back to the pool. Dropped before that, it closes an HTTP/1 connection and
/// resets an HTTP/2 stream at once, so that the upstream stops working for nobody.
pub struct UpstreamBody {
    incoming: Incoming,
    limit: Duration,
    timer: StallTimer,
    lease: Option<Lease>,
}

impl UpstreamBody {
    pub(crate) fn new(incoming: Incoming, limit: Duration, timer: StallTimer, lease: Lease) -> Self {
        Self {
            incoming,
            limit,
            timer,
            lease: Some(lease),
        }
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.lease.is_none() {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.timer.stop();
                // Nothing follows trailers, though hyper says so only when asked once more.
                if self.incoming.is_end_stream() || frame.is_trailers() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                self.lease = None;
                Poll::Ready(Some(Err(BodyError::Broken(error))))
            }
            Poll::Pending => self.timer.poll(cx).map(|()| {
                if let Some(lease) = self.lease.take() {
                    lease.abandon();
                }
                Some(Err(BodyError::Timeout { limit: self.limit }))
            }),
        }
    }

    fn finish(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.release();
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.lease.is_none() || self.incoming.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
