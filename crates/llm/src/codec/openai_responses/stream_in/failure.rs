//! What a provider says when it fails within a stream.

use serde_json::value::RawValue;

use crate::chat::{ChatAnswer, Object, StopReason};
use crate::codec::openai_responses::PROTOCOL;
use crate::error::{ErrorKind, ProviderMessage, PublicError};

/// The error of an event or a body that is one.
pub(super) fn of_body(body: &[u8]) -> Option<PublicError> {
    ProviderMessage::read(body).map(public)
}

/// The error in a response.
pub(super) fn of_error(error: Option<&RawValue>) -> PublicError {
    let body = Object::new().set("error", &error).into_text();
    of_body(body.as_bytes())
        .unwrap_or_else(|| PublicError::new(ErrorKind::Upstream, "the provider failed within its answer"))
}

/// The error of a whole answer that failed.
pub(super) fn of_answer(answer: &ChatAnswer) -> Option<PublicError> {
    let failed = answer
        .choices
        .iter()
        .any(|choice| choice.stop == StopReason::Failed);
    failed.then(|| {
        let error = answer.extension.get(PROTOCOL, "error");
        let body = Object::new().set("error", &error).into_text();
        of_body(body.as_bytes())
            .unwrap_or_else(|| PublicError::new(ErrorKind::Upstream, "the provider failed within its answer"))
    })
}

/// The provider's refusal of the gateway's credentials is no business of the client's.
fn public(said: ProviderMessage) -> PublicError {
    let word = said.code.as_deref().or(said.kind.as_deref()).unwrap_or_default();
    let is_any = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
    let kind = if is_any(&["api_key", "authentication", "permission"]) {
        let hidden = "the provider refused the gateway's credentials";
        return PublicError::new(ErrorKind::Upstream, hidden).with_code("upstream_auth");
    } else if is_any(&["rate_limit", "quota"]) {
        ErrorKind::RateLimit
    } else if is_any(&["overloaded"]) {
        ErrorKind::Overloaded
    } else if is_any(&["timeout"]) {
        ErrorKind::Timeout
    } else if is_any(&["invalid", "context_length", "image_", "policy"]) {
        ErrorKind::InvalidRequest
    } else {
        ErrorKind::Upstream
    };
    let mut error = PublicError::new(kind, said.message);
    if let Some(code) = said.code {
        error = error.with_code(code);
    }
    if let Some(param) = said.param {
        error = error.with_param(param);
    }
    error
}
