//! A streamed request body on its way upstream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Body, BodyError};
use crate::outflow::Outflow;

/// Says when the body has ended, since only then does the upstream owe an answer, and whether it failed.
pub(crate) struct UploadBody {
    inner: Body,
    outflow: Arc<Outflow>,
}

impl UploadBody {
    pub(crate) fn new(inner: Body, outflow: Arc<Outflow>) -> Self {
        Self { inner, outflow }
    }
}

impl HttpBody for UploadBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Err(_))) => this.outflow.fail_upload(),
            Poll::Ready(None) => this.outflow.uploaded(),
            Poll::Ready(Some(Ok(_))) if this.inner.is_end_stream() => this.outflow.uploaded(),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for UploadBody {
    /// hyper drops a body that it stops reading, for instance when the answer came before the request was whole.
    fn drop(&mut self) {
        self.outflow.uploaded();
    }
}
