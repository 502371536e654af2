//! What `limit-count` and `ai-rate-limiting` share: named limits in a window, their counters and headers.

use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use sluice_core::{Context, Failure, RateLimitInfo};
use sluice_limit::{CounterKey, Decision};
use sluice_llm::ErrorKind;
use sluice_resource::Template;

use crate::number::Number;

/// A rule of `rules`: a limit under a key of its own.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) count: Number,
    pub(crate) window: Number,
    pub(crate) key: Template,
    /// `header_prefix`, or the position counted from 1.
    pub(crate) prefix: String,
}

impl Rule {
    /// The `rules` of a configuration that holds its schema.
    pub(crate) fn list(conf: &Value) -> Vec<Self> {
        let rules = conf.get("rules").and_then(Value::as_array).into_iter().flatten();
        rules
            .enumerate()
            .filter_map(|(index, rule)| Self::parse(index, rule))
            .collect()
    }

    fn parse(index: usize, rule: &Value) -> Option<Self> {
        let prefix = rule.get("header_prefix").and_then(Value::as_str);
        Some(Self {
            count: Number::parse(rule.get("count")?)?,
            window: Number::parse(rule.get("time_window")?)?,
            key: Template::parse(rule.get("key")?.as_str()?),
            prefix: prefix.map_or_else(|| (index + 1).to_string(), str::to_owned),
        })
    }
}

/// A limit as one request meets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) key: CounterKey,
    pub(crate) count: u64,
    pub(crate) window: Duration,
}

impl Limit {
    /// The limit of `count` per `window` seconds. The counter's name holds the settings, so that changed settings
    /// count anew (compat §4.4, "Windows and counters").
    pub(crate) fn new(base: CounterKey, key: &str, count: u64, window: u64) -> Self {
        let settings = format!("{count}/{window}/{key}");
        Self {
            key: base.child(&settings),
            count,
            window: Duration::from_secs(window),
        }
    }

    /// The limit of a rule: its counter depends on the resolved key alone, so that two rules may share one.
    pub(crate) fn of_rule(base: CounterKey, key: &str, count: u64, window: u64) -> Self {
        Self {
            key: base.child(key),
            count,
            window: Duration::from_secs(window),
        }
    }

    pub(crate) fn peek(&self, cx: &Context) -> Decision {
        cx.services
            .counters
            .peek(self.key, self.count, self.window, Instant::now())
    }

    pub(crate) fn charge(&self, cx: &Context, cost: u64) {
        cx.services
            .counters
            .charge(self.key, cost, self.window, Instant::now());
    }

    pub(crate) fn take(&self, cx: &Context) -> Decision {
        cx.services
            .counters
            .take(self.key, 1, self.count, self.window, Instant::now())
    }

    pub(crate) fn take_sliding(&self, cx: &Context) -> Decision {
        cx.services
            .sliding
            .take(self.key, 1, self.count, self.window, Instant::now())
    }

    /// What variables and loggers say of it.
    pub(crate) fn note(&self, cx: &mut Context, key: &str, decision: &Decision) {
        cx.rate_limit = Some(RateLimitInfo {
            key: key.to_owned(),
            limit: self.count,
            remaining: decision.remaining,
            reset: decision.reset_in.as_secs_f64(),
        });
    }
}

/// What the names of all counters of a configured plugin begin with.
pub(crate) fn base_key(owner: &str, conf: &Value) -> CounterKey {
    CounterKey::new(&[owner, &conf.to_string()])
}

/// Names of the three quota headers.
#[derive(Clone, Debug)]
pub(crate) struct QuotaHeaders {
    limit: HeaderName,
    remaining: HeaderName,
    reset: HeaderName,
}

impl QuotaHeaders {
    /// The three names; `None` when one of them is no header name.
    pub(crate) fn new(limit: &str, remaining: &str, reset: &str) -> Option<Self> {
        Some(Self {
            limit: limit.parse().ok()?,
            remaining: remaining.parse().ok()?,
            reset: reset.parse().ok()?,
        })
    }

    /// Sets them on the answer.
    pub(crate) fn set(&self, cx: &mut Context, limit: u64, decision: &Decision) {
        let reset = HeaderValue::from_str(&seconds(decision.reset_in));
        cx.response_headers.insert(&self.limit, HeaderValue::from(limit));
        cx.response_headers
            .insert(&self.remaining, HeaderValue::from(decision.remaining));
        cx.response_headers
            .insert(&self.reset, reset.unwrap_or_else(|_| HeaderValue::from(0)));
    }
}

/// Seconds with two decimals at most, as APISIX prints them.
fn seconds(duration: Duration) -> String {
    let hundredths = (duration.as_millis() + 5) / 10;
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match (rest, rest % 10) {
        (0, _) => whole.to_string(),
        (_, 0) => format!("{whole}.{}", rest / 10),
        _ => format!("{whole}.{rest:02}"),
    }
}

/// The answer to a request over the limit.
pub(crate) fn rejected(
    code: u16,
    message: Option<&str>,
    limit: &Limit,
    decision: &Decision,
    what: &str,
) -> Failure {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let reset = seconds(decision.reset_in);
    let text = message.map_or_else(
        || {
            let Limit { count, window, .. } = limit;
            format!(
                "{what} limit of {count} per {} s is used up; it resets in {reset} s",
                window.as_secs()
            )
        },
        str::to_owned,
    );
    let failure = Failure::new(status, ErrorKind::RateLimit, "rate_limit_exceeded", text);
    match message {
        Some(message) => failure.apisix_json(json!({ "error_msg": message })),
        None => failure,
    }
}

/// The answer when no counter could be found or asked.
pub(crate) fn broken(reason: &'static str) -> Failure {
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Internal,
        "limit_unavailable",
        reason,
    )
    .apisix_json(json!({ "error_msg": "failed to limit count" }))
}

#[cfg(test)]
mod tests {
    use super::seconds;
    use std::time::Duration;

    #[test]
    fn seconds_have_two_decimals_at_most() {
        for (millis, text) in [
            (60_000, "60"),
            (59_990, "59.99"),
            (1_500, "1.5"),
            (1_050, "1.05"),
            (0, "0"),
            (4, "0"),
        ] {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
    }
}
