//! Balancers over weighted nodes, and their state.
//!
//! A [`Balancer`] picks one of the nodes of an upstream, or of the instances of `ai-proxy-multi`: the levels of
//! `priority` from the top, in each the [`Algorithm`], leaving out what was [`Tried`] and what [`Health`] calls
//! down. [`BalancerStates`] hands the same balancer to every configuration snapshot as long as its config is the
//! same, so that an unrelated edit resets neither positions nor counts.
//!
//! The crate does no I/O, resolves no names and probes nothing: nodes are what the caller says they are, and an
//! answer is an index into them. Semantics: compat §4.3 (pick table) and §8.2.
//!
//! ```
//! use sluice_upstream::{Algorithm, BalancerConfig, BalancerStates, Node, PickContext, Tried};
//!
//! let states = BalancerStates::default();
//! let balancer = states.balancer("/apisix/upstreams/1", BalancerConfig {
//!     algorithm: Algorithm::RoundRobin,
//!     nodes: vec![Node::new("10.0.0.1:80", 2), Node::new("10.0.0.2:80", 1)],
//! });
//!
//! let mut tried = Tried::default();
//! while let Some(node) = balancer.pick(&PickContext { hash_key: None, tried: &tried }) {
//!     let _counted = balancer.begin(node);    // for least_conn
//!     tried.insert(node);                     // this one failed, take another
//! }
//! ```

mod balancer;
mod config;
mod health;
mod latency;
mod level;
mod ring;
mod round_robin;
mod states;
mod tried;

pub use self::balancer::{Balancer, InFlightGuard, PickContext};
pub use self::config::{Algorithm, BalancerConfig, Node, UnknownAlgorithm};
pub use self::health::{AllHealthy, Health};
pub use self::states::BalancerStates;
pub use self::tried::Tried;
