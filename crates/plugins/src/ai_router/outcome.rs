//! What an attempt came to: which kind of trouble it was, and when to come back.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use sluice_core::{Failure, Reply, ReplyBody, Retry};
use sluice_exchange::Attempt;
use sluice_llm::{ErrorClass, Protocol, is_filtered};
use sluice_net::Body;

/// Most bytes of an error answer that are looked at.
const ERROR_MAX: u64 = 256 << 10;

/// An attempt, looked at.
pub(super) struct Outcome {
    pub(super) attempt: Attempt,
    /// `None` for an answer, and for what is the client's own fault.
    pub(super) class: Option<ErrorClass>,
    /// How long the provider asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// Finds out what an attempt came to. An error answer is read for that, and handed on whole. So is an answer in the
/// protocol `filters`, where those that a filter stopped are to be found.
pub(super) async fn look_at(attempt: Attempt, filters: Option<Protocol>) -> Outcome {
    match attempt {
        Attempt::Failed(failure) => Outcome {
            class: class_of_failure(&failure),
            retry_after: retry_after(&failure.reply.headers),
            attempt: Attempt::Failed(failure),
        },
        Attempt::Answered(reply) if reply.status.as_u16() < 400 => answer(*reply, filters).await,
        Attempt::Answered(reply) => error_answer(*reply).await,
    }
}

async fn answer(mut reply: Reply, filters: Option<Protocol>) -> Outcome {
    let mut class = None;
    if let Some(protocol) = filters {
        let is_whole = |body: &Body| http_body::Body::size_hint(body).exact().is_some();
        match reply.body {
            ReplyBody::Raw(body) if is_whole(&body) => match body.collect_limited(u64::MAX).await {
                Ok(bytes) => {
                    class = is_filtered(protocol, &bytes).then_some(ErrorClass::ContentFilter);
                    reply.body = ReplyBody::Raw(Body::from(bytes));
                }
                Err(error) => return broken(error, None),
            },
            other => reply.body = other,
        }
    }
    Outcome {
        attempt: Attempt::Answered(Box::new(reply)),
        class,
        retry_after: None,
    }
}

async fn error_answer(mut reply: Reply) -> Outcome {
    let retry_after = retry_after(&reply.headers);
    let class = match reply.body {
        ReplyBody::Raw(body) => match body.collect_limited(ERROR_MAX).await {
            Ok(bytes) => {
                let class = ErrorClass::of(reply.status, &bytes);
                reply.body = ReplyBody::Raw(Body::from(bytes));
                class
            }
            Err(error) => return broken(error, retry_after),
        },
        other => {
            reply.body = other;
            ErrorClass::of_status(reply.status.as_u16())
        }
    };
    Outcome {
        attempt: Attempt::Answered(Box::new(reply)),
        class,
        retry_after,
    }
}

/// An error that cannot be read to its end is a connection that broke.
fn broken(error: sluice_net::BodyError, retry_after: Option<Duration>) -> Outcome {
    let failure = Failure::new(
        StatusCode::BAD_GATEWAY,
        sluice_llm::ErrorKind::Upstream,
        "provider_unreachable",
        "the provider's answer broke off",
    );
    let failure = failure.upstream(Retry::NextTarget).caused_by(error);
    Outcome {
        attempt: Attempt::Failed(Box::new(failure)),
        class: Some(ErrorClass::Connection),
        retry_after,
    }
}

fn class_of_failure(failure: &Failure) -> Option<ErrorClass> {
    match failure.code {
        "upstream_auth" | "upstream_billing" => Some(ErrorClass::Auth),
        "provider_unreachable" | "empty_stream" => Some(ErrorClass::Connection),
        // Another provider may speak what this one does not.
        "unsupported_protocol" | "not_convertible" => Some(ErrorClass::NotFound),
        _ if failure.retry == Retry::Never => None,
        _ => match failure.status() {
            StatusCode::GATEWAY_TIMEOUT => Some(ErrorClass::Timeout),
            StatusCode::TOO_MANY_REQUESTS => Some(ErrorClass::RateLimit),
            StatusCode::SERVICE_UNAVAILABLE => Some(ErrorClass::Overloaded),
            _ => Some(ErrorClass::ServerError),
        },
    }
}

/// `retry-after-ms`, else `retry-after` as seconds or as a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(millis / 1000.0).ok();
    }
    let given = text(header::RETRY_AFTER.as_str())?;
    if let Ok(seconds) = given.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = httpdate::parse_http_date(given).ok()?;
    at.duration_since(SystemTime::now()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        retry_after(&headers)
    }

    #[test]
    fn providers_say_when_to_come_back() {
        assert_eq!(parsed("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(parsed("retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(parsed("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        let after = parsed("retry-after", &date).unwrap().as_secs();
        assert!((95..=100).contains(&after), "{after}");
        for nonsense in ["soon", "-1", "nan", "Thu, 01 Jan 1970 00:00:00 GMT"] {
            assert_eq!(parsed("retry-after", nonsense), None, "{nonsense}");
        }
    }
}
