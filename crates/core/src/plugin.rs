//! The plugin contract: what a plugin is, when it is called, and what it may answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use serde_json::Value;
use sluice_net::Body;
use sluice_record::{Record, Text};
use sluice_resource::PluginInfo;

use crate::ai::ModelAccess;
use crate::compiler::compile_at;
use crate::context::Context;
use crate::failure::{Failure, Reply};
use crate::filter::AnswerFilter;
use crate::limits::CallerLimits;
use crate::services::Services;
use crate::upstream::Upstream;

/// The phases of a request, in the order they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before anything is known of the caller; auth plugins find out here.
    Rewrite,
    /// The caller is known; the request may still be refused or answered.
    Access,
    /// All have agreed; the request may have to wait for its turn at the upstream.
    Queue,
    /// Last step before the upstream; AI plugins call the provider here.
    BeforeProxy,
    /// An AI answer has arrived; guards may change it, whole or event by event.
    AiEvent,
    /// The head of the answer is known and may be changed.
    ResponseHead,
    /// The body of the answer may be wrapped.
    ResponseBody,
    /// Everything is known; local limits are charged before the last byte is released.
    Settle,
    /// The request is over.
    Log,
}

/// A set of [`Phase`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases(u16);

impl Phases {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// The set of the given phases.
    #[must_use]
    pub const fn of(phases: &[Phase]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < phases.len() {
            bits |= 1 << phases[i] as u8;
            i += 1;
        }
        Self(bits)
    }

    /// Whether `phase` is in the set.
    #[must_use]
    pub const fn has(self, phase: Phase) -> bool {
        self.0 & (1 << phase as u8) != 0
    }
}

/// What a plugin decided.
#[derive(Debug)]
pub enum Verdict {
    /// Go on with the next plugin.
    Continue,
    /// End the request with this answer.
    Reply(Box<Reply>),
    /// End the request with this failure.
    Fail(Box<Failure>),
}

impl From<Failure> for Verdict {
    fn from(failure: Failure) -> Self {
        Self::Fail(Box::new(failure))
    }
}

impl From<Box<Failure>> for Verdict {
    fn from(failure: Box<Failure>) -> Self {
        Self::Fail(failure)
    }
}

impl From<Reply> for Verdict {
    fn from(reply: Reply) -> Self {
        Self::Reply(Box::new(reply))
    }
}

/// The result of a hook: most are decided at once, some have to wait.
pub enum Step<'a> {
    /// Decided; costs no allocation.
    Done(Verdict),
    /// Decided when the future ends.
    Wait(Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>),
}

impl<'a> Step<'a> {
    /// Go on.
    pub const CONTINUE: Step<'static> = Step::Done(Verdict::Continue);

    /// A step that waits for `future`.
    pub fn wait(future: impl Future<Output = Verdict> + Send + 'a) -> Self {
        Self::Wait(Box::pin(future))
    }
}

impl From<Failure> for Step<'_> {
    fn from(failure: Failure) -> Self {
        Self::Done(failure.into())
    }
}

impl From<Box<Failure>> for Step<'_> {
    fn from(failure: Box<Failure>) -> Self {
        Self::Done(failure.into())
    }
}

impl From<Reply> for Step<'_> {
    fn from(reply: Reply) -> Self {
        Self::Done(reply.into())
    }
}

/// The head of the answer while plugins may change it.
#[derive(Debug)]
pub struct ResponseHead {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
}

