//! First half of a call, in the access phase: read the body once and find out what the client speaks.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use serde_json::json;
use sluice_core::{
    AiCall, AiLogging, Context, Failure, Picked, Profile, Progress, ReadBodyError, is_llm_path,
};
use sluice_llm::{ClientCall, ErrorKind, Framing, Operation, Protocol, RequestView};
use sluice_record::Text;
use sluice_wire::FormView;

use crate::relayed;

/// A request that an AI plugin may pick a target for.
pub struct Prepared {
    pub(crate) protocol: Protocol,
    pub(crate) request: Option<RequestView>,
    /// The body where that is a form.
    pub(crate) form: Option<FormView>,
}

/// Checks content type, size and syntax of the body and detects the protocol (compat §4.2, §5.1).
///
/// # Errors
/// What the client gets to see, as the error table of compat §4.2 says.
pub async fn prepare(cx: &mut Context, max_body: u64) -> Result<Prepared, Failure> {
    if cx.profile == Profile::Native {
        let protocol = ClientCall::of(&cx.request.path, None).protocol;
        if protocol.operation() == Operation::Relay {
            return relayed::prepare(cx, max_body, protocol).await;
        }
        if cx.request.method == Method::GET {
            return Ok(Prepared {
                protocol: Protocol::Passthrough,
                request: None,
                form: None,
            });
        }
    }
    if let Some(content_type) = cx.request.headers.get(header::CONTENT_TYPE)
        && !content_type.as_bytes().starts_with(b"application/json")
    {
        let content_type = String::from_utf8_lossy(content_type.as_bytes());
        let message = format!("unsupported content-type: {content_type}, only application/json is supported");
        return Err(bad_request("unsupported_content_type", &message).apisix_text(message));
    }
    let body = cx.request.body.read(max_body).await.map_err(unreadable)?;
    if body.is_empty() {
        let message = "could not get body: request body is empty";
        return Err(bad_request("empty_body", message).apisix_json(json!({ "message": message })));
    }
    let scanned = cx.request.body.scanned_json().cloned().map(RequestView::from);
    let request = scanned
        .map_or_else(|| RequestView::parse(body), Ok)
        .map_err(|error| {
            let message = format!("could not parse JSON request body: {error}");
            bad_request("invalid_json", &message).apisix_json(json!({ "message": message }))
        })?;
    let protocol = protocol_of(cx, &request).ok_or_else(|| {
        let message = "no matching AI protocol for the request";
        bad_request("unknown_protocol", message).apisix_text(message)
    })?;
    Ok(Prepared {
        protocol,
        request: Some(request),
        form: None,
    })
}

/// How the events of a stream to the client of this call are told apart.
#[must_use]
pub fn client_framing(cx: &Context) -> Framing {
    let Some(protocol) = cx.ai.as_deref().map(|ai| ai.protocol) else {
        return Framing::Sse;
    };
    match protocol {
        Protocol::GeminiGenerate if !client_call(cx, protocol).is_sse => Framing::JsonArray,
        protocol => protocol.framing(),
    }
}

/// The protocol of a request, if there is one that it could mean.
///
/// APISIX goes by the shape of the body wherever it comes. On native routes the standard paths say what they mean: a
/// body for `/v1/moderations` looks like one for embeddings and is none.
#[must_use]
pub fn protocol_of(cx: &Context, request: &RequestView) -> Option<Protocol> {
    let path = &*cx.request.path;
    // Operations of Bedrock's runtime that are not spoken here, whatever their bodies look like.
    if cx.profile == Profile::Native && path.starts_with("/model/") && !is_llm_path(path) {
        return None;
    }
    if cx.profile == Profile::Native && is_llm_path(path) {
        request.object()?;
        return Some(ClientCall::of(path, cx.request.query.as_deref()).protocol);
    }
    Protocol::detect(path, request)
}

/// What the path says of a call in that protocol.
pub(crate) fn client_call(cx: &Context, protocol: Protocol) -> ClientCall<'_> {
    let call = ClientCall::of(&cx.request.path, cx.request.query.as_deref());
    if call.protocol == protocol {
        call
    } else {
        ClientCall::in_protocol(protocol)
    }
}

impl Prepared {
    /// Makes the request an AI call of the picked instance.
    pub fn begin(self, cx: &mut Context, picked: Picked, logging: AiLogging) {
        let model = self.model(cx);
        let request = self.request.as_ref();
        let call = client_call(cx, self.protocol);
        let streams_by_path = call.stream.unwrap_or(false);
        let renamed = cx.renamed_model.as_ref();
        cx.ai = Some(Box::new(AiCall {
            protocol: self.protocol,
            stream: streams_by_path
                || request.is_some_and(|r| self.protocol.wants_stream(r))
                || self
                    .form
                    .as_ref()
                    .is_some_and(|form| form.text("stream") == Some("true")),
            model_asked: renamed.map_or_else(|| model.clone(), |renamed| renamed.asked.clone()),
            model,
            routing: None,
            tool_count: request.map_or(0, |r| u32::try_from(r.tool_count()).unwrap_or(u32::MAX)),
            end_user: request
                .and_then(|r| r.end_user(self.protocol))
                .map(|user| Text::from(&*user)),
            picked,
            model_sent: None,
            keeps_raw_usage: false,
            active: None,
            logging,
            progress: Arc::new(Progress::default()),
            placeholders: None,
            request: self.request,
            form: self.form,
        }));
    }

    /// The model that is meant: the one that a plugin put in place of the client's, else the client's. Empty where none
    /// is named.
    #[must_use]
    pub fn model(&self, cx: &Context) -> Text {
        if let Some(renamed) = &cx.renamed_model {
            return renamed.to.clone();
        }
        // Where the path names the model, a body has none.
        let by_path = client_call(cx, self.protocol).model;
        let named = self.request.as_ref().and_then(RequestView::model);
        if let Some(model) = named.or(by_path) {
            return Text::from(&*model);
        }
        if let Some(model) = self.form.as_ref().and_then(|form| form.text("model")) {
            return Text::from(model);
        }
        let beside = (self.protocol.operation() == Operation::Relay)
            .then(|| relayed::model_beside(cx))
            .flatten();
        beside.unwrap_or_else(|| Text::from(""))
    }

    /// What the client speaks.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The client's body.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        self.request.as_ref().map(RequestView::bytes)
    }
}

pub(crate) fn unreadable(error: ReadBodyError) -> Failure {
    let message = format!("could not get body: {error}");
    let (status, kind) = match error {
        ReadBodyError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, ErrorKind::RequestTooLarge),
        _ => (StatusCode::BAD_REQUEST, ErrorKind::InvalidRequest),
    };
    Failure::new(status, kind, "unreadable_body", message.clone()).apisix_json(json!({ "message": message }))
}

pub(crate) fn bad_request(code: &'static str, message: &str) -> Failure {
    Failure::new(
        StatusCode::BAD_REQUEST,
        ErrorKind::InvalidRequest,
        code,
        message.to_owned(),
    )
}
