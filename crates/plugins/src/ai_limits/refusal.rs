//! What callers over a limit are told: which limit, its use, when it starts over.

use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use sluice_core::{Failure, Measure, Subject};
use sluice_limit::Standing;
use sluice_llm::ErrorKind;

use super::headers;
use super::limit::Limit;

/// The limit is reached.
pub(super) fn exhausted(subject: Subject<'_>, limit: &Limit, standing: Standing) -> Box<Failure> {
    let whose = match subject {
        Subject::Client(_) => "this client's",
        Subject::Group(_) => "this group's",
        Subject::Route(_) => "this route's",
    };
    let (used, reserved) = (amount(limit, standing.spent), amount(limit, standing.reserved));
    let most = amount(limit, limit.limit);
    let model = limit
        .pattern
        .as_deref()
        .map(|pattern| format!(" for {pattern}"))
        .unwrap_or_default();
    let held = if standing.reserved > 0 {
        format!(", {reserved} held by requests under way")
    } else {
        String::new()
    };
    let seconds = standing.reset_in.map(|left| left.as_secs().max(1));
    let again = match seconds {
        Some(seconds) => format!("it starts over in {seconds} seconds"),
        None => "it does not start over by itself".to_owned(),
    };
    let message = format!(
        "{whose} limit {}{model} is reached: {used} of {most} used{held}; {again}",
        limit.name
    );
    let mut failure = Failure::new(
        StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::RateLimit,
        "limit_reached",
        message.clone(),
    )
    .apisix_json(
        json!({ "error": { "message": message, "type": "rate_limit_error", "code": "limit_reached" } }),
    );
    if let Some(seconds) = seconds {
        failure = failure.header(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(names) = headers::names(limit.measure) {
        for (name, value) in headers::values(names, limit.limit, standing) {
            failure = failure.header(name, value);
        }
    }
    Box::new(failure)
}

/// An amount with its unit.
fn amount(limit: &Limit, amount: u64) -> String {
    match limit.measure {
        Measure::Money => format!("${}.{:06}", amount / 1_000_000, amount % 1_000_000),
        Measure::Requests => format!("{amount} requests"),
        Measure::Input | Measure::Output | Measure::Tokens => format!("{amount} tokens"),
    }
}

/// As many requests are under way as may be.
pub(super) fn busy(subject: Subject<'_>, most: u64) -> Box<Failure> {
    let message = format!(
        "{most} requests of this {} are under way, which is its limit",
        subject.scope()
    );
    let failure = Failure::new(
        StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::RateLimit,
        "too_many_at_once",
        message.clone(),
    )
    .apisix_json(
        json!({ "error": { "message": message, "type": "rate_limit_error", "code": "too_many_at_once" } }),
    )
    .header(header::RETRY_AFTER, HeaderValue::from(1));
    Box::new(failure)
}

/// The request is longer than its client may send.
pub(super) fn too_long(tokens: u64, most: u64) -> Box<Failure> {
    let message = format!("this request has about {tokens} tokens; this client may send {most} at once");
    Box::new(
        Failure::new(StatusCode::BAD_REQUEST, ErrorKind::InvalidRequest, "input_too_long", message.clone())
            .apisix_json(json!({ "error": { "message": message, "type": "invalid_request_error", "code": "input_too_long" } })),
    )
}

/// Money is limited, and nobody knows what this would cost.
pub(super) fn unpriced(model: &str) -> Box<Failure> {
    let shown: String = model.chars().take(128).collect();
    let message = format!(
        "this client has a budget, and the model `{shown}` has no price: give it one, or use another model"
    );
    Box::new(
        Failure::new(
            StatusCode::FORBIDDEN,
            ErrorKind::Permission,
            "model_unpriced",
            message.clone(),
        )
        .apisix_json(
            json!({ "error": { "message": message, "type": "permission_error", "code": "model_unpriced" } }),
        ),
    )
}

/// What cannot be metered is not let through.
pub(super) fn full() -> Box<Failure> {
    let message = "too many clients are metered at once";
    Box::new(Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Overloaded,
        "limits_full",
        message,
    ))
}
