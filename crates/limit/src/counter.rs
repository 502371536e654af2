//! What a counter is called, here and in Redis.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

use crate::CounterKey;

/// Names that are kept. Beyond that the memory starts over: what callers send as keys must not fill it.
const KNOWN_MAX: usize = 1024;

/// A counter of a limit.
#[derive(Clone, Debug)]
pub struct Counter {
    pub(crate) key: CounterKey,
    name: Option<Arc<str>>,
}

impl Counter {
    /// Its key in Redis; empty for one that is only counted here.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

/// Names the counters of one configured limit (compat §4.4, "Windows and counters"): by where it is configured, its
/// settings, and the key of a request. Changed settings count anew.
///
/// Making a name costs a digest; names that come again are remembered.
#[derive(Debug)]
pub struct CounterNames {
    plugin: Box<str>,
    owner: Box<str>,
    /// Of the settings, which are not kept: they may hold a password.
    digest: crc32fast::Hasher,
    base: CounterKey,
    in_redis: bool,
    known: Mutex<HashMap<Box<str>, Counter, RandomState>>,
}

impl CounterNames {
    /// Names for a limit of `plugin` that stands in the resource `owner` (`/apisix/routes/1`).
    #[must_use]
    pub fn new(plugin: &str, owner: &str, settings: &str, in_redis: bool) -> Self {
        Self {
            plugin: plugin.into(),
            owner: owner.into(),
            digest: digest_of(settings),
            base: CounterKey::new(&[plugin, owner, settings]),
            in_redis,
            known: Mutex::default(),
        }
    }

    /// The counter of a request's key.
    #[must_use]
    pub fn counter(&self, key: &str) -> Counter {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = known.get(key) {
            return counter.clone();
        }
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        let counter = self.counter_with("", key);
        known.insert(key.into(), counter.clone());
        counter
    }

    /// The counter of a request's key under settings that hold only for some requests. Not remembered.
    #[must_use]
    pub fn counter_with(&self, settings: &str, key: &str) -> Counter {
        let base = if settings.is_empty() {
            self.base
        } else {
            self.base.child(settings)
        };
        Counter {
            key: base.child(key),
            name: self.in_redis.then(|| self.redis_name(settings, key)),
        }
    }

    fn redis_name(&self, settings: &str, key: &str) -> Arc<str> {
        let mut digest = self.digest.clone();
        digest.update(settings.as_bytes());
        let (plugin, owner, settings) = (&self.plugin, &self.owner, digest.finalize());
        format!("plugin-{plugin}:v1:{owner}:{settings}:{key}").into()
    }
}

fn digest_of(settings: &str) -> crc32fast::Hasher {
    let mut digest = crc32fast::Hasher::new();
    digest.update(settings.as_bytes());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_keys_have_the_reference_s_form() {
        let names = CounterNames::new("limit-count", "/apisix/routes/1", "settings", true);
        let crc = crc32fast::hash(b"settings");
        let name = names.counter("ann").name().to_owned();
        assert_eq!(name, format!("plugin-limit-count:v1:/apisix/routes/1:{crc}:ann"));
        assert_ne!(names.counter_with("5/60", "ann").name(), name);
    }

    #[test]
    fn settings_owners_and_keys_have_counters_of_their_own() {
        let names = |owner, settings| CounterNames::new("p", owner, settings, false);
        let base = names("o", "s").counter("k").key;
        assert_eq!(names("o", "s").counter_with("", "k").key, base);
        for other in [
            names("o2", "s").counter("k"),
            names("o", "s2").counter("k"),
            names("o", "s").counter("k2"),
            names("o", "s").counter_with("x", "k"),
        ] {
            assert_ne!(other.key, base);
            assert_eq!(other.name(), "");
        }
    }

    #[test]
    fn the_memory_is_bounded() {
        let names = CounterNames::new("p", "o", "s", false);
        let first = names.counter("0").key;
        for n in 0..2 * KNOWN_MAX {
            let _ = names.counter(&n.to_string());
        }
        assert!(names.known.lock().unwrap().len() <= KNOWN_MAX);
        assert_eq!(names.counter("0").key, first);
    }
}
