//! `udp-logger`: log entries in batches as datagrams (compat §6.9).

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Plugin, PluginDef};
use sluice_observe::{BatchSender, Delivered, MAX_DATAGRAM, RemoteError, UdpTarget};
use sluice_record::Record;
use sluice_resource::SchemaCompileError;

use crate::log_entry::EntryFormat;
use crate::logger::{self, Logger, LoggerSchema, Sink};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = LoggerSchema {
        name: "udp-logger",
        priority: 400,
        label: "udp logger",
        own: json!({
            "host": { "type": "string" },
            "port": { "type": "integer", "minimum": 0, "maximum": 65_535 },
            "timeout": { "type": "integer", "minimum": 1, "default": 3 },
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
    /// Seconds.
    timeout: u64,
    batch_max_size: usize,
}

fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
    let config = Config::deserialize(conf)?;
    let timeout = Duration::from_secs(config.timeout);
    let sink = UdpSink {
        target: Arc::new(UdpTarget::new(
            config.host,
            config.port,
            timeout,
            &env.services.resolver,
        )),
        single: config.batch_max_size == 1,
    };
    let format = EntryFormat::compile(conf, env)?;
    Ok(Logger::plugin(format, logger::batch_config(conf, env)?, sink))
}

#[derive(Clone)]
struct UdpSink {
    target: Arc<UdpTarget>,
    single: bool,
}

impl Sink for UdpSink {
    type Entry = Vec<u8>;
    type Sender = Self;

    fn entry(&self, format: &EntryFormat, cx: &Context, record: &Record) -> Option<Vec<u8>> {
        format.line(cx, record)
    }

    fn sender(&self) -> Self {
        self.clone()
    }
}

impl BatchSender<Vec<u8>> for UdpSink {
    type Error = RemoteError;

    async fn send(&self, entries: &[Vec<u8>]) -> Result<Delivered, RemoteError> {
        let (datagrams, refused) = pack(entries, self.single);
        self.target.send(&datagrams).await?;
        Ok(Delivered { refused })
    }
}

/// Entries as datagrams: an array each, of as many entries as fit, or one entry each. Entries that fit into no datagram
/// are counted instead.
fn pack(entries: &[Vec<u8>], single: bool) -> (Vec<Vec<u8>>, usize) {
    let around = if single { 0 } else { 2 };
    let mut refused = 0;
    let mut datagrams: Vec<Vec<u8>> = Vec::new();
    for entry in entries {
        if entry.len() + around > MAX_DATAGRAM {
            refused += 1;
            continue;
        }
        match datagrams.last_mut() {
            _ if single => datagrams.push(entry.clone()),
            // The comma takes the place of the closing bracket.
            Some(array) if array.len() + entry.len() < MAX_DATAGRAM => {
                array.pop();
                array.push(b',');
                array.extend_from_slice(entry);
                array.push(b']');
            }
            _ => datagrams.push([b"[", &**entry, b"]"].concat()),
        }
    }
    (datagrams, refused)
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use super::*;
    use crate::fixture::Fixture;

    #[tokio::test]
    async fn a_batch_is_one_datagram() {
        let fixture = Fixture::new();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let conf = json!({
            "host": "127.0.0.1", "port": socket.local_addr().unwrap().port(), "batch_max_size": 2,
            "log_format": { "uri": "$uri" },
        });
        let plugin = fixture.compile(definition, &conf).unwrap();
        for path in ["/a", "/b"] {
            let cx = fixture.context("GET", path);
            plugin.log(&cx, &fixture.record(&cx));
        }
        let mut heard = [0; 1000];
        let length = socket.recv(&mut heard).await.unwrap();
        assert_eq!(&heard[..length], br#"[{"uri":"/a"},{"uri":"/b"}]"#);
    }

    #[test]
    fn what_does_not_fit_into_one_datagram_takes_several() {
        let entry = |length: usize| vec![b'1'; length];
        let lengths = |entries: &[Vec<u8>], single| {
            let (datagrams, refused) = pack(entries, single);
            let lengths: Vec<_> = datagrams.iter().map(Vec::len).collect();
            (lengths, refused)
        };
        let most = MAX_DATAGRAM - 2;
        assert_eq!(lengths(&[entry(1), entry(1)], false), (vec![5], 0));
        assert_eq!(lengths(&[entry(1), entry(1)], true), (vec![1, 1], 0));
        assert_eq!(
            lengths(&[entry(most), entry(1), entry(most - 2)], false),
            (vec![MAX_DATAGRAM, MAX_DATAGRAM], 0)
        );
        assert_eq!(
            lengths(&[entry(most), entry(1), entry(most - 1)], false),
            (vec![MAX_DATAGRAM, 3, MAX_DATAGRAM - 1], 0)
        );
        assert_eq!(lengths(&[entry(most + 1), entry(1)], false), (vec![3], 1));
        assert_eq!(lengths(&[entry(MAX_DATAGRAM)], true), (vec![MAX_DATAGRAM], 0));
    }
}
