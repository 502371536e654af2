//! Reading the client's JSON body before any AI call was prepared: prompt plugins run on every kind of route.

use http::{Method, StatusCode};
use serde_json::json;
use sluice_core::{Context, Failure, Profile};
use sluice_llm::{ErrorKind, RequestView};

/// `max_req_body_size` of the prompt plugins, in their schemas.
pub(crate) const MAX_BODY: u64 = 64 << 20;

/// Whether the request can have a prompt at all. On built-in routes prompt plugins stand on consumers, whose other
/// requests (lists of models, uploads) do not concern them.
pub(crate) fn may_hold_prompt(cx: &Context) -> bool {
    let is_json = cx
        .request
        .header("content-type")
        .is_none_or(|content_type| content_type.starts_with("application/json"));
    cx.profile == Profile::Apisix || (cx.request.method != Method::GET && is_json)
}

/// Reads the body whole.
///
/// # Errors
/// 400 in APISIX's words (compat §4.5).
pub(crate) async fn read(cx: &mut Context, max: u64) -> Result<RequestView, Failure> {
    let body = match cx.request.body.read(max).await {
        Ok(body) if body.is_empty() => {
            return Err(refused(
                "empty_body",
                "could not get body: request body is empty".to_owned(),
            ));
        }
        Ok(body) => body,
        Err(error) => return Err(refused("unreadable_body", format!("could not get body: {error}"))),
    };
    RequestView::parse(body).map_err(|error| {
        refused(
            "invalid_json",
            format!("could not parse JSON request body: {error}"),
        )
    })
}

/// 400 with a message.
pub(crate) fn refused(code: &'static str, message: String) -> Failure {
    let body = json!({ "message": message });
    Failure::new(StatusCode::BAD_REQUEST, ErrorKind::InvalidRequest, code, message).apisix_json(body)
}
