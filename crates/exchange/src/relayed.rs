//! OpenAI's endpoints that are relayed (images, audio, files, batches, stored responses): bodies of any type, the model
//! changed where one is named.

use bytes::Bytes;
use http::{Method, StatusCode, header};
use sluice_core::{Context, Failure, Profile, Reply};
use sluice_llm::{ClientCall, Dialect, ErrorKind, Protocol, PublicError, RequestView};
use sluice_record::Text;
use sluice_wire::FormView;

use crate::answer;
use crate::memory;
use crate::payload::Payload;
use crate::prepare::{Prepared, bad_request, unreadable};
use crate::target::Target;

/// Names the model, and so the provider, of a request that has no model of its own.
const MODEL_HEADER: &str = "x-sluice-model";
/// The same in the query.
pub(crate) const MODEL_ARGUMENT: &str = "model";

/// Reads a request to one of these endpoints. Forms must be whole; what is neither JSON nor a form is not looked into.
pub(crate) async fn prepare(
    cx: &mut Context,
    max_body: u64,
    protocol: Protocol,
) -> Result<Prepared, Failure> {
    let body = cx.request.body.read(max_body).await.map_err(unreadable)?;
    let mut prepared = Prepared {
        protocol,
        request: None,
        form: None,
    };
    if body.is_empty() {
        return Ok(prepared);
    }
    let content_type = cx
        .request
        .header(header::CONTENT_TYPE.as_str())
        .unwrap_or_default();
    let has_prefix = |prefix: &str| {
        content_type
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    if has_prefix("multipart/") {
        let form = FormView::parse(content_type, body)
            .map_err(|error| bad_request("invalid_form", &format!("could not read the form: {error}")))?;
        prepared.form = Some(form);
    } else if content_type.is_empty() || has_prefix("application/json") {
        let request = RequestView::parse(body).map_err(|error| {
            bad_request(
                "invalid_json",
                &format!("could not parse JSON request body: {error}"),
            )
        })?;
        if request.object().is_none() {
            return Err(bad_request("invalid_json", "the body must be a JSON object"));
        }
        prepared.request = Some(request);
    }
    Ok(prepared)
}

/// The texts of a form to one of the media endpoints, on native routes, as a body that rules on prompts can judge.
#[must_use]
pub fn form_texts(cx: &Context) -> Option<Bytes> {
    let is_media = cx.profile == Profile::Native
        && ClientCall::of(&cx.request.path, None).protocol == Protocol::OpenAiMedia;
    let content_type = cx
        .request
        .header(header::CONTENT_TYPE.as_str())
        .filter(|_| is_media)?;
    let form = FormView::parse(content_type, cx.request.body.bytes()?.clone()).ok()?;
    let texts: Vec<_> = form.texts().collect();
    Some(serde_json::json!({ "prompt": texts }).to_string().into())
}

/// The model that query or header name for requests that have none of their own.
pub(crate) fn model_beside(cx: &Context) -> Option<Text> {
    let asked = cx.request.query_arg(MODEL_ARGUMENT).map(Text::from);
    let asked = asked.or_else(|| cx.request.header(MODEL_HEADER).map(Text::from));
    asked.filter(|model| !model.is_empty())
}

/// The body of a request that is no JSON, with that model in it.
pub(crate) fn payload(cx: &Context, model: Option<&str>) -> Payload {
    let form = cx.ai.as_deref().and_then(|ai| ai.form.as_ref());
    let is_media = cx
        .ai
        .as_deref()
        .is_some_and(|ai| ai.protocol == Protocol::OpenAiMedia);
    match (form, model) {
        // Uploads of files name no model.
        (Some(form), Some(model)) if is_media && form.text("model") != Some(model) => {
            Payload::Pieces(form.with_text("model", model))
        }
        _ => Payload::Whole(cx.request.body.bytes().cloned().unwrap_or_else(Bytes::new)),
    }
}

/// What a path asks of a response that the gateway keeps itself for the caller: one that was translated. It was kept as
/// the provider said it, and goes out by [`show`](Self::show).
#[derive(Debug)]
pub struct StoredResponse {
    status: StatusCode,
    body: Bytes,
}

impl StoredResponse {
    /// The answer, as rules on answers leave it. They ask for the request's AI call, so that has to have begun.
    pub async fn show(self, cx: &mut Context) -> Reply {
        answer::shown(cx, self.status, self.body).await
    }
}

/// What the request's path asks of a stored response, if it does and there is one.
#[must_use]
pub fn stored_response(cx: &Context) -> Option<StoredResponse> {
    let (_, stored) = cx.request.path.split_once("/v1/responses/")?;
    let (id, rest) = stored.split_once('/').unwrap_or((stored, ""));
    let memory = memory::of_caller(cx);
    let kept = memory.conversation(id)?;
    let found = |status, body| Some(StoredResponse { status, body });
    let shown = |body| found(StatusCode::OK, body);
    match (&cx.request.method, rest) {
        (&Method::GET, _) if kept.is_under_rules() && !cx.has_answer_rules() => None,
        (&Method::GET, "") => shown(kept.response()),
        (&Method::GET, "input_items") => {
            shown(kept.input_items(cx.request.query_arg("order").as_deref() == Some("asc")))
        }
        (&Method::DELETE, "") => {
            memory.forget_conversation(id);
            let gone = serde_json::json!({ "id": id, "object": "response", "deleted": true });
            shown(gone.to_string().into())
        }
        (&Method::POST, "cancel") => {
            let error = PublicError::new(
                ErrorKind::InvalidRequest,
                "only responses in the background can be cancelled",
            );
            found(
                StatusCode::BAD_REQUEST,
                error.body(Dialect::OpenAiResponses, None),
            )
        }
        _ => None,
    }
}

/// Why a target cannot be asked for what the path names, if it cannot.
pub(crate) fn refusal(cx: &Context, target: &Target) -> Option<Failure> {
    let (_, stored) = cx.request.path.split_once("/v1/responses/")?;
    let (id, rest) = stored.split_once('/').unwrap_or((stored, ""));
    let is_known = match cx.request.method {
        Method::GET => matches!(rest, "" | "input_items"),
        Method::DELETE => rest.is_empty(),
        Method::POST => rest == "cancel",
        _ => false,
    };
    let is_stored = target
        .provider
        .native_endpoint(Protocol::OpenAiResponses)
        .is_some();
    let streams = cx.request.query_arg("stream").as_deref() == Some("true");
    if is_known && is_stored && streams && cx.has_answer_rules() {
        return Some(Failure::new(
            StatusCode::FORBIDDEN,
            ErrorKind::Permission,
            "response_not_shown",
            "rules on answers hold here, which see a stored response only whole: ask for it without `stream`",
        ));
    }
    if is_known && is_stored {
        return None;
    }
    let shown: String = id.chars().take(128).collect();
    let message = match is_known {
        true => format!(
            "Response with id '{shown}' not found: {} stores no responses, and the gateway keeps none of that id for \
             this caller.",
            target.provider.name()
        ),
        false => "there is no such operation on stored responses".to_owned(),
    };
    Some(Failure::new(
        StatusCode::NOT_FOUND,
        ErrorKind::NotFound,
        "response_not_found",
        message,
    ))
}
