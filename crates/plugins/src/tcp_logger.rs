//! `tcp-logger`: log entries in batches over TCP, one connection per batch (compat §6.9).

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Plugin, PluginDef};
use sluice_net::ClientTls;
use sluice_observe::{BatchSender, Delivered, RemoteError, TcpTarget, TcpTargetConfig};
use sluice_record::Record;
use sluice_resource::SchemaCompileError;

use crate::log_entry::EntryFormat;
use crate::logger::{self, Logger, LoggerSchema, Sink, json_of};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = LoggerSchema {
        name: "tcp-logger",
        priority: 405,
        label: "tcp logger",
        own: json!({
            "host": { "type": "string" },
            "port": { "type": "integer", "minimum": 0, "maximum": 65_535 },
            "tls": { "type": "boolean", "default": false },
            "tls_options": { "type": "string" },
            "ssl_verify": { "type": "boolean", "default": false },
            "timeout": { "type": "integer", "minimum": 1, "default": 1000 },
        }),
        rest: json!({ "required": ["host", "port"] }),
        encrypted: &[],
    };
    Ok(PluginDef {
        info: schema.info()?,
        compile,
    })
}

/// The configuration, but for what all loggers share.
#[derive(Deserialize)]
struct Config {
    host: String,
    port: u16,
    tls: bool,
    /// Name that TLS asks for.
    tls_options: Option<String>,
    ssl_verify: bool,
    /// Milliseconds.
    timeout: u64,
    batch_max_size: usize,
}

fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
    let config = Config::deserialize(conf)?;
    let target = TcpTargetConfig {
        host: config.host,
        port: config.port,
        tls: config.tls.then(|| ClientTls {
            verify: config.ssl_verify,
            ..ClientTls::default()
        }),
        sni: config.tls_options,
        timeout: Duration::from_millis(config.timeout),
        keep: 0,
    };
    let target = TcpTarget::new(target, &env.services.origins, &env.services.resolver)
        .map_err(|error| CompileError(error.to_string()))?;
    let sink = TcpSink {
        target: Arc::new(target),
        single: config.batch_max_size == 1,
    };
    let format = EntryFormat::compile(conf, env)?;
    Ok(Logger::plugin(format, logger::batch_config(conf, env)?, sink))
}

#[derive(Clone)]
struct TcpSink {
    target: Arc<TcpTarget>,
    single: bool,
}

impl Sink for TcpSink {
    type Entry = Vec<u8>;
    type Sender = Self;

    fn entry(&self, format: &EntryFormat, cx: &Context, record: &Record) -> Option<Vec<u8>> {
        format.line(cx, record)
    }

    fn sender(&self) -> Self {
        self.clone()
    }
}

impl BatchSender<Vec<u8>> for TcpSink {
    type Error = RemoteError;

    async fn send(&self, entries: &[Vec<u8>]) -> Result<Delivered, RemoteError> {
        self.target.send(&json_of(entries, self.single)).await?;
        Ok(Delivered::default())
    }
}

#[cfg(test)]
mod tests {
    use sluice_resource::CheckScope;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::fixture::Fixture;

    async fn sent(size: usize, paths: &[&str]) -> Vec<String> {
        let fixture = Fixture::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let conf = json!({
            "host": "127.0.0.1", "port": port, "batch_max_size": size, "timeout": 20_000,
            "log_format": { "uri": "$uri" },
        });
        let plugin = fixture.compile(definition, &conf).unwrap();
        for path in paths {
            let cx = fixture.context("GET", path);
            plugin.log(&cx, &fixture.record(&cx));
        }
        let mut heard = Vec::new();
        for _ in 0..paths.len() / size {
            let mut text = String::new();
            listener
                .accept()
                .await
                .unwrap()
                .0
                .read_to_string(&mut text)
                .await
                .unwrap();
            heard.push(text);
        }
        heard.sort();
        heard
    }

    #[tokio::test]
    async fn a_batch_is_an_array_and_a_single_entry_an_object() {
        assert_eq!(sent(2, &["/a", "/b"]).await, [r#"[{"uri":"/a"},{"uri":"/b"}]"#]);
        assert_eq!(
            sent(1, &["/a", "/b"]).await,
            [r#"{"uri":"/a"}"#, r#"{"uri":"/b"}"#]
        );
    }

    #[test]
    fn defaults_and_what_is_required() {
        let info = definition().unwrap().info;
        let conf = json!({ "host": "127.0.0.1", "port": 5044 });
        let filled = info.checked(&conf, CheckScope::Main).unwrap();
        assert_eq!(
            (&filled["timeout"], &filled["tls"], &filled["name"]),
            (&json!(1000), &json!(false), &json!("tcp logger"))
        );
        for (conf, error) in [
            (json!({ "host": "a" }), "property \"port\" is required"),
            (json!({ "port": 1 }), "property \"host\" is required"),
            (
                json!({ "host": "a", "port": -1 }),
                "property \"port\" validation failed: expected -1 to be at least 0",
            ),
        ] {
            assert_eq!(info.check(&conf, CheckScope::Main).unwrap_err(), error);
        }
    }
}
