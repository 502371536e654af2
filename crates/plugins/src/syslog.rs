//! `syslog`: log entries as lines of RFC 5424, over TCP or UDP (compat §6.9).

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Plugin, PluginDef};
use sluice_net::ClientTls;
use sluice_observe::{
    BatchConfig, BatchSender, Delivered, MAX_DATAGRAM, RemoteError, TcpTarget, TcpTargetConfig, UdpTarget,
};
use sluice_record::Record;
use sluice_resource::SchemaCompileError;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::log_entry::EntryFormat;
use crate::logger::{self, Logger, LoggerSchema, Sink};

/// Facility `syslog`, severity `info`, version 1.
const PRIORITY: &str = "<46>1";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let count =
        |minimum: u64, default: u64| json!({ "type": "integer", "minimum": minimum, "default": default });
    let schema = LoggerSchema {
        name: "syslog",
        priority: 401,
        label: "sys logger",
        own: json!({
            "host": { "type": "string" },
            "port": { "type": "integer", "maximum": 65_535 },
            "flush_limit": count(1, 4096),
            "drop_limit": { "type": "integer", "default": 1_048_576 },
            "timeout": count(1, 3000),
            "sock_type": { "type": "string", "enum": ["tcp", "udp"], "default": "tcp" },
            "pool_size": count(5, 5),
            "tls": { "type": "boolean", "default": false },
            "ssl_verify": { "type": "boolean", "default": true },
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
    /// Bytes that go out together.
    flush_limit: usize,
    /// Bytes that are held.
    drop_limit: usize,
    /// Milliseconds.
    timeout: u64,
    sock_type: SockType,
    pool_size: usize,
    tls: bool,
    ssl_verify: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SockType {
    Tcp,
    Udp,
}

fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
    let config = Config::deserialize(conf)?;
    let batches = BatchConfig {
        batch_max_bytes: config.flush_limit,
        max_pending_bytes: config.drop_limit,
        ..logger::batch_config(conf, env)?
    };
    let sink = SyslogSink {
        pid: std::process::id(),
        wire: wire(config, env)?,
    };
    Ok(Logger::plugin(EntryFormat::compile(conf, env)?, batches, sink))
}

fn wire(config: Config, env: &CompileEnv<'_>) -> Result<Wire, CompileError> {
    let timeout = Duration::from_millis(config.timeout);
    let resolver = &env.services.resolver;
    if config.sock_type == SockType::Udp {
        let target = UdpTarget::new(config.host, config.port, timeout, resolver);
        return Ok(Wire::Udp(Arc::new(target)));
    }
    let target = TcpTargetConfig {
        host: config.host,
        port: config.port,
        tls: config.tls.then(|| ClientTls {
            verify: config.ssl_verify,
            ..ClientTls::default()
        }),
        sni: None,
        timeout,
        keep: config.pool_size,
    };
    TcpTarget::new(target, &env.services.origins, resolver)
        .map(|target| Wire::Tcp(Arc::new(target)))
        .map_err(|error| CompileError(error.to_string()))
}

#[derive(Clone)]
enum Wire {
    /// Lines one after the other.
    Tcp(Arc<TcpTarget>),
    /// A line per datagram (RFC 5426 §3.1).
    Udp(Arc<UdpTarget>),
}

struct SyslogSink {
    pid: u32,
    wire: Wire,
}

impl Sink for SyslogSink {
    type Entry = Vec<u8>;
    type Sender = Wire;

    fn entry(&self, format: &EntryFormat, cx: &Context, record: &Record) -> Option<Vec<u8>> {
        let entry = format.line(cx, record)?;
        let ended_us = record.started_us + i64::try_from(record.duration_us).unwrap_or(0);
        let host = if record.host.is_empty() {
            "-"
        } else {
            &*record.host
        };
        let head = format!(
            "{PRIORITY} {} {host} apisix {} - - ",
            timestamp(ended_us),
            self.pid
        );
        Some([head.as_bytes(), &entry, b"\n"].concat())
    }

    fn sender(&self) -> Wire {
        self.wire.clone()
    }
}

/// A time as RFC 3339 writes it, in milliseconds.
fn timestamp(unix_us: i64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_us) * 1000)
        .ok()
        .and_then(|at| at.format(&format).ok())
        .unwrap_or_else(|| "-".to_owned())
}

