//! Values kept for a while, by key.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use foldhash::{HashMap, HashMapExt};

/// What an entry costs beside its key and value, about.
const OVERHEAD: usize = 128;

/// Values by key, bounded by bytes and time. When there is too much, what was put in first goes first.
#[derive(Debug)]
pub struct Kept<V> {
    max_bytes: usize,
    inner: Mutex<Inner<V>>,
}

#[derive(Debug)]
struct Inner<V> {
    by_key: HashMap<Arc<str>, Entry<V>>,
    /// Keys by the order in which they came.
    by_age: BTreeMap<u64, Arc<str>>,
    next: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    number: u64,
    expires: Instant,
}

impl<V: Clone> Kept<V> {
    /// A store that holds about so many bytes.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            inner: Mutex::new(Inner {
                by_key: HashMap::new(),
                by_age: BTreeMap::new(),
                next: 0,
                bytes: 0,
            }),
        }
    }

    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &str, now: Instant) -> Option<V> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = inner.by_key.get(key).filter(|entry| entry.expires > now)?;
        Some(entry.value.clone())
    }

    /// Forgets the value under a key.
    pub fn remove(&self, key: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.remove(key);
    }

    /// Keeps a value of about so many bytes, in place of what was there. One that is larger than the store is not kept.
    pub fn put(&self, key: &str, value: V, bytes: usize, ttl: Duration, now: Instant) {
        let bytes = bytes.saturating_add(key.len() + OVERHEAD);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.remove(key);
        if bytes > self.max_bytes {
            return;
        }
        while inner.bytes + bytes > self.max_bytes {
            let Some((_, oldest)) = inner.by_age.first_key_value() else {
                break;
            };
            let oldest = oldest.clone();
            inner.remove(&oldest);
        }
        let key: Arc<str> = key.into();
        let number = inner.next;
        inner.next += 1;
        inner.bytes += bytes;
        inner.by_age.insert(number, key.clone());
        let entry = Entry {
            value,
            bytes,
            number,
            expires: now + ttl,
        };
        inner.by_key.insert(key, entry);
    }
}

impl<V> Inner<V> {
    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.by_key.remove(key) {
            self.by_age.remove(&entry.number);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn the_oldest_goes_when_there_is_too_much() {
        let now = Instant::now();
        let kept = Kept::new(3 * (OVERHEAD + 1 + 100));
        for (key, value) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
            kept.put(key, value, 100, HOUR, now);
        }
        assert_eq!(kept.get("a", now), None);
        assert_eq!((kept.get("b", now), kept.get("d", now)), (Some(2), Some(4)));
        kept.put("b", 5, 100, HOUR, now);
        kept.put("e", 6, 100, HOUR, now);
        assert_eq!((kept.get("c", now), kept.get("b", now)), (None, Some(5)));
        kept.remove("b");
        assert_eq!((kept.get("b", now), kept.get("e", now)), (None, Some(6)));
    }

    #[test]
    fn values_expire_and_giants_are_not_kept() {
        let now = Instant::now();
        let kept = Kept::new(1000);
        kept.put("a", 1, 10, HOUR, now);
        assert_eq!(kept.get("a", now + HOUR), None);
        kept.put("a", 2, 5000, HOUR, now);
        assert_eq!(kept.get("a", now), None);
    }
}
