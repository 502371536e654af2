//! Leaky buckets.

use std::time::{Duration, Instant};

use crate::CounterKey;
use crate::shards::{Evict, Sharded};
use crate::ticks::{Epoch, ticks_of};

/// How fast a bucket leaks and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leak {
    /// Requests per second that leave the bucket; above 0.
    pub rate: f64,
    /// Requests that the bucket holds beside the one under way.
    pub burst: f64,
}

/// Leaky buckets for `limit-req` (compat §6.4), with the arithmetic of nginx: each request adds one, what is above
/// the even rate is the excess, and a request waits until its excess has leaked.
///
/// The key must name the settings too. Above the capacity, the bucket with the least in it of a few is emptied.
#[derive(Debug)]
pub struct LeakyBuckets {
    epoch: Epoch,
    buckets: Sharded<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    excess: f64,
    last: u64,
    /// From here on it is as good as new.
    drained: u64,
}

impl LeakyBuckets {
    /// A store for about `capacity` live keys. No instant passed to it may be before `epoch`.
    #[must_use]
    pub fn new(capacity: usize, epoch: Instant) -> Self {
        Self {
            epoch: Epoch::new(epoch),
            buckets: Sharded::new(capacity),
        }
    }

    /// Adds a request, and says how long it has to wait for its turn; `None` when the bucket is full, which adds
    /// nothing.
    pub fn pour(&self, key: CounterKey, leak: Leak, now: Instant) -> Option<Duration> {
        let ticks = self.epoch.ticks(now);
        // Such that the first request finds an excess of 0.
        let open = || Bucket {
            excess: -1.0,
            last: ticks,
            drained: u64::MAX,
        };
        self.buckets
            .update(key, ticks, open, |bucket| bucket.pour(leak, ticks))
    }

    /// How many buckets were emptied early because the store was full.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.buckets.overflows()
    }
}

impl Bucket {
    fn pour(&mut self, leak: Leak, now: u64) -> Option<Duration> {
        let elapsed = Duration::from_nanos(now.saturating_sub(self.last)).as_secs_f64();
        let excess = (self.excess - leak.rate * elapsed + 1.0).max(0.0);
        if excess > leak.burst {
            return None;
        }
        let seconds =
            |requests: f64| Duration::try_from_secs_f64(requests / leak.rate).unwrap_or(Duration::MAX);
        self.excess = excess;
        self.last = now;
        self.drained = now.saturating_add(ticks_of(seconds(excess + 1.0)));
        Some(seconds(excess))
    }
}

impl Evict for Bucket {
    fn expired(&self, now: u64) -> bool {
        now >= self.drained
    }

    fn loss(&self) -> u64 {
        self.drained
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Bench {
        buckets: LeakyBuckets,
        start: Instant,
        leak: Leak,
    }

    impl Bench {
        fn new(rate: f64, burst: f64) -> Self {
            let start = Instant::now();
            Self {
                buckets: LeakyBuckets::new(100, start),
                start,
                leak: Leak { rate, burst },
            }
        }

        fn pour(&self, millis: u64) -> Option<u128> {
            let now = self.start + Duration::from_millis(millis);
            let wait = self.buckets.pour(CounterKey::new(&["bucket"]), self.leak, now);
            wait.map(|wait| wait.as_millis())
        }
    }

    #[test]
    fn what_is_above_the_rate_waits_and_what_is_above_the_burst_is_refused() {
        let bench = Bench::new(10.0, 2.0);
        assert_eq!(bench.pour(0), Some(0));
        assert_eq!(bench.pour(0), Some(100));
        assert_eq!(bench.pour(0), Some(200));
        assert_eq!(bench.pour(0), None);
        assert_eq!(bench.pour(100), Some(200), "one has leaked");
        assert_eq!(bench.pour(1_000), Some(0));
    }

    #[test]
    fn without_a_burst_only_the_even_rate_passes() {
        let bench = Bench::new(2.0, 0.0);
        assert_eq!(bench.pour(0), Some(0));
        assert_eq!(bench.pour(499), None);
        assert_eq!(bench.pour(500), Some(0));
    }

    proptest! {
        /// In any stretch of time no more pass than leak in it, the burst and one.
        #[test]
        fn never_more_than_rate_and_burst(
            rate in 1_u32..100,
            burst in 0_u32..10,
            pauses in prop::collection::vec(0_u64..200, 1..200),
        ) {
            let bench = Bench::new(f64::from(rate), f64::from(burst));
            let (mut now, mut passed) = (0, 0.0);
            for pause in pauses {
                now += pause;
                passed += if bench.pour(now).is_some() { 1.0 } else { 0.0 };
                let most = f64::from(rate) * now as f64 / 1000.0 + f64::from(burst) + 1.0;
                prop_assert!(passed <= most + 1e-6, "{passed} > {most}");
            }
        }
    }
}