impl BatchSender<Vec<u8>> for Wire {
    /// Lines keep their order.
    const PARALLEL: usize = 1;

    type Error = RemoteError;

    async fn send(&self, lines: &[Vec<u8>]) -> Result<Delivered, RemoteError> {
        match self {
            Self::Tcp(target) => {
                target.send(&lines.concat()).await?;
                Ok(Delivered::default())
            }
            Self::Udp(target) => {
                let fitting: Vec<&[u8]> = lines
                    .iter()
                    .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
                    .filter(|line| line.len() <= MAX_DATAGRAM)
                    .collect();
                target.send(&fitting).await?;
                Ok(Delivered {
                    refused: lines.len() - fitting.len(),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_resource::CheckScope;
    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::net::{TcpListener, UdpSocket};

    use super::*;
    use crate::fixture::Fixture;

    fn line(path: &str) -> String {
        let pid = std::process::id();
        format!("<46>1 2025-11-20T15:47:00.373Z gw.example apisix {pid} - - {{\"uri\":\"{path}\"}}")
    }

    fn log(fixture: &Fixture, plugin: &dyn Plugin, path: &str) {
        let cx = fixture.context("GET", path);
        plugin.log(&cx, &fixture.record(&cx));
    }

    #[tokio::test]
    async fn lines_over_one_connection() {
        let fixture = Fixture::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let conf = json!({
            "host": "127.0.0.1", "port": listener.local_addr().unwrap().port(), "timeout": 20_000,
            "batch_max_size": 1, "log_format": { "uri": "$uri" },
        });
        let plugin = fixture.compile(definition, &conf).unwrap();
        log(&fixture, &*plugin, "/a");
        let mut lines = BufReader::new(listener.accept().await.unwrap().0).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), line("/a"));
        log(&fixture, &*plugin, "/b");
        assert_eq!(lines.next_line().await.unwrap().unwrap(), line("/b"));
    }

    #[tokio::test]
    async fn a_line_per_datagram() {
        let fixture = Fixture::new();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let conf = json!({
            "host": "127.0.0.1", "port": socket.local_addr().unwrap().port(), "sock_type": "udp",
            "batch_max_size": 2, "log_format": { "uri": "$uri" },
        });
        let plugin = fixture.compile(definition, &conf).unwrap();
        for path in ["/a", "/b"] {
            log(&fixture, &*plugin, path);
        }
        for path in ["/a", "/b"] {
            let mut heard = [0; 1000];
            let length = socket.recv(&mut heard).await.unwrap();
            assert_eq!(std::str::from_utf8(&heard[..length]).unwrap(), line(path));
        }
    }

    #[tokio::test]
    async fn limits_are_of_bytes() {
        let fixture = Fixture::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // The second line fills the first batch; batches and silence would take an hour.
        let conf = json!({
            "host": "127.0.0.1", "port": listener.local_addr().unwrap().port(), "flush_limit": 100,
            "inactive_timeout": 3600, "buffer_duration": 3600, "log_format": { "uri": "$uri" },
        });
        let plugin = fixture.compile(definition, &conf).unwrap();
        log(&fixture, &*plugin, "/a");
        log(&fixture, &*plugin, "/b");
        let mut lines = BufReader::new(listener.accept().await.unwrap().0).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), line("/a"));
    }

    #[test]
    fn defaults_are_those_of_apisix() {
        let info = definition().unwrap().info;
        let filled = info
            .checked(&json!({ "host": "127.0.0.1", "port": 514 }), CheckScope::Main)
            .unwrap();
        for (name, default) in [
            ("flush_limit", json!(4096)),
            ("drop_limit", json!(1_048_576)),
            ("timeout", json!(3000)),
            ("sock_type", json!("tcp")),
            ("pool_size", json!(5)),
            ("tls", json!(false)),
            ("name", json!("sys logger")),
        ] {
            assert_eq!(filled[name], default, "{name}");
        }
        let error = info.check(
            &json!({ "host": "a", "port": 1, "sock_type": "unix" }),
            CheckScope::Main,
        );
        assert_eq!(
            error.unwrap_err(),
            "property \"sock_type\" validation failed: matches none of the enum values"
        );
    }
}
