//! `http-logger`: log entries in batches to an HTTP server (compat §6.9).

mod sender;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Plugin, PluginDef};
use sluice_record::Record;
use sluice_resource::SchemaCompileError;

use self::sender::{Concat, HttpSender};
use crate::log_entry::EntryFormat;
use crate::logger::{self, Logger, LoggerSchema, NO_ROUTE, Sink};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = LoggerSchema {
        name: "http-logger",
        priority: 410,
        label: "http logger",
        own: json!({
            "uri": {
                "type": "string",
                "pattern": r"^[^\/]+:\/\/([\da-zA-Z.-]+|\[[\da-fA-F:]+\])(:\d+)?",
            },
            "auth_header": { "type": "string" },
            "timeout": { "type": "integer", "minimum": 1, "default": 3 },
            "concat_method": { "type": "string", "enum": ["json", "new_line"], "default": "json" },
            "ssl_verify": { "type": "boolean", "default": false },
        }),
        rest: json!({ "required": ["uri"] }),
        encrypted: &["auth_header"],
    };
    Ok(PluginDef {
        info: schema.info()?,
        compile,
    })
}

/// The configuration, but for what all loggers share. Times are in seconds.
#[derive(Deserialize)]
struct Config {
    uri: String,
    auth_header: Option<String>,
    timeout: u64,
    concat_method: Concat,
    ssl_verify: bool,
    batch_max_size: usize,
}

fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
    let sender = HttpSender::compile(&Config::deserialize(conf)?, env.services)?;
    let format = EntryFormat::compile(conf, env)?.with_route_id_of_unmatched(NO_ROUTE);
    Ok(Logger::plugin(
        format,
        logger::batch_config(conf, env)?,
        HttpSink(sender),
    ))
}

struct HttpSink(HttpSender);

impl Sink for HttpSink {
    type Entry = Vec<u8>;
    type Sender = HttpSender;

    fn entry(&self, format: &EntryFormat, cx: &Context, record: &Record) -> Option<Vec<u8>> {
        format.line(cx, record)
    }

    fn sender(&self) -> HttpSender {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests;
