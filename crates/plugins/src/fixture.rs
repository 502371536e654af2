//! Requests for the tests of this crate.

use std::sync::Arc;

use serde_json::Value;
use sluice_core::{
    AiCall, AiLogging, CompileEnv, CompileError, Compiler, CompilerOptions, Context, MatchedRoute, Picked,
    Pipeline, Plugin, PluginDef, PluginSet, Profile, Progress, Registry, Route, RouteUpstream, RouterKind,
    ServiceRef, Services, Snapshot, Worker, testing as core,
};
use sluice_llm::{Protocol, RequestView};
use sluice_record::{Attempt, Ended, Record, ResponseSource, Text};
use sluice_resource::{CheckScope, SchemaCompileError};
use tokio::runtime::Handle;

/// A gateway without configuration, on the runtime of the test.
pub(crate) struct Fixture {
    pub(crate) services: Arc<Services>,
    /// Metadata of the plugins that are compiled.
    pub(crate) metadata: Option<Value>,
    worker: Arc<Worker>,
    snapshot: Arc<Snapshot>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A gateway whose services a test changes to its needs.
    pub(crate) fn with(change: impl FnOnce(&mut Services)) -> Self {
        let core::Fixture { services, worker } = core::Fixture::with(&Handle::current(), change);
        let registry = Arc::new(Registry::new(Vec::new(), None));
        let options = CompilerOptions {
            prefix: "/apisix".to_owned(),
            router: RouterKind::default(),
        };
        let snapshot = Compiler::new(registry, services.clone(), options).snapshot(1);
        Self {
            services,
            metadata: None,
            worker,
            snapshot: Arc::new(snapshot),
        }
    }

    /// Checks a configuration and compiles it, as if it stood on route 1.
    pub(crate) fn compile(
        &self,
        definition: fn() -> Result<PluginDef, SchemaCompileError>,
        conf: &Value,
    ) -> Result<Arc<dyn Plugin>, CompileError> {
        let PluginDef { info, compile } = definition().unwrap();
        let conf = info.checked(conf, CheckScope::Main).map_err(CompileError)?;
        self.with_env(|env| compile(&conf, env))
    }

    pub(crate) fn with_env<T>(&self, f: impl FnOnce(&CompileEnv<'_>) -> T) -> T {
        let owner = Text::from("/apisix/routes/1");
        f(&CompileEnv {
            owner: &owner,
            metadata: self.metadata.as_ref(),
            services: &self.services,
            is_dry_run: false,
        })
    }

    /// A request to `http://gw.example:9080` without headers, body and route.
    pub(crate) fn context(&self, method: &str, uri: &str) -> Context {
        let fixture = core::Fixture {
            services: self.services.clone(),
            worker: self.worker.clone(),
        };
        fixture.context(self.snapshot.clone(), method, uri)
    }

    /// The record of a request that was answered by an upstream after 230.5 of 250 ms.
    pub(crate) fn record(&self, cx: &Context) -> Record {
        let matched = cx.route.as_ref().map(|matched| &matched.route);
        Record {
            id: cx.id,
            started_us: cx.started_us,
            duration_us: 250_000,
            upstream_us: 230_500,
            method: cx.request.method.clone(),
            scheme: cx.request.scheme,
            host: cx.request.host.clone(),
            request_uri: Text::from(""),
            uri: cx.request.path.clone(),
            http_version: "HTTP/1.1",
            user_agent: None,
            referer: None,
            client: cx.request.peer,
            request_bytes: 120,
            response_bytes: 340,
            body_bytes: 300,
            status: 200,
            source: ResponseSource::Upstream,
            ended: Ended::Complete,
            route_id: matched.map(|route| route.id.clone()),
            route_name: None,
            service_id: matched
                .and_then(|route| route.service.as_ref())
                .map(|service| service.id.clone()),
            service_name: None,
            matched_uri: None,
            matched_host: None,
            consumer: cx.consumer_name().cloned(),
            consumer_group: None,
            credential: None,
            node: None,
            attempts: vec![
                Attempt {
                    addr: Text::from("10.1.0.1:80"),
                    status: 502,
                    time_us: 500,
                },
                Attempt {
                    addr: Text::from("10.1.0.2:80"),
                    status: 200,
                    time_us: 230_000,
                },
            ],
            prometheus: None,
            asked: Box::default(),
            ai: None,
            cache: None,
            error: None,
            payload: None,
        }
    }
}

/// Route 1, of the given service.
pub(crate) fn route(service: Option<&str>) -> MatchedRoute {
    let route = Route {
        uid: 1,
        id: Text::from("1"),
        name: None,
        service: service.map(|id| ServiceRef {
            id: Text::from(id),
            name: None,
        }),
        pipeline: Arc::new(Pipeline::new(PluginSet::default())),
        upstream: RouteUpstream::None,
        timeout: None,
        websocket: false,
        profile: Profile::Apisix,
        llm_endpoint: false,
        dangling: None,
    };
    MatchedRoute {
        route: Arc::new(route),
        uri: Text::from("/*"),
        host: None,
        params: Vec::new(),
    }
}

/// A chat call with this body, before anything was sent.
pub(crate) fn chat(body: &'static str, logging: AiLogging) -> Box<AiCall> {
    Box::new(AiCall {
        form: None,
        protocol: Protocol::OpenAiChat,
        stream: false,
        model_asked: Text::from("gpt"),
        request: Some(RequestView::parse(body.into()).unwrap()),
        tool_count: 2,
        end_user: Some(Text::from("u1")),
        model: Text::from("gpt"),
        routing: None,
        picked: Picked {
            price: None,
            index: 0,
            name: Text::from("ai-proxy-openai"),
            provider: "openai",
            owner: "ai-proxy",
            model: None,
            settings: Text::from(""),
        },
        model_sent: None,
        keeps_raw_usage: false,
        logging,
        active: None,
        progress: Arc::new(Progress::default()),
        placeholders: None,
    })
}
