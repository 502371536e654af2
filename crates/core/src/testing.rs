//! A gateway without listeners or store, for the tests of this crate.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_limit::LocalCounters;
use sluice_llm::{PriceTable, TokenCounter};
use sluice_net::{Body, DnsError, Found, Lookup as Names, Origins, Pool, Resolver, TlsClients};
use sluice_observe::{Batches, FileSinks, Metrics, MetricsConfig, RecordQueue};
use sluice_record::{RequestId, Text};
use sluice_redis::Redis;
use sluice_resource::PluginInfo;
use sluice_secret::{Connect, Environment, Secrets};
use sluice_upstream::{BalancerStates, Breakers, Checkers};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::compiler::{Change, Compiler, CompilerOptions};
use crate::consumer::Caller;
use crate::context::Context;
use crate::pipeline::{PluginEntry, Uids};
use crate::plugin::{CompileEnv, CompileError, Phase, Phases, Plugin, PluginDef, Step};
use crate::registry::Registry;
use crate::request::{Request, RequestBody};
use crate::route::{MatchedRoute, Route};
use crate::router::{Lookup, RouteRequest, RouterKind};
use crate::services::{Services, Worker};
use crate::snapshot::Snapshot;

/// 2025-11-20 15:47:00.123456 UTC in microseconds.
pub(crate) const STARTED_US: i64 = 1_763_653_620_123_456;

/// A configuration and what requests need beside it.
pub(crate) struct Gateway {
    pub(crate) compiler: Compiler,
    pub(crate) services: Arc<Services>,
    pub(crate) worker: Arc<Worker>,
    revision: u64,
    /// Holds the runtime that the services refer to.
    runtime: Runtime,
}

struct NoNames;

impl Names for NoNames {
    fn lookup(&self, host: Arc<str>) -> Pin<Box<dyn Future<Output = Result<Found, DnsError>> + Send>> {
        Box::pin(async { Err(DnsError::NoAddress(host)) })
    }
}

impl Gateway {
    pub(crate) fn new() -> Self {
        Self::with_router(RouterKind::default())
    }

    pub(crate) fn with_router(router: RouterKind) -> Self {
        Self::with(router, |_| Secrets::default())
    }

    /// A gateway that asks these secret managers, while [`Gateway::read_secrets`] lets it.
    pub(crate) fn with_managers(connect: impl Connect) -> Self {
        let environment = Environment::of(|name| (name == "CANARY").then(|| "canary".to_owned()));
        Self::with(RouterKind::default(), |runtime| {
            Secrets::new(environment, connect, runtime.clone())
        })
    }

    fn with(router: RouterKind, secrets: impl FnOnce(&Handle) -> Secrets) -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let resolver = Resolver::new(NoNames, runtime.handle().clone());
        let origins = Origins::new(TlsClients::new());
        let services = Arc::new(Services {
            uids: Uids::default(),
            counters: Arc::new(LocalCounters::new(16, Instant::now())),
            redis: Redis::new(runtime.handle().clone()),
            balancers: BalancerStates::default(),
            breakers: Breakers::default(),
            checkers: Checkers::new(runtime.handle().clone(), resolver.clone(), origins.clone()),
            records: Arc::new(RecordQueue::new(1)),
            metrics: Arc::new(Metrics::new(MetricsConfig::default()).unwrap()),
            files: FileSinks::start().unwrap(),
            background: runtime.handle().clone(),
            batches: Batches::default(),
            tokens: TokenCounter::default(),
            prices: PriceTable::default(),
            origins,
            background_pool: Pool::new(resolver.clone()),
            resolver: resolver.clone(),
            plugin_attr: Default::default(),
            asked_variables: Box::default(),
            secrets: secrets(runtime.handle()),
            https_ports: Box::default(),
            hostname: Text::from("gw-1"),
        });
        let options = CompilerOptions {
            prefix: "/apisix".to_owned(),
            router,
        };
        Self {
            compiler: Compiler::new(Arc::new(registry()), services.clone(), options),
            worker: Arc::new(Worker::new(Pool::new(resolver))),
            services,
            revision: 0,
            runtime,
        }
    }

    /// Waits for news of secrets, and compiles what refers to them.
    pub(crate) fn read_secrets(&mut self) {
        self.runtime.block_on(self.services.secrets.changed());
        self.compiler.apply_secrets();
    }

    /// Stores a resource; its revision is that of its creation.
    pub(crate) fn put(&mut self, key: &str, value: Value) {
        let change = self.change(key, Some(value));
        self.compiler.apply([change]);
    }

    /// Stores a resource that was created at an earlier revision.
    pub(crate) fn put_again(&mut self, created: u64, key: &str, value: Value) {
        let change = Change {
            created,
            ..self.change(key, Some(value))
        };
        self.compiler.apply([change]);
    }

    pub(crate) fn delete(&mut self, key: &str) {
        let change = self.change(key, None);
        self.compiler.apply([change]);
    }

    pub(crate) fn change(&mut self, key: &str, value: Option<Value>) -> Change {
        self.revision += 1;
        Change {
            key: key.to_owned(),
            value: value.map(Arc::new),
            created: self.revision,
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.compiler.snapshot(self.revision)
    }

    /// The stored route that takes `GET path` on `host`.
    pub(crate) fn route_on(&self, host: &str, path: &str) -> Option<Arc<Route>> {
        let cx = self.context("GET", path);
        let request = RouteRequest {
            path,
            host,
            method: &cx.request.method,
            remote_addr: cx.request.peer.ip(),
            vars: &cx,
        };
        match cx.snapshot.router.find(&request) {
            Lookup::Found(found) => Some(found.target.clone()),
            Lookup::Refused | Lookup::None => None,
        }
    }

    pub(crate) fn route(&self, path: &str) -> Arc<Route> {
        self.route_on("gw.example", path).unwrap()
    }

    /// What is wrong with the resource at `key`.
    pub(crate) fn problem(&self, key: &str) -> Option<String> {
        self.snapshot()
            .problems
            .get(&*format!("/apisix{key}"))
            .map(ToString::to_string)
    }

    pub(crate) fn caller(&self, username: &str) -> Caller {
        let consumer = self.snapshot().consumers.get(username).unwrap().clone();
        Caller {
            consumer,
            credential: None,
        }
    }

    /// What a probe's hook of the access phase says, for each of the steps: `name=tag`.
    pub(crate) fn tags(&self, steps: &[Arc<PluginEntry>]) -> Vec<String> {
        let mut cx = self.context("GET", "/");
        let tag_of = |entry: &Arc<PluginEntry>| {
            assert!(matches!(entry.plugin.access(&mut cx), Step::Done(_)));
            let tag = cx.response_headers.remove(TAG).unwrap();
            format!("{}={}", entry.name, tag.to_str().unwrap())
        };
        steps.iter().map(tag_of).collect()
    }

    /// [`Gateway::tags`] of the access phase of the route at `path`.
    pub(crate) fn route_tags(&self, path: &str) -> Vec<String> {
        self.tags(self.route(path).pipeline.steps(Phase::Access))
    }

    /// A request to `http://gw.example:9080` without headers, body and route.
    pub(crate) fn context(&self, method: &str, uri: &str) -> Context {
        let uri: Uri = uri.parse().unwrap();
        let request = Request {
            method: Method::try_from(method).unwrap(),
            version: Version::HTTP_11,
            headers: HeaderMap::new(),
            body: RequestBody::new(Body::empty()),
            path: Text::from(uri.path()),
            query: uri.query().map(str::to_owned),
            host: Text::from("gw.example"),
            scheme: "http",
            peer: ([10, 0, 0, 7], 50_000).into(),
            local: ([10, 0, 0, 1], 9080).into(),
            head_bytes: 100,
            upgrade: None,
            uri,
        };
        let id = RequestId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let (services, worker) = (self.services.clone(), self.worker.clone());
        let mut cx = Context::new(services, worker, Arc::new(self.snapshot()), id, request);
        cx.started_us = STARTED_US;
        cx
    }
}

