//! Whole answers: read, measured, converted, sent on.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sluice_core::{Context, Failure, Profile, Reply, WholeAnswer};
use sluice_llm::{
    AnswerFacts, ErrorKind, Operation, Protocol, Provenance, PublicError, answer_id, answer_marks,
};
use sluice_net::{Body, BodyError};
use sluice_wire::ObjectView;

use crate::config::CallConfig;
use crate::estimate;
use crate::models;
use crate::perform::{Attempt, Provided, network_error, said_failed, spoken, timed_out, upstream_reply};

/// Largest answer that is held in memory when the configuration sets no limit.
const ANSWER_MAX: u64 = 256 << 20;

/// Reads an answer whole, takes its usage and passes it on.
pub(crate) async fn relay(
    cx: &mut Context,
    call: &CallConfig,
    provided: &Provided,
    status: StatusCode,
    mut headers: HeaderMap,
    body: Body,
) -> Attempt {
    let limit = call.max_response_bytes.unwrap_or(ANSWER_MAX);
    let bytes = match body.collect_limited(limit).await {
        Ok(bytes) => bytes,
        Err(BodyError::TooLarge { .. }) => return too_large().into(),
        Err(error @ BodyError::Timeout { .. }) => return timed_out().caused_by(error).into(),
        Err(error) => return network_error(cx.profile).caused_by(error).into(),
    };
    let out = match convert(cx, provided, status, &mut headers, &bytes) {
        Ok(out) => out,
        Err(failure) => return (*failure).into(),
    };
    // APISIX leaves the provider's content type in place (compat §4.2).
    if (provided.conversion.is_some() || provided.lists_models) && cx.profile == Profile::Native {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    measure(cx, spoken(cx, provided.carriage), status, &bytes, &out);
    let shown = filter(cx, status, headers, out).await;
    let (status, headers) = (shown.status, shown.headers);
    let body = Body::from(shown.body);
    let body = if cx.profile == Profile::Apisix {
        body.into_chunked()
    } else {
        body
    };
    upstream_reply(status, headers, body).into()
}

/// An answer that the gateway has itself, as JSON, as the plugins that look at answers leave it.
pub(crate) async fn shown(cx: &mut Context, status: StatusCode, body: Bytes) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let shown = filter(cx, status, headers, body).await;
    Reply {
        headers: shown.headers,
        ..Reply::bytes(
            shown.status,
            HeaderValue::from_static("application/json"),
            shown.body,
        )
    }
}

/// Shows the answer to the plugins that look at answers.
async fn filter(cx: &mut Context, status: StatusCode, headers: HeaderMap, body: Bytes) -> WholeAnswer {
    let protocol = cx.ai.as_ref().map_or(Protocol::Passthrough, |ai| ai.protocol);
    let mut answer = WholeAnswer {
        status,
        headers,
        body,
        protocol,
    };
    for mut filter in cx.answer_filters() {
        filter.whole(&mut answer).decided().await;
    }
    answer
}

/// The answer in the client's protocol.
fn convert(
    cx: &Context,
    provided: &Provided,
    status: StatusCode,
    headers: &mut HeaderMap,
    bytes: &Bytes,
) -> Result<Bytes, Box<Failure>> {
    if cx.profile == Profile::Native
        && status.is_success()
        && may_hold_error(cx, provided)
        && let Some(error) = PublicError::in_answer(bytes)
    {
        return Err(Box::new(said_failed(&error)));
    }
    if provided.conversion.is_none() && !provided.lists_models {
        return Ok(bytes.clone());
    }
    if !status.is_success() && cx.profile == Profile::Native {
        let dialect = cx.dialect();
        let error = PublicError::from_upstream(status, bytes).with_status(status);
        headers.extend(error.class_header(dialect));
        return Ok(error.body(dialect, Some(&format!("{:032x}", cx.id.0))));
    }
    let Some(conversion) = &provided.conversion else {
        return models::written(cx, bytes);
    };
    let model = cx
        .ai
        .as_ref()
        .and_then(|ai| ai.model_sent.as_deref())
        .filter(|model| !model.is_empty());
    conversion.answer(status, model, bytes).map_err(|error| {
        let text = error.to_string();
        let status = match cx.profile {
            Profile::Apisix => StatusCode::INTERNAL_SERVER_ERROR,
            Profile::Native => StatusCode::BAD_GATEWAY,
        };
        Box::new(Failure::new(status, ErrorKind::Upstream, "not_convertible", text.clone()).apisix_text(text))
    })
}

/// Whether an answer may be an error all the same. Those of Responses say so in a member of their own, which clients
/// of that protocol read.
fn may_hold_error(cx: &Context, provided: &Provided) -> bool {
    let spoken = spoken(cx, provided.carriage);
    spoken.operation() == Operation::Chat
        && (provided.conversion.is_some() || spoken != Protocol::OpenAiResponses)
}

/// Takes usage and facts from the answer. APISIX counts what the client sees, the normal form what the provider said.
fn measure(cx: &mut Context, spoken: Protocol, status: StatusCode, upstream: &Bytes, client: &Bytes) {
    let now = Instant::now();
    let Some(ai) = cx.ai.as_deref() else { return };
    let id = answer_id(spoken, upstream);
    let signatures = match ai.keeps_signatures() {
        true => answer_marks(upstream),
        false => Vec::new(),
    };
    let keep_text = ai.logging.payloads || cx.keeps_answer_text;
    let facts = AnswerFacts::read(spoken, upstream, keep_text).unwrap_or_default();
    let shown = match upstream.as_ptr() == client.as_ptr() {
        true => None,
        false => AnswerFacts::read(ai.protocol, client, false).and_then(|facts| facts.usage),
    };
    let estimated = (facts.usage.is_none() && status.is_success() && estimate::costs(spoken))
        .then(|| estimate::whole(cx, spoken, upstream))
        .flatten();
    let raw_usage = if ai.keeps_raw_usage {
        raw_usage(client)
    } else {
        None
    };
    ai.progress.update(|state| {
        state.first_token = Some(now);
        state.has_tool_calls = facts.has_tool_calls;
        state.model_answered = facts.model.as_deref().map(Into::into);
        state.response_text = facts.text;
        state.response_id = id.map(Into::into);
        state.signatures = signatures;
        if let Some(usage) = &facts.usage {
            state.counts = shown.as_ref().unwrap_or(usage).counts;
            state.usage = usage.usage;
            state.provenance = Provenance::Reported;
            state.reported = true;
            state.raw_usage = raw_usage;
        } else if let Some(usage) = estimated {
            state.usage = usage;
            state.provenance = Provenance::Estimated;
        }
    });
    ai.progress.finish();
}

/// The usage object of an answer as it stands.
fn raw_usage(answer: &Bytes) -> Option<Box<str>> {
    let object = ObjectView::parse(answer.clone()).ok()?;
    std::str::from_utf8(object.get("usage")?.raw())
        .ok()
        .map(Into::into)
}

fn too_large() -> Failure {
    let text = "max_response_bytes exceeded";
    Failure::new(
        StatusCode::BAD_GATEWAY,
        ErrorKind::Upstream,
        "response_too_large",
        text,
    )
    .apisix_text(text)
}
