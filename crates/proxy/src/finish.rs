//! Building the record of a finished request.

use std::time::Instant;

use sluice_core::{Context, Trial};
use sluice_record::{AiRecord, Attempt, Cost, PriceUsed, Record, Text};

use crate::payload;

/// Longest request URI that a record keeps, in bytes.
const URI_MAX: usize = 8192;

/// Longest value of a variable that somebody asked for, in bytes: the text of an answer may be meant.
const ASKED_MAX: usize = 512 << 10;

/// The record of the request, as everything stands.
pub(crate) fn record(cx: &Context) -> Record {
    let matched = cx.route.as_ref();
    let route = matched.map(|m| &*m.route);
    let service = route.and_then(|r| r.service.as_ref());
    let request = &cx.request;
    let attempts = attempts(cx);
    let body_in = request.body.bytes().map_or(0, |bytes| bytes.len() as u64);
    Record {
        id: cx.id,
        started_us: cx.started_us,
        duration_us: micros_since(cx.started, Instant::now()),
        upstream_us: attempts.iter().map(|attempt| attempt.time_us).sum(),
        method: request.method.clone(),
        scheme: request.scheme,
        host: request.host.clone(),
        request_uri: request_uri(cx),
        uri: request.path.clone(),
        http_version: sluice_core::version_name(request.version),
        user_agent: request.header("user-agent").map(Text::from),
        referer: request
            .header("referer")
            .map(|from| Text::from(&*cx.masked_url(from))),
        client: request.peer,
        request_bytes: request.head_bytes + body_in,
        response_bytes: cx.answer.head_bytes + cx.answer.body_bytes,
        body_bytes: cx.answer.body_bytes,
        status: cx.answer.status,
        source: cx.answer.source,
        ended: cx.answer.ended,
        route_id: route.map(|r| r.id.clone()),
        route_name: route.and_then(|r| r.name.clone()),
        service_id: service.map(|s| s.id.clone()),
        service_name: service.and_then(|s| s.name.clone()),
        matched_uri: matched.map(|m| m.uri.clone()),
        matched_host: matched.and_then(|m| m.host.clone()),
        consumer: cx.consumer_name().cloned(),
        consumer_group: cx.caller.as_ref().and_then(|c| c.consumer.group_id.clone()),
        credential: cx.caller.as_ref().and_then(|c| c.credential.clone()),
        node: cx.node.clone(),
        attempts,
        prometheus: cx.prometheus,
        asked: asked(cx),
        ai: ai_record(cx).map(Box::new),
        cache: cx.cache.as_ref().map(|cache| cache.found),
        error: cx.answer.error,
        payload: payload::of(cx),
    }
}

fn asked(cx: &Context) -> Box<[Option<Text>]> {
    let names = &cx.services.asked_variables;
    let value = |name: &Text| cx.logged(name).map(|value| Text::from(clip(&value, ASKED_MAX)));
    names.iter().map(value).collect()
}

fn attempts(cx: &Context) -> Vec<Attempt> {
    let finished = cx
        .ai
        .as_ref()
        .and_then(|ai| ai.progress.read(|state| state.finished));
    let micros = |trial: &Trial| {
        micros_since(
            trial.started,
            trial.ended.or(finished).unwrap_or_else(Instant::now),
        )
    };
    cx.attempts
        .iter()
        .map(|t| Attempt {
            addr: t.addr.clone(),
            status: t.status,
            time_us: micros(t),
        })
        .collect()
}

fn ai_record(cx: &Context) -> Option<AiRecord> {
    let ai = cx.ai.as_deref()?;
    ai.progress.read(|state| {
        let model_sent = ai.model_sent.clone().unwrap_or_else(|| Text::from(""));
        let priced = state.model_answered.as_deref().unwrap_or(&model_sent);
        let configured = ai.picked.price.as_deref();
        let listed = |model: &str| cx.services.prices.find(ai.picked.provider, model);
        let price = configured
            .or_else(|| listed(priced))
            .or_else(|| listed(&model_sent));
        Some(AiRecord {
            protocol: ai.protocol.name(),
            provider: ai.picked.provider,
            instance: ai.picked.name.clone(),
            model_asked: ai.model_asked.clone(),
            model_sent,
            model_answered: state.model_answered.clone(),
            stream: ai.stream,
            ttft_us: state.first_token.map(|at| micros_since(cx.started, at)),
            usage: state.usage,
            provenance: state.provenance,
            counts: state.counts,
            price: price
                .filter(|_| !state.usage.is_empty())
                .map(|price| PriceUsed {
                    rates: price.rates_for(&state.usage),
                    configured: configured.is_some(),
                })
                .map(Box::new),
            routing: ai
                .routing
                .as_ref()
                .map(|routing| Text::from(routing.summary(&ai.picked.name))),
            cost: price.map_or(Cost::Unpriced, |price| Cost::MicroUsd(price.cost(&state.usage))),
            tool_count: ai.tool_count,
            has_tool_calls: state.has_tool_calls,
            end_user: ai.end_user.clone(),
            guard: state.guard.as_deref().map(Into::into),
        })
    })
}

/// The request target for logs: bounded, and without keys in the query.
fn request_uri(cx: &Context) -> Text {
    let target = cx
        .request
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    Text::from(clip(&cx.masked_url(target), URI_MAX))
}

fn clip(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

fn micros_since(start: Instant, end: Instant) -> u64 {
    u64::try_from(end.saturating_duration_since(start).as_micros()).unwrap_or(u64::MAX)
}