/// A configured plugin: compiled once per resource that carries it, shared by all requests.
///
/// Hooks are called only for the phases that [`Plugin::phases`] names.
pub trait Plugin: Send + Sync + 'static {
    /// The phases that this instance takes part in.
    fn phases(&self) -> Phases;

    /// See [`Phase::Rewrite`].
    fn rewrite<'a>(&'a self, _cx: &'a mut Context) -> Step<'a> {
        Step::CONTINUE
    }

    /// See [`Phase::Access`].
    fn access<'a>(&'a self, _cx: &'a mut Context) -> Step<'a> {
        Step::CONTINUE
    }

    /// See [`Phase::Queue`].
    fn queue<'a>(&'a self, _cx: &'a mut Context) -> Step<'a> {
        Step::CONTINUE
    }

    /// See [`Phase::BeforeProxy`].
    fn before_proxy<'a>(&'a self, _cx: &'a mut Context) -> Step<'a> {
        Step::CONTINUE
    }

    /// See [`Phase::AiEvent`]. Called once per AI answer, when its head has arrived; `None` lets it pass.
    fn answer_filter(&self, _cx: &mut Context) -> Option<Box<dyn AnswerFilter>> {
        None
    }

    /// See [`Phase::ResponseHead`].
    fn response_head(&self, _cx: &mut Context, _head: &mut ResponseHead) {}

    /// See [`Phase::ResponseBody`].
    fn response_body(&self, _cx: &mut Context, body: Body) -> Body {
        body
    }

    /// See [`Phase::Settle`]. Runs once, on every exit.
    fn settle(&self, _cx: &mut Context) {}

    /// See [`Phase::Log`]. Runs once, on every exit, after `settle`.
    fn log(&self, _cx: &Context, _record: &Record) {}

    /// Whether metrics show names of routes and services instead of their ids: what `prometheus` is configured to.
    fn prefers_names(&self) -> bool {
        false
    }

    /// Which models this plugin lets a caller use, if that is what it does: what lists of models ask.
    fn model_access(&self) -> Option<&dyn ModelAccess> {
        None
    }

    /// The limits on callers that this plugin keeps, if it does: what the dashboard asks.
    fn caller_limits(&self) -> Option<&dyn CallerLimits> {
        None
    }

    /// The quota per AI instance that this plugin keeps, if it does: what rate-limit-aware picking asks.
    fn instance_quota(&self) -> Option<&dyn InstanceQuota> {
        None
    }
}

/// A quota per AI instance (compat §4.3, "rate-limit aware").
pub trait InstanceQuota {
    /// Whether `instance` has quota left. Sets the quota headers of every instance that was asked for.
    fn has_quota<'a>(
        &'a self,
        cx: &'a mut Context,
        instance: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
}

/// What a plugin is compiled with.
pub struct CompileEnv<'a> {
    /// Key of the resource that carries the configuration, for example `/apisix/routes/1`.
    pub owner: &'a Text,
    /// The `plugin_metadata` of this plugin, if there is one.
    pub metadata: Option<&'a Value>,
    /// What outlives configurations.
    pub services: &'a Arc<Services>,
    /// Whether the plugin is compiled only to see whether it can be: then nothing outside of it may change.
    pub is_dry_run: bool,
}

impl CompileEnv<'_> {
    /// An upstream that stands in the plugin's configuration. `place` tells it from others of the same owner: its
    /// balancer keeps its position as long as place and nodes stay. A name that does not resolve stays a node
    /// (compat §6.8.1).
    ///
    /// # Errors
    /// When a node or a host is none.
    pub fn upstream(&self, place: &str, value: &Value) -> Result<Arc<Upstream>, CompileError> {
        let owner = Text::from(format!("{}/{place}", self.owner));
        compile_at(self.services, &owner, value)
            .map(Arc::new)
            .map_err(CompileError)
    }
}

/// Why a configuration that holds its schema cannot be run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CompileError(pub String);

impl From<serde_json::Error> for CompileError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// Compiles a configuration, defaults applied, into a plugin.
pub type CompileFn = fn(&Value, &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError>;

/// Everything the gateway knows about a plugin: the one line of the registry.
pub struct PluginDef {
    /// Name, priority, schemas, secret fields: what the Admin API needs.
    pub info: PluginInfo,
    /// Builds the running form.
    pub compile: CompileFn,
}
