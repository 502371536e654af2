//! Picking a node.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::latency::Latency;
use crate::level::Level;
use crate::{Algorithm, AllHealthy, BalancerConfig, Health, Node, Tried};

/// What one pick depends on.
#[derive(Clone, Copy, Debug)]
pub struct PickContext<'a> {
    /// The value to hash, for [`Algorithm::ConsistentHash`]; callers fall back to the client address.
    pub hash_key: Option<&'a str>,
    /// Nodes to leave out.
    pub tried: &'a Tried,
}

/// Chooses among the nodes of one upstream, and counts what is under way to each.
#[derive(Debug)]
pub struct Balancer {
    config: BalancerConfig,
    /// Highest priority first.
    levels: Box<[Level]>,
    /// By node.
    traffic: Box<[Traffic]>,
}

/// What is known of the traffic to one node.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    active: AtomicU32,
    pub(crate) latency: Latency,
}

impl Traffic {
    pub(crate) fn active(&self) -> u64 {
        u64::from(self.active.load(Ordering::Relaxed))
    }
}

impl Balancer {
    /// A balancer with fresh state. Configuration goes through [`BalancerStates`](crate::BalancerStates) instead,
    /// which keeps the state of one that is there.
    #[must_use]
    pub fn new(config: BalancerConfig) -> Self {
        let mut order: Vec<usize> = (0..config.nodes.len()).collect();
        order.sort_by_key(|node| Reverse(config.nodes[*node].priority));
        let levels = order
            .chunk_by(|a, b| config.nodes[*a].priority == config.nodes[*b].priority)
            .map(|indexes| Level::new(config.algorithm, &config.nodes, indexes))
            .collect();
        let traffic = config.nodes.iter().map(|_| Traffic::default()).collect();
        Self {
            config,
            levels,
            traffic,
        }
    }

    /// What the balancer was made from.
    #[must_use]
    pub fn config(&self) -> &BalancerConfig {
        &self.config
    }

    /// The nodes that picks are indexes of.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.config.nodes
    }

    /// Picks an untried node of the highest level that has one; its index in [`nodes`](Self::nodes). `None` if nobody
    /// is left.
    #[must_use]
    pub fn pick(&self, cx: &PickContext<'_>) -> Option<usize> {
        self.pick_healthy(cx, &AllHealthy)
    }

    /// As [`pick`](Self::pick), among the nodes that are up. Where no node at all is, health is ignored.
    #[must_use]
    pub fn pick_healthy(&self, cx: &PickContext<'_>, health: &dyn Health) -> Option<usize> {
        let among = |health: &dyn Health| {
            self.levels
                .iter()
                .find_map(|level| level.pick(cx, health, &self.traffic))
        };
        let nobody_up = || !self.levels.iter().any(|level| level.any_healthy(health));
        among(health).or_else(|| if nobody_up() { among(&AllHealthy) } else { None })
    }

    /// Counts a request to `node` as under way until the guard is dropped. `None` where the algorithm does not look at
    /// the traffic: then nothing is to be counted.
    #[must_use]
    pub fn begin(self: &Arc<Self>, node: usize) -> Option<InFlightGuard> {
        let traffic = self.traffic.get(node)?;
        let started = match self.config.algorithm {
            Algorithm::LeastConn => None,
            Algorithm::Ewma => Some(Instant::now()),
            Algorithm::RoundRobin | Algorithm::ConsistentHash => return None,
        };
        traffic.active.fetch_add(1, Ordering::Relaxed);
        Some(InFlightGuard {
            balancer: Arc::clone(self),
            node,
            started,
            answered: false,
        })
    }

    /// Requests under way to `node`.
    #[must_use]
    pub fn in_flight(&self, node: usize) -> u64 {
        self.traffic.get(node).map_or(0, Traffic::active)
    }

    /// Takes in how long `node` took to answer. Only [`Algorithm::Ewma`] looks at it.
    pub fn observe(&self, node: usize, response_time: Duration, now: Instant) {
        let wanted = self.config.algorithm == Algorithm::Ewma;
        if let Some(traffic) = self.traffic.get(node).filter(|_| wanted) {
            traffic.latency.observe(response_time, now);
        }
    }
}

/// One request under way to one node.
#[derive(Debug)]
pub struct InFlightGuard {
    balancer: Arc<Balancer>,
    node: usize,
    /// When it began, where response times count.
    started: Option<Instant>,
    answered: bool,
}

impl InFlightGuard {
    /// Says that the node has answered: the time until the guard is dropped is its response time. A node that failed
    /// fast must not look like a fast one.
    pub fn answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        if let Some(traffic) = self.balancer.traffic.get(self.node) {
            traffic.active.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(started) = self.started.filter(|_| self.answered) {
            let now = Instant::now();
            self.balancer
                .observe(self.node, now.saturating_duration_since(started), now);
        }
    }
}

#[cfg(test)]
mod tests;
