//! `ai-proxy`: one LLM provider (compat §4.2).

mod schema;

use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{
    AiLogging, CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, Profile, Step, Verdict,
};
use sluice_exchange::{Attempt, CallConfig, Target, TargetConfig, perform, prepare};
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError};

use crate::watched::Watched;

pub(crate) use self::schema::{call_properties, check_target, target_properties};

const NAME: &str = "ai-proxy";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let info = PluginInfo::new(NAME, 1040, schema::schema())?
        .with_encrypted_fields(&[
            "auth.header",
            "auth.query",
            "auth.gcp.service_account_json",
            "auth.aws.secret_access_key",
            "auth.aws.session_token",
        ])
        .with_check(check);
    Ok(PluginDef {
        info,
        compile: AiProxy::compile,
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    let conf = modern(conf);
    check_target(&conf)
}

/// The form that older articles show, `model: {provider, name, options}`, in today's members.
fn modern(conf: &Value) -> Value {
    let mut conf = conf.clone();
    let Some(members) = conf.as_object_mut() else {
        return conf;
    };
    let Some(Value::Object(model)) = members.remove("model") else {
        return conf;
    };
    if let Some(provider) = model.get("provider") {
        members.entry("provider").or_insert_with(|| provider.clone());
    }
    let options = members
        .entry("options")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Some(options) = options.as_object_mut() {
        for (name, value) in model
            .get("options")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            options.entry(name).or_insert_with(|| value.clone());
        }
        if let Some(name) = model.get("name") {
            options.entry("model").or_insert_with(|| name.clone());
        }
    }
    conf
}

struct AiProxy {
    target: Target,
    watched: Watched,
    call: CallConfig,
    logging: AiLogging,
    native: bool,
}

impl AiProxy {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let conf = modern(conf);
        let config = TargetConfig::deserialize(&conf)?;
        let call = CallConfig::deserialize(&conf)?;
        let target =
            Target::compile(None, &config, &call, env.services).map_err(|e| CompileError(e.to_string()))?;
        Ok(Arc::new(Self {
            watched: Watched::new(&target, env.services),
            target,
            call,
            logging: logging(&conf)?,
            native: is_native(&conf),
        }))
    }
}

/// What loggers write of calls.
pub(crate) fn logging(conf: &Value) -> Result<AiLogging, CompileError> {
    Ok(conf
        .get("logging")
        .map(AiLogging::deserialize)
        .transpose()?
        .unwrap_or_default())
}

/// Whether the configuration asks for the native profile.
pub(crate) fn is_native(conf: &Value) -> bool {
    conf.get("profile") == Some(&json!("native"))
}

impl Plugin for AiProxy {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access, Phase::BeforeProxy])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if cx.ai.is_some() {
            return Step::CONTINUE;
        }
        if self.native {
            cx.profile = Profile::Native;
        }
        Step::wait(async move {
            match prepare(cx, self.call.max_req_body_size).await {
                Err(failure) => failure.into(),
                Ok(prepared) => {
                    prepared.begin(cx, self.target.picked(0, NAME), self.logging);
                    Verdict::Continue
                }
            }
        })
    }

    fn before_proxy<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if cx.ai.as_ref().is_none_or(|ai| ai.picked.owner != NAME) {
            return Step::CONTINUE;
        }
        Step::wait(async move {
            let began = Instant::now();
            let attempt = perform(cx, &self.target, &self.call).await;
            self.watched.note(cx, &attempt, began);
            match attempt {
                Attempt::Answered(reply) => Verdict::Reply(reply),
                Attempt::Failed(failure) => Verdict::Fail(failure),
            }
        })
    }
}
