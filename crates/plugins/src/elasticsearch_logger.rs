//! `elasticsearch-logger`: log entries in batches to the bulk API of Elasticsearch (compat §6.9).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Plugin, PluginDef};
use sluice_observe::{BatchSender, Delivered, HttpTarget, HttpTargetConfig, RemoteError};
use sluice_record::Record;
use sluice_resource::{SchemaCompileError, Template};

use crate::log_entry::EntryFormat;
use crate::logger::{self, Logger, LoggerSchema, Masked, Sink, any_of};

/// Bytes of an answer that are read: it says what became of every entry.
const MAX_ANSWER: u64 = 4 << 20;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let address = json!({ "type": "string", "pattern": "[^/]$" });
    let name = json!({ "type": "string", "minLength": 1 });
    let schema = LoggerSchema {
        name: "elasticsearch-logger",
        priority: 413,
        label: "elasticsearch-logger",
        own: json!({
            "endpoint_addr": address,
            "endpoint_addrs": { "type": "array", "minItems": 1, "items": address },
            "field": {
                "type": "object",
                "properties": { "index": { "type": "string" }, "type": { "type": "string" } },
                "required": ["index"],
            },
            "auth": {
                "type": "object",
                "properties": { "username": name, "password": name },
                "required": ["username", "password"],
            },
            "headers": {
                "type": "object", "minProperties": 1,
                "patternProperties": { "^[^:]+$": { "type": "string", "minLength": 1 } },
            },
            "timeout": { "type": "integer", "minimum": 1, "default": 10 },
            "ssl_verify": { "type": "boolean", "default": true },
        }),
        rest: json!({ "oneOf": [
            { "required": ["endpoint_addr", "field"] },
            { "required": ["endpoint_addrs", "field"] },
        ] }),
        encrypted: &["auth.password"],
    };
    Ok(PluginDef {
        info: schema.info()?,
        compile,
    })
}

/// The configuration, but for what all loggers share.
#[derive(Deserialize)]
struct Config {
    endpoint_addr: Option<String>,
    #[serde(default)]
    endpoint_addrs: Vec<String>,
    field: Field,
    auth: Option<Auth>,
    #[serde(default)]
    headers: Map<String, Value>,
    /// Seconds.
    timeout: u64,
    ssl_verify: bool,
}

/// Where documents go.
#[derive(Deserialize)]
struct Field {
    index: String,
    r#type: Option<String>,
}

#[derive(Deserialize)]
struct Auth {
    username: String,
    password: String,
}

fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
    let config = Config::deserialize(conf)?;
    let headers = headers(&config)?;
    let target = |addr: &String| {
        let uri = format!("{addr}/_bulk");
        let target = HttpTargetConfig {
            verify: config.ssl_verify,
            timeout: Duration::from_secs(config.timeout),
            headers: headers.clone(),
            max_answer: MAX_ANSWER,
            ..HttpTargetConfig::new(&uri)
        };
        HttpTarget::new(target, &env.services.background_pool, &env.services.origins)
            .map_err(|error| CompileError(format!("endpoint `{addr}` cannot be used: {error}")))
    };
    let addresses = config.endpoint_addr.iter().chain(&config.endpoint_addrs);
    let sink = ElasticSink {
        targets: addresses.map(target).collect::<Result<_, _>>()?,
        index: Template::parse(&config.field.index),
        kind: config.field.r#type,
    };
    let format = EntryFormat::compile(conf, env)?;
    Ok(Logger::plugin(format, logger::batch_config(conf, env)?, sink))
}

fn headers(config: &Config) -> Result<HeaderMap, CompileError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let unusable = || CompileError(format!("headers: `{name}` cannot be sent"));
        let key = HeaderName::try_from(name.as_str()).map_err(|_| unusable())?;
        let value = HeaderValue::from_str(value.as_str().unwrap_or_default()).map_err(|_| unusable())?;
        headers.insert(key, value);
    }
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    if let Some(Auth { username, password }) = &config.auth {
        let value = format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
        let mut value = HeaderValue::try_from(value).map_err(|error| CompileError(error.to_string()))?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(headers)
}

