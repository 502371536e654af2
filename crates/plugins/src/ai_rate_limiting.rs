//! `ai-rate-limiting`: so many tokens in a window, checked before and charged after the call (compat §4.4).

mod cost;
mod schema;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use sluice_core::{CompileEnv, CompileError, Context, InstanceQuota, Phase, Phases, Plugin, PluginDef, Step};
use sluice_limit::CounterKey;
use sluice_llm::ReportedCounts;
use sluice_record::Text;
use sluice_resource::{PluginInfo, SchemaCompileError};

use self::cost::CostExpr;
use crate::number::Number;
use crate::window::{self, Limit, QuotaHeaders, Rule};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let info = PluginInfo::new("ai-rate-limiting", 1030, schema::schema())?
        .with_encrypted_fields(&["redis_password", "sentinel_password"])
        .with_check(schema::check);
    Ok(PluginDef {
        info,
        compile: AiRateLimiting::compile,
    })
}

/// The counter of a plain `limit`.
const GLOBAL: &str = "ai-rate-limiting#global";

/// Instances whose header names are kept.
const HEADERS_MAX: usize = 64;

struct AiRateLimiting {
    base: CounterKey,
    scope: Scope,
    /// Header names of the instances seen so far: making them costs more than a look at a counter.
    headers: Mutex<Vec<(Text, Arc<QuotaHeaders>)>>,
    strategy: Strategy,
    rejected_code: u16,
    rejected_msg: Option<String>,
    allow_degradation: bool,
    show_headers: bool,
}

/// Which limit a request meets.
enum Scope {
    Instances {
        own: Vec<(String, Quota)>,
        others: Option<Quota>,
    },
    Rules(Vec<(Rule, QuotaHeaders)>),
}

struct Quota {
    count: Number,
    window: Number,
}

/// What a call costs.
enum Strategy {
    Total,
    Prompt,
    Completion,
    Expression(CostExpr),
}

impl AiRateLimiting {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let text = |name: &str| conf.get(name).and_then(Value::as_str);
        let flag = |name: &str| conf.get(name).and_then(Value::as_bool).unwrap_or(false);
        let strategy = match text("limit_strategy") {
            Some("prompt_tokens") => Strategy::Prompt,
            Some("completion_tokens") => Strategy::Completion,
            Some("expression") => {
                let source = text("cost_expr").unwrap_or_default();
                Strategy::Expression(
                    CostExpr::parse(source).map_err(|e| CompileError(format!("invalid cost_expr: {e}")))?,
                )
            }
            _ => Strategy::Total,
        };
        let code = conf.get("rejected_code").and_then(Value::as_u64);
        Ok(Arc::new(Self {
            base: window::base_key(&format!("ai-rate-limiting:{}", env.owner), conf),
            scope: Scope::parse(conf)?,
            headers: Mutex::default(),
            strategy,
            rejected_code: code.map_or(503, crate::limit_count::clamp_status),
            rejected_msg: text("rejected_msg").map(str::to_owned),
            allow_degradation: flag("allow_degradation"),
            show_headers: flag("show_limit_quota_header"),
        }))
    }

    /// The limit of an instance: its own entry, else the plain `limit`, which still counts each instance apart.
    fn limit_of(&self, cx: &Context, instance: &str) -> Option<Result<Limit, &'static str>> {
        let Scope::Instances { own, others } = &self.scope else {
            return None;
        };
        let entry = own.iter().find(|(name, _)| name == instance);
        let (quota, key) = match (entry, others) {
            (Some((_, quota)), _) => (quota, instance.to_owned()),
            (None, Some(quota)) => (quota, format!("{GLOBAL}:{instance}")),
            (None, None) => return None,
        };
        Some(match (quota.count.resolve(cx), quota.window.resolve(cx)) {
            (Some(count), Some(window)) => Ok(Limit::new(self.base, &key, count, window)),
            _ => Err("limit or time_window is not a positive integer for this request"),
        })
    }

    /// The names of an instance's headers; `None` when its name cannot be part of one, or headers are off.
    fn headers_of(&self, instance: &str) -> Option<Arc<QuotaHeaders>> {
        if !self.show_headers {
            return None;
        }
        let mut known = self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, headers)) = known.iter().find(|(name, _)| &**name == instance) {
            return Some(headers.clone());
        }
        let headers = Arc::new(instance_headers(instance)?);
        // A consumer's limit meets the instances of every route that the consumer calls.
        if known.len() >= HEADERS_MAX {
            known.clear();
        }
        known.push((Text::from(instance), headers.clone()));
        Some(headers)
    }

    /// The rules that apply: those of whose key something was resolved.
    fn rules_of<'a>(&'a self, cx: &Context) -> Result<Vec<(Limit, String, &'a QuotaHeaders)>, &'static str> {
        let Scope::Rules(rules) = &self.scope else {
            return Ok(Vec::new());
        };
        let mut found = Vec::with_capacity(rules.len());
        for (rule, headers) in rules {
            let rendered = rule.key.render_counted(cx);
            if rendered.resolved == 0 && !rule.key.is_literal() {
                continue;
            }
            let (Some(count), Some(window)) = (rule.count.resolve(cx), rule.window.resolve(cx)) else {
                return Err("count or time_window of a rule is not a positive integer for this request");
            };
            found.push((
                Limit::of_rule(self.base, &rendered.text, count, window),
                rendered.text.into_owned(),
                headers,
            ));
        }
        if found.is_empty() {
            Err("no rule applies to this request")
        } else {
            Ok(found)
        }
    }

    /// Looks at one counter: sets its headers and says whether the request must be refused.
    fn meet(
        &self,
        cx: &mut Context,
        limit: Limit,
        key: &str,
        headers: Option<&QuotaHeaders>,
    ) -> Option<Step<'static>> {
        let decision = limit.peek(cx);
        limit.note(cx, key, &decision);
        if let Some(headers) = headers.filter(|_| self.show_headers) {
            headers.set(cx, limit.count, &decision);
        }
        if decision.admitted {
            return None;
        }
        let message = self.rejected_msg.as_deref();
        Some(window::rejected(self.rejected_code, message, &limit, &decision, "token").into())
    }

    fn unresolved(&self, reason: &'static str) -> Step<'static> {
        if self.allow_degradation {
            Step::CONTINUE
        } else {
            window::broken(reason).into()
        }
    }

    fn cost(&self, counts: &ReportedCounts, raw: Option<&str>) -> Result<u64, String> {
        match &self.strategy {
            Strategy::Total => Ok(counts.total),
            Strategy::Prompt => Ok(counts.prompt),
            Strategy::Completion => Ok(counts.completion),
            Strategy::Expression(expr) => {
                let usage: Value = serde_json::from_str(raw.ok_or("the answer has no usage object")?)
                    .map_err(|error| error.to_string())?;
                expr.cost(&usage)
            }
        }
    }
}

