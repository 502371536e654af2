//! Where spans go: `plugin_metadata`, else `plugin_attr.opentelemetry` of the machine.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{CompileEnv, CompileError, Services};
use sluice_observe::{Attribute, AttributeValue, BatchConfig, HttpTarget, HttpTargetConfig, SpanExporter};

pub(super) fn schema() -> Value {
    let seconds = |default: u64| json!({ "type": "number", "exclusiveMinimum": 0, "default": default });
    let count = |default: u64| json!({ "type": "integer", "minimum": 1, "default": default });
    let simple = json!([{ "type": "boolean" }, { "type": "number" }, { "type": "string" }]);
    json!({
        "type": "object",
        "properties": {
            "trace_id_source": { "type": "string", "enum": ["x-request-id", "random"], "default": "random" },
            "resource": { "type": "object", "additionalProperties": { "anyOf": simple } },
            "collector": {
                "type": "object",
                "properties": {
                    "address": { "type": "string", "default": "127.0.0.1:4318" },
                    "request_timeout": { "type": "integer", "default": 3 },
                    "request_headers": { "type": "object", "additionalProperties": { "type": "string" } },
                },
                "default": { "address": "127.0.0.1:4318", "request_timeout": 3 },
            },
            "batch_span_processor": {
                "type": "object",
                "properties": {
                    "drop_on_queue_full": { "type": "boolean", "default": true },
                    "max_queue_size": count(2048),
                    "batch_timeout": seconds(5),
                    "inactive_timeout": seconds(2),
                    "max_export_batch_size": count(256),
                },
                "default": {},
            },
            "set_ngx_var": { "type": "boolean", "default": false },
        },
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    trace_id_source: TraceIdSource,
    resource: Map<String, Value>,
    collector: Collector,
    batch_span_processor: Processor,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum TraceIdSource {
    #[default]
    #[serde(rename = "random")]
    Random,
    #[serde(rename = "x-request-id")]
    RequestId,
}

#[derive(Deserialize)]
#[serde(default)]
struct Collector {
    address: String,
    /// Seconds.
    request_timeout: u64,
    request_headers: Map<String, Value>,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:4318".to_owned(),
            request_timeout: 3,
            request_headers: Map::new(),
        }
    }
}

/// Times are in seconds.
#[derive(Deserialize)]
#[serde(default)]
struct Processor {
    max_queue_size: usize,
    batch_timeout: f64,
    inactive_timeout: f64,
    max_export_batch_size: usize,
}

impl Default for Processor {
    fn default() -> Self {
        Self {
            max_queue_size: 2048,
            batch_timeout: 5.0,
            inactive_timeout: 2.0,
            max_export_batch_size: 256,
        }
    }
}

impl Settings {
    pub(super) fn of(env: &CompileEnv<'_>) -> Result<Self, CompileError> {
        let given = env
            .metadata
            .or_else(|| env.services.plugin_attr.get("opentelemetry"));
        let invalid = |error| CompileError(format!("settings of the exporter: {error}"));
        given.map_or_else(
            || Ok(Self::default()),
            |given| Self::deserialize(given).map_err(invalid),
        )
    }

    pub(super) fn id_from_request(&self) -> bool {
        self.trace_id_source == TraceIdSource::RequestId
    }

    pub(super) fn batches(&self) -> BatchConfig {
        let processor = &self.batch_span_processor;
        let seconds = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        BatchConfig {
            name: "opentelemetry".to_owned(),
            batch_max_size: processor.max_export_batch_size,
            inactive_timeout: seconds(processor.inactive_timeout),
            buffer_duration: seconds(processor.batch_timeout),
            max_pending_entries: processor.max_queue_size,
            ..BatchConfig::default()
        }
    }

    pub(super) fn exporter(&self, services: &Services) -> Result<SpanExporter, CompileError> {
        let Collector {
            address,
            request_timeout,
            request_headers,
        } = &self.collector;
        let base = match address.split_once("://") {
            Some(_) => address.clone(),
            None => format!("http://{address}"),
        };
        let uri = format!("{}/v1/traces", base.trim_end_matches('/'));
        let target = HttpTargetConfig {
            timeout: Duration::from_secs(*request_timeout),
            headers: headers(request_headers)?,
            ..HttpTargetConfig::new(&uri)
        };
        let target = HttpTarget::new(target, &services.background_pool, &services.origins)
            .map_err(|error| CompileError(format!("collector.address cannot be used: {error}")))?;
        Ok(SpanExporter::new(target, self.resource(services)))
    }

    fn resource(&self, services: &Services) -> Vec<Attribute> {
        let mut resource: Vec<Attribute> = self
            .resource
            .iter()
            .map(|(name, value)| Attribute {
                name: name.clone(),
                value: match value {
                    Value::Bool(flag) => AttributeValue::Bool(*flag),
                    Value::Number(number) => AttributeValue::Float(number.as_f64().unwrap_or_default()),
                    Value::String(text) => AttributeValue::Text(text.clone()),
                    other => AttributeValue::Text(other.to_string()),
                },
            })
            .collect();
        for (name, value) in [("service.name", "APISIX"), ("hostname", &*services.hostname)] {
            if !self.resource.contains_key(name) {
                resource.push(Attribute::text(name, value));
            }
        }
        resource
    }
}

fn headers(given: &Map<String, Value>) -> Result<HeaderMap, CompileError> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let unusable = || CompileError(format!("collector.request_headers: `{name}` cannot be sent"));
        let key = HeaderName::try_from(name.as_str()).map_err(|_| unusable())?;
        let mut value = HeaderValue::from_str(value.as_str().unwrap_or_default()).map_err(|_| unusable())?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-protobuf"),
    );
    Ok(headers)
}