struct ElasticSink {
    targets: Arc<[HttpTarget]>,
    /// May hold variables.
    index: Template,
    /// `_type`, which servers before 7 want and those from 8 on refuse.
    kind: Option<String>,
}

impl Sink for ElasticSink {
    /// Two lines: what to do, and the document.
    type Entry = Vec<u8>;
    type Sender = Bulk;

    fn entry(&self, format: &EntryFormat, cx: &Context, record: &Record) -> Option<Vec<u8>> {
        let masked = Masked(cx);
        let mut create = json!({ "_index": self.index.render(&masked) });
        if let Some(kind) = &self.kind {
            create["_type"] = json!(kind);
        }
        let mut entry = json!({ "create": create }).to_string().into_bytes();
        entry.push(b'\n');
        entry.extend(format.line(cx, record)?);
        entry.push(b'\n');
        Some(entry)
    }

    fn sender(&self) -> Bulk {
        Bulk(self.targets.clone())
    }
}

/// Sends to one of the servers.
struct Bulk(Arc<[HttpTarget]>);

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
enum BulkError {
    #[error("elasticsearch server returned status: {0}")]
    Status(u16),
    #[error("no endpoint")]
    NoEndpoint,
    #[error(transparent)]
    Unanswered(#[from] RemoteError),
}

impl BatchSender<Vec<u8>> for Bulk {
    type Error = BulkError;

    async fn send(&self, entries: &[Vec<u8>]) -> Result<Delivered, BulkError> {
        let target = any_of(&self.0).ok_or(BulkError::NoEndpoint)?;
        let answer = target.post(entries.concat().into()).await?;
        match answer.status.as_u16() {
            200 => Ok(Delivered {
                refused: refused(&answer.body),
            }),
            status => Err(BulkError::Status(status)),
        }
    }
}

/// How many documents a bulk answer says were not stored. To send them again would not change that.
fn refused(answer: &[u8]) -> usize {
    /// An answer, as far as it matters.
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        errors: bool,
        #[serde(default)]
        items: Vec<Map<String, Value>>,
    }
    match serde_json::from_slice::<Answer>(answer) {
        Ok(answer) if answer.errors => {
            let failed = |item: &&Map<String, Value>| item.values().any(|done| done.get("error").is_some());
            answer.items.iter().filter(failed).count()
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use sluice_resource::CheckScope;

    use super::*;

    #[test]
    fn documents_that_were_refused_are_counted() {
        let answer = json!({ "took": 1, "errors": true, "items": [
            { "create": { "status": 201 } },
            { "create": { "status": 400, "error": { "type": "mapper_parsing_exception" } } },
        ] });
        assert_eq!(refused(answer.to_string().as_bytes()), 1);
        assert_eq!(
            refused(br#"{"errors":false,"items":[{"create":{"status":201}}]}"#),
            0
        );
        assert_eq!(refused(b"not JSON"), 0);
    }

    #[test]
    fn one_of_two_ways_to_name_the_servers() {
        let info = definition().unwrap().info;
        let check = |conf: Value| info.check(&conf, CheckScope::Main);
        let field = json!({ "index": "services" });
        assert_eq!(
            check(json!({ "endpoint_addr": "http://a:9200", "field": field })),
            Ok(())
        );
        assert_eq!(
            check(json!({ "endpoint_addrs": ["http://a:9200"], "field": field })),
            Ok(())
        );
        for conf in [
            json!({ "field": field }),
            json!({ "endpoint_addrs": ["http://a:9200"] }),
            json!({ "endpoint_addrs": ["http://a:9200/"], "field": field }),
            json!({ "endpoint_addrs": ["http://a:9200"], "field": {} }),
            json!({ "endpoint_addrs": ["http://a:9200"], "field": field, "auth": { "username": "u" } }),
            json!({ "endpoint_addr": "http://a", "endpoint_addrs": ["http://a"], "field": field }),
        ] {
            assert!(check(conf.clone()).is_err(), "{conf}");
        }
    }
}
