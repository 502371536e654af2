//! How long requests took: counts in buckets that grow by powers of two, eight to each.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// Buckets of each power of two, as bits: a value is told from another that differs by an eighth.
const FINE_BITS: u32 = 3;

/// Percentiles of a number of requests, in microseconds; none where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Half of the requests took at most this long.
    pub p50_us: Option<i64>,
    /// 95 of 100.
    pub p95_us: Option<i64>,
    /// 99 of 100.
    pub p99_us: Option<i64>,
    /// Half of those with a first token had it after at most this long.
    pub ttft_p50_us: Option<i64>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Measure {
    Duration = 0,
    FirstToken = 1,
}

impl Measure {
    /// As the table has it.
    pub(crate) fn number(self) -> i64 {
        self as i64
    }
}

/// Counts that are not in the database yet.
#[derive(Debug, Default)]
pub(crate) struct Latencies(HashMap<(i64, Measure, u32), i64, RandomState>);

impl Latencies {
    /// Counts a request of an hour.
    pub(crate) fn add(&mut self, hour: i64, duration_us: i64, ttft_us: Option<i64>) {
        *self
            .0
            .entry((hour, Measure::Duration, bucket(duration_us)))
            .or_default() += 1;
        if let Some(ttft_us) = ttft_us {
            *self
                .0
                .entry((hour, Measure::FirstToken, bucket(ttft_us)))
                .or_default() += 1;
        }
    }

    /// The counts in the order of the table.
    pub(crate) fn sorted(&self) -> Vec<((i64, Measure, u32), i64)> {
        let mut counts: Vec<_> = self.0.iter().map(|(key, count)| (*key, *count)).collect();
        counts.sort_unstable();
        counts
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Number of a time's bucket.
fn bucket(us: i64) -> u32 {
    let us = us.max(0).unsigned_abs();
    if us < 1 << FINE_BITS {
        return us as u32;
    }
    let shift = us.ilog2() - FINE_BITS;
    ((shift + 1) << FINE_BITS) + (us >> shift) as u32 - (1 << FINE_BITS)
}

/// The middle of a bucket.
fn middle(bucket: u32) -> i64 {
    let (power, fine) = (bucket >> FINE_BITS, u64::from(bucket & ((1 << FINE_BITS) - 1)));
    let us = match power {
        0 => fine,
        power => {
            let shift = power.min(60) - 1;
            (((1 << FINE_BITS) + fine) << shift) + (1_u64 << shift) / 2
        }
    };
    i64::try_from(us).unwrap_or(i64::MAX)
}

/// The value below which that part of the counted requests is; `counts` are in the order of their buckets.
pub(crate) fn percentile(counts: &[(u32, i64)], part: f64) -> Option<i64> {
    let total: i64 = counts.iter().map(|(_, count)| count).sum();
    if total == 0 {
        return None;
    }
    let mut left = rank(total, part);
    for (bucket, count) in counts {
        left -= count;
        if left <= 0 {
            return Some(middle(*bucket));
        }
    }
    counts.last().map(|(bucket, _)| middle(*bucket))
}

/// The same of values as they are, in ascending order.
pub(crate) fn percentile_of(values: &[i64], part: f64) -> Option<i64> {
    let place = rank(i64::try_from(values.len()).unwrap_or(i64::MAX), part) - 1;
    values.get(usize::try_from(place).ok()?).copied()
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a rank among far fewer than 2^52"
)]
fn rank(total: i64, part: f64) -> i64 {
    ((total as f64 * part).ceil() as i64).clamp(1, total.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bucket_is_near_its_values(us in 0..1_000_000_000_000_i64) {
            let shown = middle(bucket(us));
            prop_assert!((shown - us).abs() * 14 <= us.max(14), "{us} {shown}");
        }

        #[test]
        fn buckets_are_in_order(a in 0..1_000_000_000_i64, b in 0..1_000_000_000_i64) {
            prop_assert_eq!(bucket(a.min(b)).cmp(&bucket(a.max(b))), bucket(a).min(bucket(b)).cmp(&bucket(a).max(bucket(b))));
            prop_assert!(bucket(a.min(b)) <= bucket(a.max(b)));
        }
    }

    #[test]
    fn percentiles_are_ranks() {
        let mut latencies = Latencies::default();
        for ms in 1..=100 {
            latencies.add(0, ms * 1000, (ms > 98).then_some(5));
        }
        let of = |measure: Measure| -> Vec<(u32, i64)> {
            let counts = latencies
                .sorted()
                .into_iter()
                .filter(|((_, own, _), _)| *own == measure);
            counts.map(|((_, _, bucket), count)| (bucket, count)).collect()
        };
        let near = |shown: Option<i64>, wanted: i64| (shown.unwrap() - wanted).abs() * 14 <= wanted;
        assert!(near(percentile(&of(Measure::Duration), 0.5), 50_000));
        assert!(near(percentile(&of(Measure::Duration), 0.99), 99_000));
        assert_eq!(percentile(&of(Measure::FirstToken), 0.5), Some(5));
        assert_eq!(percentile(&[], 0.5), None);
        let values: Vec<i64> = (1..=100).collect();
        assert_eq!(percentile_of(&values, 0.95), Some(95));
        assert_eq!(percentile_of(&[], 0.95), None);
    }
}
