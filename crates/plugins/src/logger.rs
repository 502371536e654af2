//! What the batched loggers share: their fields, and the processor that their entries go to (compat §6.9).

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Phases, Plugin, ResponseHead, Services, Step};
use sluice_net::Body;
use sluice_observe::{BatchConfig, BatchEntry, BatchProcessor, BatchSender};
use sluice_record::Record;
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError, Variables};

use crate::log_entry::{self, EntryFormat};

/// Entries that are held when the metadata says nothing.
const MAX_PENDING: usize = 8192;

/// `route_id` of requests that no route matched, where a logger writes one.
pub(crate) const NO_ROUTE: &str = "no-matched";

/// What a logger's schema consists of.
pub(crate) struct LoggerSchema {
    /// Name of the plugin.
    pub(crate) name: &'static str,
    /// Its place in the order.
    pub(crate) priority: i32,
    /// Default of `name`.
    pub(crate) label: &'static str,
    /// Fields that no other logger has, by name.
    pub(crate) own: Value,
    /// What else the schema says: `required`, `oneOf`…
    pub(crate) rest: Value,
    /// Fields that are encrypted at rest.
    pub(crate) encrypted: &'static [&'static str],
}

impl LoggerSchema {
    pub(crate) fn info(self) -> Result<PluginInfo, SchemaCompileError> {
        let mut properties = log_entry::properties();
        properties.extend(batch_properties(self.label));
        properties.extend(members(self.own));
        let mut schema = members(self.rest);
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        let mut metadata = log_entry::metadata_properties();
        metadata.extend(members(json!({
            "max_pending_entries": { "type": "integer", "minimum": 1, "default": MAX_PENDING },
            "max_pending_bytes": {
                "type": "integer", "minimum": 1, "default": BatchConfig::default().max_pending_bytes,
            },
        })));
        let metadata = json!({ "type": "object", "properties": metadata });
        Ok(PluginInfo::new(self.name, self.priority, Value::Object(schema))?
            .with_metadata_schema(metadata)?
            .with_encrypted_fields(self.encrypted)
            .with_check(check))
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn batch_properties(label: &str) -> Map<String, Value> {
    let count =
        |minimum: u64, default: u64| json!({ "type": "integer", "minimum": minimum, "default": default });
    members(json!({
        "name": { "type": "string", "default": label },
        "batch_max_size": count(1, 1000),
        "inactive_timeout": count(1, 5),
        "buffer_duration": count(1, 60),
        "max_retry_count": count(0, 0),
        "retry_delay": count(0, 1),
    }))
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope == CheckScope::Main {
        log_entry::check(conf)
    } else {
        Ok(())
    }
}

/// The fields of batches. Times are in seconds.
#[derive(Deserialize)]
struct BatchFields {
    name: String,
    batch_max_size: usize,
    inactive_timeout: u64,
    buffer_duration: u64,
    max_retry_count: u32,
    retry_delay: u64,
}

/// The settings of batches in a logger's configuration and metadata.
pub(crate) fn batch_config(conf: &Value, env: &CompileEnv<'_>) -> Result<BatchConfig, CompileError> {
    let fields = BatchFields::deserialize(conf)?;
    let bound = |name: &str| {
        let bound = env.metadata.and_then(|metadata| metadata.get(name)?.as_u64());
        bound.map(|bound| usize::try_from(bound).unwrap_or(usize::MAX))
    };
    let usual = BatchConfig::default();
    Ok(BatchConfig {
        name: fields.name,
        batch_max_size: fields.batch_max_size,
        inactive_timeout: Duration::from_secs(fields.inactive_timeout),
        buffer_duration: Duration::from_secs(fields.buffer_duration),
        max_retry_count: fields.max_retry_count,
        retry_delay: Duration::from_secs(fields.retry_delay),
        max_pending_entries: bound("max_pending_entries").unwrap_or(MAX_PENDING),
        max_pending_bytes: bound("max_pending_bytes").unwrap_or(usual.max_pending_bytes),
        ..usual
    })
}

/// One of several equals, by chance.
pub(crate) fn any_of<T>(all: &[T]) -> Option<&T> {
    (!all.is_empty()).then(|| &all[rand::random_range(0..all.len())])
}

/// Entries as one text: an array, or the entry itself where batches hold one (`batch_max_size` 1).
pub(crate) fn json_of(entries: &[Vec<u8>], single: bool) -> Vec<u8> {
    match entries {
        [entry] if single => entry.clone(),
        entries => [b"[", &*entries.join(&b','), b"]"].concat(),
    }
}

/// The variables of a request as what leaves the gateway may show them.
pub(crate) struct Masked<'a>(pub(crate) &'a Context);

impl Variables for Masked<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.logged(name)
    }
}

/// How one kind of logger makes its entries and sends them.
pub(crate) trait Sink: Send + Sync + 'static {
    /// What waits to be sent.
    type Entry: BatchEntry;
    /// What sends it.
    type Sender: BatchSender<Self::Entry>;

    /// The entry of a request. Nothing when it cannot be made, which was said in the log.
    fn entry(&self, format: &EntryFormat, cx: &Context, record: &Record) -> Option<Self::Entry>;

    /// The sender of a processor.
    fn sender(&self) -> Self::Sender;
}

/// A logger that sends batches.
pub(crate) struct Logger<S: Sink> {
    format: EntryFormat,
    batches: BatchConfig,
    sink: S,
    /// Started by the first entry, which also gives it its labels. What it holds when the plugin is compiled anew is
    /// sent in the background.
    processor: OnceLock<BatchProcessor<S::Entry>>,
}

impl<S: Sink> Logger<S> {
    pub(crate) fn plugin(format: EntryFormat, batches: BatchConfig, sink: S) -> Arc<dyn Plugin> {
        Arc::new(Self {
            format,
            batches,
            sink,
            processor: OnceLock::new(),
        })
    }

    fn start(&self, cx: &Context, record: &Record) -> BatchProcessor<S::Entry> {
        let config = BatchConfig {
            route_id: record.route_id.as_deref().unwrap_or_default().to_owned(),
            server_addr: cx.request.local.ip().to_string(),
            ..self.batches.clone()
        };
        let services: &Services = &cx.services;
        BatchProcessor::start(
            &services.background,
            config,
            self.sink.sender(),
            &services.batches,
        )
    }
}

impl<S: Sink> Plugin for Logger<S> {
    fn phases(&self) -> Phases {
        Phases::of(&self.format.phases())
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        self.format.access(cx);
        Step::CONTINUE
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
        if let Some(entry) = self.sink.entry(&self.format, cx, record) {
            // The processor counts what it has to drop.
            self.processor.get_or_init(|| self.start(cx, record)).push(entry);
        }
    }
}
