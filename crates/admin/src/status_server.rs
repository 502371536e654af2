//! The status listener: for probes that must not see more (compat §0).

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use serde_json::json;

use crate::listeners::Listeners;
use crate::reply::Reply;

/// Why the gateway should get no traffic, if it should not.
type Unready = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Answers `/status` and `/status/ready`, and nothing else, to everybody who reaches its socket.
///
/// Serves before there is a configuration, and until the gateway has stopped.
pub struct StatusServer {
    listeners: Listeners,
}

impl StatusServer {
    /// Serves on the tokio runtime in which it is called. `unready` is asked for every look.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn serve(
        socket: StdListener,
        server: http::HeaderValue,
        unready: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listeners = Listeners::default();
        let unready: Unready = Arc::new(unready);
        let router = Router::new().fallback(answer).with_state((unready, server));
        listeners.serve(router, socket, None)?;
        Ok(Self { listeners })
    }

    /// As [`AdminServer::shutdown`](crate::AdminServer::shutdown).
    pub async fn shutdown(&self, drain: Duration) -> bool {
        self.listeners.shutdown(drain).await
    }
}

async fn answer(State((unready, server)): State<(Unready, http::HeaderValue)>, request: Request) -> Response {
    let reply = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/status") => Reply::json(StatusCode::OK, json!({"status": "ok"})),
        (&Method::GET | &Method::HEAD, "/status/ready") => readiness(unready()),
        _ => Reply::empty(StatusCode::NOT_FOUND),
    };
    let mut response = reply.into_response();
    response.headers_mut().insert(header::SERVER, server);
    response
}

/// What load balancers are told.
pub(crate) fn readiness(unready: Option<String>) -> Reply {
    match unready {
        None => Reply::json(StatusCode::OK, json!({"status": "ok"})),
        Some(why) => {
            let body = json!({"status": "error", "error": why});
            Reply::json(StatusCode::SERVICE_UNAVAILABLE, body)
        }
    }
}
