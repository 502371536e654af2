//! Streams: forwarded event by event, measured as they pass.

mod body;
mod filtered;
mod tail;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use sluice_core::{AiCall, Context, Failure, Profile, Progress, Retry};
use sluice_llm::{
    Conversion, ErrorKind, Framing, Protocol, StreamConversion, StreamTap, TapOptions, stream_id,
};
use sluice_net::{Body, BodyError};

use self::body::{Begun, KeepAlive, Limit, Manner, StreamBody, StreamParts};
use crate::config::CallConfig;
use crate::estimate;
use crate::perform::{
    Attempt, Provided, deadline, network_error, said_failed, spoken, timed_out, upstream_reply,
};
use crate::prepare::client_framing;

/// How often a native client hears of a model that thinks.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Whether an answer is a stream: its own content type says, not the client's wish (compat §4.2).
pub(crate) fn is_stream(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    let has = |needle: &[u8]| {
        content_type
            .windows(needle.len())
            .any(|window| window.eq_ignore_ascii_case(needle))
    };
    has(b"text/event-stream") || has(b"application/vnd.amazon.eventstream")
}

/// Relays an answer that is neither JSON nor a stream of events, as it comes.
pub(crate) async fn relay_binary(
    cx: &mut Context,
    call: &CallConfig,
    status: StatusCode,
    headers: HeaderMap,
    mut body: Body,
) -> Attempt {
    let ends = deadline(call).map(|limit| Instant::now() + limit);
    let first = match first_data(&mut body, None, ends).await {
        First::Data(data) => data,
        First::End | First::Nothing => Bytes::new(),
        First::Broken(error @ BodyError::Timeout { .. }) => return timed_out().caused_by(error).into(),
        First::Broken(error) => return network_error(cx.profile).caused_by(error).into(),
        First::TooLong => return over_limit(Limit::Duration).into(),
    };
    let Some(ai) = cx.ai.as_deref() else {
        return network_error(cx.profile).into();
    };
    let mut stream = StreamBody::new(StreamParts {
        upstream: body,
        tap: StreamTap::new(Protocol::Passthrough, TapOptions::default()),
        manner: Manner::Unread,
        progress: ai.progress.clone(),
        max_bytes: call.max_response_bytes,
        ends,
        keep_alive: None,
        breaks_in_band: None,
        framing: Framing::Sse,
        has_end: false,
        input: estimate::Input::of(cx),
    });
    match stream.begin(first).await {
        Ok(Begun::Stopped(limit)) => over_limit(limit).into(),
        Ok(_) => upstream_reply(status, headers, Body::boxed(stream)).into(),
        Err(error) => network_error(cx.profile).caused_by(error).into(),
    }
}

/// What came first.
enum First {
    Data(Bytes),
    End,
    Nothing,
    Broken(BodyError),
    TooLong,
}

