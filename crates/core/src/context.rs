//! What travels through the phases.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value};
use sluice_limit::{PlaceGuard, Turn};
use sluice_llm::{Dialect, Protocol, RequestView};
use sluice_net::Origin;
use sluice_record::{Ended, RequestId, ResponseSource, Text};
use sluice_resource::Expr;
use sluice_upstream::InFlightGuard;
use sluice_wire::{FormError, FormView, JsonError};
use smallvec::SmallVec;

use crate::ai::{AiCall, RenamedModel};
use crate::cache::CacheCall;
use crate::capture::Captured;
use crate::consumer::Caller;
use crate::limits::Holds;
use crate::pipeline::{Pipeline, PluginEntry};
use crate::redact::KeyPlace;
use crate::request::{Request, UpstreamOverrides};
use crate::route::MatchedRoute;
use crate::services::{Services, Worker};
use crate::snapshot::Snapshot;
use crate::trace::Trace;
use crate::upstream::Upstream;
use crate::vars::BODY_MAX;

/// Header in which Gemini's clients send their key.
pub const GEMINI_KEY: &str = "x-goog-api-key";

const CONSUMER_USERNAME: HeaderName = HeaderName::from_static("x-consumer-username");
const CREDENTIAL_IDENTIFIER: HeaderName = HeaderName::from_static("x-credential-identifier");
const CONSUMER_CUSTOM_ID: HeaderName = HeaderName::from_static("x-consumer-custom-id");

/// How answers are shaped (DESIGN §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// As APISIX, to the letter.
    #[default]
    Apisix,
    /// In the client's dialect, lossless.
    Native,
}

/// Why a body cannot take the place of another.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableBody {
    /// It is no JSON.
    #[error(transparent)]
    Json(JsonError),
    /// It does not hold the texts of a form.
    #[error("no texts of a form: {0}")]
    Texts(serde_json::Error),
    /// The form with these texts is none.
    #[error(transparent)]
    Form(FormError),
}

/// The texts of a form, as [`AiCall::judged_body`] gives them.
fn texts_of(body: &[u8]) -> Result<Vec<String>, UnreadableBody> {
    #[derive(serde::Deserialize)]
    struct Texts {
        prompt: Vec<String>,
    }
    let texts: Texts = serde_json::from_slice(body).map_err(UnreadableBody::Texts)?;
    Ok(texts.prompt)
}

/// A request on its way, with everything known of it. Owned by the phase loop, lent to each plugin in turn.
pub struct Context {
    /// What outlives configurations.
    pub services: Arc<Services>,
    /// What belongs to the thread that serves the request.
    pub worker: Arc<Worker>,
    /// The configuration that the request began with, and keeps.
    pub snapshot: Arc<Snapshot>,
    /// Identity.
    pub id: RequestId,
    /// When its first byte was read.
    pub started: Instant,
    /// The same as microseconds since the Unix epoch.
    pub started_us: i64,
    /// What the client sent.
    pub request: Request,
    /// What plugins want of the upstream request.
    pub overrides: UpstreamOverrides,
    /// The route, once matched.
    pub route: Option<MatchedRoute>,
    /// Where the request goes instead of the route's upstream, if a plugin chose so.
    pub upstream: Option<Arc<Upstream>>,
    /// The plugins that the request runs; the route's, after authentication merged with the caller's.
    pub pipeline: Arc<Pipeline>,
    /// Who called, once authenticated.
    pub caller: Option<Caller>,
    /// Where the auth plugin that looked for a key found one: logs mask what stands there.
    pub key_place: Option<KeyPlace>,
    /// Whether the caller's key came as Gemini's clients send it, and was taken out of the request.
    pub has_gemini_key: bool,
    /// How answers are shaped.
    pub profile: Profile,
    /// The model that a plugin put in the place of the one asked for, before there is an AI call.
    pub renamed_model: Option<Box<RenamedModel>>,
    /// The AI call, if it is one.
    pub ai: Option<Box<AiCall>>,
    /// What a cache of answers does for the request, once one has seen it.
    pub cache: Option<CacheCall>,
    /// Upstream attempts so far.
    pub attempts: Vec<Trial>,
    /// What was asked of the upstream in the last attempt.
    pub upstream_call: Option<UpstreamCall>,
    /// Counts the last attempt as under way at its node, where the balancer wants to know.
    pub in_flight: Option<Box<InFlightGuard>>,
    /// What metrics call `node`.
    pub node: Option<Text>,
    /// Headers for the answer, whoever makes it: they replace same-named ones.
    pub response_headers: HeaderMap,
    /// The trace that the request belongs to, once a plugin has joined or begun one.
    pub trace: Option<Trace>,
    /// Value of `apisix_request_id`, once a plugin or listener set it.
    pub request_id: Option<Text>,
    /// Claims of the caller's token, if `jwt-auth` is to keep them (`store_in_ctx`): for plugins that run after it.
    pub jwt_auth_payload: Option<Box<Map<String, Value>>>,
    /// Places that the request holds in limits on requests under way.
    pub places: Vec<PlaceGuard>,
    /// What it holds in limits that reserve and settle.
    pub holds: Option<Box<Holds>>,
    /// Its slot at an upstream that takes so many requests at once, once its turn has come.
    pub turn: Option<Box<Turn>>,
    /// What the last limit said, for `$rate_limiting_info`.
    pub rate_limit: Option<RateLimitInfo>,
    /// Set by the `prometheus` plugin: whether metrics prefer names to ids.
    pub prometheus: Option<bool>,
    /// What is known of the answer.
    pub answer: Answer,
    /// Set by plugins whose log phase reads the headers of the answer.
    pub keeps_answer_headers: bool,
    /// Set by plugins whose log phase reads the text of an AI answer, before the provider is called.
    pub keeps_answer_text: bool,
    /// Set for clients whose payloads are logged, before the provider is called: what was sent and came back goes into the
    /// record.
    pub keeps_payload: bool,
    /// Copies of bodies that plugins of the log phase asked for.
    pub captured: Captured,
    /// By the expression's address, which is that of the snapshot's own.
    decided: SmallVec<[(usize, bool); 2]>,
}

