//! `checks` as written, with APISIX's defaults.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// The block `checks` of an upstream, or of an instance of `ai-proxy-multi`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ChecksConfig {
    /// What is asked of nodes from time to time.
    pub active: ActiveChecks,
    /// What is made of the answers that clients get.
    pub passive: Option<PassiveChecks>,
}

/// How nodes are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckType {
    /// A request whose status counts.
    #[default]
    Http,
    /// The same over TLS.
    Https,
    /// A connection that is closed again.
    Tcp,
}

impl CheckType {
    /// As configurations write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
        }
    }
}

/// The block `checks.active`.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct ActiveChecks {
    /// How nodes are asked.
    #[serde(rename = "type")]
    pub kind: CheckType,
    /// Seconds to connect, and to answer.
    pub timeout: f64,
    /// Nodes that are asked at the same time.
    pub concurrency: usize,
    /// Name of the host instead of the node's own: for `Host`, SNI and the certificate.
    pub host: Option<String>,
    /// Port instead of the node's own.
    pub port: Option<u16>,
    /// Method of the request.
    pub http_method: String,
    /// Path and query of the request.
    pub http_path: String,
    /// Body of the request.
    pub http_req_body: String,
    /// Whether the certificate must hold.
    pub https_verify_certificate: bool,
    /// More headers, each as `Name: value`. They may hold credentials.
    pub req_headers: Vec<String>,
    /// What makes a node healthy.
    pub healthy: ActiveHealthy,
    /// What makes a node unhealthy.
    pub unhealthy: ActiveUnhealthy,
}

impl fmt::Debug for ActiveChecks {
    /// Without path, body and headers, which may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActiveChecks")
            .field("kind", &self.kind)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("healthy", &self.healthy)
            .field("unhealthy", &self.unhealthy)
            .finish_non_exhaustive()
    }
}

impl ActiveChecks {
    /// Time to connect, and to answer.
    pub(super) fn time_limit(&self) -> Duration {
        let limit = Duration::try_from_secs_f64(self.timeout).unwrap_or_default();
        if limit.is_zero() {
            Duration::from_secs(1)
        } else {
            limit
        }
    }
}

impl Default for ActiveChecks {
    fn default() -> Self {
        Self {
            kind: CheckType::Http,
            timeout: 1.0,
            concurrency: 10,
            host: None,
            port: None,
            http_method: "GET".to_owned(),
            http_path: "/".to_owned(),
            http_req_body: String::new(),
            https_verify_certificate: true,
            req_headers: Vec::new(),
            healthy: ActiveHealthy::default(),
            unhealthy: ActiveUnhealthy::default(),
        }
    }
}

/// The block `checks.active.healthy`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ActiveHealthy {
    /// Seconds between two looks at healthy nodes.
    pub interval: u64,
    /// Statuses that count as success.
    pub http_statuses: Vec<u16>,
    /// Successes in a row that make a node healthy.
    pub successes: u32,
}

impl Default for ActiveHealthy {
    fn default() -> Self {
        Self {
            interval: 1,
            http_statuses: vec![200, 302],
            successes: 2,
        }
    }
}

/// The block `checks.active.unhealthy`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ActiveUnhealthy {
    /// Seconds between two looks at unhealthy nodes.
    pub interval: u64,
    /// Statuses that count as failure.
    pub http_statuses: Vec<u16>,
    /// Failures by status that make a node unhealthy.
    pub http_failures: u32,
    /// Failures to connect that make a node unhealthy.
    pub tcp_failures: u32,
    /// Time-outs that make a node unhealthy.
    pub timeouts: u32,
}

impl Default for ActiveUnhealthy {
    fn default() -> Self {
        Self {
            interval: 1,
            http_statuses: vec![429, 404, 500, 501, 502, 503, 504, 505],
            http_failures: 5,
            tcp_failures: 2,
            timeouts: 3,
        }
    }
}

/// The block `checks.passive`. A count of 0 turns its kind of report off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PassiveChecks {
    /// Answers that make a node healthy.
    pub healthy: PassiveHealthy,
    /// Answers that make it unhealthy.
    pub unhealthy: PassiveUnhealthy,
}

/// The block `checks.passive.healthy`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PassiveHealthy {
    /// Statuses that count as success.
    pub http_statuses: Vec<u16>,
    /// Successes in a row that make a node healthy.
    pub successes: u32,
}

impl Default for PassiveHealthy {
    fn default() -> Self {
        Self {
            http_statuses: (200..=208).chain([226]).chain(300..=308).collect(),
            successes: 5,
        }
    }
}

/// The block `checks.passive.unhealthy`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PassiveUnhealthy {
    /// Statuses that count as failure.
    pub http_statuses: Vec<u16>,
    /// Failures by status that make a node unhealthy.
    pub http_failures: u32,
    /// Failures to connect that make a node unhealthy.
    pub tcp_failures: u32,
    /// Time-outs that make a node unhealthy.
    pub timeouts: u32,
}

impl Default for PassiveUnhealthy {
    fn default() -> Self {
        Self {
            http_statuses: vec![429, 500, 503],
            http_failures: 5,
            tcp_failures: 2,
            timeouts: 7,
        }
    }
}
