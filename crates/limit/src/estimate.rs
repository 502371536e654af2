//! How much to reserve: the 95th percentile of what was used lately.

use crate::CounterKey;
use crate::shards::{Evict, Sharded};

/// Buckets of the histogram: exact up to 7, then four per octave, up to 2^33.
const BUCKETS: usize = 128;
/// At this many observations all counts are halved, so that old ones fade.
const HALVE_AT: u16 = 64;

/// Sizes reservations by observation, per key; a key names a caller and a model.
///
/// 130 bytes per key. The answer is the upper edge of a bucket, so at most a quarter above the true percentile.
/// Above the capacity the least observed of a few is forgotten.
#[derive(Debug)]
pub struct Estimates {
    usages: Sharded<Histogram>,
}

impl Estimates {
    /// A store for about `capacity` pairs of caller and model.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            usages: Sharded::new(capacity),
        }
    }

    /// Learns what one request used.
    pub fn observe(&self, key: CounterKey, used: u64) {
        self.usages
            .update(key, 0, Histogram::default, |histogram| histogram.observe(used));
    }

    /// What to reserve for the next request: the observed 95th percentile, or `unseen` where nothing was observed,
    /// but never more than `ceiling` (what the request can use at most, where that is known).
    #[must_use]
    pub fn estimate(&self, key: CounterKey, unseen: u64, ceiling: Option<u64>) -> u64 {
        let observed = self.usages.read(key, Histogram::p95).flatten().unwrap_or(unseen);
        ceiling.map_or(observed, |ceiling| observed.min(ceiling))
    }

    /// How many keys were forgotten because the store was full.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.usages.overflows()
    }
}

#[derive(Debug)]
struct Histogram {
    counts: [u8; BUCKETS],
    total: u16,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            total: 0,
        }
    }
}

impl Histogram {
    fn observe(&mut self, value: u64) {
        self.counts[bucket(value)] += 1;
        self.total += 1;
        if self.total >= HALVE_AT {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().map(|count| u16::from(*count)).sum();
        }
    }

    fn p95(&self) -> Option<u64> {
        let rank = (self.total * 95).div_ceil(100);
        let mut seen = 0;
        let reaches_rank = |count: &u8| {
            seen += u16::from(*count);
            seen >= rank
        };
        // Halving may leave nothing of 64 values that were all different: that is no knowledge either.
        if self.total == 0 {
            None
        } else {
            self.counts.iter().position(reaches_rank).map(upper_edge)
        }
    }
}

impl Evict for Histogram {
    fn expired(&self, _now: u64) -> bool {
        false
    }

    fn loss(&self) -> u64 {
        u64::from(self.total)
    }
}

fn bucket(value: u64) -> usize {
    if value < 4 {
        return value as usize;
    }
    let octave = value.ilog2() as usize;
    let quarter = (value >> (octave - 2)) as usize & 3;
    ((octave - 1) * 4 + quarter).min(BUCKETS - 1)
}

/// The largest value that falls into a bucket.
fn upper_edge(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64;
    }
    let (octave, quarter) = (bucket / 4 + 1, bucket as u64 % 4);
    ((5 + quarter) << (octave - 2)) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> CounterKey {
        CounterKey::new(&["ann", "gpt-4o"])
    }

    fn fed(values: impl IntoIterator<Item = u64>) -> u64 {
        let estimates = Estimates::new(100);
        values
            .into_iter()
            .for_each(|value| estimates.observe(key(), value));
        estimates.estimate(key(), u64::MAX, None)
    }

    #[test]
    fn nothing_observed_falls_back() {
        let estimates = Estimates::new(100);
        assert_eq!(estimates.estimate(key(), 4_000, None), 4_000);
        assert_eq!(estimates.estimate(key(), 4_000, Some(1_000)), 1_000);
        estimates.observe(key(), 6);
        assert_eq!(estimates.estimate(key(), 4_000, None), 6);
        assert_eq!(estimates.estimate(key(), 4_000, Some(2)), 2);
    }

    #[test]
    fn the_few_largest_do_not_count() {
        assert!((100..=125).contains(&fed((0..60).map(|n| if n % 30 == 7 { 1_000_000 } else { 100 }))));
        assert!(fed((0..60).map(|n| if n % 10 == 7 { 1_000_000 } else { 100 })) >= 1_000_000);
    }

    #[test]
    fn it_follows_a_change_in_both_directions() {
        assert!(fed((0..300).map(|n| if n < 100 { 50_000 } else { 10 })) < 13);
        assert!(fed((0..110).map(|n| if n < 100 { 10 } else { 50_000 })) >= 50_000);
    }

    #[test]
    fn values_that_never_repeat_still_give_an_answer() {
        let spread = (0..500_u64).map(|n| 1 << (n % 32));
        assert!(fed(spread) >= 1 << 28);
    }

    #[test]
    fn enormous_values_share_the_last_bucket() {
        assert_eq!(fed([u64::MAX, u64::MAX]), (1 << 33) - 1);
    }

    proptest! {
        #[test]
        fn a_bucket_is_at_most_a_quarter_wide(value in 0_u64..1 << 33) {
            let edge = upper_edge(bucket(value));
            prop_assert!(value <= edge && edge <= value + value / 4);
            prop_assert_eq!(bucket(edge), bucket(value));
            prop_assert!(bucket(edge + 1) == bucket(value) + 1 || edge + 1 == 1 << 33);
        }

        #[test]
        fn the_estimate_covers_nineteen_of_twenty(values in prop::collection::vec(0_u64..1 << 32, 1..63)) {
            let estimate = fed(values.iter().copied());
            let covered = values.iter().filter(|value| **value <= estimate).count();
            prop_assert!(covered * 100 >= values.len() * 95);
        }
    }
}