/// An attempt at an upstream.
#[derive(Clone, Debug)]
pub struct Trial {
    /// `host:port` that was tried.
    pub addr: Text,
    /// Status it answered; 502 or 504 when it did not answer.
    pub status: u16,
    /// When it began.
    pub started: Instant,
    /// When it ended; `None` while its answer is being relayed.
    pub ended: Option<Instant>,
}

impl Trial {
    /// Time that it took, as far as it has come.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.ended
            .unwrap_or_else(Instant::now)
            .saturating_duration_since(self.started)
    }
}

/// What was asked of an upstream, for the variables that tell it.
#[derive(Clone, Debug)]
pub struct UpstreamCall {
    /// Whom.
    pub origin: Arc<Origin>,
    /// `Host` as sent, where it is not the origin's own.
    pub host: Option<HeaderValue>,
    /// Path and query as sent.
    pub target: PathAndQuery,
}

/// The answer's side of a request.
#[derive(Debug, Default)]
pub struct Answer {
    /// Its status; 0 until known.
    pub status: u16,
    /// Who made it.
    pub source: ResponseSource,
    /// Bytes of its head.
    pub head_bytes: u64,
    /// Bytes of its body so far.
    pub body_bytes: u64,
    /// How it ended.
    pub ended: Ended,
    /// Code of the failure, if it is one.
    pub error: Option<&'static str>,
    /// Its headers, kept only when a plugin of the log phase may read them.
    pub headers: Option<HeaderMap>,
}

/// See [`Context::rate_limit`]; printed as compat §2.4 says.
#[derive(Clone, Debug)]
pub struct RateLimitInfo {
    /// The key that was counted.
    pub key: String,
    /// The limit.
    pub limit: u64,
    /// What is left.
    pub remaining: u64,
    /// Seconds until the window ends.
    pub reset: f64,
}

impl Context {
    /// A request at its start: no route, no caller, global plugins only.
    #[must_use]
    pub fn new(
        services: Arc<Services>,
        worker: Arc<Worker>,
        snapshot: Arc<Snapshot>,
        id: RequestId,
        request: Request,
    ) -> Self {
        let pipeline = snapshot.empty_pipeline.clone();
        let keeps_answer_text = services
            .asked_variables
            .iter()
            .any(|name| &**name == "llm_response_text");
        Self {
            services,
            worker,
            snapshot,
            id,
            started: Instant::now(),
            started_us: unix_micros(),
            request,
            overrides: UpstreamOverrides::default(),
            route: None,
            upstream: None,
            pipeline,
            caller: None,
            key_place: None,
            has_gemini_key: false,
            jwt_auth_payload: None,
            profile: Profile::Apisix,
            renamed_model: None,
            ai: None,
            cache: None,
            attempts: Vec::new(),
            upstream_call: None,
            in_flight: None,
            node: None,
            response_headers: HeaderMap::new(),
            trace: None,
            request_id: None,
            places: Vec::new(),
            holds: None,
            turn: None,
            rate_limit: None,
            prometheus: None,
            answer: Answer::default(),
            keeps_answer_headers: false,
            keeps_answer_text,
            keeps_payload: false,
            captured: Captured::default(),
            decided: SmallVec::new(),
        }
    }

