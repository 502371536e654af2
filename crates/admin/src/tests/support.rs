//! An Admin API over a store of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sluice_core::LimitStanding;
use sluice_observe::{Metrics, MetricsConfig};
use sluice_resource::{Catalogue, PluginInfo, Schemas};
use sluice_store::{
    AdminKey, Database, KeySource, Keyring, NewAdminKey, Role, SecretFields, SecretKey, Store, Vault,
};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::{
    AdminOptions, AdminServer, AdminState, CachedAnswers, CompileReport, ConfiguredKey, DataPath, DataPlane,
    Health, HeldAnswers, Holder, Holders, LimitStandings, ProviderCalls, ProviderHealth, ProviderModels,
    ProviderTest, SecretPaths,
};

/// The key of the client `jack`.
pub(crate) const HOLDERS_KEY: &str = "holders-key";

pub(crate) const KEY: &str = "the-admin-key";
pub(crate) const VIEWER: &str = "the-viewer-key";

/// A data plane that follows at once.
pub(crate) struct Prompt;

impl DataPlane for Prompt {
    fn reached(&self, _: u64) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }

    fn report(&self) -> CompileReport {
        CompileReport {
            revision: 7,
            problems: vec![("/apisix/routes/1".to_owned(), "no such upstream".to_owned())],
            warnings: vec![("/apisix/routes/2".to_owned(), "obsolete".to_owned())],
        }
    }
}

impl CachedAnswers for Prompt {
    fn held(&self, _: usize) -> HeldAnswers {
        HeldAnswers::default()
    }

    fn clear(&self) -> usize {
        0
    }
}

/// Nobody is called.
impl LimitStandings for Prompt {
    fn of_client(&self, _: &str) -> Vec<(&'static str, String, LimitStanding)> {
        Vec::new()
    }

    fn of_group(&self, _: &str) -> Vec<LimitStanding> {
        Vec::new()
    }

    fn of_routes(&self) -> Vec<(String, LimitStanding)> {
        Vec::new()
    }

    fn reset(&self, _: sluice_core::Subject<'_>, _: &str) -> bool {
        false
    }
}

impl DataPath for Prompt {
    fn call<'a>(
        &'a self,
        client: &'a str,
        request: Request<Body>,
    ) -> BoxFuture<'a, Result<Response<Body>, String>> {
        // What was sent, to be looked at.
        let told = json!({
            "client": client,
            "method": request.method().as_str(),
            "uri": request.uri().to_string(),
            "headers": request.headers().keys().map(|name| name.as_str()).collect::<Vec<_>>(),
            "data": [{ "id": "gpt-4o", "owned_by": "somebody" }],
        });
        std::future::ready(Ok(Response::new(Body::from(told.to_string())))).boxed()
    }
}

impl Holders for Prompt {
    fn holder(&self, key: &str) -> Option<Holder> {
        (key == HOLDERS_KEY).then(|| Holder {
            consumer: "jack".to_owned(),
            credential: None,
        })
    }
}

impl ProviderCalls for Prompt {
    fn test<'a>(&'a self, id: &'a str, model: Option<&'a str>) -> BoxFuture<'a, Option<ProviderTest>> {
        let test = (id == "known").then(|| ProviderTest {
            ok: true,
            status: Some(200),
            latency_ms: 12,
            model: model.map(str::to_owned),
            answered_model: None,
            error_class: None,
            message: "the provider answered".to_owned(),
        });
        std::future::ready(test).boxed()
    }

    /// Says which key the draft would be called with.
    fn test_draft<'a>(
        &'a self,
        provider: &'a Value,
        model: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ProviderTest, String>> {
        let test = ProviderTest {
            ok: true,
            status: Some(200),
            latency_ms: 12,
            model: model.map(str::to_owned),
            answered_model: None,
            error_class: None,
            message: provider["auth"]["api_key"]
                .as_str()
                .unwrap_or("no key")
                .to_owned(),
        };
        std::future::ready(Ok(test)).boxed()
    }

    fn models_of_draft<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<ProviderModels, String>> {
        std::future::ready(Ok(Ok(Vec::new()))).boxed()
    }

    fn health(&self, _: &str) -> ProviderHealth {
        ProviderHealth::default()
    }

    fn own_targets(&self) -> Vec<(String, ProviderHealth)> {
        Vec::new()
    }

    fn types(&self) -> Vec<Value> {
        Vec::new()
    }

    fn prices(&self) -> Vec<(String, Value)> {
        Vec::new()
    }

    fn price(&self, _: &str, _: &str) -> Option<Value> {
        None
    }

    fn key_header(&self, kind: &str) -> Option<&'static str> {
        (kind == "openai").then_some("authorization")
    }

    fn models<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Option<ProviderModels>> {
        std::future::ready((id == "known").then(|| Ok(Vec::new()))).boxed()
    }
}

