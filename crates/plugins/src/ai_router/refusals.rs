//! Why a call goes nowhere, in words for the client.

use http::StatusCode;
use serde_json::json;
use sluice_core::{Context, Failure};
use sluice_llm::ErrorKind;

/// Longest model name that a message repeats, in characters.
const NAME_MAX: usize = 128;

/// The request names no model, and no plugin gave it one.
pub(crate) fn no_model() -> Failure {
    failure(
        StatusCode::BAD_REQUEST,
        ErrorKind::InvalidRequest,
        "missing_model",
        "the request names no model".to_owned(),
    )
}

/// Nobody serves a model of that name. What the client asked for is named, not what a plugin made of it.
pub(super) fn unknown_model(cx: &Context, meant: &str) -> Failure {
    let renamed = cx.renamed_model.as_ref();
    model_not_found(renamed.map_or(meant, |renamed| &renamed.asked))
}

/// Nobody serves a model of that name.
pub(crate) fn model_not_found(asked: &str) -> Failure {
    let shown: String = asked.chars().take(NAME_MAX).collect();
    let message = if shown.is_empty() {
        "the model does not exist, or you do not have access to it".to_owned()
    } else {
        format!("the model `{shown}` does not exist, or you do not have access to it")
    };
    failure(
        StatusCode::NOT_FOUND,
        ErrorKind::NotFound,
        "model_not_found",
        message,
    )
}

/// All that the model names is gone.
pub(super) fn no_target() -> Failure {
    failure(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Overloaded,
        "no_target",
        "none of the model's providers exists any more".to_owned(),
    )
}

/// The request goes on with an answer whose maker is not known.
pub(super) fn unknown_response(id: &str) -> Failure {
    let shown: String = id.chars().take(NAME_MAX).collect();
    failure(
        StatusCode::BAD_REQUEST,
        ErrorKind::InvalidRequest,
        "previous_response_not_found",
        format!("previous response `{shown}` is not known here: the provider that made it cannot be found"),
    )
}

/// The request goes on with an answer whose maker serves the model no longer.
pub(super) fn maker_gone() -> Failure {
    failure(
        StatusCode::CONFLICT,
        ErrorKind::InvalidRequest,
        "previous_response_unavailable",
        "the provider that made the previous response does not serve this model any more".to_owned(),
    )
}

/// The request brings back thoughts that only their maker can read, and it serves the model no longer.
pub(super) fn thinker_gone() -> Failure {
    failure(
        StatusCode::CONFLICT,
        ErrorKind::InvalidRequest,
        "reasoning_unavailable",
        "the provider that made the encrypted reasoning does not serve this model any more; leave these items out"
            .to_owned(),
    )
}

pub(crate) fn failure(status: StatusCode, kind: ErrorKind, code: &'static str, message: String) -> Failure {
    Failure::new(status, kind, code, message.clone()).apisix_json(json!({ "error_msg": message }))
}
