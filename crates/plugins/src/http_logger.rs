//! `http-logger`: log entries in batches to an HTTP server (compat §6.9).

mod sender;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Phases, Plugin, PluginDef, ResponseHead, Step};
use sluice_net::Body;
use sluice_observe::{BatchConfig, BatchProcessor};
use sluice_record::Record;
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError};

use self::sender::{Concat, HttpSender};
use crate::log_entry::{self, EntryFormat};

/// `route_id` of requests that no route matched.
const NO_ROUTE: &str = "no-matched";

/// Entries that are held when the metadata says nothing.
const MAX_PENDING: usize = 8192;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let mut properties = log_entry::properties();
    properties.extend(own_properties());
    let mut metadata = log_entry::metadata_properties();
    let pending = json!({ "type": "integer", "minimum": 1, "default": MAX_PENDING });
    metadata.insert("max_pending_entries".to_owned(), pending);
    let schema = json!({ "type": "object", "properties": properties, "required": ["uri"] });
    let info = PluginInfo::new("http-logger", 410, schema)?
        .with_metadata_schema(json!({ "type": "object", "properties": metadata }))?
        .with_encrypted_fields(&["auth_header"])
        .with_check(check);
    Ok(PluginDef {
        info,
        compile: HttpLogger::compile,
    })
}

fn own_properties() -> Map<String, Value> {
    let count =
        |minimum: u64, default: u64| json!({ "type": "integer", "minimum": minimum, "default": default });
    let properties = [
        (
            "uri",
            json!({ "type": "string", "pattern": r"^[^\/]+:\/\/([\da-zA-Z.-]+|\[[\da-fA-F:]+\])(:\d+)?" }),
        ),
        ("auth_header", json!({ "type": "string" })),
        ("timeout", count(1, 3)),
        (
            "concat_method",
            json!({ "type": "string", "enum": ["json", "new_line"], "default": "json" }),
        ),
        ("ssl_verify", json!({ "type": "boolean", "default": false })),
        ("name", json!({ "type": "string", "default": "http logger" })),
        ("batch_max_size", count(1, 1000)),
        ("inactive_timeout", count(1, 5)),
        ("buffer_duration", count(1, 60)),
        ("max_retry_count", count(0, 0)),
        ("retry_delay", count(0, 1)),
    ];
    properties
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope == CheckScope::Main {
        log_entry::check(conf)
    } else {
        Ok(())
    }
}

/// The configuration, but for what all loggers share. Times are in seconds.
#[derive(Deserialize)]
struct Config {
    uri: String,
    auth_header: Option<String>,
    timeout: u64,
    concat_method: Concat,
    ssl_verify: bool,
    name: String,
    batch_max_size: usize,
    inactive_timeout: u64,
    buffer_duration: u64,
    max_retry_count: u32,
    retry_delay: u64,
}

struct HttpLogger {
    format: EntryFormat,
    batches: BatchConfig,
    sender: HttpSender,
    /// Started by the first entry, which also gives it its labels. What it holds when the plugin is compiled anew is
    /// sent in the background.
    processor: OnceLock<BatchProcessor<Vec<u8>>>,
}

impl HttpLogger {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let sender = HttpSender::compile(&config, env.services)?;
        let pending = env
            .metadata
            .and_then(|metadata| metadata.get("max_pending_entries")?.as_u64());
        let batches = BatchConfig {
            name: config.name,
            batch_max_size: config.batch_max_size,
            inactive_timeout: Duration::from_secs(config.inactive_timeout),
            buffer_duration: Duration::from_secs(config.buffer_duration),
            max_retry_count: config.max_retry_count,
            retry_delay: Duration::from_secs(config.retry_delay),
            max_pending_entries: pending
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(MAX_PENDING),
            ..BatchConfig::default()
        };
        let format = EntryFormat::compile(conf, env)?.with_route_id_of_unmatched(NO_ROUTE);
        Ok(Arc::new(Self {
            format,
            batches,
            sender,
            processor: OnceLock::new(),
        }))
    }

    fn start(&self, cx: &Context, record: &Record) -> BatchProcessor<Vec<u8>> {
        let config = BatchConfig {
            route_id: record.route_id.as_deref().unwrap_or_default().to_owned(),
            server_addr: cx.request.local.ip().to_string(),
            ..self.batches.clone()
        };
        BatchProcessor::start(
            &cx.services.background,
            config,
            self.sender.clone(),
            &cx.services.batches,
        )
    }
}

impl Plugin for HttpLogger {
    fn phases(&self) -> Phases {
        Phases::of(&self.format.phases())
    }

    fn before_proxy<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        self.format.before_proxy(cx);
        Step::CONTINUE
    }

    fn response_head(&self, cx: &mut Context, _head: &mut ResponseHead) {
        self.format.response_head(cx);
    }

    fn response_body(&self, cx: &mut Context, body: Body) -> Body {
        self.format.response_body(cx, body)
    }

    fn log(&self, cx: &Context, record: &Record) {
        if let Some(entry) = self.format.line(cx, record) {
            // The processor counts what it has to drop.
            self.processor.get_or_init(|| self.start(cx, record)).push(entry);
        }
    }
}

#[cfg(test)]
mod tests;
