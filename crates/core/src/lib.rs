//! The contract of the data plane: plugins and phases, the request context, failures, the router, and the compiler
//! from stored resources to a snapshot.
//!
//! Stands above the measuring, limiting and networking crates and below everything that runs requests. It knows no
//! concrete plugin, no listener and no store.

mod ai;
mod capture;
mod compiler;
mod consumer;
mod context;
mod endpoints;
mod failure;
mod pipeline;
mod plugin;
mod redact;
mod registry;
mod request;
mod route;
mod router;
mod services;
mod snapshot;
mod upstream;
mod vars;

pub use self::ai::{AiCall, AiLogging, Picked, Progress, ProgressState};
pub use self::capture::{BodyCopy, Captured};
pub use self::compiler::{BuiltinRoute, Change, Compiler, CompilerOptions};
pub use self::consumer::{Caller, Consumer, ConsumerGroup, Consumers, Identity};
pub use self::context::{Answer, Context, Profile, RateLimitInfo, Trial};
pub use self::endpoints::is_llm_path;
pub use self::failure::{Failure, Fault, Reply, ReplyBody, Retry};
pub use self::pipeline::{Pipeline, PluginEntry, PluginSet, Uids};
pub use self::plugin::{
    CompileEnv, CompileError, CompileFn, InstanceQuota, Phase, Phases, Plugin, PluginDef, ResponseHead, Step, Verdict,
};
pub use self::redact::{KeyPlace, MASK};
pub use self::registry::Registry;
pub use self::request::{ReadBodyError, Request, RequestBody, UpstreamOverrides};
pub use self::route::{MatchedRoute, Route, RouteUpstream, ServiceRef, UpstreamTimeouts};
pub use self::router::{
    Lookup, Match, Methods, PathError, PathParams, RouteEntry, RouteRequest, Router, RouterKind, UnknownMethod,
    normalize_path, strip_tail_slash,
};
pub use self::services::{Services, Worker};
pub use self::snapshot::{Snapshot, SnapshotCell};
pub use self::upstream::{HashKey, Node, PassHost, Upstream};
pub use self::vars::version_name;