    /// The API family that the client takes the gateway for.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        let taken = if self.has_gemini_key { GEMINI_KEY } else { "" };
        Dialect::by(&self.request.path, |name| {
            name == taken || self.request.headers.contains_key(name)
        })
    }

    /// Whether an entry takes part: its `_meta.filter` lets it, and no instance of the route replaces that of a global
    /// rule (compat §3.1).
    pub fn runs(&mut self, entry: &PluginEntry, is_global: bool) -> bool {
        let replaced = is_global && entry.prefers_route && self.pipeline.plugins().get(entry.name).is_some();
        !replaced && self.passes_filter(entry)
    }

    /// Whether an entry's `_meta.filter` lets it run.
    pub fn passes_filter(&mut self, entry: &PluginEntry) -> bool {
        entry.filter.as_ref().is_none_or(|filter| self.holds(filter))
    }

    /// Reads the body for what looks into it: `post_arg…` and `graphql_…`. Of one that is too large or breaks off, those
    /// have no value.
    pub async fn read_body_for_variables(&mut self) {
        if let Err(error) = self.request.body.read(BODY_MAX).await {
            tracing::debug!(%error, "variables of the request body have no value");
        }
    }

    /// Whether an expression of the configuration holds; decided once per request, so that all phases agree.
    pub fn holds(&mut self, expr: &Expr) -> bool {
        let id = std::ptr::from_ref(expr).addr();
        if let Some((_, held)) = self.decided.iter().find(|(known, _)| *known == id) {
            return *held;
        }
        let holds = expr.eval(self);
        self.decided.push((id, holds));
        holds
    }

    /// Attaches the caller and tells the upstream who it is (compat §3.4). What the client sent under these names is
    /// overwritten or removed.
    pub fn attach(&mut self, caller: Caller) {
        let headers = &mut self.request.headers;
        headers.insert(CONSUMER_USERNAME, caller.consumer.username_header.clone());
        let credential = caller
            .credential
            .as_deref()
            .and_then(|id| HeaderValue::from_str(id).ok());
        for (name, value) in [
            (CREDENTIAL_IDENTIFIER, credential),
            (CONSUMER_CUSTOM_ID, caller.consumer.custom_id.clone()),
        ] {
            match value {
                Some(value) => headers.insert(name, value),
                None => headers.remove(name),
            };
        }
        self.caller = Some(caller);
    }

    /// Replaces the body of a request that is an AI call already: what goes upstream, what is counted and what is logged.
    ///
    /// # Errors
    /// When `body` is not JSON that can be read; nothing is changed.
    pub fn replace_ai_body(&mut self, body: Bytes) -> Result<(), JsonError> {
        let view = RequestView::parse(body.clone())?;
        if let Some(ai) = self.ai.as_deref_mut() {
            ai.request = Some(view);
        }
        self.request.body.replace(body);
        Ok(())
    }

    /// Replaces what [rules on content judge](AiCall::judged_body): the body, or the texts of a form.
    ///
    /// # Errors
    /// When `body` is not what was to be judged, with other texts; nothing is changed.
    pub fn replace_judged_body(&mut self, body: Bytes) -> Result<(), UnreadableBody> {
        let Some(form) = self.ai.as_deref().and_then(|ai| ai.form.as_ref()) else {
            return self.replace_ai_body(body).map_err(UnreadableBody::Json);
        };
        let changed = match self.ai.as_deref().map(|ai| ai.protocol) {
            Some(Protocol::OpenAiObjects) => form.with_file(&body),
            _ => form.with_texts(&texts_of(&body)?),
        };
        let content_type = self.request.header("content-type").unwrap_or_default();
        let form = FormView::parse(content_type, changed.clone()).map_err(UnreadableBody::Form)?;
        if let Some(ai) = self.ai.as_deref_mut() {
            ai.form = Some(form);
        }
        self.request.body.replace(changed);
        Ok(())
    }

    /// The consumer's name, if one is known.
    #[must_use]
    pub fn consumer_name(&self) -> Option<&Text> {
        self.caller.as_ref().map(|caller| &caller.consumer.username)
    }

    /// The time since the request began, in seconds.
    #[must_use]
    pub fn elapsed_seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Status of the answer as variables show it.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.answer.status).ok()
    }
}

fn unix_micros() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
