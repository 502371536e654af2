//! Compiled routes.

use std::sync::Arc;

use http::StatusCode;
use sluice_net::Timeouts;
use sluice_record::Text;

use crate::context::Profile;
use crate::pipeline::Pipeline;
use crate::upstream::Upstream;

/// A compiled route: service and plugin config merged in.
pub struct Route {
    /// Unique among everything compiled in this process: identifies this version of the route.
    pub uid: u64,
    /// `id`; for a built-in route its name.
    pub id: Text,
    /// `name`.
    pub name: Option<Text>,
    /// The service it belongs to.
    pub service: Option<ServiceRef>,
    /// What its requests run.
    pub pipeline: Arc<Pipeline>,
    /// Where its requests go when no plugin answers.
    pub upstream: RouteUpstream,
    /// `timeout`; wins over the upstream's.
    pub timeout: Option<Timeouts>,
    /// `enable_websocket`, the route's or the service's.
    pub websocket: bool,
    /// How answers are shaped.
    pub profile: Profile,
    /// Whether callers may put their key where LLM dialects put it (DESIGN §4, "Caller's key").
    pub llm_endpoint: bool,
    /// A reference of the route leads nowhere: every request gets this status (compat §2.5).
    pub dangling: Option<StatusCode>,
}

/// The service of a route.
#[derive(Clone)]
pub struct ServiceRef {
    /// `id`.
    pub id: Text,
    /// `name`.
    pub name: Option<Text>,
}

/// Where a route's requests go.
#[derive(Clone)]
pub enum RouteUpstream {
    /// It names none: 503 when no plugin answers.
    None,
    /// It names one that does not exist: 502 (compat §8.3).
    Missing,
    /// This one.
    To(Arc<Upstream>),
}

/// A route as a request matched it.
#[derive(Clone)]
pub struct MatchedRoute {
    /// The route.
    pub route: Arc<Route>,
    /// The path pattern that matched.
    pub uri: Text,
    /// The host pattern that matched, if the route has one.
    pub host: Option<Text>,
    /// Path parameters (`uri_param_<name>`).
    pub params: Vec<(Text, String)>,
}
