//! `ai-content-moderation`: any classifier behind a webhook, or OpenAI's moderation endpoint, judges prompts and answers.
//!
//! A plugin of Sluice's own. The webhook gets `{"direction", "text"}` and answers `{"flagged", "risk_level"?,
//! "message"?, "categories"?}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Plugin, PluginDef};
use sluice_net::Pool;
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError};

use crate::callout::{Callout, CalloutConfig};
use crate::moderation::{
    Classifier, Direction, Judging, Moderation, Opinion, SchemaDefaults, Settings, Unjudged,
};
use crate::text_cut::cut_chars;

const NAME: &str = "ai-content-moderation";
const ROLES: &[&str] = &["user", "tool", "system", "assistant"];
const OPENAI: &str = "https://api.openai.com/v1/moderations";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let mut properties = Settings::properties(&SchemaDefaults {
        mode: "last",
        roles: ROLES,
        default_roles: &["user"],
    });
    let header = json!({
        "type": "object",
        "patternProperties": { "^[a-zA-Z0-9._-]+$": { "type": "string" } },
        "additionalProperties": false,
    });
    let own = json!({
        "classifier": { "type": "string", "enum": ["webhook", "openai"], "default": "webhook" },
        "endpoint": { "type": "string", "pattern": "^https?://" },
        "auth": { "type": "object", "properties": { "header": header }, "additionalProperties": false },
        "model": { "type": "string", "minLength": 1, "default": "omni-moderation-latest" },
        "thresholds": {
            "type": "object",
            "patternProperties": { "^.+$": { "type": "number", "minimum": 0, "maximum": 1 } },
        },
        "length_limit": { "type": "integer", "minimum": 1, "default": 20_000 },
        "fail_open": { "type": "boolean", "default": false },
        "timeout": { "type": "integer", "minimum": 1, "maximum": 60_000, "default": 5000 },
        "ssl_verify": { "type": "boolean", "default": true },
    });
    properties.extend(own.as_object().cloned().unwrap_or_default());
    let schema = json!({ "type": "object", "properties": properties });
    let info = PluginInfo::new(NAME, 1032, schema)?
        .with_encrypted_fields(&["auth.header"])
        .with_check(check);
    Ok(PluginDef { info, compile })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope == CheckScope::Main && conf["classifier"] != "openai" && conf.get("endpoint").is_none() {
        return Err("property \"endpoint\" is required for a webhook".to_owned());
    }
    Ok(())
}

#[derive(Deserialize)]
struct Config {
    classifier: Kind,
    endpoint: Option<String>,
    #[serde(default)]
    auth: AuthConfig,
    model: String,
    #[serde(default)]
    thresholds: BTreeMap<String, f64>,
    length_limit: usize,
    fail_open: bool,
    timeout: u64,
    ssl_verify: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Webhook,
    Openai,
}

#[derive(Default, Deserialize)]
struct AuthConfig {
    #[serde(default)]
    header: BTreeMap<String, String>,
}

fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
    let config = Config::deserialize(conf)?;
    let mut headers = HeaderMap::new();
    for (name, value) in &config.auth.header {
        let bad = || CompileError(format!("header {name} cannot be sent"));
        let header: HeaderName = name.parse().map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    let callout = CalloutConfig {
        ssl_verify: config.ssl_verify,
        timeout: config.timeout,
        ..CalloutConfig::new(config.endpoint.as_deref().unwrap_or(OPENAI))
    };
    let service = Service {
        kind: config.classifier,
        callout: Callout::compile(callout, env.services)?,
        headers,
        model: config.model,
        thresholds: config.thresholds,
        length: config.length_limit,
    };
    let unjudged = if config.fail_open {
        Unjudged::Pass
    } else {
        Unjudged::Refuse
    };
    Ok(Arc::new(Moderation::new(NAME, service, conf, unjudged)?))
}

