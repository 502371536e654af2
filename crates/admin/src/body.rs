//! Request bodies: bounded in size and time, then decoded.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use serde_json::{Value, json};

use crate::query::{self, Query};
use crate::reply::Reply;

/// Largest body (compat §1.1).
pub(crate) const MAX_SIZE: usize = 1_572_864;

/// How much of a body that is too large is read and dropped, so that the client gets to see the answer: it would
/// otherwise find its connection reset while it sends.
const MAX_DRAINED: u64 = 16 << 20;

/// Time for a client to send a body.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What the main handler reads of a request before it does anything.
pub(crate) struct Payload {
    /// The decoded body.
    pub(crate) body: Option<Value>,
    /// `ttl` of the query.
    pub(crate) ttl: Option<f64>,
}

/// Body first, `ttl` second: the order of the messages.
pub(crate) async fn read_payload(body: Body, query: &Query) -> Result<Payload, Reply> {
    let body = read_json(body).await?;
    let ttl = match query.get("ttl") {
        None => None,
        Some(text) => Some(query::number(text).ok_or_else(|| {
            Reply::error(
                StatusCode::BAD_REQUEST,
                "invalid argument ttl: should be a number",
            )
        })?),
    };
    Ok(Payload { body, ttl })
}

/// Reads a body.
pub(crate) async fn read(body: Body) -> Result<Bytes, Reply> {
    match tokio::time::timeout(TIMEOUT, collect(body)).await {
        Ok(collected) => collected,
        Err(_) => Err(Reply::empty(StatusCode::REQUEST_TIMEOUT)),
    }
}

/// Reads and decodes a body. The content type does not matter; nothing sent is `None`.
pub(crate) async fn read_json(body: Body) -> Result<Option<Value>, Reply> {
    let bytes = read(body).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    decode(&bytes).map(Some).map_err(|fault| {
        let refusal = json!({
            "error_msg": format!("invalid request body: {fault}"),
            "req_body": String::from_utf8_lossy(&bytes),
        });
        Reply::json(StatusCode::BAD_REQUEST, refusal)
    })
}

/// Decodes JSON; the error is worded as APISIX's parser does it. As there, a whole number is an integer however it is
/// written: `2.0` is `2`.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, String> {
    let decoded: Result<Value, _> = serde_json::from_slice(bytes);
    decoded.map(whole_numbers).map_err(|error| {
        let before = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .take(error.line().saturating_sub(1));
        let character = before.map(<[u8]>::len).sum::<usize>() + error.column().max(1);
        let found = if error.is_eof() { "T_END" } else { "invalid token" };
        format!("Expected value but found {found} at character {character}")
    })
}

fn whole_numbers(value: Value) -> Value {
    /// Up to here a float holds every integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => match number.as_f64() {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole, and within the range that floats hold"
            )]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= EXACT => {
                Value::from(float as i64)
            }
            _ => Value::Number(number),
        },
        Value::Array(items) => items.into_iter().map(whole_numbers).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, whole_numbers(value)))
            .collect(),
        other => other,
    }
}

async fn collect(mut body: Body) -> Result<Bytes, Reply> {
    let declared = body.size_hint().exact().unwrap_or_default();
    let mut kept = BytesMut::new();
    let mut size: u64 = 0;
    while size <= MAX_DRAINED {
        let Some(frame) = body.frame().await else { break };
        let Ok(frame) = frame else {
            return Err(Reply::empty(StatusCode::BAD_REQUEST));
        };
        let Ok(data) = frame.into_data() else { continue };
        size += data.len() as u64;
        if size <= MAX_SIZE as u64 {
            kept.extend_from_slice(&data);
        }
    }
    if size <= MAX_SIZE as u64 {
        return Ok(kept.freeze());
    }
    let size = size.max(declared);
    let message = format!(
        "invalid request body: request size {size} is greater than the maximum size {MAX_SIZE} allowed"
    );
    Err(Reply::error(StatusCode::BAD_REQUEST, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_say_where_they_are() {
        let fault = |text: &str| decode(text.as_bytes()).unwrap_err();
        assert_eq!(
            fault("{a"),
            "Expected value but found invalid token at character 2"
        );
        assert_eq!(
            fault("x"),
            "Expected value but found invalid token at character 1"
        );
        assert_eq!(
            fault("{\n\"a\": x}"),
            "Expected value but found invalid token at character 8"
        );
        assert_eq!(fault("{"), "Expected value but found T_END at character 1");
        assert_eq!(fault(" "), "Expected value but found T_END at character 1");
    }

    #[test]
    fn nothing_makes_the_decoder_panic() {
        for bytes in [
            &b"\xff"[..],
            b"\n\n\xff",
            b"1e999",
            b"\"\\ud800\"",
            &b"[".repeat(100_000),
        ] {
            assert!(decode(bytes).is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let stalled = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        assert!(read(stalled).await.is_err());
    }

    #[tokio::test]
    async fn the_size_is_bounded() {
        assert_eq!(
            read(Body::from(vec![b'1'; MAX_SIZE])).await.ok().unwrap().len(),
            MAX_SIZE
        );
        assert!(read(Body::from(vec![b'1'; MAX_SIZE + 1])).await.is_err());
    }

    #[test]
    fn whole_numbers_are_integers() {
        let decoded = decode(br#"{"count": 2.0, "list": [1e3, 0.5, -3.0], "huge": 1e300}"#).unwrap();
        assert_eq!(
            decoded.to_string(),
            r#"{"count":2,"list":[1000,0.5,-3],"huge":1e+300}"#
        );
    }
}
