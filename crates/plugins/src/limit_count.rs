//! `limit-count`: so many requests in a window (compat §6.3).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, Step};
use sluice_limit::WindowKind;
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError};

use crate::limit_key::LimitKey;
use crate::limit_policy::{self, Counting, Ruling, Undecided};
use crate::number::Number;
use crate::redis_settings;
use crate::window::{self, Limit, QuotaHeaders, Rule};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let metadata = json!({
        "type": "object",
        "properties": {
            "limit_header": { "type": "string", "default": "X-RateLimit-Limit" },
            "remaining_header": { "type": "string", "default": "X-RateLimit-Remaining" },
            "reset_header": { "type": "string", "default": "X-RateLimit-Reset" },
        },
    });
    let info = PluginInfo::new("limit-count", 1002, schema())?
        .with_metadata_schema(metadata)?
        .with_encrypted_fields(&["redis_password", "sentinel_password"])
        .with_group_member("group")
        .with_check(check);
    Ok(PluginDef {
        info,
        compile: LimitCount::compile,
    })
}

fn schema() -> Value {
    let number = json!({ "oneOf": [{ "type": "integer", "exclusiveMinimum": 0 }, { "type": "string" }] });
    let rule = json!({
        "type": "object",
        "properties": {
            "count": number, "time_window": number,
            "key": { "type": "string" }, "header_prefix": { "type": "string" },
        },
        "required": ["count", "time_window", "key"],
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "count": number,
            "time_window": number,
            "window_type": { "type": "string", "enum": ["fixed", "sliding"], "default": "fixed" },
            "group": { "type": "string" },
            "key": { "type": "string", "default": "remote_addr" },
            "key_type": { "type": "string", "enum": ["var", "var_combination", "constant"], "default": "var" },
            "rejected_code": { "type": "integer", "minimum": 200, "maximum": 599, "default": 503 },
            "rejected_msg": { "type": "string", "minLength": 1 },
            "allow_degradation": { "type": "boolean", "default": false },
            "show_limit_quota_header": { "type": "boolean", "default": true },
            "sync_interval": { "type": "number", "default": -1 },
            "rules": { "type": "array", "items": rule },
        },
        "oneOf": [
            { "required": ["count", "time_window"], "not": { "required": ["rules"] } },
            { "required": ["rules"], "not": { "anyOf": [
                { "required": ["count"] }, { "required": ["time_window"] }, { "required": ["group"] },
            ] } },
        ],
    });
    limit_policy::with_policy(schema, &["redis", "redis-cluster", "redis-sentinel"], &json!({}))
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    let rules = conf.get("rules").and_then(Value::as_array).into_iter().flatten();
    let mut keys = BTreeSet::new();
    for rule in rules.clone() {
        let key = rule.get("key").and_then(Value::as_str).unwrap_or_default();
        if !keys.insert(key) {
            return Err(format!("duplicate key '{key}' in rules"));
        }
    }
    let interval = conf.get("sync_interval").and_then(Value::as_f64).unwrap_or(NEVER);
    let mut windows = rules
        .chain([conf])
        .filter_map(|limit| limit.get("time_window")?.as_f64());
    if interval != NEVER && interval < 0.1 {
        return Err("sync_interval must be at least 0.1, or -1 for none".to_owned());
    }
    if windows.any(|window| interval >= window) {
        return Err("sync_interval must be smaller than time_window".to_owned());
    }
    redis_settings::check(conf)
}

/// `sync_interval` of limits that ask Redis for each request.
const NEVER: f64 = -1.0;

struct LimitCount {
    counting: Counting,
    limits: Limits,
    kind: WindowKind,
    rejected_code: u16,
    rejected_msg: Option<Arc<str>>,
    show_headers: bool,
    headers: QuotaHeaders,
}

enum Limits {
    One {
        count: Number,
        window: Number,
        key: LimitKey,
    },
    Rules(Vec<(Rule, QuotaHeaders)>),
}

