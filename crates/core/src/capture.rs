//! Copies of bodies, for plugins that log them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as Task, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use sluice_net::{Body, BodyError};

/// What was copied of a request's bodies. Absent where nobody asked.
#[derive(Default)]
pub struct Captured {
    /// Of the request's body, when it was passed on without being read.
    pub request: Option<BodyCopy>,
    /// Of the answer's body.
    pub response: Option<BodyCopy>,
    /// What was sent to the provider in the last attempt, when the request keeps its payload.
    pub sent: Option<Box<Sent>>,
}

/// What was sent to a provider.
pub struct Sent {
    /// Its headers, credentials among them: only names that are known to be harmless may be shown with their values.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// The beginning of a body, copied while it passes. Clones share the copy.
#[derive(Clone)]
pub struct BodyCopy(Arc<Mutex<Prefix>>);

struct Prefix {
    bytes: Vec<u8>,
    limit: usize,
}

impl BodyCopy {
    /// Copies up to `limit` bytes of `body`, which is to be passed on in the form returned.
    #[must_use]
    pub fn of(body: Body, limit: usize) -> (Self, Body) {
        let copy = Self(Arc::new(Mutex::new(Prefix {
            bytes: Vec::new(),
            limit,
        })));
        let body = Body::boxed(CopiedBody {
            inner: body,
            copy: copy.clone(),
        });
        (copy, body)
    }

    /// Raises the limit to `limit`, if it is lower. Takes effect for what is yet to pass.
    pub fn raise_limit(&self, limit: usize) {
        let mut prefix = self.lock();
        prefix.limit = prefix.limit.max(limit);
    }

    /// Looks at what has been copied so far.
    pub fn read<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        look(&self.lock().bytes)
    }

    fn push(&self, data: &[u8]) {
        let mut prefix = self.lock();
        let room = prefix.limit.saturating_sub(prefix.bytes.len());
        prefix.bytes.extend_from_slice(&data[..data.len().min(room)]);
    }

    fn lock(&self) -> MutexGuard<'_, Prefix> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body of which the beginning is copied; in everything else the one inside.
struct CopiedBody {
    inner: Body,
    copy: BodyCopy,
}

impl http_body::Body for CopiedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = ready!(Pin::new(&mut this.inner).poll_frame(task));
        if let Some(Ok(frame)) = &polled
            && let Some(data) = frame.data_ref()
        {
            this.copy.push(data);
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use futures_util::FutureExt;
    use http_body::Body as _;
    use http_body_util::StreamBody;

    use super::*;

    fn chunks(parts: &[&'static str]) -> Body {
        let parts: VecDeque<_> = parts
            .iter()
            .map(|part| Ok::<_, Infallible>(Frame::data(Bytes::from(*part))))
            .collect();
        Body::boxed(StreamBody::new(futures_util::stream::iter(parts)))
    }

    fn pass(body: Body) -> Bytes {
        body.collect_limited(1000).now_or_never().unwrap().unwrap()
    }

    #[test]
    fn copies_the_beginning_and_passes_everything() {
        let (copy, body) = BodyCopy::of(chunks(&["abc", "def", "ghi"]), 5);
        assert_eq!(pass(body), "abcdefghi");
        copy.read(|bytes| assert_eq!(bytes, b"abcde"));
    }

    #[test]
    fn the_largest_limit_counts() {
        let (copy, body) = BodyCopy::of(chunks(&["abc", "def"]), 1);
        copy.raise_limit(4);
        copy.raise_limit(2);
        pass(body);
        copy.read(|bytes| assert_eq!(bytes, b"abcd"));
    }

    #[test]
    fn keeps_the_length() {
        let (_, body) = BodyCopy::of(Body::from("abc"), 1);
        assert_eq!(body.size_hint().exact(), Some(3));
        assert!(!body.is_end_stream());
        assert!(BodyCopy::of(Body::empty(), 1).1.is_end_stream());
    }
}
