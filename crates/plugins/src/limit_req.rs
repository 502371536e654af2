//! `limit-req`: an even rate of requests, by a leaky bucket (compat §6.4).

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, Step};
use sluice_limit::Leak;
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError};

use crate::limit_key::LimitKey;
use crate::limit_policy::{self, Counting, Ruling, Undecided};
use crate::redis_settings;
use crate::window;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "rate": { "type": "number", "exclusiveMinimum": 0 },
            "burst": { "type": "number", "minimum": 0 },
            "key": { "type": "string" },
            "key_type": { "type": "string", "enum": ["var", "var_combination"], "default": "var" },
            "rejected_code": { "type": "integer", "minimum": 200, "maximum": 599, "default": 503 },
            "rejected_msg": { "type": "string", "minLength": 1 },
            "nodelay": { "type": "boolean", "default": false },
            "allow_degradation": { "type": "boolean", "default": false },
        },
        "required": ["rate", "burst", "key"],
    });
    let schema = limit_policy::with_policy(schema, &["redis", "redis-cluster"], &json!({}));
    let info = PluginInfo::new("limit-req", 1001, schema)?
        .with_encrypted_fields(&["redis_password"])
        .with_check(|conf, scope| match scope {
            CheckScope::Main => redis_settings::check(conf),
            _ => Ok(()),
        });
    Ok(PluginDef {
        info,
        compile: LimitReq::compile,
    })
}

/// Delays shorter than that are not waited for, as in APISIX.
const DELAY_MIN: Duration = Duration::from_millis(1);

struct LimitReq {
    counting: Counting,
    key: LimitKey,
    leak: Leak,
    delays: bool,
    rejected_code: u16,
    rejected_msg: Option<Arc<str>>,
}

impl LimitReq {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let number = |name: &str| {
            let number = conf.get(name).and_then(Value::as_f64);
            number.ok_or_else(|| CompileError(format!("{name} is no number")))
        };
        Ok(Arc::new(Self {
            counting: Counting::compile("limit-req", env.owner, conf, env)?,
            key: LimitKey::parse(conf),
            leak: Leak {
                rate: number("rate")?,
                burst: number("burst")?,
            },
            delays: conf.get("nodelay").and_then(Value::as_bool) != Some(true),
            rejected_code: limit_policy::rejected_code(conf),
            rejected_msg: limit_policy::rejected_msg(conf),
        }))
    }

    async fn decide(&self, cx: &mut Context) -> Ruling {
        let counter = self.counting.names.counter(&self.key.value(cx));
        let poured = self
            .counting
            .meter
            .pour(&counter, self.leak, Instant::now())
            .await;
        match poured.map_err(Undecided::from) {
            Ok(Some(delay)) if self.delays && delay >= DELAY_MIN => Ok(delay),
            Ok(Some(_)) => Ok(Duration::ZERO),
            Ok(None) => {
                let text = || "requests come faster than the limit on their rate allows".to_owned();
                Err(window::refused(self.rejected_code, self.rejected_msg.as_deref(), text).into())
            }
            Err(why) if self.counting.undecided(cx, &why) => Ok(Duration::ZERO),
            Err(_) => Err(window::unavailable().into()),
        }
    }
}

impl Plugin for LimitReq {
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
