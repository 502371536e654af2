//! What the broker answers.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, BrokerId, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse, RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{
    Decodable, Encodable, HeaderVersion, StrBytes, decode_request_header_from_buffer,
};
use kafka_protocol::records::RecordBatchDecoder;

use super::scram::Scram;
use super::{KafkaMessage, State};

/// `SASL_AUTHENTICATION_FAILED`.
const AUTHENTICATION_FAILED: i16 = 58;

/// `UNSUPPORTED_SASL_MECHANISM`.
const UNSUPPORTED_MECHANISM: i16 = 33;

/// Versions that are spoken, by API.
const SPOKEN: [(ApiKey, i16, i16); 5] = [
    (ApiKey::Produce, 3, 11),
    (ApiKey::Metadata, 1, 12),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::SaslHandshake, 0, 1),
    (ApiKey::SaslAuthenticate, 0, 2),
];

/// One client's connection.
pub(super) struct Session {
    state: Arc<State>,
    mechanism: String,
    scram: Option<Scram>,
    authenticated: bool,
}

impl Session {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self {
            authenticated: state.user.is_none(),
            state,
            mechanism: String::new(),
            scram: None,
        }
    }

    /// The answer to a request; nothing where the connection is to be closed.
    pub(super) fn answer(&mut self, mut request: Bytes) -> Option<Bytes> {
        let header = decode_request_header_from_buffer(&mut request).expect("a header");
        let version = header.request_api_version;
        match ApiKey::try_from(header.request_api_key).expect("a known request") {
            ApiKey::ApiVersions => Some(encode(&header, &versions())),
            ApiKey::SaslHandshake => {
                let asked = SaslHandshakeRequest::decode(&mut request, version).expect("a handshake");
                Some(encode(&header, &self.handshake(&asked)))
            }
            ApiKey::SaslAuthenticate => {
                let asked = SaslAuthenticateRequest::decode(&mut request, version).expect("credentials");
                Some(encode(&header, &self.authenticate(&asked)))
            }
            // A broker hangs up on strangers.
            _ if !self.authenticated => None,
            ApiKey::Metadata => {
                let asked = MetadataRequest::decode(&mut request, version).expect("a question");
                Some(encode(&header, &self.metadata(&asked)))
            }
            ApiKey::Produce => {
                let asked = ProduceRequest::decode(&mut request, version).expect("messages");
                Some(encode(&header, &self.produce(asked)))
            }
            other => panic!("a producer asks for {other:?}"),
        }
    }

    fn handshake(&mut self, asked: &SaslHandshakeRequest) -> SaslHandshakeResponse {
        self.mechanism = asked.mechanism.to_string();
        let mut known = vec!["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
        if let Some(only) = self.state.lock().only {
            known = vec![only];
        }
        let code = if known.contains(&&*self.mechanism) {
            0
        } else {
            UNSUPPORTED_MECHANISM
        };
        SaslHandshakeResponse::default()
            .with_error_code(code)
            .with_mechanisms(known.into_iter().map(StrBytes::from_static_str).collect())
    }

    fn authenticate(&mut self, asked: &SaslAuthenticateRequest) -> SaslAuthenticateResponse {
        let said = String::from_utf8(asked.auth_bytes.to_vec()).expect("text");
        let answer = SaslAuthenticateResponse::default();
        match self.judge(&said) {
            Some(reply) => answer.with_auth_bytes(reply.into()),
            None => answer
                .with_error_code(AUTHENTICATION_FAILED)
                .with_error_message(Some(StrBytes::from_static_str("Authentication failed"))),
        }
    }

    /// The reply to a step of the proof; nothing when it fails.
    fn judge(&mut self, said: &str) -> Option<String> {
        let (user, password) = self.state.user.as_ref()?;
        let reply = if self.mechanism == "PLAIN" {
            (said == format!("\0{user}\0{password}")).then(String::new)?
        } else if let Some(scram) = self.scram.take() {
            scram.verify(&self.mechanism, password, said)?
        } else {
            let (scram, challenge) = Scram::challenge(user, said)?;
            self.scram = Some(scram);
            return Some(challenge);
        };
        self.authenticated = true;
        self.state.lock().mechanisms.push(self.mechanism.clone());
        Some(reply)
    }

    fn metadata(&self, asked: &MetadataRequest) -> MetadataResponse {
        self.state.lock().asked += 1;
        let me = BrokerId(1);
        let broker = MetadataResponseBroker::default()
            .with_node_id(me)
            .with_host(StrBytes::from_string(self.state.addr.ip().to_string()))
            .with_port(self.state.addr.port().into());
        let partition = |nth| {
            MetadataResponsePartition::default()
                .with_partition_index(nth)
                .with_leader_id(me)
                .with_replica_nodes(vec![me])
                .with_isr_nodes(vec![me])
        };
        let topics = asked.topics.iter().flatten().map(|topic| {
            MetadataResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions((0..self.state.partitions).map(partition).collect())
        });
        MetadataResponse::default()
            .with_brokers(vec![broker])
            .with_controller_id(me)
            .with_topics(topics.collect())
    }

    fn produce(&self, asked: ProduceRequest) -> ProduceResponse {
        let mut inner = self.state.lock();
        inner.produced += 1;
        let request = inner.produced;
        let code = if inner.refusals.is_empty() {
            0
        } else {
            inner.refusals.remove(0)
        };
        let mut answers = Vec::new();
        for topic in asked.topic_data {
            let mut partitions = Vec::new();
            for data in topic.partition_data {
                let answer = PartitionProduceResponse::default().with_index(data.index);
                partitions.push(answer.with_error_code(code));
                if code != 0 {
                    continue;
                }
                let mut records = data.records.expect("records");
                let set = RecordBatchDecoder::decode(&mut records).expect("records");
                assert!(
                    records.is_empty(),
                    "a broker takes one batch per partition and request"
                );
                inner
                    .messages
                    .extend(set.records.into_iter().map(|record| KafkaMessage {
                        topic: topic.name.to_string(),
                        partition: data.index,
                        key: record.key,
                        value: record.value.expect("a value"),
                        acks: asked.acks,
                        request,
                    }));
            }
            let answer = TopicProduceResponse::default().with_name(topic.name);
            answers.push(answer.with_partition_responses(partitions));
        }
        self.state.arrived.send_replace(inner.messages.len());
        ProduceResponse::default().with_responses(answers)
    }
}

fn versions() -> ApiVersionsResponse {
    let keys = SPOKEN.map(|(key, oldest, newest)| {
        ApiVersion::default()
            .with_api_key(key as i16)
            .with_min_version(oldest)
            .with_max_version(newest)
    });
    ApiVersionsResponse::default().with_api_keys(keys.to_vec())
}

fn encode<A: Encodable + HeaderVersion>(asked: &RequestHeader, answer: &A) -> Bytes {
    let version = asked.request_api_version;
    let header = ResponseHeader::default().with_correlation_id(asked.correlation_id);
    let mut out = BytesMut::new();
    header
        .encode(&mut out, A::header_version(version))
        .expect("a header");
    answer.encode(&mut out, version).expect("an answer");
    out.freeze()
}
