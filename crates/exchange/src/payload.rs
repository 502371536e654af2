//! What is sent to a provider.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use sluice_net::{Body, BodyError};

/// A body that can be sent more than once.
#[derive(Clone)]
pub(crate) enum Payload {
    /// One piece.
    Whole(Bytes),
    /// Several, so that what the client uploaded need not be copied.
    Pieces(Vec<Bytes>),
}

impl Payload {
    /// The bytes that a signature is made over. Providers that want one take JSON only.
    pub(crate) fn signed(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        match self {
            Self::Whole(bytes) => bytes,
            Self::Pieces(_) => &NONE,
        }
    }

    /// The whole of it, or its first piece.
    pub(crate) fn beginning(&self) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes.clone(),
            Self::Pieces(pieces) => pieces.first().cloned().unwrap_or_default(),
        }
    }

    /// As the body of a request.
    pub(crate) fn body(&self) -> Body {
        match self {
            Self::Whole(bytes) => Body::from(bytes.clone()),
            Self::Pieces(pieces) => Body::boxed(Pieces(pieces.iter().cloned().collect())),
        }
    }
}

/// Pieces one after the other, with their length known before.
struct Pieces(VecDeque<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            match self.0.pop_front() {
                Some(piece) if piece.is_empty() => {}
                piece => return Poll::Ready(piece.map(|piece| Ok(Frame::data(piece)))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
    }
}
