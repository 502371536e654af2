//! `ai-limits`: rates, quotas and budgets of a client, group or route, by reserve and settle (DESIGN §5).

mod limit;
mod refusal;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{
    CallerBudgets, CallerLimits, CompileEnv, CompileError, Context, Failure, Hold, LimitStanding, Measure,
    Phase, Phases, Place, Plugin, PluginDef, Step, Subject,
};
use sluice_limit::{CounterKey, ReserveError};
use sluice_llm::{Price, Usage};
use sluice_record::CacheOutcome;
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError};

use self::limit::{Limit, Limits, Named};

pub(crate) const NAME: &str = "ai-limits";

/// Most tokens that an answer is thought to have where nothing is known.
const UNSEEN_OUTPUT: u64 = 512;

/// Bytes of a body per token, roughly.
const BYTES_PER_TOKEN: u64 = 4;

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
    properties.insert("max_input_tokens".to_owned(), number);
    properties.insert(
        "time_zone".to_owned(),
        json!({ "type": "string", "pattern": "^(UTC|[+-](0[0-9]|1[0-4]):[0-5][0-9])$", "default": "UTC" }),
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
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    concurrency: u64,
    #[serde(default)]
    max_input_tokens: u64,
}

/// Zero means that there is no limit.
fn wanted(limit: u64) -> Option<u64> {
    (limit > 0).then_some(limit)
}

/// What is known of a request before it is sent.
struct Expected {
    model: Arc<str>,
    input: u64,
    output: u64,
    price: Option<Price>,
}

impl AiLimits {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        Ok(Arc::new(Self {
            limits: Limits::read(conf),
            concurrency: wanted(config.concurrency),
            max_input_tokens: wanted(config.max_input_tokens),
        }))
    }

    /// Reserves in every limit, or in none.
    fn reserve(&self, cx: &mut Context, subject: Subject<'_>) -> Result<(), Box<Failure>> {
        let services = Arc::clone(&cx.services);
        let budgets = &services.limits;
        let expected = cx.ai.as_deref().map(|ai| {
            let model = ai.picked.model.clone().unwrap_or_else(|| ai.model.clone());
            let price = ai
                .picked
                .price
                .as_deref()
                .or_else(|| services.prices.find(ai.picked.provider, &model));
            let bytes = ai
                .request
                .as_ref()
                .map_or(0, |request| request.json().bytes().len() as u64);
            let size = |measure| size_key(subject, &model, measure);
            Expected {
                input: budgets
                    .estimates
                    .estimate(size(Measure::Input), bytes / BYTES_PER_TOKEN, None),
                output: budgets
                    .estimates
                    .estimate(size(Measure::Output), UNSEEN_OUTPUT, None),
                price: price.cloned(),
                model,
            }
        });
        if let (Some(most), Some(expected)) = (self.max_input_tokens, &expected)
            && expected.input > most
        {
            return Err(refusal::too_long(expected.input, most));
        }
        let mut reserved = Vec::new();
        for limit in self
            .limits
            .for_model(expected.as_ref().map(|expected| &*expected.model))
        {
            let Some(amount) = amount(limit, expected.as_ref()) else {
                return Err(refusal::unpriced());
            };
            if amount == 0 {
                continue;
            }
            let budget = limit.budget(subject);
            match budgets.budgets.reserve(&budget, amount) {
                Ok(guard) => reserved.push(Hold {
                    guard,
                    measure: limit.measure,
                }),
                Err(ReserveError::Exhausted(standing)) => {
                    return Err(refusal::exhausted(subject, limit, standing));
                }
                Err(ReserveError::Full) => return Err(refusal::full()),
            }
        }
        let mut place = None;
        if let Some(most) = self.concurrency {
            let key = CounterKey::new(&[NAME, subject.scope(), subject.name(), "concurrency"]);
            match budgets.concurrency.enter(key, most) {
                Ok(Some(_)) => place = Some(Place::new(Arc::clone(&budgets.concurrency), key)),
                Ok(None) => return Err(refusal::busy(subject, most)),
                Err(_) => return Err(refusal::full()),
            }
        }
        let sizes = expected.map(|expected| {
            [Measure::Input, Measure::Output]
                .map(|measure| (size_key(subject, &expected.model, measure), measure))
        });
        let holds = cx.holds.get_or_insert_default();
        holds.reserved.extend(reserved);
        holds.places.extend(place);
        holds.sizes.extend(sizes.into_iter().flatten());
        Ok(())
    }

    /// Whose limits this request meets: its client's, its group's and its route's own, each by its own configuration.
    fn apply(&self, cx: &mut Context) -> Result<(), Box<Failure>> {
        let entry = |set: &sluice_core::PluginSet| set.get(NAME).map(|entry| Arc::clone(&entry.plugin));
        let caller = cx.caller.as_ref().map(|caller| {
            let consumer = &caller.consumer;
            let group = consumer.group_id.clone().and_then(|id| {
                let plugin = entry(&cx.snapshot.consumers.group(&id)?.plugins)?;
                Some((id, plugin))
            });
            ((consumer.username.clone(), entry(&consumer.plugins)), group)
        });
        let mut found = false;
        if let Some(((name, own), group)) = caller {
            if own.is_some() {
                found = true;
                self.reserve(cx, Subject::Client(&name))?;
            }
            if let Some((id, plugin)) = group {
                found = true;
                match plugin
                    .caller_limits()
                    .and_then(CallerLimits::as_any)
                    .and_then(|any| any.downcast_ref::<Self>())
                {
                    Some(limits) => limits.reserve(cx, Subject::Group(&id))?,
                    None => self.reserve(cx, Subject::Group(&id))?,
                }
            }
        }
        if !found {
            let route = cx.route.as_ref().map(|matched| matched.route.id.clone());
            self.reserve(cx, Subject::Route(route.as_deref().unwrap_or_default()))?;
        }
        Ok(())
    }
}