impl LimitCount {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let text = |name: &str| conf.get(name).and_then(Value::as_str);
        let number = |name: &str| conf.get(name).and_then(Number::parse).ok_or_else(|| wrong(name));
        let limits = match Rule::list(conf) {
            rules if !rules.is_empty() => {
                Limits::Rules(rules.into_iter().map(with_headers).collect::<Result<_, _>>()?)
            }
            _ => Limits::One {
                count: number("count")?,
                window: number("time_window")?,
                key: LimitKey::parse(conf),
            },
        };
        let named = |name: &str, otherwise: &str| {
            let given = env.metadata.and_then(|metadata| metadata.get(name)?.as_str());
            given.unwrap_or(otherwise).to_owned()
        };
        let headers = QuotaHeaders::new(
            &named("limit_header", "X-RateLimit-Limit"),
            &named("remaining_header", "X-RateLimit-Remaining"),
            &named("reset_header", "X-RateLimit-Reset"),
        );
        // A group shares one counter between all that name it.
        let owner = text("group").map_or_else(|| env.owner.to_string(), |group| format!("#{group}"));
        Ok(Arc::new(Self {
            counting: Counting::compile("limit-count", &owner, conf, env)?,
            limits,
            kind: match text("window_type") {
                Some("sliding") => WindowKind::Sliding,
                _ => WindowKind::Fixed,
            },
            rejected_code: limit_policy::rejected_code(conf),
            rejected_msg: limit_policy::rejected_msg(conf),
            show_headers: conf
                .get("show_limit_quota_header")
                .and_then(Value::as_bool)
                .unwrap_or(true),
            headers: headers.ok_or_else(|| wrong("a header name of plugin_metadata"))?,
        }))
    }

    async fn decide(&self, cx: &mut Context) -> Ruling {
        let ruling = match &self.limits {
            Limits::One { count, window, key } => self.decide_one(cx, count, window, key).await,
            Limits::Rules(rules) => self.decide_rules(cx, rules).await,
        };
        match ruling {
            Ok(ruling) => ruling,
            Err(why) if self.counting.undecided(cx, &why) => Ok(Duration::ZERO),
            Err(_) => Err(window::broken().into()),
        }
    }

    async fn decide_one(
        &self,
        cx: &mut Context,
        count: &Number,
        window: &Number,
        key: &LimitKey,
    ) -> Result<Ruling, Undecided> {
        let (Some(limit), Some(seconds)) = (count.resolve(cx), window.resolve(cx)) else {
            let reason = "count or time_window is not a positive integer for this request";
            return Err(Undecided::Unresolved(reason));
        };
        let key = key.value(cx).into_owned();
        let counter = if count.fixed().is_some() && window.fixed().is_some() {
            self.counting.names.counter(&key)
        } else {
            let settings = format!("{limit}/{seconds}");
            self.counting.names.counter_with(&settings, &key)
        };
        self.meet(cx, &Limit::new(counter, limit, seconds), &key, &self.headers)
            .await
    }

    async fn decide_rules(
        &self,
        cx: &mut Context,
        rules: &[(Rule, QuotaHeaders)],
    ) -> Result<Ruling, Undecided> {
        let mut applied = false;
        for (rule, headers) in rules {
            let Some((limit, key)) = rule.limit(cx, &self.counting.names)? else {
                continue;
            };
            applied = true;
            let ruling = self.meet(cx, &limit, &key, headers).await?;
            if ruling.is_err() {
                return Ok(ruling);
            }
        }
        if applied {
            Ok(Ok(Duration::ZERO))
        } else {
            Err(Undecided::Unresolved(window::NO_RULE))
        }
    }

    async fn meet(
        &self,
        cx: &mut Context,
        limit: &Limit,
        key: &str,
        headers: &QuotaHeaders,
    ) -> Result<Ruling, Undecided> {
        let (meter, now) = (&self.counting.meter, Instant::now());
        let decision = meter
            .take(&limit.counter, self.kind, limit.count, limit.window, now)
            .await?;
        limit.note(cx, key, &decision);
        if self.show_headers {
            headers.set(cx, limit.count, &decision);
        }
        if decision.admitted {
            return Ok(Ok(Duration::ZERO));
        }
        let message = self.rejected_msg.as_deref();
        let rejected = window::rejected(self.rejected_code, message, limit, &decision, "request");
        Ok(Err(rejected.into()))
    }
}

impl Plugin for LimitCount {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        limit_policy::step(&self.counting, async move {
            self.counting.prepare(cx).await;
            self.decide(cx).await
        })
    }
}

fn with_headers(rule: Rule) -> Result<(Rule, QuotaHeaders), CompileError> {
    let name = |what: &str| format!("X-{}-RateLimit-{what}", rule.prefix);
    let headers = QuotaHeaders::new(&name("Limit"), &name("Remaining"), &name("Reset"));
    let headers = headers.ok_or_else(|| wrong("header_prefix"))?;
    Ok((rule, headers))
}

fn wrong(member: &str) -> CompileError {
    CompileError(format!("{member} cannot be used"))
}
