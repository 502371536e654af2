//! Balancers that outlive the configuration snapshot.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::{Balancer, BalancerConfig};

/// Every balancer in use, by the resource that it belongs to and its config.
///
/// A snapshot that is compiled asks here for its balancers and gets those of the snapshot before, positions and
/// counts included, unless their config changed. Nobody's balancers are dropped with the last snapshot that holds
/// them. Not on the request path.
#[derive(Debug, Default)]
pub struct BalancerStates {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// More than one per resource while snapshots with different configs live, or one resource has several.
    by_resource: HashMap<Box<str>, Vec<Weak<Balancer>>>,
    /// Resources at which the dead are swept out.
    sweep_at: usize,
}

impl BalancerStates {
    /// The balancer of `resource` (kind and id) with this config: the one in use, else a fresh one.
    #[must_use]
    pub fn balancer(&self, resource: &str, config: BalancerConfig) -> Arc<Balancer> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(balancers) = table.by_resource.get_mut(resource) {
            balancers.retain(|balancer| balancer.strong_count() > 0);
            let mut in_use = balancers.iter().filter_map(Weak::upgrade);
            if let Some(balancer) = in_use.find(|balancer| *balancer.config() == config) {
                return balancer;
            }
        }
        table.sweep();
        let balancer = Arc::new(Balancer::new(config));
        table
            .by_resource
            .entry(resource.into())
            .or_default()
            .push(Arc::downgrade(&balancer));
        balancer
    }
}

impl Table {
    /// Drops resources without a living balancer, each time the table has doubled.
    fn sweep(&mut self) {
        if self.by_resource.len() < self.sweep_at {
            return;
        }
        self.by_resource
            .retain(|_, balancers| balancers.iter().any(|balancer| balancer.strong_count() > 0));
        self.sweep_at = (self.by_resource.len() * 2).max(64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, Node, PickContext, Tried};

    fn config(weight: u32) -> BalancerConfig {
        let nodes = vec![Node::new("a:80", weight), Node::new("b:80", 1)];
        BalancerConfig {
            algorithm: Algorithm::RoundRobin,
            nodes,
        }
    }

    fn pick(balancer: &Balancer) -> usize {
        balancer
            .pick(&PickContext {
                hash_key: None,
                tried: &Tried::default(),
            })
            .unwrap()
    }

    #[test]
    fn positions_survive_an_unrelated_edit() {
        let states = BalancerStates::default();
        let before = states.balancer("upstreams/1", config(1));
        assert_eq!(pick(&before), 0);
        let after = states.balancer("upstreams/1", config(1));
        drop(before);
        assert_eq!(pick(&after), 1);
    }

    #[test]
    fn another_config_or_resource_starts_afresh() {
        let states = BalancerStates::default();
        let first = states.balancer("upstreams/1", config(1));
        assert!(!Arc::ptr_eq(&first, &states.balancer("upstreams/2", config(1))));
        let edited = states.balancer("upstreams/1", config(2));
        assert!(!Arc::ptr_eq(&first, &edited));
        // Both versions are in use, both are found.
        assert!(Arc::ptr_eq(&first, &states.balancer("upstreams/1", config(1))));
        assert!(Arc::ptr_eq(&edited, &states.balancer("upstreams/1", config(2))));
    }

    #[test]
    fn what_nobody_uses_is_forgotten() {
        let states = BalancerStates::default();
        let kept = states.balancer("kept", config(1));
        for n in 0..10_000 {
            let _ = states.balancer(&format!("gone/{n}"), config(1));
        }
        assert!(states.table.lock().unwrap().by_resource.len() < 200);
        assert!(Arc::ptr_eq(&kept, &states.balancer("kept", config(1))));
    }
}
