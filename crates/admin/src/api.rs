//! The admin listener: every request comes through here.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method as HttpMethod, StatusCode, header};
use serde_json::{Map, Value};
use sluice_ledger::LedgerReader;
use sluice_observe::{Live, Metrics};
use sluice_resource::{Checker, PluginCatalogue, Schemas, UnknownPlugins};
use sluice_store::{Database, Keyring, Store};
use sluice_upstream::CheckerReport;
use tokio::sync::{Mutex, Semaphore};

use crate::auth::Auth;
use crate::body;
use crate::path::{self, Endpoint};
use crate::providers::ProviderCalls;
use crate::query::Query;
use crate::reply::Reply;
use crate::resources::{AuthKeyIndex, Call, Expected};
use crate::{
    AdminOptions, CachedAnswers, DataPath, DataPlane, DryRunHook, Holders, LimitStandings, allow, dashboard,
    v1,
};

const API_VERSION: HeaderName = HeaderName::from_static("x-api-version");

/// What the Admin API works with.
pub struct AdminState {
    /// The configuration.
    pub store: Store,
    /// The database of the admin keys.
    pub database: Database,
    /// The schemas of the resource kinds.
    pub schemas: Arc<Schemas>,
    /// The plugins.
    pub catalogue: Arc<dyn PluginCatalogue>,
    /// What secrets in write replies are encrypted with; an empty one shows them as they are.
    pub keyring: Keyring,
    /// Who puts the configuration in force.
    pub data_plane: Arc<dyn DataPlane>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// How the nodes of upstreams stand that are checked. Asked for every look at the control API.
    pub checks: Box<dyn Fn() -> Vec<CheckerReport> + Send + Sync>,
    /// Finds out whether what is to be stored would compile.
    pub dry_run: DryRunHook,
    /// How the parts that the Admin API does not know are doing. Asked for every look at `/status`.
    pub health: Box<dyn Fn() -> Health + Send + Sync>,
    /// Who calls LLM providers when an operator asks for it.
    pub providers: Arc<dyn ProviderCalls>,
    /// Whose the keys of clients are.
    pub keys: Arc<dyn Holders>,
    /// Who makes calls of the data path when an operator asks for it.
    pub data_path: Arc<dyn DataPath>,
    /// How limits stand.
    pub limits: Arc<dyn LimitStandings>,
    /// The records of requests, if they are kept.
    pub ledger: Option<LedgerReader>,
    /// What happens right now.
    pub live: Arc<Live>,
    /// The answers kept in process.
    pub answers: Arc<dyn CachedAnswers>,
    /// Everything else.
    pub options: AdminOptions,
}

/// How the gateway is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// Why the gateway should get no traffic, if it should not.
    pub unready: Option<String>,
    /// More members for `/status`: queues, ledger, ….
    pub details: Map<String, Value>,
}

impl Health {
    /// Ready, and nothing more to say.
    pub fn ready() -> Self {
        Self {
            unready: None,
            details: Map::new(),
        }
    }
}

/// The Admin API with what it needs at run time.
pub(crate) struct Api {
    pub(crate) state: AdminState,
    pub(crate) checker: Checker,
    pub(crate) auth: Auth,
    /// Held from the checks of a change of members to its end.
    pub(crate) setting_up: Mutex<()>,
    /// Held from the checks of a write to its commit, so that what was checked still holds then.
    pub(crate) writing: Mutex<AuthKeyIndex>,
    /// Places of pages that look on.
    pub(crate) sockets: Arc<Semaphore>,
    /// How clients are called.
    pub(crate) names: v1::NamesCache,
}

impl Api {
    pub(crate) fn new(state: AdminState) -> Self {
        let schemas = Arc::clone(&state.schemas);
        let catalogue = Arc::clone(&state.catalogue);
        let checker = Checker::new(schemas, catalogue, UnknownPlugins::Refuse);
        Self {
            checker: checker.with_commands(state.options.commands.clone()),
            auth: Auth::new(&state.options),
            writing: Mutex::default(),
            setting_up: Mutex::default(),
            sockets: Arc::new(Semaphore::new(v1::MAX_SOCKETS)),
            names: v1::NamesCache::default(),
            state,
        }
    }

