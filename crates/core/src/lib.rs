//! The contract of the data plane: plugins and phases, the request context, failures, the router, and the compiler
//! from stored resources to a snapshot.
//!
//! Stands above the measuring, limiting and networking crates and below everything that runs requests. It knows no
//! listener, no store and no running plugin: of APISIX's plugins the compiler knows by name those that have a rule of
//! their own.
//!
//! A plugin, and the registry through which the compiler finds it:
//!
//! ```
//! use std::sync::Arc;
//!
//! use http::HeaderValue;
//! use serde_json::{Value, json};
//! use sluice_core::{
//!     CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, Registry, Step,
//! };
//! use sluice_resource::{PluginCatalogue, PluginInfo};
//!
//! /// Puts a header on every answer.
//! struct Greeting(HeaderValue);
//!
//! fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
//!     let text = conf["text"].as_str().unwrap_or_default();
//!     let value = HeaderValue::from_str(text).map_err(|error| CompileError(error.to_string()))?;
//!     Ok(Arc::new(Greeting(value)))
//! }
//!
//! impl Plugin for Greeting {
//!     fn phases(&self) -> Phases {
//!         Phases::of(&[Phase::Access])
//!     }
//!
//!     fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
//!         cx.response_headers.insert("x-greeting", self.0.clone());
//!         Step::CONTINUE
//!     }
//! }
//!
//! let schema = json!({"type": "object", "properties": {"text": {"type": "string", "default": "hello"}}});
//! let info = PluginInfo::new("greeting", 100, schema)?;
//! let registry = Registry::new(vec![PluginDef { info, compile }], None);
//! assert_eq!(registry.catalogue().names_by_priority(), ["greeting"]);
//! # Ok::<(), sluice_resource::SchemaCompileError>(())
//! ```

mod ai;
mod cache;
mod capture;
mod certificates;
mod compiler;
mod consumer;
mod context;
mod endpoints;
mod failure;
mod filter;
mod impersonation;
mod limits;
mod logged;
mod models;
mod pipeline;
mod placeholders;
mod plugin;
mod redact;
mod registry;
mod request;
mod route;
mod router;
mod services;
mod snapshot;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod trace;
mod upstream;
mod vars;

pub use self::ai::{AiCall, AiLogging, ModelAccess, Picked, Progress, ProgressState, RenamedModel, Routing};
pub use self::cache::{CacheCall, KeepAnswer, Likeness};
pub use self::capture::{BodyCopy, Captured, Sent};
pub use self::certificates::{Certificate, Certificates, ClientRules, TlsPeer};
pub use self::compiler::{BuiltinRoute, Change, Compiler, CompilerOptions, DryRun, DryRunError};
pub use self::consumer::{Caller, Consumer, ConsumerGroup, Consumers, Identity};
pub use self::context::{
    Answer, Context, GEMINI_KEY, Profile, RateLimitInfo, Trial, UnreadableBody, UpstreamCall,
};
pub use self::endpoints::is_llm_path;
pub use self::failure::{Failure, Fault, Reply, ReplyBody, Retry};
pub use self::filter::{AnswerFilter, AnswerFilters, FilterStep, Flow, WholeAnswer};
pub use self::impersonation::Impersonation;
pub use self::limits::{
    CallerBudgets, CallerLimits, Growth, Hold, Holds, LimitStanding, Measure, Place, Refusals, Subject,
};
pub use self::models::{
    CompileModel, Model, ModelInfo, ModelProvider, ModelRoute, Models, ModelsDef, Providers,
};
pub use self::pipeline::{Pipeline, PluginEntry, PluginSet, Uids};
pub use self::placeholders::Placeholders;
pub use self::plugin::{
    CompileEnv, CompileError, CompileFn, InstanceQuota, Phase, Phases, Plugin, PluginDef, ResponseHead, Step,
    Verdict,
};
pub use self::redact::{KeyPlace, MASK};
pub use self::registry::Registry;
pub use self::request::{ReadBodyError, Request, RequestBody, UpstreamOverrides};
pub use self::route::{MatchedRoute, Route, RouteUpstream, ServiceRef};
pub use self::router::{
    Lookup, Match, Methods, PathError, PathParams, RouteEntry, RouteRequest, Router, RouterKind,
    UnknownMethod, normalize_path, strip_tail_slash,
};
pub use self::services::{Services, Worker};
pub use self::snapshot::{Snapshot, SnapshotCell};
pub use self::trace::{Trace, TraceParent};
pub use self::upstream::{HashKey, Node, NodeSet, Nodes, PassHost, Upstream};
pub use self::vars::{is_variable, version_name};
