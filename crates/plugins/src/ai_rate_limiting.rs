//! `ai-rate-limiting`: so many tokens in a window, checked before and charged after the call (compat §4.4).

mod cost;
mod schema;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use sluice_core::{CompileEnv, CompileError, Context, InstanceQuota, Phase, Phases, Plugin, PluginDef, Step};
use sluice_llm::ReportedCounts;
use sluice_record::{Record, Text};
use sluice_resource::{PluginInfo, SchemaCompileError};

use self::cost::CostExpr;
use crate::limit_policy::{self, Counting, Ruling, Undecided};
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

/// Instances that are remembered.
const INSTANCES_MAX: usize = 64;

struct AiRateLimiting {
    counting: Counting,
    scope: Scope,
    strategy: Strategy,
    rejected_code: u16,
    rejected_msg: Option<Arc<str>>,
    show_headers: bool,
}

/// Which limit a request meets.
enum Scope {
    Instances {
        own: Vec<(String, Quota)>,
        others: Option<Quota>,
        /// Those seen so far: making names of counters and headers costs more than a look at a counter.
        known: Mutex<Vec<(Text, Option<Arc<Instance>>)>>,
    },
    /// With no headers where a prefix cannot be part of one.
    Rules(Vec<(Rule, Option<QuotaHeaders>)>),
}

#[derive(Clone)]
struct Quota {
    count: Number,
    window: Number,
}