pub(crate) async fn open_store(folder: &Path, secrets: impl SecretFields) -> (Database, Store) {
    let database = Database::open(folder.join("sluice.db")).await.unwrap();
    let key = KeySource::Given(SecretKey::from_bytes([7; 32]));
    let vault = Vault::unlock(&database, key).await.ok().unwrap();
    let store = Store::open(&database, vault, secrets).await.unwrap();
    (database, store)
}

/// A certificate of its own and its key, as PEM.
pub(crate) fn certificate() -> (String, String) {
    let own = rcgen::generate_simple_self_signed(vec!["a.b".to_owned()]).unwrap();
    (own.cert.pem(), own.signing_key.serialize_pem())
}

/// A few plugins with something of everything.
pub(crate) fn catalogue() -> Catalogue {
    let plugin = |name, priority, schema| PluginInfo::new(name, priority, schema).unwrap();
    let key_schema = json!({
        "type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"],
    });
    let user_schema = json!({
        "type": "object",
        "properties": {"username": {"type": "string"}, "password": {"type": "string"}},
        "required": ["username", "password"],
    });
    let count_schema = json!({
        "type": "object",
        "properties": {
            "count": {"type": "integer", "exclusiveMinimum": 0},
            "rules": {"type": "array", "default": []},
            "group": {"type": "string"},
        },
    });
    Catalogue::new(
        vec![
            plugin("key-auth", 2500, json!({"type": "object"}))
                .with_consumer_schema(key_schema)
                .unwrap()
                .as_auth("key")
                .with_encrypted_fields(&["key"]),
            plugin("basic-auth", 2520, json!({"type": "object"}))
                .with_consumer_schema(user_schema)
                .unwrap()
                .as_auth("username")
                .with_encrypted_fields(&["password"]),
            plugin("ai-proxy", 1040, json!({"type": "object"}))
                .with_encrypted_fields(&["auth.header", "auth.query"]),
            plugin("ai-proxy-multi", 1041, json!({"type": "object"}))
                .with_encrypted_fields(&["instances.auth.header"]),
            plugin("cors", 4000, json!({"type": "object"})),
            plugin("traffic-split", 966, json!({"type": "object"})),
            plugin("file-logger", 399, json!({"type": "object"})).with_metadata_check(|conf, metadata| {
                let has_path = |holder: &Value| holder.get("path").is_some();
                let found = has_path(conf) || metadata.is_some_and(has_path);
                found.then_some(()).ok_or_else(|| "no path".to_owned())
            }),
            plugin("limit-count", 1002, count_schema)
                .with_group_member("group")
                .with_metadata_schema(json!({
                    "type": "object", "properties": {"limit_header": {"type": "string"}},
                }))
                .unwrap(),
        ],
        None,
    )
}