    /// What the admin listener serves.
    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(answer).with_state(Arc::clone(self))
    }

    async fn reply(self: &Arc<Self>, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        name_host(&mut parts);
        if let Some(reply) = self.probe(&parts) {
            return reply.into_response();
        }
        if allow::admits(&self.state.options.allow, allow::peer(&parts.extensions))
            && let Ok(path) = sluice_core::normalize_path(parts.uri.path())
            && path
                .strip_prefix(v1::BASE)
                .is_some_and(|rest| rest.starts_with('/'))
        {
            let path = path.into_owned();
            return v1::serve(Arc::clone(self), parts, &path, body).await;
        }
        if let Some(page) = self.page(&parts) {
            return page;
        }
        self.admin_reply(Request::from_parts(parts, body))
            .await
            .into_response()
    }

    /// A page or a file of the dashboard.
    fn page(&self, parts: &Parts) -> Option<Response> {
        let admitted = allow::admits(&self.state.options.allow, allow::peer(&parts.extensions));
        dashboard::answer(parts).filter(|_| admitted)
    }

    async fn admin_reply(&self, request: Request) -> Reply {
        if !allow::admits(&self.state.options.allow, allow::peer(request.extensions())) {
            return Reply::empty(StatusCode::FORBIDDEN);
        }
        let (parts, body) = request.into_parts();
        let Ok(path) = sluice_core::normalize_path(parts.uri.path()) else {
            return Reply::empty(StatusCode::BAD_REQUEST);
        };
        match self.open_endpoint(&parts, &path) {
            Some(reply) => reply,
            None => {
                self.cors(
                    parts.method == HttpMethod::OPTIONS,
                    self.guarded(&parts, &path, body),
                )
                .await
            }
        }
    }

    /// `/health` and what is below it, for whoever asks: they tell no more than that the gateway runs.
    fn probe(&self, parts: &Parts) -> Option<Reply> {
        if parts.method != HttpMethod::GET && parts.method != HttpMethod::HEAD {
            return None;
        }
        match parts.uri.path() {
            "/health" => {
                let body = serde_json::json!({ "status": "ok", "timestamp": unix_now() });
                Some(Reply::json(StatusCode::OK, body))
            }
            "/health/live" => Some(Reply::text(StatusCode::OK, "OK")),
            "/health/ready" => Some(self.readiness()),
            _ => None,
        }
    }

    /// What needs no key.
    fn open_endpoint(&self, parts: &Parts, path: &str) -> Option<Reply> {
        if parts.method != HttpMethod::GET && parts.method != HttpMethod::HEAD {
            return None;
        }
        match path {
            "/status" => Some(self.status()),
            "/status/ready" => Some(self.readiness()),
            path if self.has_metrics_at(path) => Some(self.metrics(&parts.headers)),
            _ => None,
        }
    }

    /// Lets browsers call from other origins (compat §1.1). Their preflight needs no key.
    async fn cors(&self, preflight: bool, reply: impl Future<Output = Reply>) -> Reply {
        if !self.state.options.cors {
            return reply.await;
        }
        let value = HeaderValue::from_static;
        let reply = if preflight {
            Reply::empty(StatusCode::OK)
                .with_header(
                    header::ACCESS_CONTROL_ALLOW_METHODS,
                    value("POST, GET, PUT, OPTIONS, DELETE, PATCH"),
                )
                .with_header(header::ACCESS_CONTROL_ALLOW_HEADERS, value("*"))
                .with_header(header::CONTENT_TYPE, value("text/plain"))
        } else {
            reply.await
        };
        reply
            .with_header(header::ACCESS_CONTROL_ALLOW_ORIGIN, value("*"))
            .with_header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, value("true"))
            .with_header(header::ACCESS_CONTROL_EXPOSE_HEADERS, value("*"))
            .with_header(header::ACCESS_CONTROL_MAX_AGE, value("3600"))
    }

    /// The Admin API proper.
    async fn guarded(&self, parts: &Parts, path: &str, body: Body) -> Reply {
        if parts.method == HttpMethod::HEAD && path == path::BASE {
            return Reply::empty(StatusCode::OK);
        }
        let endpoint = if self.state.options.standalone {
            path::standalone_endpoint
        } else {
            path::endpoint
        };
        match endpoint(&parts.method, path) {
            Some(endpoint) => self
                .serve(endpoint, parts, body)
                .await
                .unwrap_or_else(|reply| reply),
            None => Reply::empty(StatusCode::NOT_FOUND),
        }
    }

    /// What APISIX's main handler adds once it has handed a call on.
    fn versioned(&self, reply: Reply) -> Reply {
        reply.with_header(API_VERSION, self.state.options.api_version.header())
    }

    /// The error is a reply, too: one that ends the work early.
    async fn serve(&self, endpoint: Endpoint, parts: &Parts, body: Body) -> Result<Reply, Reply> {
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let caller = self.auth.check(&self.state.database, parts, &query).await?;
        Ok(match endpoint {
            Endpoint::PluginList => self.plugin_list(&query),
            Endpoint::PluginReload => plugin_reload(&parts.method),
            Endpoint::SchemaValidation(segment) => {
                let value = body::read_json(body).await?;
                self.validate_schema(&segment, value.as_ref())
            }
            Endpoint::BulkValidation => {
                let bytes = body::read(body).await?;
                self.validate_configs(&parts.headers, &bytes).await?
            }
            Endpoint::Configs(method) => self.configs(&method, &parts.headers, body, &caller).await?,
            Endpoint::Events => self.events(&caller, &query).await.unwrap_or_else(Reply::from),
            Endpoint::Unknown(segment) => {
                let message = format!("Unsupported resource type: {segment}");
                Reply::error(StatusCode::NOT_FOUND, message)
            }
            Endpoint::ProviderTest(id) => {
                let body = body::read_json(body).await?;
                self.test_provider(&id, body).await
            }
            Endpoint::ProviderModels(id) => self.provider_models(&id).await,
            Endpoint::StreamRoutes => {
                let message = "stream mode is disabled, can not add stream routes";
                Reply::error(StatusCode::BAD_REQUEST, message)
            }
            Endpoint::NoMethod => Reply::error(StatusCode::NOT_FOUND, "not found"),
            Endpoint::Plugin(name) => {
                body::read_payload(body, &query).await?;
                self.versioned(self.plugin(name.as_deref(), &query))
            }
            Endpoint::Schema(name) => {
                body::read_payload(body, &query).await?;
                self.versioned(self.schema(name.as_deref()))
            }
            Endpoint::Stored(method, address) => {
                let call = Call {
                    method,
                    address: &address,
                    query: &query,
                    caller: &caller,
                    payload: body::read_payload(body, &query).await?,
                    expected: Expected::Any,
                };
                self.versioned(self.call(call).await.unwrap_or_else(Reply::from))
            }
        })
    }
}

