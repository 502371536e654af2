//! What both HTTP versions need around an exchange.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::HOST;
use http::uri::{PathAndQuery, Uri};
use http::{Request, Version};
use tokio::time::Instant;

use crate::body::{Body, UploadBody};
use crate::origin::Origin;
use crate::outflow::Outflow;
use crate::timer::StallTimer;

/// Whether the request's body comes in pieces that somebody else still sends.
pub(super) fn is_streamed(request: &Request<Body>) -> bool {
    !matches!(request.body(), Body::Empty | Body::Full(_))
}

/// Lets `outflow` know when the body has ended.
pub(super) fn watch_upload(request: Request<Body>, outflow: &Arc<Outflow>) -> Request<Body> {
    request.map(|body| Body::boxed(UploadBody::new(body, outflow.clone())))
}

/// Makes the head one of HTTP/1.1: path only, with a `Host` header.
pub(super) fn to_http1(request: &mut Request<Body>, origin: &Origin) {
    *request.version_mut() = Version::HTTP_11;
    if request.uri().scheme().is_some() {
        *request.uri_mut() = request
            .uri()
            .path_and_query()
            .map_or_else(Uri::default, |path| path.clone().into());
    }
    if !request.headers().contains_key(HOST) {
        request.headers_mut().insert(HOST, origin.host.clone());
    }
}

/// Makes the head one of HTTP/2: scheme and authority in the URI, the authority being what `Host` would have said.
pub(super) fn to_http2(request: &mut Request<Body>, origin: &Origin) {
    *request.version_mut() = Version::HTTP_2;
    let host = request.headers_mut().remove(HOST);
    let authority = host
        .and_then(|host| host.as_bytes().try_into().ok())
        .unwrap_or_else(|| origin.authority.clone());
    let path = request
        .uri()
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    let uri = Uri::builder()
        .scheme(origin.config.scheme.as_str())
        .authority(authority)
        .path_and_query(path);
    if let Ok(uri) = uri.build() {
        *request.uri_mut() = uri;
    }
}

/// Waits for the head of an answer; `None` when the upstream stays silent for longer than `limit` after the request
/// has gone out.
pub(super) async fn wait<F: Future>(
    answer: F,
    timer: &mut StallTimer,
    limit: Duration,
    outflow: Option<&Outflow>,
) -> Option<F::Output> {
    let mut answer = pin!(answer);
    poll_fn(|cx| {
        if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
            timer.stop();
            return Poll::Ready(Some(answer));
        }
        while timer.poll(cx).is_ready() {
            let now = Instant::now();
            match outflow.map(Outflow::quiet_since) {
                Some(None) => timer.restart(now),
                Some(Some(since)) if now.saturating_duration_since(since) < limit => timer.restart(since),
                _ => return Poll::Ready(None),
            }
        }
        Poll::Pending
    })
    .await
}
