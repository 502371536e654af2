//! What moderators have in common: which texts they judge, and what becomes of those that are refused (compat §4.10,
//! §4.11). What judges is a [`Classifier`].

mod filter;
mod prompt;
mod refuser;

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{
    AiCall, AnswerFilter, CompileError, Context, Failure, Phase, Phases, Plugin, Step, Verdict, WholeAnswer,
};
use sluice_llm::{ErrorKind, Operation, Protocol, has_known_texts};
use sluice_net::Pool;

use self::filter::ModerationFilter;
pub(crate) use self::prompt::Roles;
pub(crate) use self::refuser::Refuser;
use crate::fail_mode::FailMode;

/// Whose text is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Response,
}

impl Direction {
    /// `request` or `response`, as messages say it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// What a service thinks of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opinion {
    /// `llm_content_risk_level`.
    pub(crate) risk_level: Cow<'static, str>,
    /// What the client is told, if the text must not pass and no message is configured.
    pub(crate) denied: Option<String>,
}

pub(crate) type Judging<'a> = Pin<Box<dyn Future<Output = Result<Opinion, String>> + Send + 'a>>;

/// A service that judges texts.
pub(crate) trait Classifier: Send + Sync + 'static {
    /// Judges a text of any length. The error is a text for logs, and for clients where errors refuse.
    fn judge<'a>(&'a self, pool: &'a Pool, direction: Direction, text: &'a str) -> Judging<'a>;
}

/// How streams are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StreamMode {
    /// As they pass; what is found ends them.
    Realtime,
    /// When they have passed; what is found is noted.
    FinalPacket,
}

/// What becomes of texts that the service could not judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unjudged {
    /// They pass.
    Pass,
    /// Whole ones are refused; streams, which are under way, pass.
    RefuseWhole,
    /// They are refused, and streams that are judged as they pass end.
    Refuse,
}

/// Members that all moderators have.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Settings {
    pub(crate) check_request: bool,
    pub(crate) check_response: bool,
    request_check_mode: CheckMode,
    request_check_roles: Vec<String>,
    stream_check_mode: StreamMode,
    stream_check_cache_size: usize,
    stream_check_interval: f64,
    deny_code: u16,
    deny_message: Option<String>,
    fail_mode: FailMode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckMode {
    Last,
    All,
}

/// What differs in the schemas of moderators.
pub(crate) struct SchemaDefaults {
    pub(crate) mode: &'static str,
    pub(crate) roles: &'static [&'static str],
    pub(crate) default_roles: &'static [&'static str],
}

impl Settings {
    /// Their part of a schema.
    pub(crate) fn properties(defaults: &SchemaDefaults) -> Map<String, Value> {
        let properties = json!({
            "check_request": { "type": "boolean", "default": true },
            "check_response": { "type": "boolean", "default": false },
            "request_check_mode": { "type": "string", "enum": ["last", "all"], "default": defaults.mode },
            "request_check_roles": {
                "type": "array", "minItems": 1,
                "items": { "type": "string", "enum": defaults.roles },
                "default": defaults.default_roles,
            },
            "stream_check_mode": {
                "type": "string", "enum": ["realtime", "final_packet"], "default": "final_packet",
            },
            "stream_check_cache_size": { "type": "integer", "minimum": 1, "default": 128 },
            "stream_check_interval": { "type": "number", "minimum": 0.1, "default": 3 },
            "deny_code": { "type": "integer", "minimum": 200, "maximum": 599, "default": 200 },
            "deny_message": { "type": "string" },
            "fail_mode": FailMode::schema(),
        });
        match properties {
            Value::Object(properties) => properties,
            _ => Map::new(),
        }
    }
}

/// A moderator as a plugin.
pub(crate) struct Moderation<C> {
    name: &'static str,
    shared: Arc<Shared<C>>,
}

/// What the plugin and its filters share.
struct Shared<C> {
    classifier: C,
    settings: Settings,
    roles: Roles,
    deny_code: StatusCode,
    unjudged: Unjudged,
    interval: Duration,
}

impl<C: Classifier> Moderation<C> {
    /// A moderator.
    pub(crate) fn new(
        name: &'static str,
        classifier: C,
        conf: &Value,
        unjudged: Unjudged,
    ) -> Result<Self, CompileError> {
        let settings = Settings::deserialize(conf)?;
        Ok(Self {
            name,
            shared: Arc::new(Shared {
                classifier,
                roles: Roles::new(&settings.request_check_roles),
                deny_code: StatusCode::from_u16(settings.deny_code)
                    .map_err(|error| CompileError(error.to_string()))?,
                unjudged,
                interval: Duration::try_from_secs_f64(settings.stream_check_interval)
                    .map_err(|error| CompileError(error.to_string()))?,
                settings,
            }),
        })
    }

