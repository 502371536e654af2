//! Tokens counted here, for providers that do not count them.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use sluice_core::{Context, Failure};
use sluice_llm::{ErrorKind, TokenQuestion};
use sluice_net::Body;

use crate::perform::{Attempt, not_translatable, upstream_reply};

/// Answers a request that asks how many tokens it has. Nothing is sent anywhere.
pub(crate) async fn answer(cx: &mut Context) -> Attempt {
    let Some(ai) = cx.ai.as_deref() else {
        return failed().into();
    };
    let Some(request) = ai.request.as_ref() else {
        return failed().into();
    };
    let question = match TokenQuestion::read(ai.protocol, request.bytes()) {
        Ok(question) => question,
        Err(error) => return not_translatable(&error).into(),
    };
    let model = ai.model_sent.clone().unwrap_or_else(|| ai.model.clone());
    let counter = cx.services.tokens.clone();
    // A vocabulary may have to be loaded, and long texts take their time.
    let counted =
        tokio::task::spawn_blocking(move || question.answer(question.count(&counter, &model))).await;
    let Ok(body) = counted else {
        return failed().into();
    };
    ai.progress.finish();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    upstream_reply(StatusCode::OK, headers, Body::from(body)).into()
}

fn failed() -> Failure {
    let message = "the tokens could not be counted";
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Internal,
        "defect",
        message,
    )
}
