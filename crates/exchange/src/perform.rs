//! Second half of a call, before_proxy: encode, send, and turn what comes back into an answer.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use sluice_core::{
    AiCall, Context, Failure, Pipeline, Profile, Reply, ReplyBody, Retry, Trial, UpstreamCall,
};
use sluice_llm::{
    Carriage, ChatTranslation, Conversion, Dialect, EmbedTranslation, ErrorKind, Operation, Protocol,
    PublicError, RequestView, RerankTranslation, TranslationFor, Unsayable, brings_foreign_thoughts,
    with_gemini_model,
};
use sluice_net::{Body, SendError, SendErrorKind};
use sluice_observe::ActiveLabels;
use sluice_record::{ResponseSource, Text};

use crate::config::CallConfig;
use crate::credential::Unsigned;
use crate::headers;
use crate::payload::Payload;
use crate::prepare::client_call;
use crate::target::{Addressed, ClientTarget, Place, Target};
use crate::{answer, counted, local, memory, relayed, stream};

/// What one attempt at a target came to.
pub enum Attempt {
    /// The provider answered, whatever its status.
    Answered(Box<Reply>),
    /// It did not, or what it answered is of no use.
    Failed(Box<Failure>),
}

impl Attempt {
    /// The status that the client would see.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Answered(reply) => reply.status,
            Self::Failed(failure) => failure.status(),
        }
    }
}

impl From<Failure> for Attempt {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<Reply> for Attempt {
    fn from(reply: Reply) -> Self {
        Self::Answered(Box::new(reply))
    }
}

/// A call as it goes out.
struct Outbound {
    carriage: Carriage,
    conversion: Option<Conversion>,
    body: Payload,
    uri: Uri,
}

/// Calls a target for the request's AI call and waits until its answer can begin.
pub async fn perform(cx: &mut Context, target: &Target, call: &CallConfig) -> Attempt {
    cx.node = Some(target.name.clone());
    let encoded = encode(cx, target);
    count_active(cx);
    match encoded {
        Err(failure) => (*failure).into(),
        Ok(Encoded::Counted) => counted::answer(cx).await,
        Ok(Encoded::Local { provided, body }) => local::answer(cx, target, call, provided, body).await,
        Ok(Encoded::Remote(outbound)) => send(cx, target, call, outbound).await,
    }
}

/// Counts the attempt as active until the next one or the end of the request; under its labels only where metrics are
/// on, as APISIX does.
fn count_active(cx: &mut Context) {
    let names = |pipeline: &Pipeline| Some(pipeline.plugins().get("prometheus")?.plugin.prefers_names());
    // The route's own instance takes the place of the global one.
    let prefers_names = names(&cx.pipeline).or_else(|| names(&cx.snapshot.global));
    let labelled = prefers_names.is_some();
    let matched = cx.route.as_ref();
    let route = matched.map_or("", |m| &*m.route.id);
    let service = matched.and_then(|m| m.route.service.as_ref());
    let service_id = service.map_or("", |service| &*service.id);
    let shows_names = prefers_names == Some(true);
    let Some(ai) = cx.ai.as_deref() else { return };
    let labels = labelled.then(|| ActiveLabels {
        route: shown(shows_names, matched.and_then(|m| m.route.name.as_ref()), route),
        route_id: route,
        matched_uri: matched.map_or("", |m| &*m.uri),
        matched_host: matched.and_then(|m| m.host.as_deref()).unwrap_or_default(),
        service: shown(shows_names, service.and_then(|s| s.name.as_ref()), service_id),
        service_id,
        consumer: cx.consumer_name().map_or("", |name| &**name),
        node: &ai.picked.name,
        request_type: if ai.stream { "ai_stream" } else { "ai_chat" },
        request_llm_model: &ai.model_asked,
        llm_model: ai.model_sent.as_deref().unwrap_or_default(),
    });
    let guard = cx.services.metrics.llm_active(labels.as_ref());
    if let Some(ai) = cx.ai.as_deref_mut() {
        ai.active = Some(guard);
    }
}

/// The name where there is one and names are preferred, else the id.
fn shown<'a>(prefers_name: bool, name: Option<&'a Text>, id: &'a str) -> &'a str {
    name.filter(|_| prefers_name).map_or(id, |name| name)
}

enum Encoded {
    Counted,
    Local { provided: Provided, body: Bytes },
    Remote(Outbound),
}

/// The body and path of the call. Each attempt starts from the client's body.
fn encode(cx: &mut Context, target: &Target) -> Result<Encoded, Box<Failure>> {
    let profile = cx.profile;
    let is_retry = !cx.attempts.is_empty();
    let Some(ai) = cx.ai.as_deref_mut() else {
        return Err(Box::new(defect("no AI call was prepared")));
    };
    let carriage = target.carriage(ai.protocol, profile).map_err(|error| {
        let text = error.to_string();
        Failure::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::InvalidRequest,
            "unsupported_protocol",
            text.clone(),
        )
        .apisix_text(text)
    })?;
    let carriage = match carriage {
        Carriage::Same(endpoint) if profile == Profile::Native && is_foreign(ai, target) => {
            Carriage::Translated(endpoint)
        }
        carriage => carriage,
    };
    let model = target
        .model
        .clone()
        .or_else(|| (!ai.model.is_empty()).then(|| ai.model.clone()));
    ai.model_sent = Some(model.clone().unwrap_or_else(|| Text::from("")));
    if carriage == Carriage::Counted {
        return Ok(Encoded::Counted);
    }
    let (stream, protocol) = (ai.stream, ai.protocol);
    if profile == Profile::Native
        && protocol == Protocol::OpenAiObjects
        && let Some(failure) = relayed::refusal(cx, target)
    {
        return Err(Box::new(failure));
    }
    let Written {
        body,
        conversion,
        tool_count,
    } = written(cx, target, carriage, model.as_deref(), is_retry)?;
    if let (Some(ai), Some(tool_count)) = (cx.ai.as_deref_mut(), tool_count) {
        ai.tool_count = tool_count;
    }
    if let Place::BuiltIn = target.place {
        return Ok(Encoded::Local {
            provided: Provided { carriage, conversion },
            body: body.signed().clone(),
        });
    }
    let address = Addressed {
        carriage: &carriage,
        protocol,
        profile,
        model: model.as_deref(),
        stream,
        client: ClientTarget::of(cx),
    };
    let uri = target.uri(&address).ok_or_else(|| {
        let text = "could not resolve upstream path: ensure the route or request body specifies a model, or that \
                    override.endpoint includes a path";
        Failure::new(StatusCode::BAD_REQUEST, ErrorKind::InvalidRequest, "no_upstream_path", text)
            .apisix_json(serde_json::json!({ "error_msg": text }))
    })?;
    Ok(Encoded::Remote(Outbound {
        carriage,
        conversion,
        body,
        uri,
    }))
}

