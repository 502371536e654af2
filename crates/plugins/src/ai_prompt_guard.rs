//! `ai-prompt-guard`: patterns that prompts must or must not match (compat §4.7).

mod pattern;

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Reply, Step, Verdict,
};
use sluice_llm::{ErrorKind, PromptMessage, Protocol, RequestView, prompt_messages};
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError};

use self::pattern::Pattern;
use crate::fail_mode::FailMode;
use crate::json_body::{self, MAX_BODY, refused};

const NAME: &str = "ai-prompt-guard";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let patterns = json!({ "type": "array", "items": { "type": "string" }, "default": [] });
    let schema = json!({
        "type": "object",
        "properties": {
            "match_all_roles": { "type": "boolean", "default": false },
            "match_all_conversation_history": { "type": "boolean", "default": false },
            "allow_patterns": patterns,
            "deny_patterns": patterns,
            "max_req_body_size": { "type": "integer", "minimum": 1, "default": MAX_BODY },
            "fail_mode": FailMode::schema(),
        },
    });
    Ok(PluginDef {
        info: PluginInfo::new(NAME, 1072, schema)?.with_check(check),
        compile: Guard::compile,
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    for (member, what) in [("allow_patterns", "allow"), ("deny_patterns", "deny")] {
        for pattern in conf.get(member).and_then(Value::as_array).into_iter().flatten() {
            let pattern = pattern.as_str().unwrap_or_default();
            Pattern::new(pattern).map_err(|_| format!("invalid {what}_pattern: {pattern}"))?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Config {
    match_all_roles: bool,
    match_all_conversation_history: bool,
    allow_patterns: Vec<String>,
    deny_patterns: Vec<String>,
    max_req_body_size: u64,
    fail_mode: FailMode,
}

struct Guard {
    all_roles: bool,
    all_history: bool,
    allow: Vec<Pattern>,
    deny: Vec<Pattern>,
    max_body: u64,
    fail_mode: FailMode,
}

impl Guard {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let patterns = |patterns: &[String]| {
            let compiled = patterns.iter().map(|pattern| Pattern::new(pattern));
            compiled
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| CompileError(error.to_string()))
        };
        Ok(Arc::new(Self {
            all_roles: config.match_all_roles,
            all_history: config.match_all_conversation_history,
            allow: patterns(&config.allow_patterns)?,
            deny: patterns(&config.deny_patterns)?,
            max_body: config.max_req_body_size,
            fail_mode: config.fail_mode,
        }))
    }

    async fn judge(&self, cx: &mut Context) -> Verdict {
        let body = cx.request.body.read(self.max_body).await.unwrap_or_default();
        if body.is_empty() {
            return refused("empty_body", "Empty request body".to_owned()).into();
        }
        if let Some(texts) = sluice_exchange::form_texts(cx) {
            return self.judge_prompt(Protocol::OpenAiMedia, &texts);
        }
        let request = match RequestView::parse(body) {
            Ok(request) => request,
            Err(error) => return self.not_for_us(error.to_string()),
        };
        let protocol = sluice_exchange::protocol_of(cx, &request);
        match protocol.filter(|protocol| *protocol != Protocol::Passthrough) {
            Some(protocol) => self.judge_prompt(protocol, request.bytes()),
            None => self.not_for_us("Request format not recognized by ai-prompt-guard".to_owned()),
        }
    }

    fn judge_prompt(&self, protocol: Protocol, body: &[u8]) -> Verdict {
        let messages = prompt_messages(protocol, body);
        let texts = self.texts(protocol, &messages);
        if texts.is_empty() {
            // APISIX's plugin has nothing to say here and says it: the request ends.
            return Reply::status(StatusCode::OK).into();
        }
        let text = texts.join(" ");
        if !self.allow.is_empty() && !self.allow.iter().any(|pattern| pattern.is_found(&text, false)) {
            return refused(
                "prompt_not_allowed",
                "Request doesn't match allow patterns".to_owned(),
            )
            .into();
        }
        if self.deny.iter().any(|pattern| pattern.is_found(&text, true)) {
            return refused("prompt_denied", "Request contains prohibited content".to_owned()).into();
        }
        Verdict::Continue
    }

    /// What is to be judged of the messages.
    fn texts(&self, protocol: Protocol, messages: &[PromptMessage<'_>]) -> Vec<String> {
        let whole = self.all_history || protocol == Protocol::OpenAiResponses;
        let from = if whole {
            0
        } else {
            messages.len().saturating_sub(1)
        };
        messages[from..]
            .iter()
            .filter(|message| self.all_roles || message.role == "user")
            .map(PromptMessage::said)
            .filter(|text| !text.is_empty())
            .collect()
    }

    fn not_for_us(&self, message: String) -> Verdict {
        self.fail_mode.verdict(NAME, &message, |message| -> Failure {
            let body = json!({ "message": message });
            Failure::new(
                StatusCode::BAD_REQUEST,
                ErrorKind::InvalidRequest,
                "not_a_prompt",
                message.to_owned(),
            )
            .apisix_json(body)
        })
    }
}

impl Plugin for Guard {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if !json_body::may_hold_prompt(cx) {
            return Step::CONTINUE;
        }
        Step::wait(self.judge(cx))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sluice_core::RequestBody;
    use sluice_net::Body;

    use super::*;
    use crate::fixture::Fixture;

    async fn judge(conf: Value, body: &'static str) -> String {
        let fixture = Fixture::new();
        let plugin = fixture.compile(definition, &conf).unwrap();
        let mut cx = fixture.context("POST", "/v1/chat/completions");
        cx.request.body = RequestBody::new(Body::from(Bytes::from(body)));
        let verdict = match plugin.access(&mut cx) {
            Step::Wait(verdict) => verdict.await,
            Step::Done(verdict) => verdict,
        };
        match verdict {
            Verdict::Continue => "pass".to_owned(),
            Verdict::Reply(reply) => format!("{} empty", reply.status.as_u16()),
            Verdict::Fail(failure) => format!("{} {}", failure.status().as_u16(), failure.message),
        }
    }

    const TWO: &str = r#"{"messages":[{"role":"user","content":"bad"},{"role":"assistant","content":"ok"},{"role":"user","content":"good"}]}"#;

    #[tokio::test]
    async fn the_last_message_counts_unless_all_do() {
        let deny = json!({ "deny_patterns": ["bad"] });
        assert_eq!(judge(deny, TWO).await, "pass");
        let all = json!({ "deny_patterns": ["bad"], "match_all_conversation_history": true });
        assert_eq!(judge(all, TWO).await, "400 Request contains prohibited content");
        let allow = json!({ "allow_patterns": ["^go{2}d$"] });
        assert_eq!(judge(allow, TWO).await, "pass");
        let allow = json!({ "allow_patterns": ["nice"] });
        assert_eq!(
            judge(allow, TWO).await,
            "400 Request doesn't match allow patterns"
        );
    }

    #[tokio::test]
    async fn nothing_to_judge_ends_the_request() {
        let body = r#"{"messages":[{"role":"assistant","content":"bad"}]}"#;
        assert_eq!(
            judge(json!({ "deny_patterns": ["bad"] }), body).await,
            "200 empty"
        );
        let all = json!({ "deny_patterns": ["bad"], "match_all_roles": true });
        assert_eq!(judge(all, body).await, "400 Request contains prohibited content");
    }

    #[tokio::test]
    async fn what_is_no_prompt_follows_the_fail_mode() {
        assert_eq!(judge(json!({}), r#"{"prompt":"x"}"#).await, "pass");
        let error = json!({ "fail_mode": "error" });
        assert_eq!(
            judge(error.clone(), r#"{"prompt":"x"}"#).await,
            "400 Request format not recognized by ai-prompt-guard"
        );
        assert!(judge(error, "{").await.starts_with("400 "));
        assert_eq!(judge(json!({}), "").await, "400 Empty request body");
    }

    #[tokio::test]
    async fn a_pattern_that_never_ends_denies() {
        let conf = json!({ "deny_patterns": [r"^(a|aa)+\1x$"] });
        let body: String = "a".repeat(5000) + "b";
        let body = json!({ "messages": [{ "role": "user", "content": body }] }).to_string();
        assert_eq!(
            judge(conf, body.leak()).await,
            "400 Request contains prohibited content"
        );
    }

    #[test]
    fn patterns_are_checked_when_written() {
        let conf = json!({ "deny_patterns": ["a", "("] });
        assert_eq!(
            check(&conf, CheckScope::Main).unwrap_err(),
            "invalid deny_pattern: ("
        );
    }
}