async fn answer(State(api): State<Arc<Api>>, request: Request) -> Response {
    let server = api.state.options.server.clone();
    // A write goes to its end, audit log included, even if the client does not wait for it.
    let reply = if request.method().is_safe() {
        api.reply(request).await
    } else {
        let written = tokio::spawn(async move { api.reply(request).await });
        written
            .await
            .unwrap_or_else(|_| Reply::empty(StatusCode::INTERNAL_SERVER_ERROR).into_response())
    };
    let mut response = reply;
    response.headers_mut().insert(header::SERVER, server);
    response
}

/// HTTP/2 names the host as `:authority`; everything behind reads the header.
fn name_host(parts: &mut Parts) {
    if parts.headers.contains_key(header::HOST) {
        return;
    }
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    if let Some(host) = authority.and_then(|host| HeaderValue::from_str(host).ok()) {
        parts.headers.insert(header::HOST, host);
    }
}

/// The set of plugins is that of the binary: there is nothing to reload.
fn plugin_reload(method: &HttpMethod) -> Reply {
    if method == HttpMethod::PUT {
        return Reply::text(StatusCode::OK, "done");
    }
    let message = format!("please use PUT method to reload the plugins, {method} method is not allowed.");
    Reply::error(StatusCode::METHOD_NOT_ALLOWED, message)
}

/// Unix seconds.
pub(crate) fn unix_now() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |time| time.as_secs())
}
