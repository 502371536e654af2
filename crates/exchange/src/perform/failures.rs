//! What becomes of providers that do not answer, or answer that they failed.

use http::StatusCode;
use sluice_core::{Failure, Profile, Retry};
use sluice_llm::{Dialect, ErrorKind, PublicError};
use sluice_net::{SendError, SendErrorKind};

/// That a provider refuses the gateway's key or account is no business of the client's, and its words may hold parts
/// of the key.
pub(super) fn hidden(status: StatusCode) -> Option<Failure> {
    let (code, message) = match status.as_u16() {
        401 | 403 => ("upstream_auth", "the provider refused the gateway's credentials"),
        402 => ("upstream_billing", "the provider refused the gateway's account"),
        _ => return None,
    };
    let failure = Failure::new(StatusCode::BAD_GATEWAY, ErrorKind::Upstream, code, message);
    Some(failure.upstream(Retry::NextTarget))
}

pub(super) fn is_timeout(error: &SendError) -> bool {
    matches!(error.kind, SendErrorKind::Timeout(_))
}

/// APISIX answers 504 for time-outs and 500 for everything else that goes wrong on the network.
pub(super) fn unanswered(profile: Profile, error: &SendError) -> Failure {
    if is_timeout(error) {
        return timed_out();
    }
    network_error(profile)
}

/// An answer or a stream that says, with a status of success, that it failed.
pub(crate) fn said_failed(error: &PublicError) -> Failure {
    let status = error.status(Dialect::OpenAi);
    let code = match error.code() {
        Some("upstream_auth") => "upstream_auth",
        Some("upstream_billing") => "upstream_billing",
        _ => "upstream_error",
    };
    Failure::new(status, error.kind(), code, error.message().to_owned()).upstream(Retry::NextTarget)
}

pub(crate) fn timed_out() -> Failure {
    let message = "the provider did not answer in time";
    Failure::new(
        StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Timeout,
        "provider_timeout",
        message,
    )
    .upstream(Retry::NextTarget)
}

pub(crate) fn network_error(profile: Profile) -> Failure {
    let status = match profile {
        Profile::Apisix => StatusCode::INTERNAL_SERVER_ERROR,
        Profile::Native => StatusCode::BAD_GATEWAY,
    };
    Failure::new(
        status,
        ErrorKind::Upstream,
        "provider_unreachable",
        "the provider could not be reached",
    )
    .upstream(Retry::NextTarget)
}

pub(super) fn defect(message: &'static str) -> Failure {
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Internal,
        "defect",
        message,
    )
}
