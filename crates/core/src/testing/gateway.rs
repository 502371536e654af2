//! A gateway that compiles what a test stores, and the plugins that say what was compiled.

use std::sync::Arc;

use http::HeaderValue;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_record::Text;
use sluice_resource::PluginInfo;
use sluice_secret::{Connect, Environment, Secrets};
use tokio::runtime::{Builder, Handle, Runtime};

use super::Fixture;
use crate::compiler::{Change, Compiler, CompilerOptions};
use crate::consumer::Caller;
use crate::context::Context;
use crate::models::{ModelRoute, ModelsDef};
use crate::pipeline::PluginEntry;
use crate::plugin::{CompileEnv, CompileError, Phase, Phases, Plugin, PluginDef, Step};
use crate::registry::Registry;
use crate::route::{MatchedRoute, Route};
use crate::router::{Lookup, RouteRequest, RouterKind};
use crate::services::{Services, Worker};
use crate::snapshot::Snapshot;

/// A configuration and what requests need beside it.
pub(crate) struct Gateway {
    pub(crate) compiler: Compiler,
    pub(crate) services: Arc<Services>,
    pub(crate) worker: Arc<Worker>,
    revision: u64,
    /// Holds the runtime that the services refer to.
    runtime: Runtime,
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
        let asked = secrets(runtime.handle());
        let fixture = Fixture::with(runtime.handle(), |services| services.secrets = asked);
        let Fixture { services, worker } = fixture;
        let options = CompilerOptions {
            prefix: "/apisix".to_owned(),
            router,
        };
        Self {
            compiler: Compiler::new(Arc::new(registry()), services.clone(), options),
            worker,
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

    /// The providers that a model knew of when it was compiled.
    pub(crate) fn providers_of(&self, model: &str) -> String {
        let mut cx = self.context("GET", "/");
        let model = cx.snapshot.models.find(model).unwrap().clone();
        drop(model.route.pick(&mut cx));
        let providers = cx.response_headers.remove(TAG).unwrap();
        providers.to_str().unwrap().to_owned()
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
        let fixture = Fixture {
            services: self.services.clone(),
            worker: self.worker.clone(),
        };
        fixture.context(Arc::new(self.snapshot()), method, uri)
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
    let registry = Registry::new(plugins.into_iter().map(definition).collect(), None);
    registry.with_models(ModelsDef {
        check: |_, resource| match resource.get("fault") {
            Some(fault) => Err(fault.to_string()),
            None => Ok(()),
        },
        compile_provider: |_, _| Ok(()),
        compile_model: |_, providers, _| {
            let ids = providers.keys().map(ToString::to_string);
            Ok(Arc::new(ModelProbe(ids.collect())))
        },
    })
}

/// A model that knows which providers there were when it was compiled.
struct ModelProbe(Vec<String>);

impl ModelRoute for ModelProbe {
    fn pick<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        cx.response_headers
            .insert(TAG, HeaderValue::from_str(&self.0.join(",")).unwrap());
        Step::CONTINUE
    }

    fn call<'a>(&'a self, _: &'a mut Context) -> Step<'a> {
        Step::CONTINUE
    }

    fn settle(&self, _: &mut Context) {}
}
