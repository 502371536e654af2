//! A checker: the nodes of one upstream, asked at intervals.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sluice_net::{ClientCertificate, Origins, Pool, Resolver};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::nodes::{AddressHealth, Nodes, lock};
use super::registry::CheckerConfig;
use super::report::CheckerReport;
use super::tally::Outcome;
use crate::Health;

/// How long after the first request checks begin (compat §8.4).
const START_AFTER: Duration = Duration::from_secs(1);

/// A node to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name or address, without brackets.
    pub host: Arc<str>,
    /// The node's port; `checks.active.port` wins over it.
    pub port: u16,
    /// `Host` of probes, where it is neither `checks.active.host` nor `host`.
    pub host_header: Option<Arc<str>>,
    /// Shown to the node by probes over TLS.
    pub certificate: Option<ClientCertificate>,
}

/// Checks the nodes of an upstream, from its first request until it is dropped.
///
/// As a view of [`Health`] it counts nodes as the upstream does. A node is down when all its addresses are; before
/// anything is known it is up.
#[derive(Debug)]
pub struct Checker {
    nodes: Arc<Nodes>,
    env: Arc<Env>,
    started: AtomicBool,
    task: Mutex<Option<AbortHandle>>,
}

/// What checkers run with.
pub(super) struct Env {
    pub(super) runtime: Handle,
    pub(super) resolver: Resolver,
    pub(super) origins: Origins,
    pub(super) pool: Pool,
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env").finish_non_exhaustive()
    }
}

impl Checker {
    pub(super) fn new(config: CheckerConfig, env: Arc<Env>) -> Self {
        Self {
            nodes: Arc::new(Nodes::new(config)),
            env,
            started: AtomicBool::new(false),
            task: Mutex::default(),
        }
    }

    pub(super) fn config(&self) -> &CheckerConfig {
        &self.nodes.config
    }

    /// Says that a request is about to use the upstream: the first one starts the checks. One load afterwards.
    pub fn touch(&self) {
        if self.started.load(Ordering::Relaxed) || self.started.swap(true, Ordering::Relaxed) {
            return;
        }
        let task = self.env.runtime.spawn(run(self.nodes.clone(), self.env.clone()));
        *lock(&self.task) = Some(task.abort_handle());
    }

    /// Takes in how a client's request to a node went, where passive checks are on and checks have begun.
    pub fn report(&self, node: usize, addr: Option<SocketAddr>, outcome: Outcome) {
        let Some(rules) = &self.nodes.passive else { return };
        if self.nodes.running.load(Ordering::Relaxed) {
            self.nodes.count(node, addr.map(|addr| addr.ip()), rules, outcome);
        }
    }

    /// How one address of a node is from here on: for those who pick among the addresses of a name.
    #[must_use]
    pub fn address(&self, node: usize, ip: IpAddr) -> AddressHealth {
        self.nodes.address(node, ip)
    }

    /// Ends the checks for good. What is known of the nodes stays.
    pub(super) fn stop(&self) {
        self.started.store(true, Ordering::Relaxed);
        self.nodes.running.store(false, Ordering::Relaxed);
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
    }

    /// How the nodes stand; `None` before checks have begun and after they have ended.
    #[must_use]
    pub fn status(&self) -> Option<CheckerReport> {
        self.nodes
            .running
            .load(Ordering::Relaxed)
            .then(|| self.nodes.status())
    }
}

impl Health for Checker {
    fn healthy(&self, node: usize) -> bool {
        self.nodes.is_up(node)
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Asks healthy and unhealthy addresses, each at their own pace.
async fn run(nodes: Arc<Nodes>, env: Arc<Env>) {
    tokio::time::sleep(START_AFTER).await;
    nodes.find_addresses(&env).await;
    nodes.running.store(true, Ordering::Relaxed);
    let active = &nodes.config.checks.active;
    tokio::join!(
        nodes.ask_again(&env, true, active.healthy.interval),
        nodes.ask_again(&env, false, active.unhealthy.interval),
    );
}
