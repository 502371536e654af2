//! Secrets kept elsewhere: what refers to them is compiled with their values, and again when those change.

use std::sync::Arc;

use serde_json::Value;
use sluice_resource::{Key, Kind};
use sluice_secret::Watch;

use super::{Compiler, Dirty};

impl Compiler {
    /// Compiles again what refers to secrets that have been read or have changed since the last time. Returns whether
    /// there was anything.
    pub fn apply_secrets(&mut self) -> bool {
        let changed = self.services.secrets.take_changed();
        let mut dirty = Dirty::default();
        let concerned = self.watches.iter().filter(|(_, watch)| watch.uses(&changed));
        concerned.for_each(|(key, _)| dirty.add(key.clone()));
        if dirty.0.is_empty() {
            return false;
        }
        self.compile(dirty);
        true
    }

    /// How many resources wait for secrets that are being read for the first time.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.watches.values().filter(|watch| watch.is_pending()).count()
    }

    pub(super) fn set_managers(&self) {
        let managers = self.managers.iter().map(|(name, config)| (&**name, config));
        self.services.secrets.set_managers(managers);
    }

    /// Keeps fresh what a resource refers to. Returns whether the resource has to wait for it: ways in do not, they
    /// are shut until their secret is there, and open as soon as it is.
    pub(super) fn watch(&mut self, key: &Key, value: &Arc<Value>) -> bool {
        let watch = self.services.secrets.watch(value);
        let waits = watch.is_pending() && !matches!(key.kind(), Kind::Consumer | Kind::Credential);
        // The new one first: what both refer to stays watched.
        match watch.is_empty() {
            true => self.watches.remove(key),
            false => self.watches.insert(key.clone(), watch),
        };
        waits
    }

    /// Whether a resource refers to something that is being read for the first time.
    pub(super) fn waits(&self, key: &Key) -> bool {
        self.watches.get(key).is_some_and(Watch::is_pending)
    }
}
