//! The phase loop: one request from its first plugin to an answer.

use std::sync::Arc;

use http::{HeaderName, StatusCode};
use sluice_core::{
    Context, Failure, Phase, Pipeline, PluginEntry, Reply, ReplyBody, ResponseHead, RouteUpstream, Step,
    Verdict,
};
use sluice_llm::ErrorKind;

use crate::edge::{self, Outgoing};
use crate::forward;
use crate::matching;

/// Runs a request until there is an answer.
pub(crate) async fn run(cx: &mut Context, max_body: Option<u64>) -> Outgoing {
    match until_answer(cx, max_body).await {
        Verdict::Reply(reply) => edge::render(*reply),
        Verdict::Fail(failure) => edge::render_failure(cx, *failure),
        Verdict::Continue => edge::render(Reply::status(StatusCode::SERVICE_UNAVAILABLE)),
    }
}

/// Runs phases until one of them does not continue.
macro_rules! pass {
    ($step:expr) => {
        match $step {
            Verdict::Continue => {}
            verdict => return verdict,
        }
    };
}

async fn until_answer(cx: &mut Context, max_body: Option<u64>) -> Verdict {
    let found = matching::find_route(cx).await;
    let global = cx.snapshot.global.clone();
    let Some(route) = pass_match(cx, found) else {
        pass!(run_phase(cx, &global, Phase::Rewrite, true).await);
        pass!(run_phase(cx, &global, Phase::Access, true).await);
        return no_route(cx);
    };
    let route = match route {
        Ok(route) => route,
        Err(verdict) => return verdict,
    };
    pass!(run_phase(cx, &global, Phase::Rewrite, true).await);
    pass!(run_phase(cx, &route.pipeline, Phase::Rewrite, false).await);
    pass!(merge_caller(cx, &route).await);
    pass!(run_phase(cx, &global, Phase::Access, true).await);
    let pipeline = cx.pipeline.clone();
    pass!(run_phase(cx, &pipeline, Phase::Access, false).await);
    let upstream = match &cx.upstream {
        Some(chosen) => RouteUpstream::To(chosen.clone()),
        None => route.upstream.clone(),
    };
    if cx.ai.is_none() {
        pass!(require_upstream(cx, &upstream));
    }
    if pipeline.filters_read_body() || global.filters_read_body() {
        read_body(cx).await;
    }
    pass!(run_phase(cx, &pipeline, Phase::Queue, false).await);
    pass!(run_phase(cx, &global, Phase::BeforeProxy, true).await);
    pass!(run_phase(cx, &pipeline, Phase::BeforeProxy, false).await);
    match &upstream {
        // Boxed, so that requests that never come here do not carry its state along.
        RouteUpstream::To(upstream) => Box::pin(forward::forward(cx, &route, upstream, max_body)).await,
        _ => Reply::status(StatusCode::SERVICE_UNAVAILABLE).into(),
    }
}

type MatchedOrFailed = Result<Arc<sluice_core::Route>, Verdict>;

/// Takes over the matched route. `None` means that no route matched.
fn pass_match(
    cx: &mut Context,
    found: Result<Option<sluice_core::MatchedRoute>, Failure>,
) -> Option<MatchedOrFailed> {
    let matched = match found {
        Ok(matched) => matched?,
        Err(failure) => return Some(Err(failure.into())),
    };
    let route = matched.route.clone();
    cx.profile = route.profile;
    cx.pipeline = route.pipeline.clone();
    cx.route = Some(matched);
    if let Some(status) = route.dangling {
        let message = "the configuration of this route refers to something that does not exist";
        return Some(Err(Failure::new(
            status,
            ErrorKind::Internal,
            "dangling_reference",
            message,
        )
        .into()));
    }
    Some(Ok(route))
}

/// After authentication: the caller's plugins join, and those that came only with it run their rewrite phase.
async fn merge_caller(cx: &mut Context, route: &sluice_core::Route) -> Verdict {
    let Some(caller) = &cx.caller else {
        return Verdict::Continue;
    };
    let Some(merged) = cx.worker.merged(&cx.snapshot, route, caller) else {
        let message = "the consumer's group does not exist";
        return Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Internal,
            "dangling_reference",
            message,
        )
        .into();
    };
    cx.pipeline = merged.clone();
    run_steps(cx, merged.late_rewrite(), Phase::Rewrite, false).await
}

