//! The checkers in use. They outlive snapshots, and end with the resource that they belong to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sluice_net::{Origins, Pool, Resolver};
use tokio::runtime::Handle;

use super::checker::{Checker, Env, Target};
use super::config::ChecksConfig;
use super::report::CheckerReport;

/// What a checker is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckerConfig {
    /// What it is called: the key of its resource, with the place in it where the checks stand, if not at the top.
    pub name: Arc<str>,
    /// What to ask, and what counts.
    pub checks: ChecksConfig,
    /// Whom to ask, in the order in which picks are counted.
    pub targets: Vec<Target>,
}

/// Every checker in use, by the resource that it belongs to and its config.
///
/// A resource that is compiled asks here for its checkers and gets those that it had, with what they know, unless
/// their config changed. [`settle`](Self::settle) ends those that it asked for no more. Not on the request path.
pub struct Checkers {
    env: Arc<Env>,
    enabled: bool,
    by_owner: Mutex<BTreeMap<Box<str>, Vec<Entry>>>,
}

struct Entry {
    checker: Weak<Checker>,
    /// Whether the resource has asked for it since it was last settled.
    wanted: bool,
}

impl Checkers {
    /// No checkers yet. Those to come run on `runtime`.
    #[must_use]
    pub fn new(runtime: Handle, resolver: Resolver, origins: Origins) -> Self {
        let pool = Pool::new(resolver.clone());
        Self {
            env: Arc::new(Env {
                runtime,
                resolver,
                origins,
                pool,
            }),
            enabled: true,
            by_owner: Mutex::default(),
        }
    }

    /// Turns all checks off (`apisix.disable_upstream_healthcheck`).
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// The checker of the resource `owner` with this config: the one in use, else a fresh one, which starts with the
    /// first request. `None` when checks are off.
    #[must_use]
    pub fn checker(&self, owner: &str, config: CheckerConfig) -> Option<Arc<Checker>> {
        if !self.enabled {
            return None;
        }
        let mut by_owner = self.lock();
        let entries = by_owner.entry(owner.into()).or_default();
        for entry in entries.iter_mut() {
            if let Some(checker) = entry.checker.upgrade()
                && *checker.config() == config
            {
                entry.wanted = true;
                return Some(checker);
            }
        }
        let checker = Arc::new(Checker::new(config, self.env.clone()));
        entries.push(Entry {
            checker: Arc::downgrade(&checker),
            wanted: true,
        });
        Some(checker)
    }

    /// Ends the checkers that `owner` has not asked for since the last time: it was compiled anew, or is gone. Old
    /// versions of it may be held by requests and caches, and go on serving with what is known.
    pub fn settle(&self, owner: &str) {
        let mut by_owner = self.lock();
        let Some(entries) = by_owner.get_mut(owner) else {
            return;
        };
        entries.retain_mut(|entry| {
            let wanted = std::mem::take(&mut entry.wanted);
            let checker = entry.checker.upgrade();
            if let Some(checker) = checker.as_ref().filter(|_| !wanted) {
                checker.stop();
            }
            wanted && checker.is_some()
        });
        if entries.is_empty() {
            by_owner.remove(owner);
        }
    }

    /// Undoes what `owner` has asked for since the last time: it did not compile, its previous version stays.
    pub fn revert(&self, owner: &str) {
        let mut by_owner = self.lock();
        let Some(entries) = by_owner.get_mut(owner) else {
            return;
        };
        entries.retain(|entry| entry.checker.strong_count() > 0);
        entries.iter_mut().for_each(|entry| entry.wanted = false);
        if entries.is_empty() {
            by_owner.remove(owner);
        }
    }

    /// How all nodes stand that are being checked, by resource.
    #[must_use]
    pub fn status(&self) -> Vec<CheckerReport> {
        let by_owner = self.lock();
        let checkers = by_owner.values().flatten();
        checkers
            .filter_map(|entry| entry.checker.upgrade()?.status())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Vec<Entry>>> {
        self.by_owner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
