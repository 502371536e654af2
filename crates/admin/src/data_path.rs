//! Calls of the data path that an operator makes as a client.
//!
//! Where the data plane listens, and how a call is let in without the client's key, is known to whoever is handed in.

use axum::body::Body;
use futures_util::future::BoxFuture;
use http::{Request, Response};

/// Makes calls as clients.
pub trait DataPath: Send + Sync {
    /// Sends a request through the proxy's own listener as this client. Headers and body go as they are, in both
    /// directions, and as they come; the path is the data plane's. The answer carries `x-sluice-request-id`, by which
    /// the ledger knows the request, where the client was recognized.
    ///
    /// # Errors
    /// Why there is no answer, for people.
    fn call<'a>(
        &'a self,
        client: &'a str,
        request: Request<Body>,
    ) -> BoxFuture<'a, Result<Response<Body>, String>>;
}
