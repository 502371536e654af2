//! What `limit-count` and `ai-rate-limiting` share: named limits in a window, their counters and headers.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use sluice_core::{Context, Failure, RateLimitInfo};
use sluice_limit::{Counter, CounterNames, Decision};
use sluice_llm::ErrorKind;
use sluice_resource::Template;

use crate::limit_policy::Undecided;
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

    /// The rule's limit and key for this request; `None` when none of the variables of its key has a value. The
    /// counter depends on the resolved key alone, so that two rules may share one.
    pub(crate) fn limit(
        &self,
        cx: &Context,
        names: &CounterNames,
    ) -> Result<Option<(Limit, String)>, Undecided> {
        let rendered = self.key.render_counted(cx);
        if rendered.resolved == 0 && !self.key.is_literal() {
            return Ok(None);
        }
        let (Some(count), Some(window)) = (self.count.resolve(cx), self.window.resolve(cx)) else {
            let reason = "count or time_window of a rule is not a positive integer for this request";
            return Err(Undecided::Unresolved(reason));
        };
        let limit = Limit::new(names.counter(&rendered.text), count, window);
        Ok(Some((limit, rendered.text.into_owned())))
    }
}

/// Why no rule decides.
pub(crate) const NO_RULE: &str = "no rule applies to this request";

/// A limit as one request meets it.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub(crate) counter: Counter,
    pub(crate) count: u64,
    pub(crate) window: Duration,
}

impl Limit {
    /// The limit of `count` per `window` seconds.
    pub(crate) fn new(counter: Counter, count: u64, window: u64) -> Self {
        Self {
            counter,
            count,
            window: Duration::from_secs(window),
        }
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

/// The answer to a request over the limit of a window.
pub(crate) fn rejected(
    code: u16,
    message: Option<&str>,
    limit: &Limit,
    decision: &Decision,
    what: &str,
) -> Failure {
    refused(code, message, || {
        let (count, window, reset) = (limit.count, limit.window.as_secs(), seconds(decision.reset_in));
        format!("{what} limit of {count} per {window} s is used up; it resets in {reset} s")
    })
}

/// The answer to a request over a limit: `rejected_code`, with `rejected_msg` if there is one; `text` tells native
/// clients why.
pub(crate) fn refused(code: u16, message: Option<&str>, text: impl FnOnce() -> String) -> Failure {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let text = message.map_or_else(text, str::to_owned);
    let failure = Failure::new(status, ErrorKind::RateLimit, "rate_limit_exceeded", text);
    match message {
        Some(message) => failure.apisix_json(json!({ "error_msg": message })),
        None => failure,
    }
}

/// The answer when no counter could be found or asked, as windows give it.
pub(crate) fn broken() -> Failure {
    unavailable().apisix_json(json!({ "error_msg": "failed to limit count" }))
}

/// The same with the status alone.
pub(crate) fn unavailable() -> Failure {
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Internal,
        "limit_unavailable",
        "the limit of this request could not be worked out",
    )
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
