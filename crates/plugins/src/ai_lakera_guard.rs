//! `ai-lakera-guard`: Lakera judges conversations (compat §4.12).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    AnswerFilter, CompileEnv, CompileError, Context, Failure, FilterStep, Flow, Phase, Phases, Plugin,
    PluginDef, Step, Verdict, WholeAnswer, Worker,
};
use sluice_llm::{
    ErrorKind, Framing, PromptMessage, StreamEvent, TextKind, answer_texts, event_texts, prompt_messages,
};
use sluice_net::Pool;
use sluice_resource::{PluginInfo, SchemaCompileError};

use crate::callout::{Callout, CalloutConfig};
use crate::fail_mode::FailMode;
use crate::moderation::{Refuser, is_judged, is_moderated, unreadable, unreadable_answer};

const NAME: &str = "ai-lakera-guard";
/// What a client gets for every chunk that is withheld: a comment, so that it sees that the stream lives. Framings
/// without comments get nothing.
const WITHHELD: &[u8] = b":\n\n";
/// Most bytes of a stream that are withheld. A longer one cannot be judged, and is treated as any that cannot.
const HELD_MAX: usize = 64 << 20;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "api_key": { "type": "string", "minLength": 1 },
            "lakera_endpoint": {
                "type": "string", "pattern": "^https?://", "default": "https://api.lakera.ai/v2/guard",
            },
            "project_id": { "type": "string", "minLength": 1 },
            "direction": { "type": "string", "enum": ["input", "output", "both"], "default": "input" },
            "action": { "type": "string", "enum": ["block", "alert"], "default": "block" },
            "fail_open": { "type": "boolean", "default": false },
            "fail_mode": FailMode::schema(),
            "timeout": { "type": "integer", "minimum": 1, "default": 5000 },
            "ssl_verify": { "type": "boolean", "default": true },
            "reveal_failure_categories": { "type": "boolean", "default": false },
            "deny_code": { "type": "integer", "minimum": 200, "maximum": 599, "default": 200 },
            "request_failure_message": {
                "type": "string", "minLength": 1, "default": "Request blocked by Lakera Guard",
            },
            "response_failure_message": {
                "type": "string", "minLength": 1, "default": "Response blocked by Lakera Guard",
            },
        },
        "required": ["api_key"],
    });
    let info = PluginInfo::new(NAME, 1028, schema)?.with_encrypted_fields(&["api_key"]);
    Ok(PluginDef {
        info,
        compile: LakeraGuard::compile,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Input,
    Output,
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Block,
    Alert,
}

#[derive(Deserialize)]
struct Config {
    api_key: String,
    lakera_endpoint: String,
    project_id: Option<String>,
    direction: Side,
    action: Action,
    fail_open: bool,
    fail_mode: FailMode,
    timeout: u64,
    ssl_verify: bool,
    reveal_failure_categories: bool,
    deny_code: u16,
    request_failure_message: String,
    response_failure_message: String,
}

struct LakeraGuard(Arc<Guard>);

struct Guard {
    callout: Callout,
    headers: HeaderMap,
    project_id: Option<String>,
    side: Side,
    action: Action,
    fail_open: bool,
    fail_mode: FailMode,
    reveal: bool,
    deny_code: StatusCode,
    request_message: String,
    response_message: String,
}

#[derive(Deserialize)]
struct Judgement {
    flagged: bool,
    #[serde(default)]
    breakdown: Vec<Detector>,
}

#[derive(Deserialize)]
struct Detector {
    #[serde(default)]
    detected: bool,
    detector_type: Option<String>,
    result: Option<String>,
}

impl LakeraGuard {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let mut key = HeaderValue::from_str(&format!("Bearer {}", config.api_key))
            .map_err(|_| CompileError("api_key cannot be sent in a header".to_owned()))?;
        key.set_sensitive(true);
        let callout = CalloutConfig {
            ssl_verify: config.ssl_verify,
            timeout: config.timeout,
            ..CalloutConfig::new(&config.lakera_endpoint)
        };
        Ok(Arc::new(Self(Arc::new(Guard {
            callout: Callout::compile(callout, env.services)?,
            headers: HeaderMap::from_iter([(header::AUTHORIZATION, key)]),
            project_id: config.project_id,
            side: config.direction,
            action: config.action,
            fail_open: config.fail_open,
            fail_mode: config.fail_mode,
            reveal: config.reveal_failure_categories,
            deny_code: StatusCode::from_u16(config.deny_code)
                .map_err(|error| CompileError(error.to_string()))?,
            request_message: config.request_failure_message,
            response_message: config.response_failure_message,
        }))))
    }

    async fn judge_request(&self, cx: &mut Context) -> Verdict {
        let guard = &*self.0;
        let Some(ai) = cx.ai.as_deref_mut() else {
            return guard.unjudged(&format!(
                "no ai instance picked, {NAME} plugin must be used with ai-proxy or ai-proxy-multi plugin"
            ));
        };
        if !is_judged(ai.protocol) {
            let protocol = ai.protocol;
            return guard.unjudged(&format!("unsupported protocol: {protocol}"));
        }
        ai.keeps_raw_usage |= guard.side != Side::Input;
        if guard.side == Side::Output {
            return Verdict::Continue;
        }
        let Some(body) = ai.judged_body() else {
            return Verdict::Continue;
        };
        if let Some(reason) = unreadable(ai.protocol, &body) {
            return guard.unjudged(reason);
        }
        let messages: Vec<_> = prompt_messages(ai.protocol, &body)
            .iter()
            .map(|message: &PromptMessage<'_>| json!({ "role": message.role, "content": message.said() }))
            .collect();
        let reason = guard
            .objection(&cx.worker.pool, messages, &guard.request_message)
            .await;
        match (reason, cx.ai.as_deref()) {
            (Some(reason), Some(ai)) => Refuser::of(ai)
                .reply(
                    sluice_exchange::client_framing(cx),
                    cx.profile,
                    guard.deny_code,
                    &reason,
                )
                .into(),
            _ => Verdict::Continue,
        }
    }
}

impl Guard {
    fn unjudged(&self, reason: &str) -> Verdict {
        self.fail_mode.verdict(NAME, reason, |reason| {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Failure::new(status, ErrorKind::Internal, "not_moderated", reason.to_owned())
                .apisix_text(reason.to_owned())
        })
    }

    /// Why messages must not pass, in the words for the client.
    async fn objection(&self, pool: &Pool, messages: Vec<Value>, message: &str) -> Option<String> {
        match self.ask(pool, messages).await {
            Ok(judgement) if !judgement.flagged => None,
            Ok(judgement) => {
                let detected: Vec<_> = judgement
                    .breakdown
                    .iter()
                    .filter(|detector| detector.detected)
                    .collect();
                let categories: Vec<_> = detected.iter().map(|detector| detector.name()).collect();
                let categories = categories.join(", ");
                if self.action == Action::Alert {
                    tracing::warn!(plugin = NAME, %categories, "flagged content passes");
                    return None;
                }
                tracing::warn!(plugin = NAME, %categories, "flagged content is blocked");
                Some(if self.reveal && !categories.is_empty() {
                    format!("{message}. Flagged categories: {categories}")
                } else {
                    message.to_owned()
                })
            }
            Err(error) => {
                tracing::error!(plugin = NAME, %error, "content could not be judged");
                let passes = self.fail_open || self.action == Action::Alert;
                (!passes).then(|| message.to_owned())
            }
        }
    }

    async fn ask(&self, pool: &Pool, messages: Vec<Value>) -> Result<Judgement, String> {
        let mut body = json!({ "messages": messages, "breakdown": true });
        if let Some(project) = &self.project_id {
            body["project_id"] = project.as_str().into();
        }
        let answer = self
            .callout
            .post_json(pool, self.headers.clone(), &body)
            .await
            .map_err(|error| format!("lakera {error}"))?;
        if answer.status != StatusCode::OK {
            return Err(format!("lakera answered {}", answer.status));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| format!("lakera answered what cannot be read: {error}"))
    }
}

impl Detector {
    /// `name (level)`, as far as both are known.
    fn name(&self) -> String {
        let name = self.detector_type.as_deref().unwrap_or("unknown");
        match &self.result {
            Some(level) => format!("{name} ({level})"),
            None => name.to_owned(),
        }
    }
}

impl Plugin for LakeraGuard {
    fn phases(&self) -> Phases {
        match self.0.side {
            Side::Input => Phases::of(&[Phase::Access]),
            Side::Output | Side::Both => Phases::of(&[Phase::Access, Phase::AiEvent]),
        }
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        Step::wait(self.judge_request(cx))
    }

    fn answer_filter(&self, cx: &mut Context) -> Option<Box<dyn AnswerFilter>> {
        let worker = cx.worker.clone();
        let ai = cx.ai.as_deref()?;
        is_moderated(ai.protocol).then(|| {
            Box::new(LakeraFilter {
                guard: self.0.clone(),
                worker,
                refuser: Refuser::of(ai),
                text: String::new(),
                held: Vec::new(),
                held_bytes: 0,
            }) as Box<dyn AnswerFilter>
        })
    }
}

/// The guard's part in one answer. A stream is withheld until its end, since only the whole is judged.
struct LakeraFilter {
    guard: Arc<Guard>,
    worker: Arc<Worker>,
    refuser: Refuser,
    text: String,
    held: Vec<StreamEvent>,
    held_bytes: usize,
}

impl LakeraFilter {
    async fn objection(&self, text: &str) -> Option<String> {
        let message = &self.guard.response_message;
        if text.is_empty() {
            let denied = self.guard.action == Action::Block && !self.guard.fail_open;
            return denied.then(|| message.clone());
        }
        let messages = vec![json!({ "role": "assistant", "content": text })];
        self.guard.objection(&self.worker.pool, messages, message).await
    }

    fn listen(&mut self, events: &[StreamEvent]) {
        for data in events.iter().filter_map(StreamEvent::data) {
            for span in event_texts(self.refuser.protocol(), &data) {
                if span.kind == TextKind::Said && !span.repeats {
                    self.text.push_str(&span.text);
                }
            }
        }
    }

    async fn judge_whole(&self, answer: &mut WholeAnswer) {
        let spans = answer_texts(self.refuser.protocol(), &answer.body);
        let said: Vec<_> = spans
            .iter()
            .filter(|span| span.kind == TextKind::Said)
            .map(|span| &*span.text)
            .collect();
        let text = said.join(" ");
        if text.is_empty() {
            return;
        }
        if let Some(reason) = self.objection(&text).await {
            self.refuser.replace(answer, self.guard.deny_code, &reason);
        }
    }
}

impl AnswerFilter for LakeraFilter {
    fn whole<'a>(&'a mut self, answer: &'a mut WholeAnswer) -> FilterStep<'a> {
        if answer.status.as_u16() >= 400 {
            return FilterStep::CONTINUE;
        }
        if let Some(reason) = unreadable_answer(answer)
            && self.guard.fail_mode.refuses(NAME, reason)
        {
            self.refuser
                .replace(answer, StatusCode::INTERNAL_SERVER_ERROR, reason);
            return FilterStep::CONTINUE;
        }
        FilterStep::wait(async move {
            self.judge_whole(answer).await;
            Flow::Continue
        })
    }

    fn events<'a>(&'a mut self, events: &'a mut Vec<StreamEvent>) -> FilterStep<'a> {
        if self.guard.action == Action::Block {
            self.held_bytes += events.iter().map(|event| event.frame().len()).sum::<usize>();
            if self.held_bytes > HELD_MAX && self.guard.fail_open {
                self.held.append(events);
                std::mem::swap(&mut self.held, events);
                return FilterStep::CONTINUE;
            }
            if self.held_bytes > HELD_MAX {
                self.held.clear();
                events.clear();
                events.extend(self.refuser.events(&self.guard.response_message));
                return FilterStep::Done(Flow::End);
            }
        }
        if self.text.len() < HELD_MAX {
            self.listen(events);
        }
        if self.guard.action == Action::Block {
            self.held.append(events);
            if self.refuser.protocol().framing() == Framing::Sse {
                events.push(StreamEvent::new(Bytes::from_static(WITHHELD)));
            }
        }
        FilterStep::CONTINUE
    }

    fn end<'a>(&'a mut self, events: &'a mut Vec<StreamEvent>, _broken: bool) -> FilterStep<'a> {
        if self.held_bytes > HELD_MAX {
            // It has been let go already.
            return FilterStep::CONTINUE;
        }
        FilterStep::wait(async move {
            let text = std::mem::take(&mut self.text);
            match self.objection(&text).await {
                None => events.append(&mut self.held),
                Some(reason) => events.extend(self.refuser.events(&reason)),
            }
            Flow::Continue
        })
    }
}
