//! What a balancer is made from.

use std::str::FromStr;
use std::sync::Arc;

/// A member of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// `host:port`, or the name of an instance. Places the node on the hash ring, so it should outlive edits.
    pub id: Arc<str>,
    /// Share of the traffic. 0 takes part only where all healthy nodes of the level have 0.
    pub weight: u32,
    /// Higher levels come first.
    pub priority: i32,
}

impl Node {
    /// A node of priority 0.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>, weight: u32) -> Self {
        Self {
            id: id.into(),
            weight,
            priority: 0,
        }
    }
}

/// How a node is chosen among those of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Weighted interleave.
    RoundRobin,
    /// Consistent hashing of a key.
    ConsistentHash,
    /// Fewest requests under way per weight.
    LeastConn,
    /// The faster of two random nodes, by decayed response time.
    Ewma,
}

/// A balancer type that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown balancer type `{0}`")]
pub struct UnknownAlgorithm(pub String);

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// The names of an upstream's `type` (compat §8.1).
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        match name {
            "roundrobin" => Ok(Self::RoundRobin),
            "chash" => Ok(Self::ConsistentHash),
            "least_conn" => Ok(Self::LeastConn),
            "ewma" => Ok(Self::Ewma),
            unknown => Err(UnknownAlgorithm(unknown.to_owned())),
        }
    }
}

/// Nodes and how to choose among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalancerConfig {
    /// How a node is chosen.
    pub algorithm: Algorithm,
    /// The nodes, in any order of priority. A pick is an index into this list.
    pub nodes: Vec<Node>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_by_name() {
        assert_eq!("chash".parse(), Ok(Algorithm::ConsistentHash));
        assert_eq!(
            "random".parse::<Algorithm>().unwrap_err().to_string(),
            "unknown balancer type `random`"
        );
    }
}