/// Whether a request brings thoughts of another target's, which this one would refuse: what was packed for the client's
/// own protocol, and in a chat whatever OpenAI does not know, where another target may have said it.
fn is_foreign(ai: &AiCall, target: &Target) -> bool {
    let Some(request) = &ai.request else { return false };
    let is_asked = match ai.protocol {
        Protocol::OpenAiChat => ai.keeps_signatures() && target.provider.quirks().is_openai(),
        // It goes on with what the provider keeps.
        Protocol::OpenAiResponses => request
            .object()
            .is_none_or(|body| body.get("previous_response_id").is_none()),
        _ => true,
    };
    is_asked && brings_foreign_thoughts(ai.protocol, request.bytes())
}

/// A request as it goes to the provider.
struct Written {
    body: Payload,
    /// What turns the answer back.
    conversion: Option<Conversion>,
    /// Length of `tools`, where it may differ from the client's.
    tool_count: Option<u32>,
}

fn written(
    cx: &Context,
    target: &Target,
    carriage: Carriage,
    model: Option<&str>,
    is_retry: bool,
) -> Result<Written, Box<Failure>> {
    let Some(request) = cx.ai.as_deref().and_then(|ai| ai.request.as_ref()) else {
        return Ok(Written {
            body: relayed::payload(cx, model),
            conversion: None,
            tool_count: None,
        });
    };
    let converted = convert(cx, target, carriage, request, model)?;
    let (view, conversion) = converted.map_or((None, None), |(view, made)| (Some(view), Some(made)));
    let view = view.as_ref().unwrap_or(request);
    let spoken = spoken(cx, carriage);
    let plan = target.plan(spoken, cx.profile);
    // Of these, only moderations have a model.
    let names_none = spoken == Protocol::OpenAiObjects && request.model().is_none();
    let plan = plan.filter(|_| !names_none);
    let body = match plan {
        Some(plan) => plan.apply(view.json()).map_err(|error| {
            let text = format!("could not parse JSON request body: {error}");
            Failure::new(
                StatusCode::BAD_REQUEST,
                ErrorKind::InvalidRequest,
                "invalid_json",
                text.clone(),
            )
            .apisix_json(serde_json::json!({ "message": text }))
        })?,
        None => view.bytes().clone(),
    };
    let body = with_gemini_model(spoken, body, model.unwrap_or_default());
    let sets_tools = plan.is_some_and(|plan| plan.sets("tools"));
    let counts_again = sets_tools || conversion.is_some() || is_retry;
    let tool_count = counts_again.then(|| {
        let sent = sets_tools
            .then(|| RequestView::parse(body.clone()).ok())
            .flatten();
        tool_count(sent.as_ref().unwrap_or(view))
    });
    Ok(Written {
        body: Payload::Whole(body),
        conversion,
        tool_count,
    })
}