impl Scope {
    fn parse(conf: &Value) -> Result<Self, CompileError> {
        let rules = Rule::list(conf);
        if !rules.is_empty() {
            let with_headers = |rule: Rule| {
                let name = |what: &str| format!("X-AI-{}-RateLimit-{what}", rule.prefix);
                let headers = QuotaHeaders::new(&name("Limit"), &name("Remaining"), &name("Reset"));
                let headers =
                    headers.ok_or_else(|| CompileError("header_prefix cannot be used".to_owned()))?;
                Ok((rule, headers))
            };
            return Ok(Self::Rules(
                rules
                    .into_iter()
                    .map(with_headers)
                    .collect::<Result<_, CompileError>>()?,
            ));
        }
        let quota = |holder: &Value| {
            let number = |name: &str| holder.get(name).and_then(Number::parse);
            Some(Quota {
                count: number("limit")?,
                window: number("time_window")?,
            })
        };
        let entries = conf
            .get("instances")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let own = entries
            .filter_map(|entry| Some((entry.get("name")?.as_str()?.to_owned(), quota(entry)?)))
            .collect();
        Ok(Self::Instances {
            own,
            others: quota(conf),
        })
    }
}

impl Plugin for AiRateLimiting {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access, Phase::Settle])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let Some(ai) = cx.ai.as_deref_mut() else {
            return Step::CONTINUE;
        };
        ai.keeps_raw_usage |= matches!(self.strategy, Strategy::Expression(_));
        let instance = ai.picked.name.clone();
        if let Scope::Rules(_) = self.scope {
            let rules = match self.rules_of(cx) {
                Ok(rules) => rules,
                Err(reason) => return self.unresolved(reason),
            };
            for (limit, key, headers) in rules {
                if let Some(rejected) = self.meet(cx, limit, &key, Some(headers)) {
                    return rejected;
                }
            }
            return Step::CONTINUE;
        }
        match self.limit_of(cx, &instance) {
            None => Step::CONTINUE,
            Some(Err(reason)) => self.unresolved(reason),
            Some(Ok(limit)) => {
                let headers = self.headers_of(&instance);
                self.meet(cx, limit, &instance, headers.as_deref())
                    .unwrap_or(Step::CONTINUE)
            }
        }
    }

    fn settle(&self, cx: &mut Context) {
        let Some(ai) = &cx.ai else { return };
        let instance = ai.picked.name.clone();
        let sent = ai.model_sent.is_some();
        let cost = ai.progress.read(|state| {
            state
                .reported
                .then(|| self.cost(&state.counts, state.raw_usage.as_deref()))
        });
        let cost = match cost {
            Some(Ok(cost)) => cost,
            Some(Err(error)) => {
                return tracing::error!(error, "token cost could not be computed, nothing is charged");
            }
            None if sent => return tracing::debug!("failed to get token usage for llm service"),
            None => return,
        };
        match &self.scope {
            Scope::Rules(_) => {
                for (limit, ..) in self.rules_of(cx).unwrap_or_default() {
                    limit.charge(cx, cost);
                }
            }
            Scope::Instances { .. } => {
                if let Some(Ok(limit)) = self.limit_of(cx, &instance) {
                    limit.charge(cx, cost);
                }
            }
        }
    }

    fn instance_quota(&self) -> Option<&dyn InstanceQuota> {
        match self.scope {
            Scope::Instances { .. } => Some(self),
            Scope::Rules(_) => None,
        }
    }
}

impl InstanceQuota for AiRateLimiting {
    fn has_quota(&self, cx: &mut Context, instance: &str) -> bool {
        let Some(Ok(limit)) = self.limit_of(cx, instance) else {
            return true;
        };
        self.meet(cx, limit, instance, self.headers_of(instance).as_deref())
            .is_none()
    }
}

fn instance_headers(instance: &str) -> Option<QuotaHeaders> {
    let name = |what: &str| format!("X-AI-RateLimit-{what}-{instance}");
    QuotaHeaders::new(&name("Limit"), &name("Remaining"), &name("Reset"))
}
