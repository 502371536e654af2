//! What callers are told who may not wait, or waited in vain.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use sluice_core::Failure;
use sluice_limit::{FairLimits, QueueFull};
use sluice_llm::ErrorKind;

/// The queue, or the caller's part of it, is full.
pub(super) fn full(
    status: StatusCode,
    before: &str,
    full: QueueFull,
    limits: FairLimits,
    expected: Duration,
) -> Box<Failure> {
    let again = seconds(expected);
    let who = match full {
        QueueFull::All => format!("{} requests wait", limits.waiting),
        QueueFull::Key => format!("{} of your requests wait", limits.waiting_per_key),
    };
    let message = format!("{who} for {before}, which is the most; try again in {again} seconds");
    failure(status, "queue_full", message, again)
}

/// The turn did not come in time.
pub(super) fn late(status: StatusCode, before: &str, waited: Duration, expected: Duration) -> Box<Failure> {
    let again = seconds(expected);
    let message = format!(
        "{before} is busy: no slot was free for {} ms, which is the longest to wait; try again in {again} seconds",
        waited.as_millis()
    );
    failure(status, "queue_timeout", message, again)
}

fn seconds(expected: Duration) -> u64 {
    expected.as_secs().clamp(1, 3600)
}

fn failure(status: StatusCode, code: &'static str, message: String, again: u64) -> Box<Failure> {
    let kind = if status == StatusCode::TOO_MANY_REQUESTS {
        ErrorKind::RateLimit
    } else {
        ErrorKind::Overloaded
    };
    let body = json!({ "error": { "message": message, "type": "rate_limit_error", "code": code } });
    let failure = Failure::new(status, kind, code, message).apisix_json(body);
    Box::new(failure.header(header::RETRY_AFTER, HeaderValue::from(again)))
}
