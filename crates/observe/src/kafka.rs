//! A Kafka producer, as much of one as a logger needs: one topic, no transactions, no compression.
//!
//! The wire format is `kafka-protocol`'s; connections, leaders and retries are here, since every complete client brings
//! a second TLS stack.

mod connection;
mod sasl;
mod topic;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use sluice_net::{ClientTls, Origin, OriginConfig, OriginError, Origins, Protocol, Resolver, Scheme};
use tokio::sync::Mutex;

use self::connection::Connection;
pub use self::sasl::{SaslConfig, SaslMechanism};
use self::topic::{Brokers, Topic};
use crate::remote::RemoteError;

/// Tries for one batch, as lua-resty-kafka makes them: after each, leaders are asked for anew.
const TRIES: u32 = 3;

/// Pause before the next try.
const BACKOFF: Duration = Duration::from_millis(100);

/// Where to produce, and how.
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    /// Host, port and credentials of those asked for the leaders. Leaders that are not among them are authenticated
    /// with as with the first one.
    pub brokers: Vec<KafkaBroker>,
    /// TLS to all brokers.
    pub tls: Option<ClientTls>,
    /// The topic.
    pub topic: String,
    /// Key of all messages: they share a partition then.
    pub key: Option<String>,
    /// `1`: the leader has it. `-1`: all replicas in sync have it.
    pub required_acks: i16,
    /// Limit for connecting and for each answer.
    pub timeout: Duration,
    /// How long leaders are believed.
    pub meta_refresh: Duration,
}

/// One of [`KafkaConfig::brokers`].
#[derive(Clone, Debug)]
pub struct KafkaBroker {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Credentials.
    pub sasl: Option<SaslConfig>,
}

/// Why messages were not taken.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// The broker cannot be reached, or broke off.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A broker's host is none, or TLS cannot be set up.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// It says something that is not Kafka.
    #[error("broker's answer cannot be read: {0}")]
    Protocol(String),
    /// It speaks no version that is spoken here.
    #[error("broker speaks no version of {0} that is spoken here")]
    Version(&'static str),
    /// It refuses the credentials, or their mechanism.
    #[error("authentication failed: {0}")]
    Auth(String),
    /// It refuses the request.
    #[error("broker answered {0}")]
    Broker(ResponseError),
    /// No partition of the topic has a leader.
    #[error("topic has no partition with a leader")]
    NoLeader,
}

impl KafkaError {
    /// Whether messages of this content or size are refused by whatever broker.
    #[must_use]
    pub fn is_final(&self) -> bool {
        use ResponseError::{CorruptMessage, InvalidRecord, MessageTooLarge, RecordListTooLarge};
        matches!(
            self,
            Self::Broker(MessageTooLarge | RecordListTooLarge | InvalidRecord | CorruptMessage)
        )
    }
}

/// A compiled [`KafkaConfig`]. Batches are produced one after the other, so that their order stays.
pub struct KafkaTarget {
    config: KafkaConfig,
    origins: Origins,
    resolver: Resolver,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    brokers: Brokers,
    topic: Option<Topic>,
    /// Counts batches, so that those without a key go round the partitions.
    turn: usize,
}

impl KafkaTarget {
    /// Compiles a configuration. Connects to nobody yet.
    ///
    /// # Errors
    /// When the host of a broker is none, or TLS cannot be set up.
    pub fn new(config: KafkaConfig, origins: &Origins, resolver: &Resolver) -> Result<Self, OriginError> {
        let target = Self {
            config,
            origins: origins.clone(),
            resolver: resolver.clone(),
            state: Mutex::default(),
        };
        for broker in &target.config.brokers {
            target.origin(&broker.host, broker.port)?;
        }
        Ok(target)
    }

    /// Produces messages to one partition, all or none.
    ///
    /// # Errors
    /// When no broker took them.
    pub async fn produce(&self, messages: &[Bytes]) -> Result<(), KafkaError> {
        let state = &mut *self.state.lock().await;
        state.turn = state.turn.wrapping_add(1);
        let mut tries = 1;
        loop {
            let error = match self.try_produce(state, messages).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            // Whoever is leader now, those known before are not to be trusted.
            state.topic = None;
            let hopeless = match &error {
                KafkaError::Broker(refused) => !refused.is_retriable(),
                KafkaError::Auth(_) | KafkaError::Version(_) => true,
                _ => false,
            };
            if hopeless || tries == TRIES {
                return Err(error);
            }
            tracing::debug!(%error, topic = self.config.topic, "producing failed, asking for leaders anew");
            tries += 1;
            tokio::time::sleep(BACKOFF).await;
        }
    }