async fn send(cx: &mut Context, target: &Target, call: &CallConfig, outbound: Outbound) -> Attempt {
    let Place::Remote { origin, address, .. } = &target.place else {
        return defect("target has no origin").into();
    };
    let Outbound {
        carriage,
        conversion,
        body,
        uri,
    } = outbound;
    let method = if carriage == Carriage::Passthrough {
        cx.request.method.clone()
    } else {
        Method::POST
    };
    let cx_ref = &*cx;
    let unsigned = Unsigned {
        method: &method,
        uri: &uri,
        body: body.signed(),
        origin,
    };
    let own_headers = || headers::for_provider(cx_ref, target, &carriage);
    let pool = &cx_ref.worker.pool;
    let signed = match target.credential.headers(pool, unsigned, own_headers).await {
        Ok(signed) => signed,
        Err(failure) => return (*failure).into(),
    };
    let make = || {
        let mut request = Request::new(body.body());
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = signed.clone().unwrap_or_else(own_headers);
        request
    };
    let started = Instant::now();
    let sent = pool.send_with(origin, make, call.timeouts()).await;
    cx.upstream_call = uri.path_and_query().map(|target| UpstreamCall {
        origin: origin.clone(),
        host: None,
        target: target.clone(),
    });
    match sent {
        Err(error) => {
            let failure = unanswered(cx.profile, &error);
            let status = if is_timeout(&error) { 504 } else { 502 };
            cx.attempts.push(Trial {
                addr: address.clone(),
                status,
                started,
                ended: Some(Instant::now()),
            });
            tracing::warn!(target = %target.name, upstream = %address, %error, "provider did not answer");
            failure.caused_by(error).into()
        }
        Ok(got) => {
            let status = got.response.status();
            cx.attempts.push(Trial {
                addr: address.clone(),
                status: status.as_u16(),
                started,
                ended: None,
            });
            receive(cx, target, call, Provided { carriage, conversion }, got.response).await
        }
    }
}

/// How an answer has to be read.
pub(crate) struct Provided {
    pub(crate) carriage: Carriage,
    pub(crate) conversion: Option<Conversion>,
}

/// `llm_tool_count` counts what is sent (compat §4.1.6).
fn tool_count(body: &RequestView) -> u32 {
    u32::try_from(body.tool_count()).unwrap_or(u32::MAX)
}

type Converted = Option<(RequestView, Conversion)>;

/// The body in the provider's protocol, where that is not the client's.
fn convert(
    cx: &Context,
    target: &Target,
    carriage: Carriage,
    request: &RequestView,
    model: Option<&str>,
) -> Result<Converted, Box<Failure>> {
    let refused = |reason: String| {
        Failure::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::InvalidRequest,
            "not_convertible",
            reason.clone(),
        )
        .apisix_json(serde_json::json!({ "error_msg": reason }))
    };
    let converted = match carriage {
        Carriage::Translated(endpoint) => Some(translate(cx, target, endpoint.protocol(), request, model)?),
        _ => Conversion::of(carriage, request).map_err(|error| refused(error.to_string()))?,
    };
    let Some((body, conversion)) = converted else {
        return Ok(None);
    };
    let view = RequestView::parse(body).map_err(|error| refused(error.to_string()))?;
    Ok(Some((view, conversion)))
}

/// A request in the provider's protocol.
fn translate(
    cx: &Context,
    target: &Target,
    protocol: Protocol,
    request: &RequestView,
    model: Option<&str>,
) -> Result<(Bytes, Conversion), Box<Failure>> {
    let asked = cx.ai.as_deref().map_or(Protocol::Passthrough, |ai| ai.protocol);
    let to = TranslationFor {
        client: &client_call(cx, asked),
        provider: target.provider,
        protocol,
        model: model.unwrap_or_default(),
        id: &format!("{:032x}", cx.id.0),
        created: u64::try_from(cx.started_us / 1_000_000).unwrap_or_default(),
        memory: &memory::of_caller(cx),
    };
    let body = request.bytes();
    let translated = match protocol.operation() {
        Operation::Embed => EmbedTranslation::request(body, to)
            .map(|(body, translation)| (body, Conversion::Embed(Box::new(translation)))),
        Operation::Rerank => RerankTranslation::request(body, to)
            .map(|(body, translation)| (body, Conversion::Rerank(Box::new(translation)))),
        _ => ChatTranslation::request(body, to)
            .map(|(body, translation)| (body, Conversion::Chat(Box::new(translation)))),
    };
    translated.map_err(|error| Box::new(not_translatable(&error)))
}

