//! Who leads which partition of the topic, and the connections to them.

use std::collections::HashMap;

use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponse;
use kafka_protocol::{ResponseError, messages::BrokerId};
use tokio::time::Instant;

use super::connection::Connection;
use super::{KafkaError, KafkaTarget};

/// Host and port.
pub(super) type Address = (String, u16);

/// Connections that are open.
#[derive(Default)]
pub(super) struct Brokers(HashMap<Address, Connection>);

impl Brokers {
    /// A connection to a broker: the one at hand unless its peer has closed it.
    pub(super) async fn connection(
        &mut self,
        target: &KafkaTarget,
        address: &Address,
    ) -> Result<&mut Connection, KafkaError> {
        if let Some(known) = self.0.get_mut(address)
            && known.is_closed().await
        {
            self.0.remove(address);
        }
        let (host, port) = address;
        match self.0.entry(address.clone()) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(free) => {
                Ok(free.insert(target.connect(host, *port).await?))
            }
        }
    }

    pub(super) fn forget(&mut self, address: &Address) {
        self.0.remove(address);
    }
}

/// The partitions of the topic that can be produced to.
pub(super) struct Topic {
    pub(super) asked: Instant,
    /// Number and leader, in the order of the numbers.
    partitions: Vec<(i32, Address)>,
}

impl Topic {
    /// The partition for a key, else the next in turn (the rule of lua-resty-kafka).
    pub(super) fn pick(&self, key: Option<&str>, turn: usize) -> Option<(i32, &Address)> {
        let hash = key.map(|key| crc32fast::hash(key.as_bytes()) as usize);
        let nth = hash.unwrap_or(turn).checked_rem(self.partitions.len())?;
        self.partitions.get(nth).map(|(number, leader)| (*number, leader))
    }
}

/// Asks the configured brokers in turn who leads the topic's partitions; the first that knows is believed.
pub(super) async fn ask(target: &KafkaTarget, brokers: &mut Brokers) -> Result<Topic, KafkaError> {
    let mut failure = KafkaError::NoLeader;
    for broker in &target.config.brokers {
        let address = (broker.host.clone(), broker.port);
        match ask_one(target, brokers, &address).await {
            Ok(topic) => return Ok(topic),
            Err(error) => {
                brokers.forget(&address);
                failure = error;
            }
        }
    }
    Err(failure)
}

async fn ask_one(
    target: &KafkaTarget,
    brokers: &mut Brokers,
    address: &Address,
) -> Result<Topic, KafkaError> {
    let topic = MetadataRequestTopic::default().with_name(Some(target.topic_name()));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(true);
    let connection = brokers.connection(target, address).await?;
    let answer = connection.call(&request, target.config.timeout).await?;
    let codes = answer.topics.iter().map(|topic| topic.error_code);
    if let Some(error) = codes
        .chain([answer.error_code])
        .find_map(ResponseError::try_from_code)
    {
        return Err(KafkaError::Broker(error));
    }
    let mut partitions = leaders(&answer);
    partitions.sort_unstable_by_key(|(number, _)| *number);
    if partitions.is_empty() {
        return Err(KafkaError::NoLeader);
    }
    Ok(Topic {
        asked: Instant::now(),
        partitions,
    })
}

fn leaders(answer: &MetadataResponse) -> Vec<(i32, Address)> {
    let address = |id: BrokerId| {
        let broker = answer.brokers.iter().find(|broker| broker.node_id == id)?;
        Some((broker.host.to_string(), u16::try_from(broker.port).ok()?))
    };
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    partitions
        .filter_map(|partition| Some((partition.partition_index, address(partition.leader_id)?)))
        .collect()
}
