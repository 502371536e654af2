//! `limit-count`: so many requests in a window (compat §6.3).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, Step};
use sluice_limit::CounterKey;
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError, Template, Variables};

use crate::number::Number;
use crate::window::{self, Limit, QuotaHeaders, Rule};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let number = json!({ "anyOf": [{ "type": "integer", "exclusiveMinimum": 0 }, { "type": "string" }] });
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
            "policy": { "type": "string", "enum": ["local"], "default": "local" },
            "allow_degradation": { "type": "boolean", "default": false },
            "show_limit_quota_header": { "type": "boolean", "default": true },
            "rules": { "type": "array", "items": rule },
        },
        "oneOf": [
            { "required": ["count", "time_window"], "not": { "required": ["rules"] } },
            { "required": ["rules"], "not": { "anyOf": [
                { "required": ["count"] }, { "required": ["time_window"] }, { "required": ["group"] },
            ] } },
        ],
    });
    let metadata = json!({
        "type": "object",
        "properties": {
            "limit_header": { "type": "string", "default": "X-RateLimit-Limit" },
            "remaining_header": { "type": "string", "default": "X-RateLimit-Remaining" },
            "reset_header": { "type": "string", "default": "X-RateLimit-Reset" },
        },
    });
    let info = PluginInfo::new("limit-count", 1002, schema)?
        .with_metadata_schema(metadata)?
        .with_check(check);
    Ok(PluginDef {
        info,
        compile: LimitCount::compile,
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    let mut keys = BTreeSet::new();
    for rule in conf.get("rules").and_then(Value::as_array).into_iter().flatten() {
        let key = rule.get("key").and_then(Value::as_str).unwrap_or_default();
        if !keys.insert(key) {
            return Err(format!("duplicate key '{key}' in rules"));
        }
    }
    Ok(())
}

struct LimitCount {
    base: CounterKey,
    limits: Limits,
    sliding: bool,
    rejected_code: u16,
    rejected_msg: Option<String>,
    allow_degradation: bool,
    show_headers: bool,
    headers: QuotaHeaders,
}

enum Limits {
    One { count: Number, window: Number, key: Key },
    Rules(Vec<(Rule, QuotaHeaders)>),
}

enum Key {
    Variable(String),
    Combination(Template),
    Constant(String),
}

impl LimitCount {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let text = |name: &str| conf.get(name).and_then(Value::as_str);
        let flag = |name: &str| conf.get(name).and_then(Value::as_bool).unwrap_or(false);
        let limits = match Rule::list(conf) {
            rules if !rules.is_empty() => {
                Limits::Rules(rules.into_iter().map(with_headers).collect::<Result<_, _>>()?)
            }
            _ => Limits::One {
                count: conf
                    .get("count")
                    .and_then(Number::parse)
                    .ok_or_else(|| wrong("count"))?,
                window: conf
                    .get("time_window")
                    .and_then(Number::parse)
                    .ok_or_else(|| wrong("time_window"))?,
                key: match text("key_type") {
                    Some("var_combination") => {
                        Key::Combination(Template::parse(text("key").unwrap_or_default()))
                    }
                    Some("constant") => Key::Constant(text("key").unwrap_or_default().to_owned()),
                    _ => Key::Variable(text("key").unwrap_or_default().to_owned()),
                },
            },
        };
        let named = |name: &str, otherwise: &str| {
            env.metadata
                .and_then(|m| m.get(name))
                .and_then(Value::as_str)
                .unwrap_or(otherwise)
                .to_owned()
        };
        let headers = QuotaHeaders::new(
            &named("limit_header", "X-RateLimit-Limit"),
            &named("remaining_header", "X-RateLimit-Remaining"),
            &named("reset_header", "X-RateLimit-Reset"),
        );
        // A group shares one counter between all that name it.
        let owner = text("group").map_or_else(
            || format!("limit-count:{}", env.owner),
            |g| format!("limit-count#{g}"),
        );
        Ok(Arc::new(Self {
            base: window::base_key(&owner, conf),
            limits,
            sliding: text("window_type") == Some("sliding"),
            rejected_code: conf
                .get("rejected_code")
                .and_then(Value::as_u64)
                .map_or(503, clamp_status),
            rejected_msg: text("rejected_msg").map(str::to_owned),
            allow_degradation: flag("allow_degradation"),
            show_headers: flag("show_limit_quota_header"),
            headers: headers.ok_or_else(|| wrong("a header name of plugin_metadata"))?,
        }))
    }

    fn meet(
        &self,
        cx: &mut Context,
        limit: Limit,
        key: &str,
        headers: &QuotaHeaders,
    ) -> Option<Step<'static>> {
        let decision = if self.sliding {
            limit.take_sliding(cx)
        } else {
            limit.take(cx)
        };
        limit.note(cx, key, &decision);
        if self.show_headers {
            headers.set(cx, limit.count, &decision);
        }
        if decision.admitted {
            return None;
        }
        let message = self.rejected_msg.as_deref();
        Some(window::rejected(self.rejected_code, message, &limit, &decision, "request").into())
    }

    fn unresolved(&self, reason: &'static str) -> Step<'static> {
        if self.allow_degradation {
            Step::CONTINUE
        } else {
            window::broken(reason).into()
        }
    }
}

impl Plugin for LimitCount {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        match &self.limits {
            Limits::One { count, window, key } => {
                let (Some(count), Some(window)) = (count.resolve(cx), window.resolve(cx)) else {
                    return self
                        .unresolved("count or time_window is not a positive integer for this request");
                };
                let key = key.value(cx);
                let limit = Limit::new(self.base, &key, count, window);
                self.meet(cx, limit, &key, &self.headers)
                    .unwrap_or(Step::CONTINUE)
            }
            Limits::Rules(rules) => {
                let mut applied = false;
                for (rule, headers) in rules {
                    let rendered = rule.key.render_counted(cx);
                    if rendered.resolved == 0 && !rule.key.is_literal() {
                        continue;
                    }
                    let key = rendered.text.into_owned();
                    let (Some(count), Some(window)) = (rule.count.resolve(cx), rule.window.resolve(cx))
                    else {
                        return self.unresolved("count or time_window of a rule is not a positive integer");
                    };
                    applied = true;
                    let limit = Limit::of_rule(self.base, &key, count, window);
                    if let Some(rejected) = self.meet(cx, limit, &key, headers) {
                        return rejected;
                    }
                }
                if applied {
                    Step::CONTINUE
                } else {
                    self.unresolved("no rule applies to this request")
                }
            }
        }
    }
}

impl Key {
    /// The text that is counted; without a value, the client's address.
    fn value(&self, cx: &Context) -> String {
        let value = match self {
            Self::Constant(text) => return text.clone(),
            Self::Variable(name) => cx.get(name).map(std::borrow::Cow::into_owned),
            Self::Combination(template) => {
                let rendered = template.render_counted(cx);
                (rendered.resolved > 0).then(|| rendered.text.into_owned())
            }
        };
        value
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| cx.request.peer.ip().to_string())
    }
}

fn with_headers(rule: Rule) -> Result<(Rule, QuotaHeaders), CompileError> {
    let name = |what: &str| format!("X-{}-RateLimit-{what}", rule.prefix);
    let headers = QuotaHeaders::new(&name("Limit"), &name("Remaining"), &name("Reset"));
    let headers = headers.ok_or_else(|| wrong("header_prefix"))?;
    Ok((rule, headers))
}

pub(crate) fn clamp_status(code: u64) -> u16 {
    u16::try_from(code).unwrap_or(503)
}

fn wrong(member: &str) -> CompileError {
    CompileError(format!("{member} cannot be used"))
}
