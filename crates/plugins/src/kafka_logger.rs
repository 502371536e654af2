//! `kafka-logger`: log entries in batches to a topic of Kafka (compat §6.9).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Plugin, PluginDef};
use sluice_net::ClientTls;
use sluice_observe::{
    BatchConfig, BatchSender, Delivered, KafkaBroker, KafkaConfig, KafkaError, KafkaTarget, SaslConfig,
    SaslMechanism,
};
use sluice_record::Record;
use sluice_resource::SchemaCompileError;

use crate::log_entry::EntryFormat;
use crate::logger::{self, Logger, LoggerSchema, Sink, json_of};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = LoggerSchema {
        name: "kafka-logger",
        priority: 403,
        label: "kafka logger",
        own: own_properties(),
        rest: json!({ "oneOf": [
            { "required": ["broker_list", "kafka_topic"] },
            { "required": ["brokers", "kafka_topic"] },
        ] }),
        encrypted: &["brokers.sasl_config.password"],
    };
    Ok(PluginDef {
        info: schema.info()?,
        compile,
    })
}

fn own_properties() -> Value {
    let count =
        |minimum: u64, default: u64| json!({ "type": "integer", "minimum": minimum, "default": default });
    let port = json!({ "type": "integer", "minimum": 1, "maximum": 65_535 });
    let sasl = json!({
        "type": "object",
        "properties": {
            "mechanism": {
                "type": "string", "enum": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], "default": "PLAIN",
            },
            "user": { "type": "string" },
            "password": { "type": "string" },
        },
        "required": ["user", "password"],
    });
    json!({
        "meta_format": { "type": "string", "enum": ["default", "origin"], "default": "default" },
        "broker_list": { "type": "object", "minProperties": 1, "patternProperties": { ".*": port } },
        "brokers": {
            "type": "array", "minItems": 1, "uniqueItems": true,
            "items": {
                "type": "object",
                "properties": { "host": { "type": "string" }, "port": port, "sasl_config": sasl },
                "required": ["host", "port"],
            },
        },
        "kafka_topic": { "type": "string" },
        "producer_type": { "type": "string", "enum": ["async", "sync"], "default": "async" },
        "required_acks": { "type": "integer", "enum": [1, -1], "default": 1 },
        "key": { "type": "string" },
        "timeout": count(1, 3),
        "tls": { "type": "object", "properties": { "verify": { "type": "boolean", "default": false } } },
        "cluster_name": count(1, 1),
        "producer_batch_num": count(1, 200),
        "producer_batch_size": count(0, 1_048_576),
        "producer_max_buffering": count(1, 50_000),
        "producer_time_linger": count(1, 1),
        "meta_refresh_interval": count(1, 30),
        "api_version": { "type": "integer", "minimum": 0, "maximum": 2, "default": 1 },
    })
}

