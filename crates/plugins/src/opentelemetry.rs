//! `opentelemetry`: a span per request, and one per call of a provider (compat §6.10).

mod sampler;
mod settings;
mod spans;

use std::sync::{Arc, OnceLock};

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, Step, Trace, TraceParent,
};
use sluice_observe::{BatchConfig, BatchProcessor, Span, SpanExporter};
use sluice_record::Record;
use sluice_resource::{PluginInfo, SchemaCompileError};

use self::sampler::Sampler;
use self::settings::Settings;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let names = json!({ "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } });
    let schema = json!({
        "type": "object",
        "properties": {
            "sampler": sampler::schema(),
            "additional_attributes": names,
            "additional_header_prefix_attributes": names,
        },
    });
    let info = PluginInfo::new("opentelemetry", 12_009, schema)?.with_metadata_schema(settings::schema())?;
    Ok(PluginDef {
        info,
        compile: OpenTelemetry::compile,
    })
}

#[derive(Deserialize)]
struct Config {
    sampler: Sampler,
    #[serde(default)]
    additional_attributes: Vec<String>,
    #[serde(default)]
    additional_header_prefix_attributes: Vec<String>,
}

struct OpenTelemetry {
    sampler: Sampler,
    /// Variables that spans tell.
    variables: Vec<String>,
    /// Headers that spans tell; a prefix where it ends in `*`.
    headers: Vec<String>,
    /// Whether the trace takes its id from `X-Request-Id`.
    id_from_request: bool,
    batches: BatchConfig,
    exporter: SpanExporter,
    /// Started by the first span.
    processor: OnceLock<BatchProcessor<Span>>,
}

impl OpenTelemetry {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let settings = Settings::of(env)?;
        Ok(Arc::new(Self {
            sampler: config.sampler,
            variables: config.additional_attributes,
            headers: config.additional_header_prefix_attributes,
            id_from_request: settings.id_from_request(),
            batches: settings.batches(),
            exporter: settings.exporter(env.services)?,
            processor: OnceLock::new(),
        }))
    }

    fn trace(&self, cx: &Context) -> Trace {
        let sent = cx.request.header("traceparent").and_then(TraceParent::parse);
        let trace_id = match sent {
            Some(parent) => parent.trace_id,
            None => self
                .given_id(cx)
                .unwrap_or_else(|| uuid::Uuid::new_v4().as_u128()),
        };
        let span = TraceParent {
            trace_id,
            span_id: spans::new_id(),
            sampled: self.sampler.samples(trace_id, sent.map(|parent| parent.sampled)),
        };
        Trace {
            span,
            parent: sent.map(|parent| parent.span_id),
        }
    }

    fn given_id(&self, cx: &Context) -> Option<u128> {
        let given = self
            .id_from_request
            .then(|| cx.request.header("x-request-id"))??;
        let id = uuid::Uuid::try_parse(given).ok()?.as_u128();
        (id != 0).then_some(id)
    }

    fn start(&self, cx: &Context, record: &Record) -> BatchProcessor<Span> {
        let config = BatchConfig {
            route_id: record.route_id.as_deref().unwrap_or_default().to_owned(),
            server_addr: cx.request.local.ip().to_string(),
            ..self.batches.clone()
        };
        let services = &cx.services;
        BatchProcessor::start(
            &services.background,
            config,
            self.exporter.clone(),
            &services.batches,
        )
    }
}

impl Plugin for OpenTelemetry {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite, Phase::Log])
    }

    /// Joins or begins a trace. The upstream is told whatever was decided, `tracestate` passes as it came.
    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let trace = self.trace(cx);
        if let Ok(value) = HeaderValue::try_from(trace.span.to_string()) {
            cx.request.headers.insert(TRACEPARENT, value);
        }
        cx.trace = Some(trace);
        Step::CONTINUE
    }

    fn log(&self, cx: &Context, record: &Record) {
        let Some(trace) = cx.trace.filter(|trace| trace.span.sampled) else {
            return;
        };
        let processor = self.processor.get_or_init(|| self.start(cx, record));
        let mut server = spans::server(cx, record, trace);
        spans::add(&mut server, cx, &self.variables, &self.headers);
        // The processor counts what it has to drop.
        processor.push(server);
        for call in spans::provider_calls(cx, record, trace) {
            processor.push(call);
        }
    }
}

#[cfg(test)]
mod tests;
