//! What spans tell: compat §6.10 of the request, the GenAI conventions of the calls to providers.

use std::time::Instant;

use sluice_core::{Context, Trace, Trial};
use sluice_observe::{Attribute, AttributeValue, Span, SpanKind};
use sluice_record::{AiRecord, Record, ResponseSource};

/// An id that no span has.
pub(super) fn new_id() -> u64 {
    rand::random_range(1..=u64::MAX)
}

/// The span of the request.
pub(super) fn server(cx: &Context, record: &Record, trace: Trace) -> Span {
    let pattern = record.matched_uri.as_deref().unwrap_or_default();
    let method = record.method.as_str();
    let agent = record.user_agent.as_deref().unwrap_or_default();
    let target = cx.logged_target();
    let mut attributes = vec![
        Attribute::text("net.host.name", &*record.host),
        Attribute::text("http.method", method),
        Attribute::text("http.scheme", record.scheme),
        Attribute::text("http.target", &*target),
        Attribute::text("http.user_agent", agent),
        Attribute::text("http.request.method", method),
        Attribute::text("url.scheme", record.scheme),
        Attribute::text("url.path", &*record.uri),
        Attribute::text("user_agent.original", agent),
        Attribute::int("http.status_code", record.status.into()),
        Attribute::text("apisix.response_source", source(record.source)),
    ];
    for (name, value) in [
        ("apisix.route_id", &record.route_id),
        ("apisix.route_name", &record.route_name),
        ("http.route", &record.matched_uri),
        ("apisix.service_id", &record.service_id),
        ("apisix.service_name", &record.service_name),
    ] {
        if let Some(value) = value {
            attributes.push(Attribute::text(name, &**value));
        }
    }
    Span {
        trace_id: trace.span.trace_id,
        span_id: trace.span.span_id,
        parent: trace.parent,
        kind: SpanKind::Server,
        name: format!("{method} {pattern}").trim_end().to_owned(),
        started_us: record.started_us,
        ended_us: record.started_us + micros(record.duration_us),
        attributes,
        failed: record.status >= 500,
    }
}

fn source(source: ResponseSource) -> &'static str {
    match source {
        ResponseSource::Apisix => "apisix",
        ResponseSource::Nginx => "nginx",
        ResponseSource::Upstream => "upstream",
    }
}

/// Adds what the operator asks for: variables by name, and headers, by prefix where a name ends in `*`.
pub(super) fn add(span: &mut Span, cx: &Context, variables: &[String], headers: &[String]) {
    for name in variables {
        if let Some(value) = cx.logged(name) {
            span.attributes.push(Attribute::text(name, value));
        }
    }
    for wanted in headers {
        let wanted = wanted.to_ascii_lowercase();
        let matches = |name: &str| match wanted.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == wanted,
        };
        for name in cx.request.headers.keys().filter(|name| matches(name.as_str())) {
            let variable = format!("http_{}", name.as_str().replace('-', "_"));
            if let Some(value) = cx.logged(&variable) {
                span.attributes.push(Attribute::text(name.as_str(), value));
            }
        }
    }
}

/// A span for each call of a provider. The last one has what was used.
pub(super) fn provider_calls(cx: &Context, record: &Record, trace: Trace) -> Vec<Span> {
    let Some(ai) = record.ai.as_deref() else {
        return Vec::new();
    };
    let finished = cx
        .ai
        .as_ref()
        .and_then(|call| call.progress.read(|state| state.finished));
    let at = |at: Instant| {
        let since = at.saturating_duration_since(cx.started).as_micros();
        record.started_us + i64::try_from(since).unwrap_or(i64::MAX)
    };
    let last = cx.attempts.len().saturating_sub(1);
    let span = |(nth, trial): (usize, &Trial)| {
        let ended = trial.ended.or(finished);
        let mut attributes = of_call(ai, trial);
        if nth == last {
            attributes.extend(of_answer(ai));
        }
        Span {
            trace_id: trace.span.trace_id,
            span_id: new_id(),
            parent: Some(trace.span.span_id),
            kind: SpanKind::Client,
            name: format!("{} {}", operation(ai), ai.model_sent)
                .trim_end()
                .to_owned(),
            started_us: at(trial.started),
            ended_us: ended.map_or(record.started_us + micros(record.duration_us), at),
            attributes,
            failed: trial.status >= 400,
        }
    };
    cx.attempts.iter().enumerate().map(span).collect()
}

fn of_call(ai: &AiRecord, trial: &Trial) -> Vec<Attribute> {
    let (host, port) = trial.addr.rsplit_once(':').unwrap_or((&trial.addr, ""));
    let mut attributes = vec![
        Attribute::text("gen_ai.operation.name", operation(ai)),
        Attribute::text("gen_ai.provider.name", provider(ai.provider)),
        Attribute::text("gen_ai.request.model", &*ai.model_sent),
        Attribute::text("server.address", host),
        Attribute::int("http.response.status_code", trial.status.into()),
        Attribute {
            name: "gen_ai.request.stream".to_owned(),
            value: AttributeValue::Bool(ai.stream),
        },
    ];
    if let Ok(port) = port.parse() {
        attributes.push(Attribute::int("server.port", port));
    }
    if trial.status >= 400 {
        attributes.push(Attribute::text("error.type", trial.status.to_string()));
    }
    attributes
}

fn of_answer(ai: &AiRecord) -> Vec<Attribute> {
    let usage = &ai.usage;
    let mut attributes = Vec::new();
    for (name, tokens) in [
        ("gen_ai.usage.input_tokens", usage.total_input()),
        ("gen_ai.usage.output_tokens", usage.total_output()),
        ("gen_ai.usage.cache_read.input_tokens", usage.cache_read),
        (
            "gen_ai.usage.cache_creation.input_tokens",
            usage.cache_write + usage.cache_write_1h,
        ),
        ("gen_ai.usage.reasoning.output_tokens", usage.reasoning),
    ] {
        if tokens > 0 {
            attributes.push(Attribute::int(name, micros(tokens)));
        }
    }
    if let Some(model) = &ai.model_answered {
        attributes.push(Attribute::text("gen_ai.response.model", &**model));
    }
    if let (true, Some(micros)) = (ai.stream, ai.ttft_us) {
        attributes.push(Attribute {
            name: "gen_ai.response.time_to_first_chunk".to_owned(),
            value: AttributeValue::Float(micros as f64 / 1e6),
        });
    }
    attributes
}

/// `gen_ai.operation.name`.
fn operation(ai: &AiRecord) -> &'static str {
    if ai.protocol.contains("embeddings") {
        "embeddings"
    } else {
        "chat"
    }
}

/// `gen_ai.provider.name`: the conventions' name for a provider, else ours.
fn provider(name: &str) -> &str {
    match name {
        "azure-openai" => "azure.ai.openai",
        "bedrock" => "aws.bedrock",
        "gemini" => "gcp.gemini",
        "vertex-ai" => "gcp.vertex_ai",
        other => other,
    }
}

fn micros(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
