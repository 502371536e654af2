//! Balancers over weighted nodes, their state, and health checks.
//!
//! A [`Balancer`] picks one of the nodes of an upstream, or of the instances of `ai-proxy-multi`: the levels of
//! `priority` from the top, in each the [`Algorithm`], leaving out what was [`Tried`] and what [`Health`] calls
//! down. [`BalancerStates`] hands the same balancer to every configuration snapshot as long as its config is the
//! same, so that an unrelated edit resets neither positions nor counts.
//!
//! [`Checkers`] does the same for health checks: a [`Checker`] asks the nodes of one upstream at intervals, takes in
//! how requests of clients went, and is the [`Health`] that picks look at.
//!
//! [`TargetStates`] keeps how LLM targets are doing, for the strategies of the model registry, and [`Affinities`] which
//! of them made what only its maker can go on with.
//!
//! Nodes are what the caller says they are, and an answer is an index into them. The crate knows no request and no
//! resource. Semantics: compat §4.3 (pick table), §8.2 and §8.4.
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

mod affinity;
mod balancer;
mod breakers;
mod checks;
mod config;
mod health;
mod latency;
mod level;
mod ring;
mod round_robin;
mod states;
mod targets;
mod tried;

pub use self::affinity::Affinities;
pub use self::balancer::{Balancer, InFlightGuard, PickContext};
pub use self::breakers::{BreakerRules, Breakers};
pub use self::checks::{
    ActiveChecks, ActiveHealthy, ActiveUnhealthy, AddressHealth, CheckType, CheckedNode, Checker,
    CheckerConfig, CheckerReport, Checkers, ChecksConfig, Counter, Outcome, PassiveChecks, PassiveHealthy,
    PassiveUnhealthy, Status, Target,
};
pub use self::config::{Algorithm, BalancerConfig, Node, UnknownAlgorithm};
pub use self::health::{AllHealthy, Health};
pub use self::states::BalancerStates;
pub use self::targets::{OWN_TARGETS, TargetGuard, TargetState, TargetStates, TargetView};
pub use self::tried::Tried;
