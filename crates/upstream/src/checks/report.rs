//! What checkers tell to those who look.

use std::net::IpAddr;
use std::sync::Arc;

use super::config::CheckType;
use super::tally::Status;

/// A checker and its nodes, as the control API and the metrics show them (compat §10).
#[derive(Clone, Debug)]
pub struct CheckerReport {
    /// Key of the resource, for instance `/apisix/upstreams/1`, and where in it the checks stand.
    pub name: Arc<str>,
    /// How nodes are asked.
    pub kind: CheckType,
    /// The addresses of all nodes.
    pub nodes: Vec<CheckedNode>,
}

/// One address.
#[derive(Clone, Debug)]
pub struct CheckedNode {
    /// The address.
    pub ip: IpAddr,
    /// The port that is asked.
    pub port: u16,
    /// Name of the host.
    pub hostname: Arc<str>,
    /// `Host` of the probes, where it is not `hostname`.
    pub host_header: Option<Arc<str>>,
    /// How it stands.
    pub status: Status,
    /// What was counted.
    pub counter: Counter,
}

/// What was counted of an address since it last changed sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// Successes in a row.
    pub success: u32,
    /// Failures by status.
    pub http_failure: u32,
    /// Failures to connect.
    pub tcp_failure: u32,
    /// Time-outs.
    pub timeout_failure: u32,
}