/// An Admin API, driven without a socket.
pub(crate) struct Admin {
    pub(crate) server: AdminServer,
    pub(crate) database: Database,
    pub(crate) store: Store,
    pub(crate) folder: TempDir,
    peer: SocketAddr,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Admin {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With changes to the state before it starts.
    pub(crate) async fn with(change: impl FnOnce(&mut AdminState)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalogue = Arc::new(catalogue());
        let (database, store) = open_store(folder.path(), SecretPaths::new(catalogue.clone())).await;
        let keys = [("admin", KEY, Role::Admin), ("viewer", VIEWER, Role::Viewer)];
        let keys = keys
            .into_iter()
            .filter_map(|(name, key, role)| ConfiguredKey::new(name, key, role));
        let mut state = AdminState {
            store: store.clone(),
            database: database.clone(),
            schemas: Arc::new(Schemas::compile().unwrap()),
            catalogue,
            keyring: Keyring::default(),
            data_plane: Arc::new(Prompt),
            metrics: Arc::new(Metrics::new(MetricsConfig::default()).unwrap()),
            checks: Box::new(Vec::new),
            dry_run: Box::new(|_, _, _| Ok(())),
            health: Box::new(Health::ready),
            providers: Arc::new(Prompt),
            keys: Arc::new(Prompt),
            data_path: Arc::new(Prompt),
            limits: Arc::new(Prompt),
            ledger: None,
            live: Arc::default(),
            answers: Arc::new(Prompt),
            options: AdminOptions {
                keys: keys.collect(),
                follow_wait: Duration::from_secs(60),
                ..AdminOptions::default()
            },
        };
        change(&mut state);
        Self {
            server: AdminServer::new(state),
            database,
            store,
            folder,
            peer: SocketAddr::from(([127, 0, 0, 1], 50_000)),
        }
    }

    /// Later calls come from this address.
    pub(crate) fn call_from(&mut self, peer: [u8; 4]) {
        self.peer = SocketAddr::from((peer, 50_000));
    }

    pub(crate) async fn add_key(&self, key: &str, role: Role) -> AdminKey {
        use sha2::Digest;

        let digest = sha2::Sha256::digest(key).into();
        let new = NewAdminKey {
            name: "stored",
            digest,
            role,
            hint: "…",
        };
        self.database.admin_keys().create(new).await.unwrap().unwrap()
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, router: Router, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// Calls the admin listener with the given headers and no key.
    pub(crate) async fn bare(&self, method: &str, uri: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(self.server.admin_router(), request.body(Body::empty()).unwrap())
            .await
    }

    /// Calls the Admin API with a body of any bytes. `path` is what follows `/apisix/admin/`.
    pub(crate) async fn raw(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("/apisix/admin/{path}"))
            .header("x-api-key", KEY)
            .body(body.into())
            .unwrap();
        self.send(self.server.admin_router(), request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.raw("GET", path, Body::empty()).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.raw("PUT", path, body.to_string()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.raw("POST", path, body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.raw("PATCH", path, body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.raw("DELETE", path, Body::empty()).await
    }

    /// Calls the control API.
    pub(crate) async fn control(&self, method: &str, path: &str, accept: &str) -> Answer {
        let request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap());
        let request = request
            .uri(path)
            .header("accept", accept)
            .body(Body::empty())
            .unwrap();
        self.send(self.server.control_router(), request).await
    }

    /// Makes sure that a resource is there.
    pub(crate) async fn has(&self, path: &str, body: Value) -> Answer {
        let answer = self.put(path, body).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        answer
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a resource in a reply.
    #[track_caller]
    pub(crate) fn value(&self) -> Value {
        self.json()["value"].clone()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16, body: Value) {
        assert_eq!((self.status.as_u16(), self.json()), (status, body));
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(self.text.ends_with('\n'));
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, message: &str) {
        self.is(status, json!({"error_msg": message}));
    }

    #[track_caller]
    pub(crate) fn is_text(&self, status: u16, text: &str) {
        assert_eq!((self.status.as_u16(), self.text.as_str()), (status, text));
    }

    #[track_caller]
    pub(crate) fn is_page(&self, status: u16) {
        let page = sluice_wire::html_page(status).unwrap();
        assert_eq!(
            (self.status.as_u16(), self.text.as_str()),
            (status, page.as_str())
        );
        assert_eq!(self.header("content-type"), Some("text/html; charset=utf-8"));
    }
}
