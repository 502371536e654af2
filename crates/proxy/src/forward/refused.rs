//! Request bodies that are too large, or that the client does not bring to their end.

use std::error::Error;

use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use sluice_core::{Context, Failure};
use sluice_llm::ErrorKind;
use sluice_net::{Body, BodyError, SendError};

/// A body that says that it is too large is not begun.
pub(super) fn announced(cx: &Context, limit: Option<u64>) -> Option<Failure> {
    let announced = cx
        .request
        .header("content-length")
        .and_then(|length| length.parse::<u64>().ok())?;
    let limit = limit.filter(|limit| announced > *limit)?;
    Some(too_large(announced, limit))
}

/// The body, which fails when more than `limit` bytes come.
pub(super) fn limited(body: Body, limit: u64) -> Body {
    if http_body::Body::size_hint(&body)
        .exact()
        .is_some_and(|size| size <= limit)
    {
        return body;
    }
    let bytes = usize::try_from(limit).unwrap_or(usize::MAX);
    Body::boxed(
        Limited::new(body, bytes).map_err(move |error| match error.downcast::<BodyError>() {
            Ok(error) => *error,
            Err(error) if error.is::<LengthLimitError>() => BodyError::TooLarge {
                read: limit + 1,
                limit,
            },
            Err(error) => BodyError::other(error),
        }),
    )
}

/// What the client is told when its body failed on its way.
pub(super) fn failure(error: &SendError) -> Failure {
    let (status, code, message) = match cause(error) {
        Some(BodyError::TooLarge { read, limit }) => return too_large(*read, *limit),
        Some(BodyError::Timeout { .. }) => (
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "the request body did not come in time",
        ),
        _ => (
            StatusCode::BAD_REQUEST,
            "broken_body",
            "the request body is malformed or incomplete",
        ),
    };
    Failure::new(status, ErrorKind::InvalidRequest, code, message)
}

fn too_large(size: u64, limit: u64) -> Failure {
    let message = format!("request size {size} is greater than the maximum size {limit} allowed");
    Failure::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::RequestTooLarge,
        "body_too_large",
        message,
    )
}

fn cause(error: &SendError) -> Option<&BodyError> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<BodyError>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
