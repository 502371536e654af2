//! Everything on one address: what the control side answers where the proxy listens.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use sluice_admin::{AdminServer, OwnPaths};
use sluice_net::{Body, BodyError};
use sluice_proxy::Beside;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// Frames of an answer that wait for a slow reader.
const FRAMES: usize = 4;

/// The control side on the proxy's address. Its work stays on its own runtime.
pub(crate) struct OnePort {
    router: Router,
    paths: OwnPaths,
    control: Handle,
}

impl OnePort {
    /// Answers on the runtime in which it is called.
    pub(crate) fn new(server: &AdminServer) -> Self {
        Self {
            router: server.admin_router(),
            paths: server.own_paths(),
            control: Handle::current(),
        }
    }
}

impl Beside for OnePort {
    fn owns(&self, path: &str) -> bool {
        self.paths.contain(path)
    }

    fn serve(&self, request: Request<Incoming>, peer: SocketAddr) -> BoxFuture<'static, Response<Body>> {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        // Ends with whoever waits for it.
        let mut work = JoinSet::new();
        work.spawn_on(answer(self.router.clone(), request), &self.control);
        Box::pin(async move {
            match work.join_next().await {
                Some(Ok(response)) => response,
                _ => {
                    let mut response = Response::new(Body::empty());
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    response
                }
            }
        })
    }

    fn home(&self) -> HeaderValue {
        HeaderValue::from_static("/admin/")
    }
}

async fn answer(router: Router, request: Request<axum::body::Body>) -> Response<Body> {
    let answered: Result<_, Infallible> = router.oneshot(request).await;
    let (head, body) = answered.unwrap_or_else(|never| match never {}).into_parts();
    let body = match body.size_hint().exact() {
        Some(_) => body
            .collect()
            .await
            .map_or_else(|_| Body::empty(), |body| Body::from(body.to_bytes())),
        None => relayed(body),
    };
    Response::from_parts(head, body)
}

/// A body that is made where it was begun, and read elsewhere.
fn relayed(mut body: axum::body::Body) -> Body {
    let (made, mut frames) = mpsc::channel::<Result<Frame<Bytes>, BodyError>>(FRAMES);
    tokio::spawn(async move {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(BodyError::other);
            if made.send(frame).await.is_err() {
                return;
            }
        }
    });
    let frames = futures_util::stream::poll_fn(move |task| frames.poll_recv(task));
    Body::boxed(StreamBody::new(frames))
}
