//! The nodes of a checker: their addresses, and what is known of them.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use sluice_net::Origin;
use tokio::time::MissedTickBehavior;

use super::checker::{Env, Target};
use super::probe::Probe;
use super::registry::CheckerConfig;
use super::report::{CheckedNode, CheckerReport};
use super::tally::{Outcome, Rules, Tally};

/// The nodes of a checker.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) config: CheckerConfig,
    probe: Probe,
    active: Rules,
    pub(super) passive: Option<Rules>,
    /// Whether checks have begun.
    pub(super) running: AtomicBool,
    states: Box<[NodeState]>,
}

#[derive(Debug)]
struct NodeState {
    up: AtomicBool,
    addresses: Mutex<Vec<Address>>,
    /// What those look at who pick by address, also of addresses that are not checked yet.
    shown: Mutex<HashMap<IpAddr, Weak<AtomicBool>>>,
}

/// Whether one address of a node is up. Cheap to clone and to ask.
#[derive(Clone, Debug)]
pub struct AddressHealth(Arc<AtomicBool>);

impl AddressHealth {
    /// Whether it may be picked.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Address {
    ip: IpAddr,
    origin: Arc<Origin>,
    tally: Tally,
    shown: AddressHealth,
}

/// An address that is to be asked.
struct Due {
    node: usize,
    addr: SocketAddr,
    origin: Arc<Origin>,
}

impl Nodes {
    /// Nothing is known yet.
    pub(super) fn new(config: CheckerConfig) -> Self {
        let state = |_: &Target| NodeState {
            up: AtomicBool::new(true),
            addresses: Mutex::default(),
            shown: Mutex::default(),
        };
        Self {
            probe: Probe::new(&config.name, &config.checks.active),
            active: Rules::from(&config.checks.active),
            passive: config.checks.passive.as_ref().map(Rules::from),
            running: AtomicBool::new(false),
            states: config.targets.iter().map(state).collect(),
            config,
        }
    }

    /// Whether a node may be picked.
    pub(super) fn is_up(&self, node: usize) -> bool {
        self.states
            .get(node)
            .is_none_or(|state| state.up.load(Ordering::Relaxed))
    }

    /// How one address of a node is from here on; up as long as nothing is known of it.
    pub(super) fn address(&self, node: usize, ip: IpAddr) -> AddressHealth {
        let unknown = || AddressHealth(Arc::new(AtomicBool::new(true)));
        self.states
            .get(node)
            .map_or_else(unknown, |state| state.shown(ip))
    }

    /// Follows the nodes' names. Addresses that stay keep their counts; a name that does not resolve changes nothing.
    pub(super) async fn find_addresses(&self, env: &Env) {
        for (target, state) in self.config.targets.iter().zip(&self.states) {
            let found: Vec<IpAddr> = match env.resolver.resolve(&target.host).await {
                Ok(addresses) => addresses.iter().collect(),
                Err(error) => {
                    tracing::warn!(checker = %self.config.name, %error, "a node cannot be checked");
                    continue;
                }
            };
            let mut known = lock(&state.addresses);
            known.retain(|address| found.contains(&address.ip));
            for ip in found {
                if known.iter().any(|address| address.ip == ip) {
                    continue;
                }
                let name = self.server_name(target);
                let certificate = target.certificate.clone();
                let port = self.port(target);
                match self.probe.origin(&env.origins, ip, port, &name, certificate) {
                    Ok(origin) => {
                        let (tally, shown) = (Tally::default(), state.shown(ip));
                        shown.0.store(tally.status.is_up(), Ordering::Relaxed);
                        known.push(Address {
                            ip,
                            origin,
                            tally,
                            shown,
                        });
                    }
                    Err(error) => {
                        tracing::warn!(checker = %self.config.name, %error, "a node cannot be checked");
                    }
                }
            }
            state.note(&known);
        }
    }

