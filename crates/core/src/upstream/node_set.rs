//! Nodes to pick from, and who picks.

use std::sync::Arc;

use sluice_net::Origin;
use sluice_record::Text;
use sluice_upstream::{AddressHealth, Balancer, Checker, Health, PickContext, Tried};

/// A node.
pub struct Node {
    /// Where it is.
    pub origin: Arc<Origin>,
    /// `host:port`, for logs.
    pub address: Text,
    /// Its place among the nodes as configured, by which the checker knows it.
    pub configured: usize,
    /// How it is, where it is one address of several; otherwise the checker knows.
    pub health: Option<AddressHealth>,
}

/// The nodes of an upstream that a request picks from.
pub struct NodeSet {
    /// In the order that [`Balancer::pick`] counts.
    pub nodes: Vec<Node>,
    /// Chooses among them. Its state outlives this version of the upstream.
    pub balancer: Arc<Balancer>,
    /// Who knows which nodes are up, if they are checked.
    pub checker: Option<Arc<Checker>>,
    /// The `type` of the upstream does not exist: of several nodes none can be picked (compat §8.1).
    pub unknown_type: bool,
}

impl NodeSet {
    /// Picks an untried node among those that are up; its index in [`nodes`](Self::nodes). `None` when nobody is left.
    #[must_use]
    pub fn pick(&self, hash_key: Option<&str>, tried: &Tried) -> Option<usize> {
        if self.unknown_type && self.nodes.len() > 1 {
            return None;
        }
        let pick = PickContext { hash_key, tried };
        let Some(checker) = &self.checker else {
            return self.balancer.pick(&pick);
        };
        checker.touch();
        self.balancer
            .pick_healthy(&pick, &|index: usize| self.is_up(checker, index))
    }

    fn is_up(&self, checker: &Checker, index: usize) -> bool {
        self.nodes.get(index).is_none_or(|node| match &node.health {
            Some(health) => health.is_up(),
            None => checker.healthy(node.configured),
        })
    }
}
