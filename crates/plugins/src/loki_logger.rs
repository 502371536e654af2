//! `loki-logger`: log entries in batches to Grafana Loki (compat §6.9).

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Plugin, PluginDef};
use sluice_net::PoolSettings;
use sluice_observe::{BatchEntry, BatchSender, Delivered, HttpTarget, HttpTargetConfig, RemoteError};
use sluice_record::Record;
use sluice_resource::{SchemaCompileError, Template};

use crate::log_entry::EntryFormat;
use crate::logger::{self, Logger, LoggerSchema, Masked, NO_ROUTE, Sink, any_of};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let texts = json!({
        "type": "object",
        "patternProperties": { ".*": { "type": "string", "minLength": 1 } },
    });
    let mut labels = texts.clone();
    labels["default"] = json!({ "job": "apisix" });
    let schema = LoggerSchema {
        name: "loki-logger",
        priority: 414,
        label: "loki logger",
        own: json!({
            "endpoint_addrs": {
                "type": "array", "minItems": 1,
                "items": {
                    "type": "string",
                    "pattern": r"^[^\/]+:\/\/([\da-zA-Z.-]+|\[[\da-fA-F:]+\])(:\d+)?",
                },
            },
            "endpoint_uri": { "type": "string", "minLength": 1, "default": "/loki/api/v1/push" },
            "tenant_id": { "type": "string", "default": "fake" },
            "headers": texts,
            "log_labels": labels,
            "ssl_verify": { "type": "boolean", "default": false },
            "timeout": { "type": "integer", "minimum": 1, "maximum": 60_000, "default": 3000 },
            "keepalive": { "type": "boolean", "default": true },
            "keepalive_timeout": { "type": "integer", "minimum": 1000, "default": 60_000 },
            "keepalive_pool": { "type": "integer", "minimum": 1, "default": 5 },
        }),
        rest: json!({ "required": ["endpoint_addrs"] }),
        encrypted: &["headers"],
    };
    Ok(PluginDef {
        info: schema.info()?,
        compile,
    })
}

/// The configuration, but for what all loggers share. Times are in milliseconds.
#[derive(Deserialize)]
struct Config {
    endpoint_addrs: Vec<String>,
    endpoint_uri: String,
    tenant_id: String,
    #[serde(default)]
    headers: Map<String, Value>,
    log_labels: Map<String, Value>,
    ssl_verify: bool,
    timeout: u64,
    keepalive: bool,
    keepalive_timeout: u64,
    keepalive_pool: usize,
}

fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
    let config = Config::deserialize(conf)?;
    let pool = PoolSettings {
        max_idle: if config.keepalive {
            config.keepalive_pool
        } else {
            0
        },
        idle_timeout: Duration::from_millis(config.keepalive_timeout),
        ..PoolSettings::default()
    };
    let headers = headers(&config)?;
    let target = |addr: &String| {
        let uri = format!("{}{}", addr.trim_end_matches('/'), config.endpoint_uri);
        let target = HttpTargetConfig {
            verify: config.ssl_verify,
            timeout: Duration::from_millis(config.timeout),
            pool: pool.clone(),
            headers: headers.clone(),
            ..HttpTargetConfig::new(&uri)
        };
        HttpTarget::new(target, &env.services.background_pool, &env.services.origins)
            .map_err(|error| CompileError(format!("endpoint_addrs: `{addr}` cannot be used: {error}")))
    };
    let targets = config
        .endpoint_addrs
        .iter()
        .map(target)
        .collect::<Result<_, _>>()?;
    let label = |(name, value): (&String, &Value)| {
        let template = Template::parse(value.as_str().unwrap_or_default());
        (name.clone(), template)
    };
    let sink = LokiSink {
        labels: config.log_labels.iter().map(label).collect(),
        targets,
    };
    let format = EntryFormat::compile(conf, env)?.with_route_id_of_unmatched(NO_ROUTE);
    Ok(Logger::plugin(format, logger::batch_config(conf, env)?, sink))
}

/// The operator's headers, and those that Loki reads.
fn headers(config: &Config) -> Result<HeaderMap, CompileError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let unusable = |_| CompileError(format!("headers: `{name}` cannot be sent"));
        let key = HeaderName::try_from(name.as_str()).map_err(|_| unusable(()))?;
        let mut value =
            HeaderValue::from_str(value.as_str().unwrap_or_default()).map_err(|_| unusable(()))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    let tenant = HeaderValue::from_str(&config.tenant_id);
    let tenant = tenant.map_err(|_| CompileError("tenant_id cannot be a header value".to_owned()))?;
    headers.insert("x-scope-orgid", tenant);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(headers)
}

struct LokiSink {
    labels: Vec<(String, Template)>,
    targets: Arc<[HttpTarget]>,
}

/// A line of a stream.
struct Line {
    /// Of its stream, as JSON.
    labels: Vec<u8>,
    /// Start of the request, microseconds.
    started_us: i64,
    entry: Vec<u8>,
}

impl BatchEntry for Line {
    fn bytes(&self) -> usize {
        self.labels.len() + self.entry.len()
    }
}