    /// Asks all addresses that are up, or all that are down, every so many seconds.
    pub(super) async fn ask_again(&self, env: &Env, up: bool, seconds: u64) {
        let concurrency = self.config.checks.active.concurrency.max(1);
        let mut ticks = tokio::time::interval(Duration::from_secs(seconds.max(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if up {
                self.find_addresses(env).await;
            }
            futures_util::stream::iter(self.due(up))
                .for_each_concurrent(concurrency, |due| self.ask(env, due))
                .await;
        }
    }

    async fn ask(&self, env: &Env, due: Due) {
        let host = self.host(&self.config.targets[due.node]);
        let outcome = self.probe.ask(&env.pool, &due.origin, due.addr, &host).await;
        self.count(due.node, Some(due.addr.ip()), &self.active, outcome);
    }

    fn due(&self, up: bool) -> Vec<Due> {
        let mut due = Vec::new();
        for (node, state) in self.states.iter().enumerate() {
            let port = self.port(&self.config.targets[node]);
            let addresses = lock(&state.addresses);
            let wanted = addresses
                .iter()
                .filter(|address| address.tally.status.is_up() == up);
            due.extend(wanted.map(|address| Due {
                node,
                addr: SocketAddr::new(address.ip, port),
                origin: address.origin.clone(),
            }));
        }
        due
    }

    /// Counts an outcome for an address of a node; without one, for the only address of it.
    pub(super) fn count(&self, node: usize, ip: Option<IpAddr>, rules: &Rules, outcome: Outcome) {
        let Some(state) = self.states.get(node) else {
            return;
        };
        let mut addresses = lock(&state.addresses);
        let only = addresses.len() == 1;
        let place = |address: &&mut Address| ip.map_or(only, |ip| ip == address.ip);
        let Some(address) = addresses.iter_mut().find(place) else {
            return;
        };
        let before = address.tally.status;
        address.tally.count(rules, outcome);
        let (after, ip) = (address.tally.status, address.ip);
        address.shown.0.store(after.is_up(), Ordering::Relaxed);
        if before.is_up() != after.is_up() {
            tracing::warn!(checker = %self.config.name, %ip, status = after.name(), "an upstream node changed sides");
        }
        state.note(&addresses);
    }

    pub(super) fn status(&self) -> CheckerReport {
        let mut nodes = Vec::new();
        for (target, state) in self.config.targets.iter().zip(&self.states) {
            let (port, name) = (self.port(target), self.config.checks.active.host.as_deref());
            nodes.extend(lock(&state.addresses).iter().map(|address| CheckedNode {
                ip: address.ip,
                port,
                hostname: name.map_or_else(|| target.host.clone(), Arc::from),
                host_header: target.host_header.clone(),
                status: address.tally.status,
                counter: address.tally.counter,
            }));
        }
        CheckerReport {
            name: self.config.name.clone(),
            kind: self.config.checks.active.kind,
            nodes,
        }
    }

    fn port(&self, target: &Target) -> u16 {
        self.config.checks.active.port.unwrap_or(target.port)
    }

    /// `Host` of a probe (compat §8.4).
    fn host(&self, target: &Target) -> Arc<str> {
        let host = self.config.checks.active.host.as_deref();
        target
            .host_header
            .clone()
            .or_else(|| host.map(Arc::from))
            .unwrap_or_else(|| target.host.clone())
    }

    /// The name that TLS asks for: the `Host` without its port.
    fn server_name(&self, target: &Target) -> Arc<str> {
        let host = self.host(target);
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.contains(':') => {
                Arc::from(name)
            }
            _ => host,
        }
    }
}

impl NodeState {
    fn shown(&self, ip: IpAddr) -> AddressHealth {
        let mut shown = lock(&self.shown);
        if let Some(known) = shown.get(&ip).and_then(Weak::upgrade) {
            return AddressHealth(known);
        }
        shown.retain(|_, known| known.strong_count() > 0);
        let fresh = Arc::new(AtomicBool::new(true));
        shown.insert(ip, Arc::downgrade(&fresh));
        AddressHealth(fresh)
    }

    /// A node is down when it has addresses and all of them are.
    fn note(&self, addresses: &[Address]) {
        let up = addresses.is_empty() || addresses.iter().any(|address| address.tally.status.is_up());
        self.up.store(up, Ordering::Relaxed);
    }
}

/// What a panic elsewhere left behind is whole: every change is one assignment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
