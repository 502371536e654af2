//! `ai-limits`: rates, quotas and budgets of a client, group or route, by reserve and settle (DESIGN §5).

mod headers;
mod limit;
mod output_cap;
mod party;
mod refusal;
mod reserve;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{
    CallerBudgets, CallerLimits, CompileEnv, CompileError, Context, Failure, Hold, LimitStanding, Measure,
    Phase, Phases, Plugin, PluginDef, Step, Subject,
};
use sluice_llm::Usage;
use sluice_record::CacheOutcome;
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError};

use self::limit::{Limit, Limits, Named};

pub(crate) const NAME: &str = "ai-limits";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    Ok(PluginDef {
        info: PluginInfo::new(NAME, 1029, schema())?.with_check(check),
        compile: AiLimits::compile,
    })
}

fn schema() -> Value {
    let number = json!({ "type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64 });
    let rates: Map<String, Value> = Named::ALL
        .iter()
        .map(|named| (named.name.to_owned(), number.clone()))
        .collect();
    let mut properties = rates.clone();
    properties.insert("concurrency".to_owned(), number.clone());
    properties.insert("max_input_tokens".to_owned(), number.clone());
    properties.insert("max_output_tokens".to_owned(), number);
    properties.insert(
        "time_zone".to_owned(),
        json!({ "type": "string", "minLength": 1, "maxLength": 64, "default": "UTC" }),
    );
    properties.insert(
        "per_model".to_owned(),
        json!({
            "type": "object", "maxProperties": 100,
            "additionalProperties": {
                "type": "object", "properties": rates, "additionalProperties": false, "minProperties": 1,
            },
        }),
    );
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// A limit that cannot come into play is a mistake.
fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope == CheckScope::Metadata {
        return Ok(());
    }
    limit::zone(conf).map_err(|error| format!("time_zone: {error}"))?;
    let limits = Limits::read(conf);
    let pairs = [
        ("requests_per_minute", "requests_per_hour", 60),
        ("requests_per_hour", "requests_per_day", 24),
    ];
    for (short, long, times) in pairs {
        if let (Some(short_limit), Some(long_limit)) = (limits.find(short), limits.find(long))
            && short_limit > long_limit
        {
            return Err(format!(
                "{short} can never be reached: {long} is smaller (there are {times} of them)"
            ));
        }
    }
    Ok(())
}

struct AiLimits {
    limits: Limits,
    concurrency: Option<u64>,
    max_input_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    concurrency: u64,
    #[serde(default)]
    max_input_tokens: u64,
    #[serde(default)]
    max_output_tokens: u64,
}

/// Zero means that there is no limit.
fn wanted(limit: u64) -> Option<u64> {
    (limit > 0).then_some(limit)
}

impl AiLimits {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        if env.owner.contains("/global_rules/") {
            let message =
                "ai-limits limits a client, a group or a route: on a global rule it has nobody to count for";
            return Err(CompileError(message.to_owned()));
        }
        let config = Config::deserialize(conf)?;
        Ok(Arc::new(Self {
            limits: Limits::read(conf),
            concurrency: wanted(config.concurrency),
            max_input_tokens: wanted(config.max_input_tokens),
            max_output_tokens: wanted(config.max_output_tokens),
        }))
    }
}

/// What others granted is given back where one refuses: a request that does not run costs nothing.
fn step<'a>(cx: &mut Context, reserved: Result<(), Box<Failure>>) -> Step<'a> {
    match reserved {
        Ok(()) => Step::CONTINUE,
        Err(failure) => {
            cx.holds = None;
            failure.into()
        }
    }
}

impl Plugin for AiLimits {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite, Phase::Access, Phase::Settle])
    }

    /// Who calls is known by now. Limits on requests are met before a cache can answer.
    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let parties = party::parties(cx);
        let reserved = reserve::early(cx, &parties);
        step(cx, reserved)
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        // Of two instances in a pipeline and the global rules, one reserves for all.
        if cx.holds.as_ref().is_some_and(|holds| holds.counts) {
            return Step::CONTINUE;
        }
        let reserved = reserve::late(cx);
        step(cx, reserved)
    }

    fn settle(&self, cx: &mut Context) {
        let Some(holds) = cx.holds.take() else {
            return;
        };
        let found = cx.cache.as_ref().map(|call| call.found.outcome);
        let hit = matches!(found, Some(CacheOutcome::Exact | CacheOutcome::Semantic));
        let (usage, cost) = used(cx).filter(|_| !hit).unwrap_or((Usage::default(), Some(0)));
        for Hold { guard, measure, .. } in holds.reserved {
            let used = match measure {
                // What other plugins refused before was no request.
                Measure::Requests => u64::from(holds.counts || hit),
                Measure::Input => usage.total_input(),
                Measure::Output => usage.total_output(),
                Measure::Tokens => usage.total(),
                // Who took over for a failed target may have no price: what was held is the best guess.
                Measure::Money => cost.unwrap_or_else(|| guard.held()),
            };
            guard.settle(used);
        }
        if usage.total() > 0 {
            for key in holds.sizes {
                cx.services.limits.estimates.observe(key, usage.total_output());
            }
        }
    }

    fn caller_limits(&self) -> Option<&dyn CallerLimits> {
        Some(self)
    }
}

/// What the call used, and what that costs, where its price is known.
fn used(cx: &Context) -> Option<(Usage, Option<u64>)> {
    let ai = cx.ai.as_deref()?;
    let (usage, answered) = ai
        .progress
        .read(|state| (state.usage, state.model_answered.clone()));
    if usage.is_empty() {
        return Some((usage, Some(0)));
    }
    let listed = |model: &str| cx.services.prices.find(ai.picked.provider, model);
    let price = ai
        .picked
        .price
        .as_deref()
        .or_else(|| listed(answered.as_deref()?))
        .or_else(|| listed(ai.model_sent.as_deref()?));
    let cost = price.map(|price| u64::try_from(price.cost(&usage)).unwrap_or_default());
    Some((usage, cost))
}

impl CallerLimits for AiLimits {
    fn standings(&self, subject: Subject<'_>, budgets: &CallerBudgets) -> Vec<LimitStanding> {
        let standing = |limit: &Limit| {
            let standing = budgets.budgets.standing(&limit.budget(subject));
            LimitStanding {
                name: limit.name,
                model: limit.pattern.clone(),
                unit: limit.unit(),
                limit: limit.limit,
                used: standing.spent,
                reserved: standing.reserved,
                reset_in: standing.reset_in,
            }
        };
        let under_way = self.concurrency.map(|limit| LimitStanding {
            name: "concurrency",
            model: None,
            unit: "concurrent",
            limit,
            used: budgets.concurrency.count(reserve::concurrency_key(subject)),
            reserved: 0,
            reset_in: None,
        });
        self.limits.all().map(standing).chain(under_way).collect()
    }

    fn reset(&self, subject: Subject<'_>, name: &str, budgets: &CallerBudgets) -> bool {
        let mut found = false;
        for limit in self.limits.all().filter(|limit| limit.name == name) {
            budgets.budgets.reset(limit.budget(subject).key);
            found = true;
        }
        found
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}
