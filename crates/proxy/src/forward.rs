//! Plain upstreams: choose a node, send the request, relay the answer (compat §8.3).

mod headers;

use std::time::Instant;

use http::{Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use sluice_core::{Context, Failure, HashKey, Reply, ReplyBody, Retry, Route, Trial, Upstream, Verdict};
use sluice_llm::ErrorKind;
use sluice_net::{Body, BodyError, SendError, SendErrorKind, Timeouts};
use sluice_record::{ResponseSource, Text};
use sluice_resource::Variables;
use sluice_upstream::{PickContext, Tried};

/// Sends the request to one of the upstream's nodes; tries others while nothing was lost.
pub(crate) async fn forward(
    cx: &mut Context,
    route: &Route,
    upstream: &Upstream,
    max_body: Option<u64>,
) -> Verdict {
    if let Some(failure) = too_large(cx, max_body) {
        return failure.into();
    }
    let timeouts = route.timeout.or(upstream.timeouts).unwrap_or_default();
    let timeouts = Timeouts {
        connect: timeouts.connect,
        send: timeouts.send,
        read: timeouts.read,
    };
    let wants_upgrade = route.websocket && headers::is_upgrade(&cx.request.headers);
    let hash_key = upstream.hash_key.as_ref().map(|key| hash_value(cx, key));
    let started = Instant::now();
    let mut tried = Tried::default();
    let mut tries_left = upstream.retries;
    let body = cx.request.body.take();
    let mut body = Some(match max_body {
        Some(limit) => limited(body, limit),
        None => body,
    });
    loop {
        let pick = PickContext {
            hash_key: hash_key.as_deref(),
            tried: &tried,
        };
        let Some(index) = upstream.balancer.pick(&pick) else {
            return unreachable(cx, StatusCode::BAD_GATEWAY);
        };
        tried.insert(index);
        let node = &upstream.nodes[index];
        let request = match build(
            cx,
            upstream,
            index,
            wants_upgrade,
            body.take().unwrap_or_else(Body::empty),
        ) {
            Ok(request) => request,
            Err(failure) => return Verdict::Fail(failure),
        };
        let can_repeat = is_idempotent(request.method());
        let replay = request.body().replay();
        let begun = Instant::now();
        match cx.worker.pool.send(&node.origin, request, timeouts).await {
            Ok(sluice_net::Answer { response, .. }) => {
                note(cx, &node.address, response.status().as_u16(), begun, None);
                return relay(cx, response, wants_upgrade);
            }
            Err(error) => {
                let status = if matches!(error.kind, SendErrorKind::Timeout(_)) {
                    StatusCode::GATEWAY_TIMEOUT
                } else {
                    StatusCode::BAD_GATEWAY
                };
                note(cx, &node.address, status.as_u16(), begun, Some(Instant::now()));
                tracing::warn!(upstream = %node.address, %error, "upstream attempt failed");
                let in_time = upstream
                    .retry_timeout
                    .is_none_or(|limit| started.elapsed() < limit);
                let repeatable = may_repeat(&error, can_repeat) && replay.is_some();
                if tries_left == 0 || !repeatable {
                    return unreachable(cx, status);
                }
                if !in_time {
                    return unreachable(cx, StatusCode::BAD_GATEWAY);
                }
                tries_left -= 1;
                body = replay;
            }
        }
    }
}

/// A body that says that it is too large is not begun; one that does not say is cut off on its way.
fn too_large(cx: &Context, max_body: Option<u64>) -> Option<Failure> {
    let announced = cx
        .request
        .header("content-length")
        .and_then(|length| length.parse::<u64>().ok())?;
    let limit = max_body.filter(|limit| announced > *limit)?;
    let message = format!("request size {announced} is greater than the maximum size {limit} allowed");
    Some(Failure::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::RequestTooLarge,
        "body_too_large",
        message,
    ))
}

/// A request that may have reached the server is repeated only if that does no harm.
fn may_repeat(error: &SendError, idempotent: bool) -> bool {
    !error.request_may_have_been_sent || idempotent
}