    async fn judge_request(&self, cx: &mut Context) -> Verdict {
        let shared = &*self.shared;
        let Some(ai) = cx.ai.as_deref_mut() else {
            let name = self.name;
            let reason = format!(
                "no ai instance picked, {name} plugin must be used with ai-proxy or ai-proxy-multi plugin"
            );
            return self.unjudged(&reason);
        };
        if !is_judged(ai.protocol) {
            let reason = format!("unsupported protocol: {}", ai.protocol);
            return self.unjudged(&reason);
        }
        ai.keeps_raw_usage |= shared.settings.check_response;
        if !shared.settings.check_request {
            return Verdict::Continue;
        }
        if ai.protocol.operation() == Operation::Embed && !shared.roles.has("user") {
            let protocol = ai.protocol;
            let reason = format!("protocol {protocol} cannot moderate the configured request_check_roles");
            return self.unjudged(&reason);
        }
        let Some(body) = ai.judged_body() else {
            return Verdict::Continue;
        };
        if let Some(reason) = unreadable(ai.protocol, &body) {
            return self.unjudged(reason);
        }
        let text = prompt::text(
            ai.protocol,
            &body,
            shared.roles,
            shared.settings.request_check_mode,
        );
        if text.is_empty() {
            return Verdict::Continue;
        }
        let judged = shared
            .classifier
            .judge(&cx.worker.pool, Direction::Request, &text)
            .await;
        match judged {
            Ok(opinion) => self.conclude(cx, opinion),
            Err(error) => {
                tracing::error!(plugin = self.name, %error, "request could not be judged");
                if shared.unjudged == Unjudged::Pass {
                    return Verdict::Continue;
                }
                refused_by_error(error).into()
            }
        }
    }

    fn conclude(&self, cx: &Context, opinion: Opinion) -> Verdict {
        let Some(ai) = cx.ai.as_deref() else {
            return Verdict::Continue;
        };
        note_risk(ai, &opinion);
        match opinion.denied {
            Some(reason) => {
                let text = self.shared.message(&reason);
                Refuser::of(ai)
                    .reply(
                        sluice_exchange::client_framing(cx),
                        cx.profile,
                        self.shared.deny_code,
                        text,
                    )
                    .into()
            }
            None => Verdict::Continue,
        }
    }

    fn unjudged(&self, reason: &str) -> Verdict {
        self.shared
            .settings
            .fail_mode
            .verdict(self.name, reason, |reason| {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Failure::new(status, ErrorKind::Internal, "not_moderated", reason.to_owned())
                    .apisix_text(reason.to_owned())
            })
    }
}

impl<C> Shared<C> {
    /// What the client is told.
    fn message<'a>(&'a self, reason: &'a str) -> &'a str {
        self.settings.deny_message.as_deref().unwrap_or(reason)
    }
}

/// Whether there is a way to say no in a protocol.
pub(crate) fn is_moderated(protocol: Protocol) -> bool {
    matches!(
        protocol.operation(),
        Operation::Chat | Operation::Embed | Operation::Rerank
    ) || protocol == Protocol::OpenAiObjects
}

/// Why a body cannot be judged, if it cannot.
pub(crate) fn unreadable(protocol: Protocol, body: &[u8]) -> Option<&'static str> {
    (!has_known_texts(protocol, body)).then_some("a file that is no lines of JSON cannot be judged")
}

/// The same of a success.
pub(crate) fn unreadable_answer(answer: &WholeAnswer) -> Option<&'static str> {
    let reason = unreadable(answer.protocol, &answer.body)?;
    answer.status.is_success().then_some(reason)
}

/// Whether prompts in that protocol are judged: also those for pictures and speech, whose answers are not.
pub(crate) fn is_judged(protocol: Protocol) -> bool {
    is_moderated(protocol) || protocol == Protocol::OpenAiMedia
}

/// 500 with the service's error, as APISIX answers.
fn refused_by_error(error: String) -> Failure {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let message = "the content could not be moderated";
    Failure::new(status, ErrorKind::Upstream, "moderation_failed", message).apisix_text(error)
}

fn note_risk(ai: &AiCall, opinion: &Opinion) {
    let level = (&*opinion.risk_level).into();
    ai.progress.update(|state| state.risk_level = Some(level));
}

impl<C: Classifier> Plugin for Moderation<C> {
    fn phases(&self) -> Phases {
        if self.shared.settings.check_response {
            Phases::of(&[Phase::Access, Phase::AiEvent])
        } else {
            Phases::of(&[Phase::Access])
        }
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        Step::wait(self.judge_request(cx))
    }

    fn answer_filter(&self, cx: &mut Context) -> Option<Box<dyn AnswerFilter>> {
        let worker = cx.worker.clone();
        let ai = cx.ai.as_deref()?;
        is_moderated(ai.protocol).then(|| {
            Box::new(ModerationFilter::new(self.name, self.shared.clone(), worker, ai))
                as Box<dyn AnswerFilter>
        })
    }
}
