//! `ai-request-rewrite`: a model rewrites the client's body (compat §4.8).

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Step, Verdict,
};
use sluice_exchange::{CallConfig, Target, TargetConfig, complete};
use sluice_llm::{ErrorKind, TextMessage};
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError};

use crate::ai_proxy::{check_target, target_properties};
use crate::json_body::MAX_BODY;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let target = target_properties();
    let credentials = json!({
        "type": "object",
        "patternProperties": { "^[a-zA-Z0-9._-]+$": { "type": "string" } },
        "additionalProperties": false,
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "prompt": { "type": "string" },
            "provider": target.get("provider"),
            "auth": {
                "type": "object",
                "properties": { "header": credentials, "query": credentials },
                "additionalProperties": false,
            },
            "options": target.get("options"),
            "timeout": { "type": "integer", "minimum": 1, "maximum": 60_000, "default": 30_000 },
            "keepalive": { "type": "boolean", "default": true },
            "keepalive_pool": { "type": "integer", "minimum": 1, "default": 30 },
            "ssl_verify": { "type": "boolean", "default": true },
            "override": { "type": "object", "properties": { "endpoint": { "type": "string" } } },
            "max_req_body_size": { "type": "integer", "minimum": 1, "default": MAX_BODY },
        },
        "required": ["prompt", "provider", "auth"],
    });
    let info = PluginInfo::new("ai-request-rewrite", 1073, schema)?
        .with_encrypted_fields(&["auth.header", "auth.query"])
        .with_check(check);
    Ok(PluginDef {
        info,
        compile: RequestRewrite::compile,
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    let endpoint = conf.pointer("/override/endpoint");
    if conf["provider"] == "openai-compatible" && endpoint.is_none() {
        return Err("override.endpoint is required for openai-compatible provider".to_owned());
    }
    check_target(conf)
}

struct RequestRewrite {
    prompt: String,
    target: Target,
    call: CallConfig,
}

impl RequestRewrite {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let call = CallConfig::deserialize(conf)?;
        let target = TargetConfig::deserialize(conf)?;
        let target = Target::compile(None, &target, &call, env.services)
            .map_err(|error| CompileError(error.to_string()))?;
        Ok(Arc::new(Self {
            prompt: conf["prompt"].as_str().unwrap_or_default().to_owned(),
            target,
            call,
        }))
    }

    async fn rewrite(&self, cx: &mut Context) -> Verdict {
        let body = match cx.request.body.read(self.call.max_req_body_size).await {
            Ok(body) if !body.is_empty() => body,
            Ok(_) => return unreadable("the request has no body").into(),
            Err(error) => {
                return unreadable("the request body cannot be read")
                    .caused_by(error)
                    .into();
            }
        };
        let messages = [
            ("system", &*self.prompt),
            ("user", &String::from_utf8_lossy(&body)),
        ];
        let messages = messages.map(|(role, content)| TextMessage {
            role: role.to_owned(),
            content: content.to_owned(),
        });
        match complete(cx, &self.target, &self.call, &messages).await {
            Ok(text) => {
                cx.request.body.replace(text.into());
                Verdict::Continue
            }
            Err(error) => {
                tracing::error!(%error, "ai-request-rewrite: the model gave no body");
                Failure::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    ErrorKind::Upstream,
                    "rewrite_failed",
                    "the request could not be rewritten",
                )
                .caused_by(error)
                .into()
            }
        }
    }
}

fn unreadable(message: &'static str) -> Failure {
    let kind = ErrorKind::InvalidRequest;
    Failure::new(StatusCode::BAD_REQUEST, kind, "unreadable_body", message)
}

impl Plugin for RequestRewrite {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        Step::wait(self.rewrite(cx))
    }
}