/// An instance that has a limit.
struct Instance {
    quota: Quota,
    /// Of its counter.
    key: Box<str>,
    /// What tells its counter from others of the same key.
    settings: Box<str>,
    /// Its limit, when that is the same for all requests.
    fixed: Option<Limit>,
    /// `None` when its name cannot be part of a header, or headers are off.
    headers: Option<QuotaHeaders>,
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
        Ok(Arc::new(Self {
            counting: Counting::compile("ai-rate-limiting", env.owner, conf, env)?,
            scope: Scope::parse(conf),
            strategy,
            rejected_code: limit_policy::rejected_code(conf),
            rejected_msg: limit_policy::rejected_msg(conf),
            show_headers: conf
                .get("show_limit_quota_header")
                .and_then(Value::as_bool)
                .unwrap_or(true),
        }))
    }

    /// What is known of an instance; `None` when it has no limit.
    fn instance(&self, name: &str) -> Option<Arc<Instance>> {
        let Scope::Instances { own, others, known } = &self.scope else {
            return None;
        };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, instance)) = known.iter().find(|(known, _)| &**known == name) {
            return instance.clone();
        }
        let entry = own.iter().find(|(own, _)| own == name);
        // A plain limit counts each instance apart, too.
        let quota = entry
            .map(|(_, quota)| (quota, name, ""))
            .or_else(|| others.as_ref().map(|quota| (quota, GLOBAL, name)));
        let instance =
            quota.map(|(quota, key, settings)| Arc::new(self.describe(name, quota, key, settings)));
        // A consumer's limit meets the instances of every route that the consumer calls.
        if known.len() >= INSTANCES_MAX {
            known.clear();
        }
        known.push((Text::from(name), instance.clone()));
        instance
    }

    fn describe(&self, name: &str, quota: &Quota, key: &str, settings: &str) -> Instance {
        let fixed = quota.count.fixed().zip(quota.window.fixed());
        let names = &self.counting.names;
        Instance {
            quota: quota.clone(),
            key: key.into(),
            settings: settings.into(),
            fixed: fixed.map(|(count, window)| Limit::new(names.counter_with(settings, key), count, window)),
            headers: self.show_headers.then(|| instance_headers(name)).flatten(),
        }
    }

    fn limit_of(&self, cx: &Context, instance: &Instance) -> Result<Limit, Undecided> {
        if let Some(limit) = &instance.fixed {
            return Ok(limit.clone());
        }
        let Quota { count, window } = &instance.quota;
        let (Some(count), Some(window)) = (count.resolve(cx), window.resolve(cx)) else {
            let reason = "limit or time_window is not a positive integer for this request";
            return Err(Undecided::Unresolved(reason));
        };
        let settings = format!("{count}/{window}/{}", instance.settings);
        let counter = self.counting.names.counter_with(&settings, &instance.key);
        Ok(Limit::new(counter, count, window))
    }

    async fn decide(&self, cx: &mut Context, instance: &str) -> Ruling {
        let ruling = match &self.scope {
            Scope::Instances { .. } => self.decide_instance(cx, instance).await,
            Scope::Rules(rules) => self.decide_rules(cx, rules).await,
        };
        match ruling {
            Ok(ruling) => ruling,
            Err(why) if self.counting.undecided(cx, &why) => Ok(Duration::ZERO),
            Err(_) => Err(window::broken().into()),
        }
    }

    async fn decide_instance(&self, cx: &mut Context, name: &str) -> Result<Ruling, Undecided> {
        let Some(instance) = self.instance(name) else {
            return Ok(Ok(Duration::ZERO));
        };
        let limit = self.limit_of(cx, &instance)?;
        self.meet(cx, &limit, name, instance.headers.as_ref()).await
    }

    async fn decide_rules(
        &self,
        cx: &mut Context,
        rules: &[(Rule, Option<QuotaHeaders>)],
    ) -> Result<Ruling, Undecided> {
        let mut applied = false;
        for (rule, headers) in rules {
            let Some((limit, key)) = rule.limit(cx, &self.counting.names)? else {
                continue;
            };
            applied = true;
            let headers = headers.as_ref().filter(|_| self.show_headers);
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

    /// Looks at one counter: sets its headers and says whether the request must be refused.
    async fn meet(
        &self,
        cx: &mut Context,
        limit: &Limit,
        key: &str,
        headers: Option<&QuotaHeaders>,
    ) -> Result<Ruling, Undecided> {
        let (meter, now) = (&self.counting.meter, Instant::now());
        let decision = meter.peek(&limit.counter, limit.count, limit.window, now).await?;
        limit.note(cx, key, &decision);
        if let Some(headers) = headers {
            headers.set(cx, limit.count, &decision);
        }
        if decision.admitted {
            return Ok(Ok(Duration::ZERO));
        }
        let message = self.rejected_msg.as_deref();
        let rejected = window::rejected(self.rejected_code, message, limit, &decision, "token");
        Ok(Err(rejected.into()))
    }

    /// Charges what the call used to every counter that it met.
    fn charge(&self, cx: &Context) {
        let Some(cost) = self.cost_of(cx) else { return };
        match &self.scope {
            Scope::Rules(rules) => {
                for (rule, _) in rules {
                    if let Ok(Some((limit, _))) = rule.limit(cx, &self.counting.names) {
                        self.charge_one(&limit, cost);
                    }
                }
            }
            Scope::Instances { .. } => {
                let name = cx.ai.as_ref().map(|ai| &*ai.picked.name);
                if let Some(instance) = name.and_then(|name| self.instance(name))
                    && let Ok(limit) = self.limit_of(cx, &instance)
                {
                    self.charge_one(&limit, cost);
                }
            }
        }
    }

    fn charge_one(&self, limit: &Limit, cost: u64) {
        let meter = &self.counting.meter;
        meter.charge(&limit.counter, cost, limit.window, Instant::now());
    }

    /// What the call costs; `None` when nothing is charged.
    fn cost_of(&self, cx: &Context) -> Option<u64> {
        let ai = cx.ai.as_deref()?;
        let cost = ai.progress.read(|state| {
            state
                .reported
                .then(|| self.cost(&state.counts, state.raw_usage.as_deref()))
        });
        match cost {
            Some(Ok(cost)) => Some(cost),
            Some(Err(error)) => {
                tracing::error!(error, "token cost could not be computed, nothing is charged");
                None
            }
            None => {
                if ai.model_sent.is_some() {
                    tracing::debug!("failed to get token usage for llm service");
                }
                None
            }
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
    fn parse(conf: &Value) -> Self {
        let rules = Rule::list(conf);
        if !rules.is_empty() {
            let with_headers = |rule: Rule| {
                let name = |what: &str| format!("X-AI-{}-RateLimit-{what}", rule.prefix);
                let headers = QuotaHeaders::new(&name("Limit"), &name("Remaining"), &name("Reset"));
                (rule, headers)
            };
            return Self::Rules(rules.into_iter().map(with_headers).collect());
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
        Self::Instances {
            own,
            others: quota(conf),
            known: Mutex::default(),
        }
    }
}

impl Plugin for AiRateLimiting {
    /// Local counters are charged before the last byte is released, Redis is told when the request is over.
    fn phases(&self) -> Phases {
        if self.counting.meter.is_local() {
            Phases::of(&[Phase::Access, Phase::Settle])
        } else {
            Phases::of(&[Phase::Access, Phase::Log])
        }
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let Some(ai) = cx.ai.as_deref_mut() else {
            return Step::CONTINUE;
        };
        ai.keeps_raw_usage |= matches!(self.strategy, Strategy::Expression(_));
        let instance = ai.picked.name.clone();
        limit_policy::step(&self.counting, async move { self.decide(cx, &instance).await })
    }

    fn settle(&self, cx: &mut Context) {
        self.charge(cx);
    }

    fn log(&self, cx: &Context, _record: &Record) {
        self.charge(cx);
    }

    fn instance_quota(&self) -> Option<&dyn InstanceQuota> {
        match self.scope {
            Scope::Instances { .. } => Some(self),
            Scope::Rules(_) => None,
        }
    }
}

impl InstanceQuota for AiRateLimiting {
    fn has_quota<'a>(
        &'a self,
        cx: &'a mut Context,
        instance: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move {
            match self.decide_instance(cx, instance).await {
                Ok(ruling) => ruling.is_ok(),
                // Without a limit for this request there is none that is used up.
                Err(Undecided::Unresolved(_)) => true,
                Err(why) => self.counting.undecided(cx, &why),
            }
        })
    }
}

fn instance_headers(instance: &str) -> Option<QuotaHeaders> {
    let name = |what: &str| format!("X-AI-RateLimit-{what}-{instance}");
    QuotaHeaders::new(&name("Limit"), &name("Remaining"), &name("Reset"))
}
