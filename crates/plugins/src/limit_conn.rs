//! `limit-conn`: so many requests at once (compat §6.4).

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, Step};
use sluice_limit::{Counter, PlaceGuard, UnitDelay};
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError, Template};

use crate::limit_key::LimitKey;
use crate::limit_policy::{self, Counting, Ruling, Undecided};
use crate::redis_settings;
use crate::window;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let (conn, burst) = (
        json!({ "type": "integer", "exclusiveMinimum": 0 }),
        json!({ "type": "integer", "minimum": 0 }),
    );
    let rule = json!({
        "type": "object",
        "properties": { "conn": conn, "burst": burst, "key": { "type": "string" } },
        "required": ["conn", "burst", "key"],
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "conn": conn,
            "burst": burst,
            "key": { "type": "string" },
            "key_type": { "type": "string", "enum": ["var", "var_combination"], "default": "var" },
            "rules": { "type": "array", "items": rule },
            "default_conn_delay": { "type": "number", "exclusiveMinimum": 0 },
            "only_use_default_delay": { "type": "boolean", "default": false },
            "rejected_code": { "type": "integer", "minimum": 200, "maximum": 599, "default": 503 },
            "rejected_msg": { "type": "string", "minLength": 1 },
            "allow_degradation": { "type": "boolean", "default": false },
        },
        "required": ["default_conn_delay"],
        "oneOf": [{ "required": ["conn", "burst", "key"] }, { "required": ["rules"] }],
    });
    let ttl = json!({ "key_ttl": { "type": "integer", "minimum": 1, "default": 3600 } });
    let schema = limit_policy::with_policy(schema, &["redis", "redis-cluster"], &ttl);
    let info = PluginInfo::new("limit-conn", 1003, schema)?
        .with_encrypted_fields(&["redis_password"])
        .with_check(|conf, scope| match scope {
            CheckScope::Main => redis_settings::check(conf),
            _ => Ok(()),
        });
    Ok(PluginDef {
        info,
        compile: LimitConn::compile,
    })
}

/// Delays shorter than that are not waited for, as in APISIX.
const DELAY_MIN: Duration = Duration::from_millis(1);

struct LimitConn {
    counting: Counting,
    limits: Limits,
    unit: Arc<UnitDelay>,
    /// Whether the delay follows how long requests take.
    adapts: bool,
    key_ttl: Duration,
    rejected_code: u16,
    rejected_msg: Option<Arc<str>>,
}

enum Limits {
    One(Bound, LimitKey),
    Rules(Vec<(Bound, Template)>),
}

#[derive(Clone, Copy)]
struct Bound {
    /// Requests that are let on at once.
    conn: u64,
    /// Requests beside them that are let on later.
    burst: u64,
}

impl Bound {
    fn parse(holder: &Value) -> Option<Self> {
        Some(Self {
            conn: holder.get("conn")?.as_u64()?,
            burst: holder.get("burst")?.as_u64()?,
        })
    }

    /// How many unit delays the request waits that makes it `count` under way.
    fn turns(self, count: u64) -> u32 {
        if count <= self.conn {
            return 0;
        }
        u32::try_from((count - 1) / self.conn).unwrap_or(u32::MAX)
    }
}

impl LimitConn {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let delay = conf.get("default_conn_delay").and_then(Value::as_f64);
        let delay = delay.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let ttl = conf.get("key_ttl").and_then(Value::as_u64).unwrap_or(3600);
        Ok(Arc::new(Self {
            counting: Counting::compile("limit-conn", env.owner, conf, env)?,
            limits: Limits::parse(conf).ok_or_else(|| wrong("a limit"))?,
            unit: Arc::new(UnitDelay::new(delay.ok_or_else(|| wrong("default_conn_delay"))?)),
            adapts: conf.get("only_use_default_delay").and_then(Value::as_bool) != Some(true),
            key_ttl: Duration::from_secs(ttl),
            rejected_code: limit_policy::rejected_code(conf),
            rejected_msg: limit_policy::rejected_msg(conf),
        }))
    }

    async fn decide(&self, cx: &mut Context) -> Ruling {
        let ruling = match &self.limits {
            Limits::One(bound, key) => {
                let counter = self.counting.names.counter(&key.value(cx));
                self.meet(cx, *bound, counter, 0).await
            }
            Limits::Rules(rules) => self.decide_rules(cx, rules).await,
        };
        match ruling {
            Ok(ruling) => ruling,
            Err(why) if self.counting.undecided(cx, &why) => Ok(Duration::ZERO),
            Err(_) => Err(window::unavailable().into()),
        }
    }

    async fn decide_rules(&self, cx: &mut Context, rules: &[(Bound, Template)]) -> Result<Ruling, Undecided> {
        let mut applied = false;
        let mut longest = Duration::ZERO;
        for (position, (bound, key)) in rules.iter().enumerate() {
            let rendered = key.render_counted(cx);
            if rendered.resolved == 0 && !key.is_literal() {
                continue;
            }
            applied = true;
            let counter = self.counting.names.counter(&rendered.text);
            match self.meet(cx, *bound, counter, position).await? {
                Ok(delay) => longest = longest.max(delay),
                rejected => return Ok(rejected),
            }
        }
        if applied {
            Ok(Ok(longest))
        } else {
            Err(Undecided::Unresolved(window::NO_RULE))
        }
    }

    /// Takes a place, which the request gives back at its end: whether it may go on, and after which delay.
    async fn meet(
        &self,
        cx: &mut Context,
        bound: Bound,
        counter: Counter,
        position: usize,
    ) -> Result<Ruling, Undecided> {
        let meter = &self.counting.meter;
        let name = limit_policy::request_name(cx, position);
        let most = bound.conn.saturating_add(bound.burst);
        let Some(count) = meter.enter(&counter, &name, most, self.key_ttl).await? else {
            let text = || "too many requests are under way at once".to_owned();
            let rejected = window::refused(self.rejected_code, self.rejected_msg.as_deref(), text);
            return Ok(Err(rejected.into()));
        };
        let delay = self.unit.get().saturating_mul(bound.turns(count));
        let delay = if delay < DELAY_MIN { Duration::ZERO } else { delay };
        let mut place = PlaceGuard::new(meter, counter, &name);
        if let Some(begins) = Instant::now().checked_add(delay).filter(|_| self.adapts) {
            place = place.timed(self.unit.clone(), begins);
        }
        cx.places.push(place);
        Ok(Ok(delay))
    }
}

impl Limits {
    fn parse(conf: &Value) -> Option<Self> {
        let Some(rules) = conf.get("rules").and_then(Value::as_array) else {
            return Some(Self::One(Bound::parse(conf)?, LimitKey::parse(conf)));
        };
        rules
            .iter()
            .map(|rule| Some((Bound::parse(rule)?, Template::parse(rule.get("key")?.as_str()?))))
            .collect::<Option<_>>()
            .map(Self::Rules)
    }
}

impl Plugin for LimitConn {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access, Phase::Settle])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        limit_policy::step(&self.counting, async move {
            self.counting.prepare(cx).await;
            self.decide(cx).await
        })
    }

    /// The client's next request, which may come as soon as it has the last byte, finds the places free.
    fn settle(&self, cx: &mut Context) {
        cx.places.clear();
    }
}

fn wrong(what: &str) -> CompileError {
    CompileError(format!("{what} cannot be used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_full_round_of_requests_waits_one_unit_longer() {
        let bound = Bound { conn: 2, burst: 5 };
        let turns: Vec<_> = (1..=7).map(|count| bound.turns(count)).collect();
        assert_eq!(turns, [0, 0, 1, 1, 2, 2, 3]);
    }
}
