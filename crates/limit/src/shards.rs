//! A bounded concurrent map of counters: sharded mutexes, each held for one lookup.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use indexmap::map::Entry;

use crate::CounterKey;

const SHARDS: usize = 64;
/// Entries looked at for expiry with each insert. Above one, so that a map of dead entries shrinks.
const SWEEP_STEPS: usize = 4;
/// Entries compared when a live one has to go.
const EVICTION_SAMPLE: usize = 8;

/// What a map needs to know to stay bounded.
pub(crate) trait Evict {
    /// Nothing is lost when the entry is dropped at `now`.
    fn expired(&self, now: u64) -> bool;

    /// How much would be forgotten with a live entry; the least goes first.
    fn loss(&self) -> u64;
}

/// A map from [`CounterKey`] to `V` with a hard cap on live entries.
///
/// Expired entries are swept a few at a time, with each insert. At the cap, [`update`](Self::update) evicts the
/// entry with the least to lose among a few, [`try_update`](Self::try_update) refuses the new key; both count it.
#[derive(Debug)]
pub(crate) struct Sharded<V> {
    shards: Box<[Mutex<Shard<V>>]>,
    capacity_per_shard: usize,
    overflows: AtomicU64,
}

impl<V: Evict> Sharded<V> {
    /// `capacity` is spread over the shards and rounded up to at least one entry each.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect(),
            capacity_per_shard: capacity.div_ceil(SHARDS).max(1),
            overflows: AtomicU64::new(0),
        }
    }

    /// Runs `change` on the live entry of `key`, made with `open` where there is none.
    pub(crate) fn update<R>(
        &self,
        key: CounterKey,
        now: u64,
        open: impl FnOnce() -> V,
        change: impl FnOnce(&mut V) -> R,
    ) -> R {
        let mut shard = self.lock(key);
        if !shard.has_room(key, now, self.capacity_per_shard) {
            self.overflows.fetch_add(1, Ordering::Relaxed);
            shard.evict_one();
        }
        change(shard.live_entry(key, now, open))
    }

    /// As [`update`](Self::update), but `None` instead of evicting anybody.
    pub(crate) fn try_update<R>(
        &self,
        key: CounterKey,
        now: u64,
        open: impl FnOnce() -> V,
        change: impl FnOnce(&mut V) -> R,
    ) -> Option<R> {
        let mut shard = self.lock(key);
        if !shard.has_room(key, now, self.capacity_per_shard) {
            self.overflows.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(change(shard.live_entry(key, now, open)))
    }

    /// Reads the entry of `key`, expired or not.
    pub(crate) fn read<R>(&self, key: CounterKey, look: impl FnOnce(&V) -> R) -> Option<R> {
        self.lock(key).entries.get(&key).map(look)
    }

    /// Changes the entry of `key`, expired or not, if there is one.
    pub(crate) fn change<R>(&self, key: CounterKey, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        self.lock(key).entries.get_mut(&key).map(change)
    }

    /// Drops the entry of `key` if `condemned` says so.
    pub(crate) fn remove_if(&self, key: CounterKey, condemned: impl FnOnce(&mut V) -> bool) {
        let mut shard = self.lock(key);
        if shard.entries.get_mut(&key).is_some_and(condemned) {
            shard.entries.swap_remove(&key);
        }
    }

    /// Shows every entry to `visit`, one shard at a time: no moment in time holds for the whole.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(CounterKey, &V)) {
        for shard in &self.shards {
            for (key, entry) in &guard(shard).entries {
                visit(*key, entry);
            }
        }
    }

    /// How often the cap was hit.
    pub(crate) fn overflows(&self) -> u64 {
        self.overflows.load(Ordering::Relaxed)
    }

    /// Entries held, expired ones that are not yet swept included.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| guard(shard).entries.len()).sum()
    }

    fn lock(&self, key: CounterKey) -> MutexGuard<'_, Shard<V>> {
        guard(&self.shards[key.shard_bits() as usize % SHARDS])
    }
}

/// Entries are plain numbers that no panic leaves half written, so a poisoned lock is as good as another.
fn guard<V>(shard: &Mutex<Shard<V>>) -> MutexGuard<'_, Shard<V>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Shard<V> {
    entries: IndexMap<CounterKey, V, BuildHasherDefault<KeyHasher>>,
    /// Where the next sweep goes on.
    cursor: usize,
}

impl<V> Default for Shard<V> {
    fn default() -> Self {
        Self {
            entries: IndexMap::default(),
            cursor: 0,
        }
    }
}

impl<V: Evict> Shard<V> {
    fn live_entry(&mut self, key: CounterKey, now: u64, open: impl FnOnce() -> V) -> &mut V {
        match self.entries.entry(key) {
            Entry::Occupied(entry) => {
                let entry = entry.into_mut();
                if entry.expired(now) {
                    *entry = open();
                }
                entry
            }
            Entry::Vacant(entry) => entry.insert(open()),
        }
    }

