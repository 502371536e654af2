//! Errors in answers whose status is a success, and in the events of streams.

use http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{ErrorKind, ProviderMessage, PublicError};
use crate::lenient::{Count, Text};

/// The error that a body or an event is, if it is one: `{"error":…}`, the same in an array, or flat with
/// `"object":"error"` (vLLM). Its status is told by a numeric code where there is one.
pub(crate) fn error_in(body: &[u8]) -> Option<PublicError> {
    #[derive(Default, Deserialize)]
    #[serde(default, bound(deserialize = "'de: 'a"))]
    struct Probe<'a> {
        error: Option<&'a RawValue>,
        object: Text<'a>,
        code: Count,
        choices: Option<IgnoredAny>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Numbers {
        code: Count,
        status: Count,
        status_code: Count,
    }
    let body = body.trim_ascii();
    if body.starts_with(b"[") {
        let first: Vec<&RawValue> = serde_json::from_slice(body).ok()?;
        return error_in(
            first
                .first()
                .filter(|first| first.get().starts_with('{'))?
                .get()
                .as_bytes(),
        );
    }
    let probe: Probe<'_> = serde_json::from_slice(body).ok()?;
    let code = match probe.error.filter(|error| says_something(error)) {
        Some(error) => {
            let numbers: Numbers = serde_json::from_str(error.get()).unwrap_or_default();
            [
                numbers.code.0,
                numbers.status.0,
                numbers.status_code.0,
                probe.code.0,
            ]
            .into_iter()
            .find(|code| *code > 0)
            .unwrap_or_default()
        }
        None if probe.object.as_str() == Some("error") && probe.choices.is_none() => probe.code.0,
        None => return None,
    };
    Some(public(code, body))
}

/// Whether an `error` is one: some servers send empty ones in every chunk.
pub(crate) fn says_something(error: &RawValue) -> bool {
    !matches!(error.get(), "null" | "false" | "\"\"" | "{}" | "[]" | "0")
}

/// The error in the provider's words, unless they are about the gateway's own credentials.
fn public(code: u64, body: &[u8]) -> PublicError {
    let status = u16::try_from(code)
        .ok()
        .filter(|code| (400..600).contains(code))
        .and_then(|code| StatusCode::from_u16(code).ok());
    let said = ProviderMessage::read(body);
    let words = said
        .as_ref()
        .map(|said| [said.kind.as_deref(), said.code.as_deref()])
        .unwrap_or_default();
    let says = |part: &str| words.iter().flatten().any(|word| word.contains(part));
    let status = status.unwrap_or(
        if says("authentication") || says("api_key") || says("permission") {
            StatusCode::UNAUTHORIZED
        } else if says("rate_limit") || says("quota") {
            StatusCode::TOO_MANY_REQUESTS
        } else if says("overloaded") {
            StatusCode::SERVICE_UNAVAILABLE
        } else if says("not_found") {
            StatusCode::NOT_FOUND
        } else if says("billing") {
            StatusCode::PAYMENT_REQUIRED
        } else if says("invalid_request") || says("context_length") {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::BAD_GATEWAY
        },
    );
    if said.is_none() && status == StatusCode::BAD_GATEWAY {
        let message = "the provider broke the answer off with an error";
        return PublicError::new(ErrorKind::Upstream, message).with_code("upstream_unreadable");
    }
    PublicError::from_upstream(status, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_keeps_message_and_status() {
        for (body, status) in [
            (r#"{"error":{"code":429,"message":"slow down"}}"#, 429),
            (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"slow down"}}"#,
                503,
            ),
            (
                r#"{"type":"error","error":{"type":"not_found_error","message":"slow down"}}"#,
                404,
            ),
            (
                r#"{"error":{"code":400,"message":"slow down","status":"INVALID_ARGUMENT"}}"#,
                400,
            ),
            (r#"[{"error":{"code":503,"message":"slow down"}}]"#, 503),
            (r#"{"error":"slow down"}"#, 502),
            (r#"{"object":"error","message":"slow down","code":400}"#, 400),
            (
                r#"{"error":{"message":"slow down","type":"rate_limit_error"}}"#,
                429,
            ),
        ] {
            let error = error_in(body.as_bytes()).unwrap_or_else(|| panic!("{body}"));
            assert_eq!(
                (error.message(), error.status.as_u16()),
                ("slow down", status),
                "{body}"
            );
        }
        for body in [
            r#"{"choices":[],"error":null}"#,
            r#"{"object":"error","choices":[]}"#,
            r#"{"message":{"role":"assistant"}}"#,
            "[]",
            "no",
        ] {
            assert_eq!(error_in(body.as_bytes()), None, "{body}");
        }
        // The gateway's own credentials are nobody's business.
        let hidden = error_in(br#"{"error":{"type":"authentication_error","message":"key sk-1"}}"#);
        assert!(!hidden.unwrap().message().contains("sk-1"));
    }
}
