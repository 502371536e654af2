//! A cluster of three masters.

use super::{RedisServer, free_port};
use crate::patience::eventually;

/// All slots of a cluster.
const SLOTS: usize = 16_384;
const NODES: usize = 3;

/// Three masters without replicas, which share all slots.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts the nodes and waits until they agree.
    ///
    /// # Panics
    /// When they do not.
    pub async fn start() -> Self {
        let mut nodes = Vec::with_capacity(NODES);
        for _ in 0..NODES {
            let bus = free_port().to_string();
            let args = [
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-node-timeout",
                "1000",
            ];
            nodes.push((RedisServer::with_args(&args).await, bus));
        }
        let (first, bus) = (nodes[0].0.port().to_string(), nodes[0].1.clone());
        for (index, (node, _)) in nodes.iter().enumerate() {
            let (from, to) = (SLOTS * index / NODES, SLOTS * (index + 1) / NODES - 1);
            let _ = node.command(&["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()]);
            let _ = node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
            let _ = node.command(&["CLUSTER", "MEET", "127.0.0.1", &first, &bus]);
        }
        let cluster = Self {
            nodes: nodes.into_iter().map(|(node, _)| node).collect(),
        };
        cluster.agrees().await;
        cluster
    }

    async fn agrees(&self) {
        for node in &self.nodes {
            eventually("the cluster to be complete", async || {
                let info = node.command(&["CLUSTER", "INFO"]);
                let complete = info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3");
                complete.then_some(())
            })
            .await;
        }
    }

    /// Its nodes.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }
}
