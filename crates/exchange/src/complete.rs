//! A question of the gateway's own to a model: what plugins use that need a model to do their work.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode};
use serde_json::json;
use sluice_core::{Context, Profile};
use sluice_llm::{
    AnswerFacts, EchoError, EchoReply, EchoStamp, Protocol, ProviderError, RequestView, TextMessage, echo,
};
use sluice_net::{Body, BodyError, SendError};
use sluice_wire::JsonError;

use crate::config::CallConfig;
use crate::target::{Addressed, ClientTarget, Place, Target};

/// Most bytes of an answer.
const ANSWER_MAX: u64 = 16 << 20;

/// Why a model gave no text. The texts name no address and no key.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// The provider speaks no chat.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// Neither provider nor configuration names a path.
    #[error("the provider has no path for chats: override.endpoint must name one")]
    NoPath,
    /// The configured options make no body.
    #[error("the request cannot be built: {0}")]
    Body(#[from] JsonError),
    /// The provider did not answer.
    #[error("the provider cannot be reached: {0}")]
    Unanswered(#[from] SendError),
    /// Its answer broke off, or is too large.
    #[error("the provider's answer cannot be read: {0}")]
    Broken(#[from] BodyError),
    /// It refused.
    #[error("the provider answered {0}")]
    Status(StatusCode),
    /// The built-in provider cannot answer it.
    #[error(transparent)]
    Echo(#[from] EchoError),
    /// Its answer has no text.
    #[error("the provider's answer has no text")]
    NoText,
}

/// Asks a target's chat endpoint, without a stream, and returns the text it answers. Nothing of the client's request
/// goes along but what `messages` hold.
///
/// # Errors
/// When there is no text, for whatever reason.
pub async fn complete(
    cx: &Context,
    target: &Target,
    call: &CallConfig,
    messages: &[TextMessage],
) -> Result<String, CompleteError> {
    let carriage = target.provider.carriage(Protocol::OpenAiChat)?;
    let spoken = carriage.target();
    let request = RequestView::parse(
        json!({ "messages": messages, "stream": false })
            .to_string()
            .into(),
    )?;
    let body = match target.plan(spoken, Profile::Apisix) {
        Some(plan) => plan.apply(request.json())?,
        None => request.bytes().clone(),
    };
    let answer = match &target.place {
        Place::BuiltIn => local(cx, spoken, &body)?,
        Place::Remote { origin, .. } => {
            let nobody = ClientTarget {
                path: "/",
                query: None,
                models: None,
                resource: None,
            };
            let address = Addressed {
                carriage: &carriage,
                protocol: Protocol::OpenAiChat,
                profile: Profile::Apisix,
                model: target.model.as_deref(),
                stream: false,
                client: nobody,
            };
            let uri = target.uri(&address).ok_or(CompleteError::NoPath)?;
            let mut request = Request::new(Body::from(body));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = uri;
            *request.headers_mut() = headers(target);
            let sent = cx.worker.pool.send(origin, request, call.timeouts()).await?;
            let status = sent.response.status();
            if status != StatusCode::OK {
                return Err(CompleteError::Status(status));
            }
            sent.response.into_body().collect_limited(ANSWER_MAX).await?
        }
    };
    let text = AnswerFacts::read(spoken, &answer, true).and_then(|facts| facts.text);
    text.filter(|text| !text.is_empty()).ok_or(CompleteError::NoText)
}

fn headers(target: &Target) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &target.auth_headers {
        headers.insert(name, value.clone());
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

fn local(cx: &Context, spoken: Protocol, body: &Bytes) -> Result<Bytes, CompleteError> {
    let id = format!("{:032x}", cx.id.0);
    let stamp = EchoStamp {
        id: &id,
        created: cx.started_us / 1_000_000,
    };
    let count = |text: &str| cx.services.tokens.count("echo", text);
    match echo(spoken, body, stamp, &count)? {
        EchoReply::Json(json) => Ok(json),
        EchoReply::Stream(_) => Err(CompleteError::NoText),
    }
}