/// A request that is not what its protocol says, or says what the provider's cannot.
pub(crate) fn not_translatable(error: &Unsayable) -> Failure {
    let failure = Failure::new(
        StatusCode::BAD_REQUEST,
        ErrorKind::InvalidRequest,
        "not_translatable",
        match &error.param {
            Some(param) => format!("{param}: {}", error.message),
            None => error.message.clone(),
        },
    );
    match &error.param {
        Some(param) => failure.about(param.clone()),
        None => failure,
    }
}

/// What is spoken with the provider. What is relayed stays what it is.
pub(crate) fn spoken(cx: &Context, carriage: Carriage) -> Protocol {
    match (carriage, cx.ai.as_deref()) {
        (Carriage::Passthrough, Some(ai)) => ai.protocol,
        _ => carriage.target(),
    }
}

/// Which way an answer goes: verbatim, as a stream, or whole.
async fn receive(
    cx: &mut Context,
    target: &Target,
    call: &CallConfig,
    provided: Provided,
    response: http::Response<Body>,
) -> Attempt {
    let (head, body) = response.into_parts();
    if cx.profile == Profile::Native
        && let Some(failure) = hidden(head.status)
    {
        return failure.into();
    }
    let mut headers = headers::for_client(cx.profile, target, &head.headers);
    if let Some(conversion) = &provided.conversion {
        headers::name_dropped(conversion.dropped(), &mut headers);
    }
    let busy = head.status == StatusCode::TOO_MANY_REQUESTS || head.status.is_server_error();
    if busy && (provided.conversion.is_none() || cx.profile == Profile::Apisix) {
        if let Some(ai) = &cx.ai {
            ai.progress
                .update(|state| state.first_token = Some(Instant::now()));
        }
        return upstream_reply(head.status, headers, body.into_chunked()).into();
    }
    if stream::is_stream(&head.headers) || streams_anyhow(cx, &provided, head.status) {
        return stream::relay(cx, call, provided, head.status, headers, body).await;
    }
    if is_binary(cx, &provided, head.status, &head.headers) {
        return stream::relay_binary(cx, call, head.status, headers, body).await;
    }
    answer::relay(cx, call, &provided, head.status, headers, body).await
}

/// Sound, pictures, contents of files: nothing in them is looked at, and they are not held.
fn is_binary(cx: &Context, provided: &Provided, status: StatusCode, headers: &HeaderMap) -> bool {
    let is_json = || {
        let kind = headers.get(http::header::CONTENT_TYPE);
        kind.is_none_or(|kind| kind.as_bytes().starts_with(b"application/json"))
    };
    cx.profile == Profile::Native
        && status.is_success()
        && spoken(cx, provided.carriage).operation() == Operation::Relay
        && !is_json()
}

/// Streams whose media type does not tell: Ollama's lines, Gemini's array. A client that asked for a stream gets one of
/// any translated answer, whatever form the provider chose.
fn streams_anyhow(cx: &Context, provided: &Provided, status: StatusCode) -> bool {
    let Some(ai) = cx.ai.as_deref().filter(|ai| ai.stream && status.is_success()) else {
        return false;
    };
    cx.profile == Profile::Native
        && match &provided.conversion {
            Some(Conversion::Chat(_)) => true,
            Some(_) => false,
            None => matches!(
                ai.protocol,
                Protocol::GeminiGenerate | Protocol::OllamaChat | Protocol::OllamaGenerate
            ),
        }
}

/// That a provider refuses the gateway's key or account is no business of the client's, and its words may hold parts
/// of the key.
fn hidden(status: StatusCode) -> Option<Failure> {
    let (code, message) = match status.as_u16() {
        401 | 403 => ("upstream_auth", "the provider refused the gateway's credentials"),
        402 => ("upstream_billing", "the provider refused the gateway's account"),
        _ => return None,
    };
    let failure = Failure::new(StatusCode::BAD_GATEWAY, ErrorKind::Upstream, code, message);
    Some(failure.upstream(Retry::NextTarget))
}

/// An answer of the upstream.
pub(crate) fn upstream_reply(status: StatusCode, headers: HeaderMap, body: Body) -> Reply {
    Reply {
        status,
        headers,
        body: ReplyBody::Raw(body),
        source: ResponseSource::Upstream,
    }
}

fn is_timeout(error: &SendError) -> bool {
    matches!(error.kind, SendErrorKind::Timeout(_))
}

/// APISIX answers 504 for time-outs and 500 for everything else that goes wrong on the network.
fn unanswered(profile: Profile, error: &SendError) -> Failure {
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

fn defect(message: &'static str) -> Failure {
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Internal,
        "defect",
        message,
    )
}

/// How long an answer may take altogether.
pub(crate) fn deadline(call: &CallConfig) -> Option<Duration> {
    call.max_stream_duration_ms.map(Duration::from_millis)
}
