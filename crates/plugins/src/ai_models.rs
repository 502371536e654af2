//! `ai-models`: which models a caller may use, and under which names (DESIGN §1).

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, ModelAccess, Phase, Phases, Plugin, PluginDef, RenamedModel, Step,
    Verdict,
};
use sluice_exchange::prepare;
use sluice_llm::{ErrorKind, openai_resource};
use sluice_record::Text;
use sluice_resource::{CheckScope, Glob, PluginInfo, SchemaCompileError};
use sluice_wire::Splice;

use crate::ai_router::{failure, model_not_found};

pub(crate) const NAME: &str = "ai-models";

/// Plugins that call models. Where none of them runs, the request is none for a model.
const CALLERS: [&str; 3] = ["ai-router", "ai-proxy", "ai-proxy-multi"];

/// Longest model name that a message repeats, in characters.
const NAME_MAX: usize = 128;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    Ok(PluginDef {
        info: PluginInfo::new(NAME, 1045, schema())?.with_check(check),
        compile: AiModels::compile,
    })
}

fn schema() -> Value {
    let name = json!({ "type": "string", "minLength": 1, "maxLength": 256 });
    json!({
        "type": "object",
        "properties": {
            "default": name,
            "aliases": {
                "type": "object", "minProperties": 1, "maxProperties": 1000, "additionalProperties": name,
            },
            "allow": { "type": "array", "minItems": 1, "maxItems": 1000, "items": name },
            "hide": { "type": "boolean", "default": false },
            "max_req_body_size": { "type": "integer", "minimum": 1, "default": 67_108_864 },
        },
        "additionalProperties": false,
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope == CheckScope::Metadata {
        return Ok(());
    }
    let config = Config::deserialize(conf).map_err(|error| error.to_string())?;
    if config.default.is_none() && config.aliases.is_empty() && config.allow.is_none() {
        return Err("nothing is configured: default, aliases or allow must be given".to_owned());
    }
    let chained = config
        .aliases
        .iter()
        .find(|(_, meant)| config.aliases.contains_key(*meant));
    if let Some((alias, meant)) = chained {
        return Err(format!(
            "alias \"{alias}\" leads to the alias \"{meant}\": aliases are followed once"
        ));
    }
    if let Some(starred) = config.aliases.values().find(|meant| meant.contains('*')) {
        return Err(format!(
            "alias target \"{starred}\" is a pattern: it must be one model"
        ));
    }
    let access = Access::of(&config);
    match &config.default {
        Some(default) if !access.may_ask(default) => {
            Err(format!("the default \"{default}\" is not allowed by allow"))
        }
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
struct Config {
    default: Option<String>,
    #[serde(default)]
    aliases: std::collections::BTreeMap<String, String>,
    allow: Option<Vec<String>>,
    #[serde(default)]
    hide: bool,
    #[serde(default)]
    max_req_body_size: u64,
}

/// What may be asked for, and what is meant by it.
struct Access {
    /// By alias.
    aliases: Vec<(Text, Text)>,
    /// `None` where everything is allowed.
    allow: Option<Vec<Glob>>,
}

impl Access {
    fn of(config: &Config) -> Self {
        let aliases = config.aliases.iter();
        Self {
            aliases: aliases
                .map(|(alias, meant)| (Text::from(&**alias), Text::from(&**meant)))
                .collect(),
            allow: config
                .allow
                .as_ref()
                .map(|allow| allow.iter().map(|pattern| Glob::new(pattern)).collect()),
        }
    }

    fn alias(&self, asked: &str) -> Option<&Text> {
        let at = self.aliases.binary_search_by(|(alias, _)| (**alias).cmp(asked));
        at.ok()
            .and_then(|at| self.aliases.get(at))
            .map(|(_, meant)| meant)
    }

    /// An alias is allowed by being there.
    fn may_ask(&self, asked: &str) -> bool {
        self.alias(asked).is_some() || self.allows(asked)
    }
}

impl ModelAccess for Access {
    fn allows(&self, model: &str) -> bool {
        let allow = self.allow.as_ref();
        allow.is_none_or(|allow| allow.iter().any(|pattern| pattern.matches(model)))
    }

    fn aliases(&self) -> &[(Text, Text)] {
        &self.aliases
    }
}

struct AiModels {
    default: Option<Text>,
    access: Access,
    hide: bool,
    max_body: u64,
}

impl AiModels {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        Ok(Arc::new(Self {
            access: Access::of(&config),
            default: config.default.map(Text::from),
            hide: config.hide,
            max_body: config.max_req_body_size,
        }))
    }

    async fn apply(&self, cx: &mut Context) -> Verdict {
        // Scanned here, so that whoever calls the model need not do it again. What cannot be read is told below.
        if cx.request.body.read(self.max_body).await.is_ok() {
            let _ = cx.request.body.json();
        }
        let prepared = match prepare(cx, self.max_body).await {
            Ok(prepared) => prepared,
            Err(failure) => return failure.into(),
        };
        let asked = prepared.model(cx);
        let named = match (&self.default, asked.is_empty()) {
            (Some(default), true) => default.clone(),
            // Whoever calls the model says what is missing.
            (None, true) => return Verdict::Continue,
            (_, false) => asked.clone(),
        };
        if !self.access.may_ask(&named) {
            return self.refusal(&named);
        }
        let meant = self.access.alias(&named).unwrap_or(&named).clone();
        if meant == asked {
            return Verdict::Continue;
        }
        if let Some(body) = renamed(cx, &meant, &asked) {
            cx.request.body.replace(body);
        }
        cx.renamed_model = Some(Box::new(RenamedModel { asked, to: meant }));
        Verdict::Continue
    }

    fn refusal(&self, asked: &str) -> Verdict {
        if self.hide {
            return model_not_found(asked).into();
        }
        let shown: String = asked.chars().take(NAME_MAX).collect();
        failure(
            StatusCode::FORBIDDEN,
            ErrorKind::Permission,
            "model_not_allowed",
            format!("the model `{shown}` is not allowed for this key"),
        )
        .into()
    }
}

/// The body with another model. `None` where the path names the model: there it stays out of the body.
fn renamed(cx: &Context, meant: &Text, asked: &Text) -> Option<Bytes> {
    let object = cx.request.body.json()?.as_object()?;
    if object.get("model").is_none() && !asked.is_empty() {
        return None;
    }
    let mut splice = Splice::new(object);
    splice.set("model", Value::from(&**meant).to_string().into());
    Some(splice.finish())
}

impl Plugin for AiModels {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let plugins = cx.pipeline.plugins();
        let calls_a_model = CALLERS.iter().any(|name| plugins.get(name).is_some());
        let asks_for_lists = cx.request.method == Method::GET && openai_resource(&cx.request.path).is_none();
        if cx.ai.is_some() || !calls_a_model || asks_for_lists {
            return Step::CONTINUE;
        }
        Step::wait(self.apply(cx))
    }

    fn model_access(&self) -> Option<&dyn ModelAccess> {
        Some(&self.access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(conf: Value) -> Option<String> {
        definition().unwrap().info.check(&conf, CheckScope::Main).err()
    }

    #[test]
    fn what_cannot_work_is_refused() {
        assert_eq!(fault(json!({"allow": ["gpt-*"], "default": "gpt-4o"})), None);
        assert_eq!(
            fault(json!({"aliases": {"fast": "m"}, "allow": ["x"], "default": "fast"})),
            None
        );
        for (conf, expected) in [
            (
                json!({}),
                "nothing is configured: default, aliases or allow must be given",
            ),
            (
                json!({"aliases": {"a": "b", "b": "c"}}),
                "alias \"a\" leads to the alias \"b\": aliases are followed once",
            ),
            (
                json!({"aliases": {"a": "gpt-*"}}),
                "alias target \"gpt-*\" is a pattern: it must be one model",
            ),
            (
                json!({"allow": ["gpt-*"], "default": "claude"}),
                "the default \"claude\" is not allowed by allow",
            ),
        ] {
            assert_eq!(fault(conf.clone()).as_deref(), Some(expected), "{conf}");
        }
    }
}
