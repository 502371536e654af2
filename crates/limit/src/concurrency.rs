//! Requests under way at once.

use crate::CounterKey;
use crate::shards::{Evict, Sharded};

/// Counts requests under way, for `limit-conn` (compat §6.4).
///
/// Above the capacity, new keys are refused: dropping a live count would lose who is still under way.
#[derive(Debug)]
pub struct Concurrency {
    counts: Sharded<Count>,
}

#[derive(Debug)]
struct Count(u64);

/// The store holds no more keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many keys are counted at once")]
pub struct TooManyKeys;

impl Concurrency {
    /// A store for about `capacity` keys with requests under way.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            counts: Sharded::new(capacity),
        }
    }

    /// Counts a request in, unless `limit` are under way already: `Some` with the number of them, this one included.
    ///
    /// # Errors
    /// When the key finds no place.
    pub fn enter(&self, key: CounterKey, limit: u64) -> Result<Option<u64>, TooManyKeys> {
        self.counts
            .try_update(
                key,
                0,
                || Count(0),
                |count| {
                    (count.0 < limit).then(|| {
                        count.0 += 1;
                        count.0
                    })
                },
            )
            .ok_or(TooManyKeys)
    }

    /// How many are under way.
    #[must_use]
    pub fn count(&self, key: CounterKey) -> u64 {
        self.counts.read(key, |count| count.0).unwrap_or_default()
    }

    /// Counts a request out that was counted in.
    pub fn leave(&self, key: CounterKey) {
        self.counts.remove_if(key, |count| {
            count.0 = count.0.saturating_sub(1);
            count.0 == 0
        });
    }
}

impl Evict for Count {
    fn expired(&self, _now: u64) -> bool {
        self.0 == 0
    }

    fn loss(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_the_limit_are_in_at_once() {
        let counts = Concurrency::new(10);
        let key = CounterKey::new(&["conn"]);
        assert_eq!(counts.enter(key, 2), Ok(Some(1)));
        assert_eq!(counts.enter(key, 2), Ok(Some(2)));
        assert_eq!(counts.enter(key, 2), Ok(None));
        assert_eq!(
            (counts.count(key), counts.count(CounterKey::new(&["other"]))),
            (2, 0)
        );
        counts.leave(key);
        assert_eq!(counts.enter(key, 2), Ok(Some(2)));
        for _ in 0..5 {
            counts.leave(key);
        }
        assert_eq!(counts.enter(key, 2), Ok(Some(1)));
        assert_eq!(counts.counts.len(), 1);
    }

    #[test]
    fn a_full_store_refuses_new_keys_and_keeps_the_old_ones() {
        let counts = Concurrency::new(1);
        let keys: Vec<_> = (0..1000)
            .map(|n| CounterKey::new(&["k", &n.to_string()]))
            .collect();
        let placed: Vec<_> = keys.iter().filter(|key| counts.enter(**key, 9).is_ok()).collect();
        assert!(placed.len() < keys.len());
        for key in placed {
            assert_eq!(counts.enter(*key, 9), Ok(Some(2)));
        }
    }
}