    async fn try_produce(&self, state: &mut State, messages: &[Bytes]) -> Result<(), KafkaError> {
        let stale = |topic: &Topic| topic.asked.elapsed() >= self.config.meta_refresh;
        if state.topic.as_ref().is_none_or(stale) {
            state.topic = Some(topic::ask(self, &mut state.brokers).await?);
        }
        let topic = state.topic.as_ref().ok_or(KafkaError::NoLeader)?;
        let (partition, leader) = topic
            .pick(self.config.key.as_deref(), state.turn)
            .ok_or(KafkaError::NoLeader)?;
        let request = self.request(partition, messages)?;
        let leader = leader.clone();
        let connection = state.brokers.connection(self, &leader).await?;
        let answer = connection.call(&request, self.config.timeout).await;
        if answer.is_err() {
            // Out of step with its peer.
            state.brokers.forget(&leader);
        }
        let answer = answer?;
        let mut codes = answer
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses);
        let code = codes.next().map_or(0, |partition| partition.error_code);
        ResponseError::try_from_code(code).map_or(Ok(()), |error| Err(KafkaError::Broker(error)))
    }

    fn request(&self, partition: i32, messages: &[Bytes]) -> Result<ProduceRequest, KafkaError> {
        let key = self.config.key.clone().map(Bytes::from);
        let records: Vec<Record> = messages
            .iter()
            .zip(0_i32..)
            .map(|(message, nth)| record(nth, key.clone(), message.clone()))
            .collect();
        let options = RecordEncodeOptions {
            version: 2,
            compression: Compression::None,
        };
        let mut encoded = BytesMut::new();
        RecordBatchEncoder::encode(&mut encoded, &records, &options).map_err(unreadable)?;
        let data = PartitionProduceData::default()
            .with_index(partition)
            .with_records(Some(encoded.freeze()));
        let topic = TopicProduceData::default()
            .with_name(self.topic_name())
            .with_partition_data(vec![data]);
        let limit = i32::try_from(self.config.timeout.as_millis()).unwrap_or(i32::MAX);
        Ok(ProduceRequest::default()
            .with_acks(self.config.required_acks)
            .with_timeout_ms(limit)
            .with_topic_data(vec![topic]))
    }

    fn topic_name(&self) -> TopicName {
        TopicName(StrBytes::from_string(self.config.topic.clone()))
    }

    fn origin(&self, host: &str, port: u16) -> Result<Arc<Origin>, OriginError> {
        let scheme = if self.config.tls.is_some() {
            Scheme::Https
        } else {
            Scheme::Http
        };
        self.origins.get(OriginConfig {
            tls: self.config.tls.clone().unwrap_or_default(),
            protocol: Protocol::Other,
            ..OriginConfig::new(scheme, host, port)
        })
    }

    /// Connects, and says who we are.
    async fn connect(&self, host: &str, port: u16) -> Result<Connection, KafkaError> {
        let origin = self.origin(host, port)?;
        let known = self
            .config
            .brokers
            .iter()
            .find(|broker| broker.host == host && broker.port == port);
        let sasl = known
            .or(self.config.brokers.first())
            .and_then(|broker| broker.sasl.as_ref());
        let mut connection = Connection::open(&origin, &self.resolver, self.config.timeout).await?;
        if let Some(sasl) = sasl {
            sasl::authenticate(&mut connection, sasl, self.config.timeout).await?;
        }
        Ok(connection)
    }
}

impl fmt::Debug for KafkaTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaTarget")
            .field("topic", &self.config.topic)
            .finish_non_exhaustive()
    }
}

fn record(nth: i32, key: Option<Bytes>, value: Bytes) -> Record {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: nth.into(),
        // One after the other: the codec starts another batch where they are not, and brokers take one per request.
        sequence: NO_SEQUENCE.saturating_add(nth),
        timestamp: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
        key,
        value: Some(value),
        headers: Default::default(),
    }
}

/// The codec's words. They quote sizes and versions, never what was said.
fn unreadable(error: impl fmt::Display) -> KafkaError {
    KafkaError::Protocol(error.to_string())
}

#[cfg(test)]
mod tests;
