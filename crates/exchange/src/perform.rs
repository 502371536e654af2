//! Second half of a call, before_proxy: encode, send, and turn what comes back into an answer.

mod encode;
mod failures;

use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Request, StatusCode};
use sluice_core::{Context, Failure, Pipeline, Profile, Reply, ReplyBody, Sent, Trial, UpstreamCall};
use sluice_llm::{Carriage, Conversion, Operation, Protocol};
use sluice_net::Body;
use sluice_observe::ActiveLabels;
use sluice_record::{ResponseSource, Text};

pub(crate) use self::encode::not_translatable;
use self::encode::{Encoded, Outbound, encode};
use self::failures::{defect, hidden, is_timeout, unanswered};
pub(crate) use self::failures::{network_error, said_failed, timed_out};
use crate::config::CallConfig;
use crate::credential::Unsigned;
use crate::headers;
use crate::target::{Place, Target};
use crate::{answer, counted, local, relayed, stream};

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

/// Calls a target for the request's AI call and waits until its answer can begin.
pub async fn perform(cx: &mut Context, target: &Target, call: &CallConfig) -> Attempt {
    cx.node = Some(target.name.clone());
    if cx.profile == Profile::Native
        && let Some(stored) = relayed::stored_response(cx)
    {
        return stored.show(cx).await.into();
    }
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

async fn send(cx: &mut Context, target: &Target, call: &CallConfig, outbound: Outbound) -> Attempt {
    let Place::Remote { origin, address, .. } = &target.place else {
        return defect("target has no origin").into();
    };
    let Outbound { provided, body, uri } = outbound;
    let carriage = provided.carriage;
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
    let kept = cx_ref.keeps_payload.then(|| Sent {
        headers: signed.clone().unwrap_or_else(own_headers),
        body: body.beginning(),
    });
    let started = Instant::now();
    let sent = pool.send_with(origin, make, call.timeouts()).await;
    cx.captured.sent = kept.map(Box::new);
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
            receive(cx, target, call, provided, got.response).await
        }
    }
}

/// How an answer has to be read.
pub(crate) struct Provided {
    pub(crate) carriage: Carriage,
    pub(crate) conversion: Option<Conversion>,
    /// Whether it is a list of models that is written anew.
    pub(crate) lists_models: bool,
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
    let is_kept = provided.conversion.is_none() && !provided.lists_models;
    if busy && (is_kept || cx.profile == Profile::Apisix) {
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

/// Sound, pictures, contents of files: nothing in them is looked at, and they are not held. Files may hold the answers of
/// a batch: rules on answers want to see them.
fn is_binary(cx: &Context, provided: &Provided, status: StatusCode, headers: &HeaderMap) -> bool {
    let is_json = || {
        let kind = headers.get(http::header::CONTENT_TYPE);
        kind.is_none_or(|kind| kind.as_bytes().starts_with(b"application/json"))
    };
    cx.profile == Profile::Native
        && status.is_success()
        && spoken(cx, provided.carriage).operation() == Operation::Relay
        && !is_json()
        && !(spoken(cx, provided.carriage) == Protocol::OpenAiObjects && cx.has_answer_rules())
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

/// An answer of the upstream.
pub(crate) fn upstream_reply(status: StatusCode, headers: HeaderMap, body: Body) -> Reply {
    Reply {
        status,
        headers,
        body: ReplyBody::Raw(body),
        source: ResponseSource::Upstream,
    }
}

/// How long an answer may take altogether.
pub(crate) fn deadline(call: &CallConfig) -> Option<Duration> {
    call.max_stream_duration_ms.map(Duration::from_millis)
}
