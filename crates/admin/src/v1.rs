//! `/api/v1`: the JSON API of the dashboard. What the dashboard can do, a script can do.
//!
//! Every endpoint is one [`Route`] of one table, which says who may call it: deny is what is left.

mod audit;
mod call;
mod clients;
mod dispatch;
mod error;
mod fault;
mod groups;
mod members;
mod observe;
mod openapi;
mod password;
mod playground;
mod providers;
mod resources;
mod session;
mod sessions;
mod settings;
mod setup;
mod tokens;

pub(crate) use self::call::{Call, Signed};
pub(crate) use self::dispatch::serve;
pub(crate) use self::error::ApiError;
pub(crate) use self::observe::{MAX_SOCKETS, NamesCache};
pub use self::password::hash_password;
pub use self::setup::{SETUP_TOKEN, setup_token_value};

use std::sync::Arc;

use axum::response::Response;
use futures_util::future::BoxFuture;
use http::Method;

use crate::api::Api;

/// Where the API is.
pub(crate) const BASE: &str = "/api/v1";

/// The least that somebody must be to call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Least {
    /// Anybody.
    Anybody,
    /// Whoever signed in with a client's key, and nobody else.
    Holder,
    /// Whoever may read.
    Viewer,
    /// Whoever may change the configuration.
    Admin,
    /// Whoever decides who may do what.
    Owner,
}

/// What runs for an endpoint.
type Handler = fn(Arc<Api>, Call) -> BoxFuture<'static, Result<Response, ApiError>>;

/// An endpoint.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// Below [`BASE`]; `{name}` stands for one segment, `{name*}` at the end for all that follow.
    pub(crate) path: &'static str,
    pub(crate) least: Least,
    /// What it does, in one line of the documentation.
    pub(crate) summary: &'static str,
    run: Handler,
}

/// An endpoint, from an async function.
macro_rules! route {
    ($method:ident $path:literal, $least:ident, $summary:literal, $run:path) => {
        $crate::v1::Route {
            method: http::Method::$method,
            path: $path,
            least: $crate::v1::Least::$least,
            summary: $summary,
            run: |api, call| Box::pin($run(api, call)),
        }
    };
}
pub(crate) use route;

/// All endpoints.
pub(crate) fn routes() -> Vec<Route> {
    [
        session::routes(),
        setup::routes(),
        sessions::routes(),
        members::routes(),
        tokens::routes(),
        audit::routes(),
        clients::routes(),
        groups::routes(),
        playground::routes(),
        providers::routes(),
        resources::routes(),
        observe::routes(),
        settings::routes(),
        openapi::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