struct Service {
    kind: Kind,
    callout: Callout,
    headers: HeaderMap,
    model: String,
    thresholds: BTreeMap<String, f64>,
    length: usize,
}

/// What a webhook answers.
#[derive(Deserialize)]
struct HookAnswer {
    flagged: bool,
    risk_level: Option<String>,
    message: Option<String>,
    #[serde(default)]
    categories: Vec<String>,
}

/// What OpenAI's endpoint answers (llm-protocols, moderations).
#[derive(Deserialize)]
struct OpenAiAnswer {
    results: Vec<OpenAiResult>,
}

#[derive(Deserialize)]
struct OpenAiResult {
    flagged: bool,
    #[serde(default)]
    categories: BTreeMap<String, Option<bool>>,
    #[serde(default)]
    category_scores: BTreeMap<String, f64>,
}

impl Service {
    async fn ask<T: for<'a> Deserialize<'a>>(&self, pool: &Pool, body: &Value) -> Result<T, String> {
        let answer = self
            .callout
            .post_json(pool, self.headers.clone(), body)
            .await
            .map_err(|error| format!("classifier {error}"))?;
        if answer.status != StatusCode::OK {
            return Err(format!("classifier answered {}", answer.status));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| format!("classifier answered what cannot be read: {error}"))
    }

    async fn piece(&self, pool: &Pool, direction: Direction, text: &str) -> Result<Opinion, String> {
        match self.kind {
            Kind::Webhook => {
                let question = json!({ "direction": direction.name(), "text": text });
                let answer: HookAnswer = self.ask(pool, &question).await?;
                let level = if answer.flagged { "high" } else { "none" };
                let reason = || {
                    answer
                        .message
                        .unwrap_or_else(|| refusal(direction, &answer.categories))
                };
                Ok(Opinion {
                    denied: answer.flagged.then(reason),
                    risk_level: answer.risk_level.map_or(level.into(), Into::into),
                })
            }
            Kind::Openai => {
                let question = json!({ "model": self.model, "input": text });
                let answer: OpenAiAnswer = self.ask(pool, &question).await?;
                let found: Vec<_> = answer
                    .results
                    .iter()
                    .flat_map(|result| self.exceeded(result))
                    .collect();
                Ok(Opinion {
                    risk_level: if found.is_empty() { "none" } else { "high" }.into(),
                    denied: (!found.is_empty()).then(|| refusal(direction, &found)),
                })
            }
        }
    }

    /// The categories that are refused: those above their thresholds, or, where none are set, those that the service
    /// flags.
    fn exceeded(&self, result: &OpenAiResult) -> Vec<String> {
        if self.thresholds.is_empty() {
            let flagged = result
                .categories
                .iter()
                .filter(|(_, flagged)| result.flagged && **flagged == Some(true));
            return flagged.map(|(name, _)| name.clone()).collect();
        }
        let above = result
            .category_scores
            .iter()
            .filter(|(name, score)| self.thresholds.get(*name).is_some_and(|limit| *score > limit));
        above.map(|(name, _)| name.clone()).collect()
    }
}

fn refusal(direction: Direction, categories: &[String]) -> String {
    let side = direction.name();
    if categories.is_empty() {
        format!("The {side} violates the content policy.")
    } else {
        format!(
            "The {side} violates the content policy: {}.",
            categories.join(", ")
        )
    }
}

impl Classifier for Service {
    fn judge<'a>(&'a self, pool: &'a Pool, direction: Direction, text: &'a str) -> Judging<'a> {
        Box::pin(async move {
            let mut level = "none".into();
            for piece in cut_chars(text, self.length) {
                let opinion = self.piece(pool, direction, piece).await?;
                if opinion.denied.is_some() {
                    return Ok(opinion);
                }
                if opinion.risk_level != "none" {
                    level = opinion.risk_level;
                }
            }
            Ok(Opinion {
                risk_level: level,
                denied: None,
            })
        })
    }
}