pub(crate) fn matched(route: Arc<Route>) -> MatchedRoute {
    MatchedRoute {
        route,
        uri: Text::from("/*"),
        host: None,
        params: Vec::new(),
    }
}

const TAG: &str = "x-tag";

/// Says its tag. Its configuration holds the phases that it takes part in; metadata may add to the tag.
#[derive(Deserialize)]
struct Probe {
    tag: String,
    phases: Vec<String>,
    #[serde(default)]
    breaks: bool,
}

impl Probe {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let mut probe = Self::deserialize(conf)?;
        if probe.breaks {
            return Err(CompileError("told to break".to_owned()));
        }
        if let Some(suffix) = env.metadata.and_then(|metadata| metadata["suffix"].as_str()) {
            probe.tag += suffix;
        }
        Ok(Arc::new(probe))
    }
}

impl Plugin for Probe {
    fn phases(&self) -> Phases {
        let phase = |name: &String| match name.as_str() {
            "rewrite" => Phase::Rewrite,
            "access" => Phase::Access,
            _ => Phase::Log,
        };
        Phases::of(&self.phases.iter().map(phase).collect::<Vec<_>>())
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        cx.response_headers
            .insert(TAG, HeaderValue::from_str(&self.tag).unwrap());
        Step::CONTINUE
    }
}

fn probe(name: &'static str, priority: i32) -> PluginInfo {
    let schema = json!({
        "type": "object",
        "properties": {
            "tag": {"type": "string", "default": "-"},
            "phases": {"type": "array", "default": ["access"]},
            "secret": {"type": "string", "pattern": "^sk-"},
        },
    });
    let metadata = json!({"type": "object", "properties": {"suffix": {"type": "string", "default": "+"}}});
    PluginInfo::new(name, priority, schema)
        .and_then(|info| info.with_metadata_schema(metadata))
        .unwrap()
        .with_encrypted_fields(&["secret"])
}

fn auth(name: &'static str, priority: i32) -> PluginInfo {
    let consumer = json!({"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]});
    probe(name, priority)
        .with_consumer_schema(consumer)
        .unwrap()
        .as_auth("key")
}

/// Probes of several kinds.
fn registry() -> Registry {
    let plugins = [
        auth("key-auth", 2500),
        auth("other-auth", 2400),
        probe("ai-proxy", 1040),
        probe("prometheus", 500),
        probe("a", 30),
        probe("b", 20),
        probe("c", 10),
        probe("only-global", 5).as_global(),
    ];
    let definition = |info| PluginDef {
        info,
        compile: Probe::compile,
    };
    Registry::new(plugins.into_iter().map(definition).collect(), None)
}
