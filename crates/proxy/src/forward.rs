//! Plain upstreams: choose a node, send the request, relay the answer (compat §8.3).

mod headers;
mod refused;
mod supply;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{Method, Request, Response, StatusCode, Uri};
use sluice_core::{
    Context, Failure, NodeSet, Reply, ReplyBody, Retry, Route, Trial, Upstream, UpstreamCall, Verdict,
};
use sluice_llm::ErrorKind;
use sluice_net::{Body, SendError, SendErrorKind, Timeouts};
use sluice_record::{ResponseSource, Text};
use sluice_upstream::{Outcome, Tried};

use self::supply::Supply;

/// What all attempts at one request have in common.
struct Plan<'a> {
    upstream: &'a Upstream,
    nodes: &'a NodeSet,
    timeouts: Timeouts,
    wants_upgrade: bool,
    hash_key: Option<String>,
    body: Supply,
}

/// Sends the request to one of the upstream's nodes; tries others while nothing was lost.
pub(crate) async fn forward(
    cx: &mut Context,
    route: &Route,
    upstream: &Arc<Upstream>,
    max_body: Option<u64>,
) -> Verdict {
    if let Some(failure) = refused::announced(cx, max_body) {
        return failure.into();
    }
    let nodes = match upstream.nodes_at_hand(&cx.services) {
        Some(nodes) => nodes,
        None => {
            let limit = route.timeout.or(upstream.timeouts).unwrap_or_default().connect;
            // Boxed, so that requests whose nodes are known do not carry its state along.
            Box::pin(upstream.find_nodes(limit, &cx.services)).await
        }
    };
    if nodes.nodes.is_empty() {
        return unreachable(cx, StatusCode::SERVICE_UNAVAILABLE);
    }
    let plan = Plan::new(cx, route, upstream, &nodes, max_body);
    let started = Instant::now();
    let mut tried = Tried::default();
    let mut tries_left = upstream.retries(&nodes);
    let mut body = plan.body.next();
    loop {
        let Some(index) = nodes.pick(plan.hash_key.as_deref(), &tried) else {
            return unreachable(cx, StatusCode::BAD_GATEWAY);
        };
        tried.insert(index);
        let request = match build(cx, &plan, index, body.take().unwrap_or_default()) {
            Ok(request) => request,
            Err(failure) => return Verdict::Fail(failure),
        };
        let can_repeat = is_idempotent(request.method());
        let error = match attempt(cx, &plan, index, request).await {
            Ok(response) => return relay(cx, response, plan.wants_upgrade),
            Err(error) if error.kind == SendErrorKind::RequestBody => return refused::failure(&error).into(),
            Err(error) => error,
        };
        if tries_left > 0 && may_repeat(&error, can_repeat) {
            body = plan.body.next();
        }
        if body.is_none() {
            return unreachable(cx, status_of(&error));
        }
        if upstream
            .retry_timeout
            .is_some_and(|limit| started.elapsed() >= limit)
        {
            return unreachable(cx, StatusCode::BAD_GATEWAY);
        }
        tries_left -= 1;
    }
}

impl<'a> Plan<'a> {
    fn new(
        cx: &mut Context,
        route: &Route,
        upstream: &'a Upstream,
        nodes: &'a NodeSet,
        max_body: Option<u64>,
    ) -> Self {
        let body = cx.request.body.take();
        Self {
            upstream,
            nodes,
            timeouts: route.timeout.or(upstream.timeouts).unwrap_or_default(),
            wants_upgrade: route.websocket && headers::is_upgrade(&cx.request.headers),
            hash_key: upstream.hash_key.as_ref().map(|key| key.value(cx)),
            body: Supply::new(match max_body {
                Some(limit) => refused::limited(body, limit),
                None => body,
            }),
        }
    }
}

/// Sends the request to one node, and notes how that went unless it was the client who gave up.
async fn attempt(
    cx: &mut Context,
    plan: &Plan<'_>,
    index: usize,
    request: Request<Body>,
) -> Result<Response<Body>, SendError> {
    let begun = Instant::now();
    let node = &plan.nodes.nodes[index];
    cx.in_flight = plan.nodes.balancer.begin(index).map(Box::new);
    cx.upstream_call = request.uri().path_and_query().map(|target| UpstreamCall {
        origin: node.origin.clone(),
        host: request.headers().get(http::header::HOST).cloned(),
        target: target.clone(),
    });
    match cx.worker.pool.send(&node.origin, request, plan.timeouts).await {
        Ok(sluice_net::Answer { response, addr, .. }) => {
            if let Some(in_flight) = &mut cx.in_flight {
                in_flight.answered();
            }
            report(
                plan,
                index,
                Some(addr),
                Outcome::Answered(response.status().as_u16()),
            );
            note(cx, &node.address, response.status().as_u16(), begun, None);
            Ok(response)
        }
        Err(error) => {
            if error.kind != SendErrorKind::RequestBody {
                let status = status_of(&error).as_u16();
                let outcome = match error.kind {
                    SendErrorKind::Timeout(_) => Outcome::TimedOut,
                    _ => Outcome::Broken,
                };
                report(plan, index, error.addr, outcome);
                note(cx, &node.address, status, begun, Some(Instant::now()));
                tracing::warn!(upstream = %node.address, %error, "upstream attempt failed");
            }
            Err(error)
        }
    }
}

/// Tells passive health checks how an attempt went.
fn report(plan: &Plan<'_>, index: usize, addr: Option<SocketAddr>, outcome: Outcome) {
    if let Some(checker) = &plan.nodes.checker {
        checker.report(plan.nodes.nodes[index].configured, addr, outcome);
    }
}

fn status_of(error: &SendError) -> StatusCode {
    match error.kind {
        SendErrorKind::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// A request that may have reached the server is repeated only if that does no harm.
fn may_repeat(error: &SendError, idempotent: bool) -> bool {
    !error.request_may_have_been_sent || idempotent
}

fn is_idempotent(method: &Method) -> bool {
    !matches!(*method, Method::POST | Method::PATCH) && method.as_str() != "LOCK"
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

fn build(cx: &Context, plan: &Plan<'_>, index: usize, body: Body) -> Result<Request<Body>, Box<Failure>> {
    let query = cx.request.query.as_deref();
    let target = match (&cx.overrides.path, cx.request.uri.path_and_query()) {
        (Some(path), _) => Cow::Owned(with_query(path, query)),
        (None, Some(own)) if query == own.query() => Cow::Borrowed(own.as_str()),
        (None, Some(own)) => Cow::Owned(with_query(own.path(), query)),
        (None, None) => Cow::Borrowed("/"),
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
    *request.headers_mut() =
        headers::for_upstream(cx, plan.upstream, &plan.nodes.nodes[index], plan.wants_upgrade);
    Ok(request)
}

fn with_query(path: &str, query: Option<&str>) -> String {
    match query {
        None => path.to_owned(),
        Some(query) if path.contains('?') => format!("{path}&{query}"),
        Some(query) => format!("{path}?{query}"),
    }
}

fn relay(cx: &mut Context, mut response: Response<Body>, wants_upgrade: bool) -> Verdict {
    match (response.status(), wants_upgrade) {
        (StatusCode::SWITCHING_PROTOCOLS, true) => crate::upgrade::splice(cx, &mut response),
        // Nobody asked for it: whatever follows is not HTTP.
        (StatusCode::SWITCHING_PROTOCOLS, false) => return unreachable(cx, StatusCode::BAD_GATEWAY),
        _ => headers::remove_hop_by_hop(response.headers_mut()),
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
