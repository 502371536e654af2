//! Who else answers on an address of the proxy: the control side, where everything is on one port.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Method, Request as HttpRequest, Response, StatusCode, header};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use sluice_core::Context;
use sluice_net::{Body, BodyError};

use crate::edge::{self, Outgoing};
use crate::in_flight::TrackedBody;

/// Answers some requests of a listener instead of the proxy. What it answers is no request of the data plane: no
/// route, no plugin and no record sees it.
pub trait Beside: Send + Sync {
    /// Whether a path, as the client sent it, is theirs. Asked before anything else is done with a request.
    fn owns(&self, path: &str) -> bool;

    /// Answers a request. The future runs on a thread of the data plane: work belongs elsewhere.
    fn serve(&self, request: HttpRequest<Incoming>, peer: SocketAddr) -> BoxFuture<'static, Response<Body>>;

    /// Where `/` leads if no route has it.
    fn home(&self) -> HeaderValue;
}

/// Sends whoever opens the bare address to the page that there is, unless a route has it.
pub(crate) fn lead_home(beside: &dyn Beside, cx: &Context, answer: &mut Outgoing) {
    let request = &cx.request;
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    if cx.route.is_some() || !reads || &*request.path != "/" || answer.status != StatusCode::NOT_FOUND {
        return;
    }
    *answer = edge::render(sluice_core::Reply::status(StatusCode::FOUND));
    answer.headers.insert(header::LOCATION, beside.home());
}

/// The body of an answer of either side.
pub(crate) enum AnswerBody {
    /// The proxy's.
    Tracked(TrackedBody),
    /// Theirs.
    Beside(Body),
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Tracked(body) => Pin::new(body).poll_frame(task),
            Self::Beside(body) => Pin::new(body).poll_frame(task),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Tracked(body) => body.is_end_stream(),
            Self::Beside(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Tracked(body) => body.size_hint(),
            Self::Beside(body) => body.size_hint(),
        }
    }
}
