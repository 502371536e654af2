//! Which failures move a call to another instance.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use sluice_core::Retry;
use sluice_exchange::Attempt;

/// `fallback_strategy` and what belongs to it (compat §4.3, "Retry").
#[derive(Default)]
pub(super) struct Fallback {
    /// Instances without quota are passed over.
    pub(super) rate_limiting: bool,
    /// Most retries.
    pub(super) max_retries: Option<u64>,
    /// An attempt that failed later than this is not retried.
    pub(super) within: Option<Duration>,
    http_429: bool,
    http_5xx: bool,
    statuses: BTreeSet<u16>,
}

impl Fallback {
    pub(super) fn parse(conf: &Value) -> Self {
        let strategies: Vec<&str> = match conf.get("fallback_strategy") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let has = |name: &str| strategies.contains(&name);
        let statuses = conf
            .get("fallback_http_statuses")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        Self {
            rate_limiting: has("rate_limiting") || has("instance_health_and_rate_limiting"),
            http_429: has("http_429"),
            http_5xx: has("http_5xx"),
            statuses: statuses
                .filter_map(Value::as_u64)
                .filter_map(|code| u16::try_from(code).ok())
                .collect(),
            max_retries: conf.get("max_retries").and_then(Value::as_u64),
            within: super::millis(conf, "retry_on_failure_within_ms"),
        }
    }

    /// Whether an attempt is to be retried elsewhere. On native routes every failure is that another target may not
    /// have; otherwise only what the strategy names.
    pub(super) fn wants(&self, attempt: &Attempt, native: bool) -> bool {
        let status = attempt.status().as_u16();
        let named = match status {
            429 => self.http_429,
            500..=599 => self.http_5xx,
            _ => false,
        };
        named || self.statuses.contains(&status) || (native && retryable(attempt))
    }
}

fn retryable(attempt: &Attempt) -> bool {
    match attempt {
        Attempt::Failed(failure) => failure.retry == Retry::NextTarget,
        Attempt::Answered(reply) => matches!(reply.status.as_u16(), 408 | 429 | 500..=599),
    }
}
