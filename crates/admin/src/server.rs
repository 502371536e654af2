//! What is served where.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustls::ServerConfig;

use crate::api::Api;
use crate::listeners::Listeners;
use crate::{AdminState, OwnPaths};

/// The Admin API with its companions, and the listeners on which they are served.
///
/// Everything runs on the tokio runtime in which the `serve_…` methods are called.
pub struct AdminServer {
    api: Arc<Api>,
    listeners: Listeners,
}

impl AdminServer {
    /// Prepares everything; nothing is served yet.
    pub fn new(state: AdminState) -> Self {
        Self {
            api: Arc::new(Api::new(state)),
            listeners: Listeners::default(),
        }
    }

    /// The Admin API, `/status` and `/metrics`, as a router to put more routes into: these are its fallback.
    /// Requests need [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo) as an extension: without it nobody is admitted.
    pub fn admin_router(&self) -> Router {
        self.api.router()
    }

    /// The paths that [`AdminServer::admin_router`] answers; it says 404 to others.
    pub fn own_paths(&self) -> OwnPaths {
        OwnPaths::of(&self.api.state.options)
    }

    /// The control API as a router.
    pub fn control_router(&self) -> Router {
        self.api.control_router()
    }

    /// The metrics alone as a router.
    pub fn metrics_router(&self) -> Router {
        self.api.metrics_router()
    }

    /// Serves [`AdminServer::admin_router`]. Returns the address of the socket.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn serve_admin(&self, socket: StdListener, tls: Option<Arc<ServerConfig>>) -> io::Result<SocketAddr> {
        self.serve(self.api.router(), socket, tls)
    }

    /// Serves the control API, which asks for no key: keep the socket on loopback. Returns its address.
    ///
    /// # Errors
    /// As [`AdminServer::serve_admin`].
    pub fn serve_control(&self, socket: StdListener) -> io::Result<SocketAddr> {
        self.serve(self.api.control_router(), socket, None)
    }

    /// Serves `/metrics` and nothing else, to everybody who reaches the socket. Returns its address.
    ///
    /// # Errors
    /// As [`AdminServer::serve_admin`].
    pub fn serve_metrics(&self, socket: StdListener) -> io::Result<SocketAddr> {
        self.serve(self.api.metrics_router(), socket, None)
    }

    /// Serves any router, [`AdminServer::admin_router`] with more routes for instance. Returns the address of the
    /// socket.
    ///
    /// # Errors
    /// As [`AdminServer::serve_admin`].
    pub fn serve(
        &self,
        router: Router,
        socket: StdListener,
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<SocketAddr> {
        self.listeners.serve(router, socket, tls)
    }

    /// Stops accepting and lets running requests finish for up to `drain`. Returns whether all did.
    pub async fn shutdown(&self, drain: Duration) -> bool {
        self.listeners.shutdown(drain).await
    }
}
