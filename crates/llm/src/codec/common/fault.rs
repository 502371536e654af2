//! What clients are told when a provider's stream goes wrong.

use http::StatusCode;
use serde::Deserialize;

use crate::error::PublicError;
use crate::lenient::Count;

/// What an error object in the stream says. Its `error.code` is a status where it is a number (Gemini).
pub(in crate::codec) fn said(object: &[u8]) -> PublicError {
    #[derive(Deserialize)]
    struct Body {
        error: Coded,
    }

    #[derive(Deserialize)]
    struct Coded {
        #[serde(default)]
        code: Count,
    }

    let code = serde_json::from_slice::<Body>(object).map_or(0, |body| body.error.code.0);
    let status = u16::try_from(code)
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok())
        .filter(|status| status.is_client_error() || status.is_server_error())
        .unwrap_or(StatusCode::BAD_GATEWAY);
    PublicError::from_upstream(status, object)
}
