//! A limit on the time between two frames.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Body, BodyError};
use crate::timer::StallTimer;

/// A body that fails when its peer falls silent.
pub(super) struct TimedBody {
    inner: Body,
    limit: Duration,
    timer: StallTimer,
}

impl TimedBody {
    pub(super) fn new(inner: Body, limit: Duration) -> Self {
        Self {
            inner,
            limit,
            timer: StallTimer::new(limit),
        }
    }
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        if polled.is_ready() {
            this.timer.stop();
            return polled;
        }
        this.timer.poll(cx).map(|()| {
            this.inner = Body::Empty;
            Some(Err(BodyError::Timeout { limit: this.limit }))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