fn is_idempotent(method: &Method) -> bool {
    !matches!(*method, Method::POST | Method::PATCH) && method.as_str() != "LOCK"
}

/// The body, which fails when more than `limit` bytes come.
fn limited(body: Body, limit: u64) -> Body {
    if http_body::Body::size_hint(&body)
        .exact()
        .is_some_and(|size| size <= limit)
    {
        return body;
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Body::boxed(http_body_util::Limited::new(body, limit).map_err(BodyError::other))
}

fn note(cx: &mut Context, addr: &Text, status: u16, started: Instant, ended: Option<Instant>) {
    cx.attempts.push(Trial {
        addr: addr.clone(),
        status,
        started,
        ended,
    });
    cx.node = Some(
        addr.rsplit_once(':')
            .map_or_else(|| addr.clone(), |(host, _)| Text::from(host)),
    );
}

fn unreachable(cx: &Context, status: StatusCode) -> Verdict {
    let (kind, code, message) = if status == StatusCode::GATEWAY_TIMEOUT {
        (
            ErrorKind::Timeout,
            "upstream_timeout",
            "the upstream did not answer in time",
        )
    } else {
        (
            ErrorKind::Upstream,
            "upstream_unreachable",
            "no upstream could be reached",
        )
    };
    let mut failure = Failure::new(status, kind, code, message).upstream(Retry::Never);
    failure.reply.source = if cx.attempts.is_empty() {
        ResponseSource::Apisix
    } else {
        ResponseSource::Nginx
    };
    failure.into()
}

fn build(
    cx: &Context,
    upstream: &Upstream,
    index: usize,
    wants_upgrade: bool,
    body: Body,
) -> Result<Request<Body>, Box<Failure>> {
    let target = match (&cx.overrides.path_and_query, cx.request.uri.path_and_query()) {
        (Some(path), _) => path.as_str(),
        (None, Some(own)) if cx.request.query.as_deref() == own.query() => own.as_str(),
        (None, Some(own)) => &with_query(own.path(), cx.request.query.as_deref()),
        (None, None) => "/",
    };
    let uri: Uri = target.parse().map_err(|error: http::uri::InvalidUri| {
        let message = "the rewritten path is not a valid request target";
        let failure = Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            ErrorKind::Internal,
            "invalid_target",
            message,
        )
        .caused_by(error);
        Box::new(failure)
    })?;
    let mut request = Request::new(body);
    *request.method_mut() = cx.overrides.method.as_ref().unwrap_or(&cx.request.method).clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = headers::for_upstream(cx, upstream, index, wants_upgrade);
    Ok(request)
}

fn with_query(path: &str, query: Option<&str>) -> String {
    query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

fn relay(cx: &mut Context, mut response: http::Response<Body>, wants_upgrade: bool) -> Verdict {
    if wants_upgrade && response.status() == StatusCode::SWITCHING_PROTOCOLS {
        crate::upgrade::splice(cx, &mut response);
    } else {
        headers::remove_hop_by_hop(response.headers_mut());
    }
    let (head, body) = response.into_parts();
    let reply = Reply {
        status: head.status,
        headers: head.headers,
        body: ReplyBody::Raw(body),
        source: ResponseSource::Upstream,
    };
    reply.into()
}

/// The text that a consistent-hash balancer hashes; a missing value falls back to the client's address.
fn hash_value(cx: &Context, key: &HashKey) -> String {
    let value = match key {
        HashKey::Variable(name) => cx.get(name).map(std::borrow::Cow::into_owned),
        HashKey::Header(name) => cx.request.header(name).map(str::to_owned),
        HashKey::Cookie(name) => cx.request.cookie(name).map(str::to_owned),
        HashKey::Consumer => cx.consumer_name().map(ToString::to_string),
        HashKey::Combination(template) => {
            Some(template.render(cx).into_owned()).filter(|text| !text.is_empty())
        }
    };
    value.unwrap_or_else(|| cx.request.peer.ip().to_string())
}
