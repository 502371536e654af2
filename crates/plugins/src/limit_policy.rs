//! `policy` of the limit plugins: where their counters are, and what happens when those cannot be asked
//! (compat §4.4).

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Map, Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Step, Verdict};
use sluice_limit::{CounterNames, Meter, MeterError, RedisCounters};

use crate::{body_vars, redis_settings};

/// Adds `policy` and the fields of those that a plugin knows to its schema: `local`, and of the others those named.
/// `more` are fields that the plugin has beside them for all Redis policies but `redis-sentinel`.
pub(crate) fn with_policy(mut schema: Value, redis: &[&str], more: &Value) -> Value {
    let names: Vec<&str> = ["local"].into_iter().chain(redis.iter().copied()).collect();
    schema["properties"]["policy"] = json!({ "type": "string", "enum": names, "default": "local" });
    let mut chain = Value::Null;
    for policy in redis.iter().rev() {
        let mut fields = redis_settings::schema(policy);
        if let (Some(fields), Some(more)) = (fields["properties"].as_object_mut(), more.as_object()) {
            fields.extend(more.clone());
        }
        let mut link = Map::new();
        link.insert(
            "if".to_owned(),
            json!({ "properties": { "policy": { "enum": [policy] } } }),
        );
        link.insert("then".to_owned(), fields);
        if !chain.is_null() {
            link.insert("else".to_owned(), chain);
        }
        chain = Value::Object(link);
    }
    if let (Some(schema), Some(chain)) = (schema.as_object_mut(), chain.as_object()) {
        schema.extend(chain.clone());
    }
    schema
}

/// The counters of a configured limit: what they are called, where they are, and what becomes of requests that they
/// cannot decide.
pub(crate) struct Counting {
    pub(crate) meter: Meter,
    pub(crate) names: CounterNames,
    /// `allow_degradation`.
    degrades: bool,
    /// Whether a key or a limit is a member of the request's body.
    reads_body: bool,
}

impl Counting {
    /// The counters of `plugin`; those of one `owner` with equal settings are the same.
    pub(crate) fn compile(
        plugin: &str,
        owner: &str,
        conf: &Value,
        env: &CompileEnv<'_>,
    ) -> Result<Self, CompileError> {
        let local = env.services.counters.clone();
        let meter = match redis_settings::parse(conf)? {
            None if conf.get("persist").and_then(Value::as_bool) == Some(true) => Meter::kept(local),
            None => Meter::local(local),
            Some(config) => {
                let interval = conf.get("sync_interval").and_then(Value::as_f64);
                let interval = interval.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                let counters = RedisCounters::new(env.services.redis.client(config));
                Meter::redis(local, counters, env.services.background.clone(), interval)
            }
        };
        let in_redis = !meter.is_local();
        Ok(Self {
            meter,
            names: CounterNames::new(plugin, owner, &conf.to_string(), in_redis),
            degrades: conf
                .get("allow_degradation")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            reads_body: body_vars::are_in(conf),
        })
    }

    /// Makes the variables that keys and limits name available.
    pub(crate) async fn prepare(&self, cx: &mut Context) {
        if self.reads_body {
            cx.read_body_for_variables().await;
        }
    }

    /// What becomes of a request that could not be decided: whether it passes.
    pub(crate) fn undecided(&self, cx: &Context, why: &Undecided) -> bool {
        tracing::debug!(%why, passes = self.degrades, "limit cannot be decided");
        cx.services.counters.undecided(self.degrades);
        self.degrades
    }
}

/// Why a request could not be decided.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undecided {
    /// The configuration gives no limit for it.
    #[error("{0}")]
    Unresolved(&'static str),
    /// The counter could not be asked.
    #[error(transparent)]
    Counter(#[from] MeterError),
}

/// What a limit decided: to go on, after a pause, or else.
pub(crate) type Ruling = Result<Duration, Verdict>;

/// Runs a decision. Local ones that need no body never wait, and so cost no allocation unless the request has to pause.
pub(crate) fn step<'a>(counting: &'a Counting, ruling: impl Future<Output = Ruling> + Send + 'a) -> Step<'a> {
    if !counting.meter.is_local() || counting.reads_body {
        return Step::wait(async move { carry_out(ruling.await).await });
    }
    match ruling.now_or_never() {
        Some(Ok(Duration::ZERO)) => Step::CONTINUE,
        Some(Err(verdict)) => Step::Done(verdict),
        Some(ruling) => Step::wait(carry_out(ruling)),
        None => crate::window::broken().into(),
    }
}

async fn carry_out(ruling: Ruling) -> Verdict {
    match ruling {
        Ok(pause) => {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            Verdict::Continue
        }
        Err(verdict) => verdict,
    }
}

/// A name under which a request is counted in once: by its id, and which of the limits of a plugin it is.
pub(crate) fn request_name(cx: &Context, position: usize) -> String {
    format!("{:032x}:{position}", cx.id.0)
}

/// `rejected_code` of a configuration that holds its schema.
pub(crate) fn rejected_code(conf: &Value) -> u16 {
    let code = conf.get("rejected_code").and_then(Value::as_u64);
    code.and_then(|code| u16::try_from(code).ok()).unwrap_or(503)
}

/// `rejected_msg`.
pub(crate) fn rejected_msg(conf: &Value) -> Option<Arc<str>> {
    conf.get("rejected_msg").and_then(Value::as_str).map(Arc::from)
}