impl Sink for LokiSink {
    type Entry = Line;
    type Sender = Arc<[HttpTarget]>;

    fn entry(&self, format: &EntryFormat, cx: &Context, record: &Record) -> Option<Line> {
        let masked = Masked(cx);
        let label = |(name, value): &(String, Template)| {
            (name.clone(), Value::from(value.render(&masked).into_owned()))
        };
        let labels: Map<String, Value> = self.labels.iter().map(label).collect();
        Some(Line {
            labels: Value::Object(labels).to_string().into_bytes(),
            started_us: record.started_us,
            entry: format.line(cx, record)?,
        })
    }

    fn sender(&self) -> Self::Sender {
        self.targets.clone()
    }
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error("loki server returned status: {0}")]
    Status(u16),
    #[error("no endpoint")]
    NoEndpoint,
    #[error(transparent)]
    Unanswered(#[from] RemoteError),
}

impl BatchSender<Line> for Arc<[HttpTarget]> {
    type Error = PushError;

    async fn send(&self, lines: &[Line]) -> Result<Delivered, PushError> {
        let target = any_of(self).ok_or(PushError::NoEndpoint)?;
        match target.post(push_body(lines).into()).await?.status.as_u16() {
            status @ 300.. => Err(PushError::Status(status)),
            _ => Ok(Delivered::default()),
        }
    }
}

/// The body of a push: one stream for all lines with the same labels.
fn push_body(lines: &[Line]) -> Vec<u8> {
    let mut streams: Vec<(&[u8], Vec<&Line>)> = Vec::new();
    for line in lines {
        match streams.iter_mut().find(|(labels, _)| *labels == line.labels) {
            Some((_, of_stream)) => of_stream.push(line),
            None => streams.push((&line.labels, vec![line])),
        }
    }
    let mut body = b"{\"streams\":[".to_vec();
    for (nth, (labels, lines)) in streams.iter().enumerate() {
        body.extend_from_slice(if nth == 0 {
            b"{\"stream\":"
        } else {
            b",{\"stream\":"
        });
        body.extend_from_slice(labels);
        body.extend_from_slice(b",\"values\":[");
        for (nth, line) in lines.iter().enumerate() {
            if nth > 0 {
                body.push(b',');
            }
            let text = String::from_utf8_lossy(&line.entry);
            // Milliseconds as nanoseconds: what APISIX sends.
            let at = format!("{}000000", line.started_us / 1000);
            body.extend_from_slice(json!([at, text]).to_string().as_bytes());
        }
        body.extend_from_slice(b"]}");
    }
    body.extend_from_slice(b"]}");
    body
}

#[cfg(test)]
mod tests {
    use sluice_resource::CheckScope;

    use super::*;

    fn line(labels: &str, started_us: i64, entry: &str) -> Line {
        Line {
            labels: labels.as_bytes().to_vec(),
            started_us,
            entry: entry.as_bytes().to_vec(),
        }
    }

    #[test]
    fn lines_with_the_same_labels_are_one_stream() {
        let (a, b) = (r#"{"job":"a"}"#, r#"{"job":"b"}"#);
        let body = push_body(&[
            line(a, 1_763_653_620_123_456, r#"{"n":1}"#),
            line(b, 1_763_653_620_124_000, r#"{"n":2}"#),
            line(a, 1_763_653_620_125_000, r#"{"n":"\"3"}"#),
        ]);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            json!({ "streams": [
                { "stream": { "job": "a" }, "values": [
                    ["1763653620123000000", "{\"n\":1}"], ["1763653620125000000", "{\"n\":\"\\\"3\"}"],
                ] },
                { "stream": { "job": "b" }, "values": [["1763653620124000000", "{\"n\":2}"]] },
            ] })
        );
    }

    #[test]
    fn defaults_are_those_of_apisix() {
        let info = definition().unwrap().info;
        let filled = info
            .checked(
                &json!({ "endpoint_addrs": ["http://127.0.0.1:3100"] }),
                CheckScope::Main,
            )
            .unwrap();
        for (name, default) in [
            ("endpoint_uri", json!("/loki/api/v1/push")),
            ("tenant_id", json!("fake")),
            ("log_labels", json!({ "job": "apisix" })),
            ("ssl_verify", json!(false)),
            ("timeout", json!(3000)),
            ("keepalive", json!(true)),
            ("keepalive_timeout", json!(60_000)),
            ("keepalive_pool", json!(5)),
            ("name", json!("loki logger")),
        ] {
            assert_eq!(filled[name], default, "{name}");
        }
        for (conf, error) in [
            (json!({}), "property \"endpoint_addrs\" is required"),
            (
                json!({ "endpoint_addrs": [] }),
                "property \"endpoint_addrs\" validation failed: expect array to have at least 1 items",
            ),
            (
                json!({ "endpoint_addrs": ["127.0.0.1:3100"] }),
                "property \"endpoint_addrs\" validation failed: failed to validate item 1: failed to match pattern",
            ),
        ] {
            let found = info.check(&conf, CheckScope::Main).unwrap_err();
            assert!(found.starts_with(error), "{found}");
        }
    }
}
