//! Events as they stand on the wire, and the errors among them (llm-protocols §6).

use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::codec::broken::unreadable;
use crate::error::{ProviderMessage, PublicError};
use crate::lenient::Text;
use crate::usage::AnthropicUsage;

/// An event, whatever it is.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Event<'a> {
    #[serde(default, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(default)]
    pub(super) index: u64,
    pub(super) message: Option<&'a RawValue>,
    pub(super) content_block: Option<&'a RawValue>,
    pub(super) delta: Option<Delta<'a>>,
    pub(super) usage: Option<AnthropicUsage>,
    pub(super) error: Option<&'a RawValue>,
}

/// What a block or the message goes on with.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Delta<'a> {
    pub(super) text: Option<&'a RawValue>,
    pub(super) partial_json: Option<&'a RawValue>,
    pub(super) thinking: Option<&'a RawValue>,
    pub(super) signature: Option<String>,
    pub(super) citation: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) stop_reason: Text<'a>,
    pub(super) stop_sequence: Option<String>,
}

/// What a client is told of an error object: its type is as good as a status (llm-protocols §6).
pub(super) fn failure(data: &[u8]) -> PublicError {
    let said = ProviderMessage::read(data);
    let status = match said.as_ref().and_then(|said| said.kind.as_deref()) {
        Some("invalid_request_error") => StatusCode::BAD_REQUEST,
        Some("authentication_error") => StatusCode::UNAUTHORIZED,
        Some("billing_error") => StatusCode::PAYMENT_REQUIRED,
        Some("permission_error") => StatusCode::FORBIDDEN,
        Some("not_found_error") => StatusCode::NOT_FOUND,
        Some("request_too_large") => StatusCode::PAYLOAD_TOO_LARGE,
        Some("rate_limit_error") => StatusCode::TOO_MANY_REQUESTS,
        Some("timeout_error") => StatusCode::GATEWAY_TIMEOUT,
        Some("overloaded_error") => StatusCode::SERVICE_UNAVAILABLE,
        _ if said.is_none() => return unreadable(),
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    PublicError::from_upstream(status, data)
}