    /// Whether `key` is there or may be inserted; sweeps in the second case.
    fn has_room(&mut self, key: CounterKey, now: u64, capacity: usize) -> bool {
        if self.entries.contains_key(&key) {
            return true;
        }
        for _ in 0..SWEEP_STEPS {
            match self.entry_at_cursor() {
                Some((at, entry)) if entry.expired(now) => {
                    self.entries.swap_remove_index(at);
                }
                Some((at, _)) => self.cursor = at + 1,
                None => break,
            }
        }
        self.entries.len() < capacity
    }

    fn evict_one(&mut self) {
        let mut victim = None;
        for _ in 0..EVICTION_SAMPLE {
            let Some((at, entry)) = self.entry_at_cursor() else {
                break;
            };
            let loss = entry.loss();
            if victim.is_none_or(|(least, _)| loss < least) {
                victim = Some((loss, at));
            }
            self.cursor = at + 1;
        }
        if let Some((_, at)) = victim {
            self.entries.swap_remove_index(at);
        }
    }

    fn entry_at_cursor(&self) -> Option<(usize, &V)> {
        let at = if self.cursor < self.entries.len() {
            self.cursor
        } else {
            0
        };
        self.entries.get_index(at).map(|(_, entry)| (at, entry))
    }
}

/// Keys are digests already: the map takes their low half as it is.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Lease {
        ends: u64,
        worth: u64,
    }

    impl Evict for Lease {
        fn expired(&self, now: u64) -> bool {
            now >= self.ends
        }
        fn loss(&self) -> u64 {
            self.worth
        }
    }

    fn key(n: usize) -> CounterKey {
        CounterKey::new(&["test", &n.to_string()])
    }

    /// Keys that all fall into one shard.
    fn neighbours() -> impl Iterator<Item = CounterKey> {
        (0..)
            .map(key)
            .filter(|key| (key.shard_bits() as usize).is_multiple_of(SHARDS))
    }

    #[test]
    fn expired_entries_give_way_and_memory_stays_flat() {
        let map = Sharded::new(1 << 20);
        for n in 0..100_000 {
            map.update(
                key(n),
                n as u64,
                || Lease {
                    ends: n as u64 + 1_000,
                    worth: 1,
                },
                |_| (),
            );
        }
        // A thousand are alive at any time; the sweep keeps up within a small factor.
        assert!(map.len() < 3_000, "{} entries", map.len());
        assert_eq!(map.overflows(), 0);
    }

    #[test]
    fn an_expired_entry_is_opened_again() {
        let map = Sharded::new(64);
        map.update(key(1), 0, || Lease { ends: 10, worth: 7 }, |_| ());
        assert_eq!(
            map.update(key(1), 9, || Lease { ends: 0, worth: 0 }, |lease| lease.worth),
            7
        );
        assert_eq!(
            map.update(key(1), 10, || Lease { ends: 20, worth: 8 }, |lease| lease.worth),
            8
        );
    }

    #[test]
    fn at_the_cap_the_cheapest_of_the_sample_goes() {
        let map = Sharded::new(SHARDS * 4);
        let keys: Vec<_> = neighbours().take(5).collect();
        for (n, key) in keys.iter().take(4).enumerate() {
            let worth = if n == 2 { 1 } else { 100 };
            map.update(*key, 0, || Lease { ends: 9, worth }, |_| ());
        }
        map.update(keys[4], 0, || Lease { ends: 9, worth: 5 }, |_| ());
        assert_eq!(map.overflows(), 1);
        let present: Vec<_> = keys.iter().map(|key| map.read(*key, |_| ()).is_some()).collect();
        assert_eq!(present, [true, true, false, true, true]);
    }

    #[test]
    fn a_refusing_map_keeps_who_is_there() {
        let map = Sharded::new(SHARDS * 2);
        let keys: Vec<_> = neighbours().take(3).collect();
        for key in &keys {
            map.try_update(*key, 0, || Lease { ends: 5, worth: 0 }, |_| ());
        }
        assert_eq!(map.overflows(), 1);
        assert!(map.read(keys[2], |_| ()).is_none());
        assert!(
            map.try_update(keys[0], 0, || Lease { ends: 5, worth: 0 }, |_| ())
                .is_some()
        );
        // Time makes room.
        assert!(
            map.try_update(keys[2], 5, || Lease { ends: 9, worth: 0 }, |_| ())
                .is_some()
        );
    }

    #[test]
    fn conditional_removal() {
        let map = Sharded::new(64);
        map.update(key(1), 0, || Lease { ends: 5, worth: 0 }, |_| ());
        map.remove_if(key(1), |_| false);
        assert_eq!(map.len(), 1);
        map.remove_if(key(1), |_| true);
        assert_eq!(map.len(), 0);
    }
}