/// Waits for the first data of a stream, then hands it on as a body. Until then another target may still take over.
pub(crate) async fn relay(
    cx: &mut Context,
    call: &CallConfig,
    provided: Provided,
    status: StatusCode,
    mut headers: HeaderMap,
    mut body: Body,
) -> Attempt {
    let native = cx.profile == Profile::Native;
    let ends = deadline(call).map(|limit| Instant::now() + limit);
    let hold = native.then(|| Duration::from_secs(call.first_byte_hold));
    let first = match first_data(&mut body, hold, ends).await {
        First::Data(data) => Some(data),
        First::Nothing => None,
        First::Broken(error @ BodyError::Timeout { .. }) => return timed_out().caused_by(error).into(),
        First::Broken(error) => return network_error(cx.profile).caused_by(error).into(),
        First::TooLong => {
            return over_limit(Limit::Duration).into();
        }
        First::End if native => return empty_stream().into(),
        First::End if provided.conversion.is_some() => return unconverted().into(),
        First::End => None,
    };
    let Some(ai) = cx.ai.as_deref() else {
        return network_error(cx.profile).into();
    };
    let hides_usage = native
        && ai.protocol == Protocol::OpenAiChat
        && ai
            .request
            .as_ref()
            .is_some_and(|request| !request.asks_for_usage());
    let spoken = spoken(cx, provided.carriage);
    if native && let Some(conversion) = &provided.conversion {
        // Elsewhere the provider's stays in place (compat §4.2).
        let media_type = HeaderValue::from_static(conversion.stream_media_type());
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    let manner = match provided.conversion.and_then(Conversion::into_stream) {
        Some(StreamConversion::Anthropic(conversion)) => Manner::convert(conversion),
        Some(StreamConversion::Chat(translation)) => Manner::Translate(translation),
        None if hides_usage => Manner::without_usage(),
        None => Manner::Verbatim,
    };
    let dialect = cx.dialect();
    let mut stream = StreamBody::new(StreamParts {
        upstream: body,
        tap: StreamTap::new(spoken, watched(ai, cx.keeps_answer_text)),
        manner,
        progress: ai.progress.clone(),
        max_bytes: call.max_response_bytes,
        ends,
        keep_alive: native
            .then(|| dialect.keep_alive())
            .flatten()
            .map(|frame| KeepAlive::new(KEEP_ALIVE, frame)),
        breaks_in_band: native.then_some(dialect),
        framing: client_framing(cx),
        has_end: estimate::generates(spoken),
        input: estimate::Input::of(cx),
    });
    if let Some(data) = first {
        note_id(&ai.progress, spoken, &data);
        match stream.begin(data).await {
            Ok(Begun::Output) => {}
            Ok(Begun::Nothing) => return unconverted().into(),
            Ok(Begun::Failed(error)) => return said_failed(&error).into(),
            Ok(Begun::Stopped(limit)) => return over_limit(limit).into(),
            Err(error @ BodyError::Timeout { .. }) => return timed_out().caused_by(error).into(),
            Err(error) => return network_error(cx.profile).caused_by(error).into(),
        }
    }
    let framing = client_framing(cx);
    let filters = cx.answer_filters();
    let body = Body::boxed(stream);
    let body = if filters.is_empty() {
        body
    } else {
        filtered::filtered(body, framing, filters)
    };
    upstream_reply(status, headers, body).into()
}

/// What of a stream somebody asks for.
fn watched(ai: &AiCall, keeps_text: bool) -> TapOptions {
    TapOptions {
        keep_usage: ai.keeps_raw_usage,
        keep_text: ai.logging.payloads || keeps_text,
        keep_signatures: ai.keeps_signatures(),
        ..TapOptions::default()
    }
}

/// Keeps the id of an answer that later requests may go on with.
fn note_id(progress: &Progress, spoken: Protocol, beginning: &[u8]) {
    if let Some(id) = stream_id(spoken, beginning) {
        progress.update(|state| state.response_id = Some(id.into()));
    }
}

async fn first_data(body: &mut Body, hold: Option<Duration>, ends: Option<Instant>) -> First {
    let next = async {
        loop {
            match body.frame().await {
                None => return First::End,
                Some(Err(error)) => return First::Broken(error),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return First::Data(data);
                    }
                }
            }
        }
    };
    let until_end = ends.map(|at| at.saturating_duration_since(Instant::now()));
    match (hold, until_end) {
        (None, None) => next.await,
        (Some(hold), until_end) if until_end.is_none_or(|left| hold < left) => {
            tokio::time::timeout(hold, next).await.unwrap_or(First::Nothing)
        }
        (_, Some(left)) => tokio::time::timeout(left, next).await.unwrap_or(First::TooLong),
        (Some(_), None) => next.await,
    }
}

fn over_limit(limit: Limit) -> Failure {
    let (status, kind) = match limit {
        Limit::Bytes => (StatusCode::BAD_GATEWAY, ErrorKind::Upstream),
        Limit::Duration => (StatusCode::GATEWAY_TIMEOUT, ErrorKind::Timeout),
    };
    Failure::new(status, kind, "response_limit", limit.text()).apisix_text(limit.text())
}

fn empty_stream() -> Failure {
    let text = "the provider ended its stream before the first event";
    Failure::new(StatusCode::BAD_GATEWAY, ErrorKind::Upstream, "empty_stream", text)
        .upstream(Retry::NextTarget)
}

fn unconverted() -> Failure {
    let text = "streaming response completed without producing any output; the upstream likely returned a different \
                stream format than the converter expects";
    Failure::new(
        StatusCode::BAD_GATEWAY,
        ErrorKind::Upstream,
        "unconvertible_stream",
        text,
    )
    .apisix_text(text)
}