fn size_key(subject: Subject<'_>, model: &str, measure: Measure) -> CounterKey {
    let kind = if measure == Measure::Input {
        "input"
    } else {
        "output"
    };
    CounterKey::new(&["size", subject.scope(), subject.name(), model, kind])
}

/// What is held; `None` where money is limited and the model has no price.
fn amount(limit: &Limit, expected: Option<&Expected>) -> Option<u64> {
    let Some(expected) = expected else {
        return Some(u64::from(limit.measure == Measure::Requests));
    };
    Some(match limit.measure {
        Measure::Requests => 1,
        Measure::Input => expected.input,
        Measure::Output => expected.output,
        Measure::Tokens => expected.input + expected.output,
        Measure::Money => {
            let usage = Usage {
                input: expected.input,
                output: expected.output,
                ..Usage::default()
            };
            u64::try_from(expected.price.as_ref()?.cost(&usage))
                .unwrap_or_default()
                .max(1)
        }
    })
}

impl Plugin for AiLimits {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access, Phase::Settle])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        match self.apply(cx) {
            Ok(()) => Step::CONTINUE,
            Err(failure) => {
                // What others granted is given back: a request that does not run costs nothing.
                cx.holds = None;
                failure.into()
            }
        }
    }

    fn settle(&self, cx: &mut Context) {
        let Some(holds) = cx.holds.take() else {
            return;
        };
        let found = cx.cache.as_ref().map(|call| call.found.outcome);
        let hit = matches!(found, Some(CacheOutcome::Exact | CacheOutcome::Semantic));
        let (usage, cost) = used(cx).filter(|_| !hit).unwrap_or_default();
        let input =
            usage.input + usage.cache_read + usage.cache_write + usage.cache_write_1h + usage.audio_input;
        let output = usage.output + usage.reasoning + usage.audio_output;
        for Hold { guard, measure } in holds.reserved {
            guard.settle(match measure {
                Measure::Requests => 1,
                Measure::Input => input,
                Measure::Output => output,
                Measure::Tokens => input + output,
                Measure::Money => cost,
            });
        }
        if input + output > 0 {
            for (key, measure) in holds.sizes {
                let size = if measure == Measure::Input { input } else { output };
                cx.services.limits.estimates.observe(key, size);
            }
        }
    }

    fn caller_limits(&self) -> Option<&dyn CallerLimits> {
        Some(self)
    }
}

/// What the call used, and what that costs.
fn used(cx: &Context) -> Option<(Usage, u64)> {
    let ai = cx.ai.as_deref()?;
    let (usage, answered) = ai
        .progress
        .read(|state| (state.usage, state.model_answered.clone()));
    let listed = |model: &str| cx.services.prices.find(ai.picked.provider, model);
    let price = ai
        .picked
        .price
        .as_deref()
        .or_else(|| listed(answered.as_deref()?))
        .or_else(|| listed(ai.model_sent.as_deref()?));
    let cost = price.map(|price| price.cost(&usage)).unwrap_or_default();
    Some((usage, u64::try_from(cost).unwrap_or_default()))
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
        self.limits.all().map(standing).collect()
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