/// The configuration, but for what all loggers share. Times are in seconds.
#[derive(Deserialize)]
struct Config {
    meta_format: MetaFormat,
    #[serde(default)]
    broker_list: Map<String, Value>,
    #[serde(default)]
    brokers: Vec<Broker>,
    kafka_topic: String,
    producer_type: ProducerType,
    required_acks: i16,
    key: Option<String>,
    timeout: u64,
    tls: Option<Tls>,
    producer_batch_num: usize,
    producer_batch_size: usize,
    producer_max_buffering: usize,
    producer_time_linger: u64,
    meta_refresh_interval: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MetaFormat {
    /// The log entry.
    Default,
    /// The request as it came.
    Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ProducerType {
    /// Messages may wait for each other.
    Async,
    /// Each message by itself.
    Sync,
}

#[derive(Deserialize)]
struct Broker {
    host: String,
    port: u16,
    sasl_config: Option<Sasl>,
}

#[derive(Deserialize)]
struct Sasl {
    mechanism: Mechanism,
    user: String,
    password: String,
}

#[derive(Clone, Copy, Deserialize)]
enum Mechanism {
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

#[derive(Deserialize)]
struct Tls {
    verify: bool,
}

impl Config {
    /// One message per entry that wait for each other: then producing is batched, since entries are not.
    fn lingers(&self, batches: &BatchConfig) -> bool {
        self.producer_type == ProducerType::Async && batches.batch_max_size == 1
    }

    fn batches(&self, batches: BatchConfig) -> BatchConfig {
        if !self.lingers(&batches) {
            return batches;
        }
        let linger = Duration::from_secs(self.producer_time_linger);
        BatchConfig {
            batch_max_size: self.producer_batch_num,
            batch_max_bytes: self.producer_batch_size,
            inactive_timeout: linger,
            buffer_duration: linger,
            max_pending_entries: batches.max_pending_entries.min(self.producer_max_buffering),
            ..batches
        }
    }

    fn target(self) -> KafkaConfig {
        let listed = self.broker_list.into_iter().filter_map(|(host, port)| {
            let port = u16::try_from(port.as_u64()?).ok()?;
            Some(KafkaBroker {
                host,
                port,
                sasl: None,
            })
        });
        let named = self.brokers.into_iter().map(|broker| KafkaBroker {
            host: broker.host,
            port: broker.port,
            sasl: broker.sasl_config.map(credentials),
        });
        KafkaConfig {
            brokers: listed.chain(named).collect(),
            tls: self.tls.map(|tls| ClientTls {
                verify: tls.verify,
                ..ClientTls::default()
            }),
            topic: self.kafka_topic,
            key: self.key,
            required_acks: self.required_acks,
            timeout: Duration::from_secs(self.timeout),
            meta_refresh: Duration::from_secs(self.meta_refresh_interval),
        }
    }
}

fn credentials(sasl: Sasl) -> SaslConfig {
    SaslConfig {
        mechanism: match sasl.mechanism {
            Mechanism::Plain => SaslMechanism::Plain,
            Mechanism::ScramSha256 => SaslMechanism::ScramSha256,
            Mechanism::ScramSha512 => SaslMechanism::ScramSha512,
        },
        user: sasl.user,
        password: SecretString::from(sasl.password),
    }
}

fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
    let config = Config::deserialize(conf)?;
    let mut format = EntryFormat::compile(conf, env)?;
    if config.meta_format == MetaFormat::Origin {
        format = format.of_request_as_it_came();
    }
    let batches = logger::batch_config(conf, env)?;
    let single = batches.batch_max_size == 1;
    let batches = config.batches(batches);
    let target = KafkaTarget::new(config.target(), &env.services.origins, &env.services.resolver)
        .map_err(|error| CompileError(error.to_string()))?;
    let sink = KafkaSink {
        target: Arc::new(target),
        single,
    };
    Ok(Logger::plugin(format, batches, sink))
}

#[derive(Clone)]
struct KafkaSink {
    target: Arc<KafkaTarget>,
    /// Each entry is a message, not each batch.
    single: bool,
}

impl Sink for KafkaSink {
    type Entry = Vec<u8>;
    type Sender = Self;

    fn entry(&self, format: &EntryFormat, cx: &Context, record: &Record) -> Option<Vec<u8>> {
        match format.original(cx) {
            Some(text) if self.single => Some(text.into_bytes()),
            // A text among others in an array.
            Some(text) => serde_json::to_vec(&text).ok(),
            None => format.line(cx, record),
        }
    }

    fn sender(&self) -> Self {
        self.clone()
    }
}

impl BatchSender<Vec<u8>> for KafkaSink {
    /// Messages keep their order.
    const PARALLEL: usize = 1;

    type Error = KafkaError;

    async fn send(&self, entries: &[Vec<u8>]) -> Result<Delivered, KafkaError> {
        let messages: Vec<Bytes> = if self.single {
            entries.iter().cloned().map(Bytes::from).collect()
        } else {
            vec![json_of(entries, false).into()]
        };
        match self.target.produce(&messages).await {
            Ok(()) => Ok(Delivered::default()),
            Err(error) if error.is_final() => {
                tracing::error!(%error, "messages were refused");
                Ok(Delivered {
                    refused: entries.len(),
                })
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
