//! A body behind a pointer.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;

use super::BodyError;

type Inner = Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>;

/// A body of any type that can be sent between threads.
///
/// The mutex is never contended: it makes the body `Sync`, so that futures may hold a reference to it across an
/// await. Polling goes through `get_mut`, which takes no lock.
pub struct BoxedBody(Mutex<Inner>);

impl BoxedBody {
    pub(super) fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        Self(Mutex::new(Box::pin(body.map_err(Into::into))))
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            .poll_frame(cx)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
