//! Names with several addresses: one node per address (compat §8.1).

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::future::join_all;
use sluice_net::OriginConfig;
use sluice_record::Text;
use sluice_upstream::{BalancerConfig, Node as BalancedNode};
use tokio::time::Instant;

use super::node_set::{Node, NodeSet};
use crate::services::Services;

/// When names that do not resolve are asked for again while others of the same upstream do.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// How long after their time to live addresses are used while new ones are being asked for. After that, requests wait.
const STALE: Duration = Duration::from_secs(30);

/// The addresses behind the names of an upstream's nodes, as last known.
#[derive(Default)]
pub(super) struct Spread {
    current: ArcSwapOption<Known>,
    /// Whether somebody asks for the addresses in the background.
    renewing: AtomicBool,
}

struct Known {
    set: Arc<NodeSet>,
    /// By configured node; sorted, since name servers shuffle.
    found: Vec<Vec<IpAddr>>,
    fresh_until: Instant,
}

/// What was found for the configured nodes, in their order.
struct Found {
    addresses: Vec<Vec<IpAddr>>,
    fresh_until: Instant,
}

impl Spread {
    /// The nodes to pick from, if they are known and recent enough; and whether they have to be asked for again.
    pub(super) fn known(&self) -> Option<(Arc<NodeSet>, bool)> {
        let known = self.current.load();
        let known = known.as_ref()?;
        let now = Instant::now();
        if now < known.fresh_until {
            return Some((known.set.clone(), false));
        }
        let usable = now < known.fresh_until + STALE;
        usable.then(|| (known.set.clone(), !self.renewing.swap(true, Ordering::Relaxed)))
    }

    /// Asks for the addresses of all names, which may take so long.
    pub(super) async fn renew(
        &self,
        owner: &Text,
        configured: &NodeSet,
        limit: Duration,
        services: &Services,
    ) -> Arc<NodeSet> {
        let found = find(owner, configured, limit, services).await;
        self.renewing.store(false, Ordering::Relaxed);
        let before = self.current.load_full();
        let set = match before.filter(|known| known.found == found.addresses) {
            Some(known) => known.set.clone(),
            None => Arc::new(spread(owner, configured, &found.addresses, services)),
        };
        if !set.nodes.is_empty() {
            self.current.store(Some(Arc::new(Known {
                set: set.clone(),
                found: found.addresses,
                fresh_until: found.fresh_until,
            })));
        }
        set
    }
}

async fn find(owner: &Text, configured: &NodeSet, limit: Duration, services: &Services) -> Found {
    let names = configured.nodes.iter().map(|node| async {
        let host = &node.origin.config().host;
        match node.origin.is_name() {
            true => Some(tokio::time::timeout(limit, services.resolver.resolve(host)).await),
            false => None,
        }
    });
    let far = Instant::now() + Duration::from_secs(3600);
    let mut found = Found {
        addresses: Vec::with_capacity(configured.nodes.len()),
        fresh_until: far,
    };
    for (node, answer) in configured.nodes.iter().zip(join_all(names).await) {
        let mut addresses = Vec::new();
        match answer {
            None => {}
            Some(Ok(Ok(answer))) => {
                found.fresh_until = found.fresh_until.min(answer.fresh_until().unwrap_or(far));
                addresses.extend(answer.iter());
                // Nobody tries both families at once here, and one of them may lead nowhere.
                if addresses.iter().any(IpAddr::is_ipv4) {
                    addresses.retain(IpAddr::is_ipv4);
                }
                addresses.sort_unstable();
                addresses.dedup();
            }
            Some(failed) => {
                found.fresh_until = found.fresh_until.min(Instant::now() + ASK_AGAIN);
                let error = match failed {
                    Ok(answer) => answer.err().map(|error| error.to_string()),
                    Err(_) => Some("name servers did not answer in time".to_owned()),
                };
                tracing::warn!(key = %owner, upstream = %node.address, error, "node left out");
            }
        }
        found.addresses.push(addresses);
    }
    found
}

/// One node per address, each with the weight of its name. A name without addresses is as if it were not there.
fn spread(owner: &Text, configured: &NodeSet, addresses: &[Vec<IpAddr>], services: &Services) -> NodeSet {
    let mut nodes = Vec::new();
    let mut balanced = Vec::new();
    let config = configured.balancer.config();
    let of_names = configured.nodes.iter().zip(&config.nodes).zip(addresses);
    for ((node, weighed), addresses) in of_names {
        let mut add = |node: Node| {
            balanced.push(BalancedNode {
                id: node.address.clone(),
                ..weighed.clone()
            });
            nodes.push(node);
        };
        if !node.origin.is_name() {
            add(Node {
                origin: node.origin.clone(),
                address: node.address.clone(),
                configured: node.configured,
                health: None,
            });
        }
        for ip in addresses {
            match at(node, *ip, configured, services) {
                Ok(node) => add(node),
                Err(error) => {
                    tracing::error!(key = %owner, upstream = %node.address, %error, "node left out");
                }
            }
        }
    }
    let config = BalancerConfig {
        algorithm: config.algorithm,
        nodes: balanced,
    };
    NodeSet {
        nodes,
        balancer: services.balancers.balancer(owner, config),
        checker: configured.checker.clone(),
        unknown_type: configured.unknown_type,
    }
}

/// The node at one of the addresses of its name.
fn at(
    node: &Node,
    ip: IpAddr,
    configured: &NodeSet,
    services: &Services,
) -> Result<Node, sluice_net::OriginError> {
    let origin = services.origins.get(OriginConfig {
        address: Some(ip),
        ..node.origin.config().clone()
    })?;
    let port = origin.config().port;
    let address = match ip {
        IpAddr::V4(ip) => format!("{ip}:{port}"),
        IpAddr::V6(ip) => format!("[{ip}]:{port}"),
    };
    let checker = configured.checker.as_ref();
    Ok(Node {
        origin,
        address: Text::from(address),
        configured: node.configured,
        health: checker.map(|checker| checker.address(node.configured, ip)),
    })
}