fn require_upstream(cx: &Context, upstream: &RouteUpstream) -> Verdict {
    let (status, code, message) = match upstream {
        RouteUpstream::To(upstream) if !upstream.configured.nodes.is_empty() => return Verdict::Continue,
        RouteUpstream::Missing => (
            StatusCode::BAD_GATEWAY,
            "upstream_missing",
            "the route's upstream does not exist",
        ),
        RouteUpstream::None
            if cx
                .route
                .as_ref()
                .is_some_and(|m| m.route.profile == sluice_core::Profile::Native) =>
        {
            let message = "no provider is configured for this client on this endpoint";
            return Failure::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, "no_provider", message).into();
        }
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            "no_upstream",
            "the route has no upstream",
        ),
    };
    Failure::new(status, ErrorKind::Internal, code, message).into()
}

fn no_route(cx: &Context) -> Verdict {
    let message = format!("no route matches {} {}", cx.request.method, cx.request.path);
    Failure::new(
        StatusCode::NOT_FOUND,
        ErrorKind::NotFound,
        "route_not_found",
        message,
    )
    .apisix_json(serde_json::json!({ "error_msg": "404 Route Not Found" }))
    .into()
}

async fn run_phase(cx: &mut Context, pipeline: &Pipeline, phase: Phase, global: bool) -> Verdict {
    run_steps(cx, pipeline.steps(phase), phase, global).await
}

async fn run_steps(cx: &mut Context, steps: &[Arc<PluginEntry>], phase: Phase, global: bool) -> Verdict {
    for entry in steps {
        if entry.filter_reads_body {
            read_body(cx).await;
        }
        if !cx.runs(entry, global) {
            continue;
        }
        let step = match phase {
            Phase::Rewrite => entry.plugin.rewrite(cx),
            Phase::Access => entry.plugin.access(cx),
            Phase::Queue => entry.plugin.queue(cx),
            _ => entry.plugin.before_proxy(cx),
        };
        let verdict = match step {
            Step::Done(verdict) => verdict,
            Step::Wait(future) => future.await,
        };
        match verdict {
            Verdict::Continue => {}
            verdict => return with_error_response(verdict, entry),
        }
    }
    Verdict::Continue
}

/// Boxed, so that requests without such a filter do not carry its state along.
async fn read_body(cx: &mut Context) {
    Box::pin(cx.read_body_for_variables()).await;
}

/// `_meta.error_response` replaces the body of whatever error the plugin answers (compat §3.2).
fn with_error_response(verdict: Verdict, entry: &PluginEntry) -> Verdict {
    let Some(body) = &entry.error_response else {
        return verdict;
    };
    let body = || match body {
        serde_json::Value::String(text) => ReplyBody::Text(text.clone().into()),
        other => ReplyBody::Json(other.clone()),
    };
    match verdict {
        Verdict::Reply(mut reply) if reply.status.as_u16() >= 400 => {
            reply.headers.remove(http::header::CONTENT_TYPE);
            reply.body = body();
            Verdict::Reply(reply)
        }
        Verdict::Fail(failure) => {
            let mut reply = failure.reply;
            reply.body = body();
            Verdict::Reply(Box::new(reply))
        }
        other => other,
    }
}

/// The response phases: plugins change the head, then wrap the body.
pub(crate) fn shape_answer(cx: &mut Context, answer: &mut Outgoing) {
    let pipeline = cx.pipeline.clone();
    let global = cx.snapshot.global.clone();
    let mut head = ResponseHead {
        status: answer.status,
        headers: std::mem::take(&mut answer.headers),
    };
    for name in keys(&cx.response_headers) {
        head.headers.remove(&name);
    }
    let own: Vec<_> = cx
        .response_headers
        .iter()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    for (name, value) in own {
        head.headers.append(name, value);
    }
    cx.answer.status = head.status.as_u16();
    cx.answer.source = answer.source;
    for (steps, is_global) in [(&global, true), (&pipeline, false)] {
        for entry in steps.steps(Phase::ResponseHead) {
            if cx.runs(entry, is_global) {
                entry.plugin.response_head(cx, &mut head);
            }
        }
    }
    cx.answer.status = head.status.as_u16();
    answer.status = head.status;
    answer.headers = head.headers;
    for (steps, is_global) in [(&global, true), (&pipeline, false)] {
        for entry in steps.steps(Phase::ResponseBody) {
            if cx.runs(entry, is_global) {
                let body = std::mem::replace(&mut answer.body, sluice_net::Body::empty());
                answer.body = entry.plugin.response_body(cx, body);
            }
        }
    }
}

fn keys(headers: &http::HeaderMap) -> Vec<HeaderName> {
    headers.keys().cloned().collect()
}
