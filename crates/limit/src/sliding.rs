//! Sliding windows by two weighted buckets.

use std::time::{Duration, Instant};

use crate::shards::{Evict, Sharded};
use crate::ticks::{Epoch, ticks_of};
use crate::{CounterKey, Decision};

/// Counters over sliding windows, for `limit-count` with `window_type: sliding` (compat §6.3).
///
/// Constant memory per key: the count of the current bucket, plus the share of the one before it that the window
/// still covers, rounded up. A burst at the border of two buckets cannot pass twice the limit, as it can with
/// fixed windows.
///
/// [`Decision::reset_in`]: after a refusal, until the same take would pass; else one window length, when what was
/// just counted has left the window.
#[derive(Debug)]
pub struct SlidingCounters {
    epoch: Epoch,
    slides: Sharded<Slide>,
}

#[derive(Debug)]
struct Slide {
    /// Start of the current bucket.
    start: u64,
    /// Length of a bucket; never 0.
    width: u64,
    current: u64,
    previous: u64,
}

impl SlidingCounters {
    /// A store for about `capacity` live keys. No instant passed to it may be before `epoch`.
    #[must_use]
    pub fn new(capacity: usize, epoch: Instant) -> Self {
        Self {
            epoch: Epoch::new(epoch),
            slides: Sharded::new(capacity),
        }
    }

    /// Counts `n` if they fit under `limit`, in one step. A refused take counts nothing.
    pub fn take(&self, key: CounterKey, n: u64, limit: u64, window: Duration, now: Instant) -> Decision {
        let ticks = self.epoch.ticks(now);
        let open = || Slide {
            start: ticks,
            width: ticks_of(window).max(1),
            current: 0,
            previous: 0,
        };
        self.slides.update(key, ticks, open, |slide| {
            slide.roll(ticks);
            let used = slide.used(ticks);
            if used.checked_add(n).is_some_and(|after| after <= limit) {
                slide.current = slide.current.saturating_add(n);
                Decision::new(true, used + n, limit, window)
            } else {
                Decision::new(
                    false,
                    used,
                    limit,
                    Duration::from_nanos(slide.wait(ticks, n, limit)),
                )
            }
        })
    }

    /// How many counters were dropped alive because the store was full.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.slides.overflows()
    }
}

impl Slide {
    /// Moves on to the bucket of `now`. An entry two buckets behind has expired and is never rolled.
    fn roll(&mut self, now: u64) {
        if now.saturating_sub(self.start) >= self.width {
            self.start = self.start.saturating_add(self.width);
            self.previous = std::mem::take(&mut self.current);
        }
    }

    /// What the window that ends at `now` holds.
    fn used(&self, now: u64) -> u64 {
        let covered = self.width.saturating_sub(now.saturating_sub(self.start));
        let share = (u128::from(self.previous) * u128::from(covered)).div_ceil(u128::from(self.width));
        self.current
            .saturating_add(u64::try_from(share).unwrap_or(u64::MAX))
    }

    /// Ticks until a take of `n` passes if nothing else is counted.
    fn wait(&self, now: u64, n: u64, limit: u64) -> u64 {
        let bucket_end = self.start.saturating_add(self.width);
        let (from, fading, staying) = if self.current.saturating_add(n) <= limit {
            (self.start, self.previous, self.current)
        } else {
            (bucket_end, self.current, 0)
        };
        // `fading` may keep what `limit` leaves beside `staying` and `n`; a take above the limit never passes, and
        // is told when the window is empty.
        let room = limit.saturating_sub(staying).saturating_sub(n);
        let kept = u128::from(room) * u128::from(self.width) / u128::from(fading.max(1));
        let faded = self.width.saturating_sub(u64::try_from(kept).unwrap_or(u64::MAX));
        from.saturating_add(faded).saturating_sub(now)
    }
}

impl Evict for Slide {
    fn expired(&self, now: u64) -> bool {
        now.saturating_sub(self.start) >= self.width.saturating_mul(2)
    }

    fn loss(&self) -> u64 {
        self.current.saturating_add(self.previous)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    struct Bench {
        counters: SlidingCounters,
        start: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let start = Instant::now();
            Self {
                counters: SlidingCounters::new(1_000, start),
                start,
            }
        }
        fn take(&self, n: u64, limit: u64, millis: u64) -> Decision {
            let now = self.start + Duration::from_millis(millis);
            self.counters
                .take(CounterKey::new(&["sliding"]), n, limit, WINDOW, now)
        }
    }

    #[test]
    fn the_last_bucket_fades_out() {
        let bench = Bench::new();
        assert_eq!(bench.take(10, 10, 0), Decision::new(true, 10, 10, WINDOW));
        // Four seconds into the next bucket, six tenths still count.
        assert_eq!(bench.take(1, 10, 14_000), Decision::new(true, 7, 10, WINDOW));
        assert!(!bench.take(4, 10, 14_000).admitted);
        assert_eq!(bench.take(3, 10, 14_000).consumed, 10);
    }

    #[test]
    fn no_double_burst_at_the_border() {
        let bench = Bench::new();
        assert!(bench.take(10, 10, 9_999).admitted);
        assert!(!bench.take(10, 10, 10_001).admitted);
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let bench = Bench::new();
        bench.take(1, 10, 0);
        bench.take(9, 10, 5_000);
        let refused = bench.take(1, 10, 5_000);
        assert_eq!((refused.remaining, refused.reset_in), (0, Duration::from_secs(6)));
        assert!(!bench.take(1, 10, 10_999).admitted);
        assert!(bench.take(1, 10, 11_000).admitted);
    }

    #[test]
    fn a_take_above_the_limit_never_passes() {
        let bench = Bench::new();
        assert!(!bench.take(11, 10, 0).admitted);
        assert!(!bench.take(11, 10, 60_000).admitted);
        assert!(bench.take(10, 10, 60_000).admitted);
    }

    proptest! {
        /// Who waits as long as he was told is let in, and a moment earlier nobody is.
        #[test]
        fn the_wait_is_exact(
            limit in 1_u64..50,
            takes in prop::collection::vec((1_u64..8, 0_u64..4_000), 1..80),
            last in 1_u64..8,
        ) {
            let bench = Bench::new();
            let mut now = 0;
            for (n, pause) in takes {
                now += pause;
                bench.take(n, limit, now);
            }
            let refused = bench.take(last, limit, now);
            if !refused.admitted && last <= limit {
                let start = bench.start + Duration::from_millis(now);
                let key = CounterKey::new(&["sliding"]);
                let early = start + refused.reset_in - Duration::from_nanos(1);
                prop_assert!(!bench.counters.take(key, last, limit, WINDOW, early).admitted);
                prop_assert!(bench.counters.take(key, last, limit, WINDOW, start + refused.reset_in).admitted);
            }
        }

        /// Buckets start with the first take; none of them admits more than the limit.
        #[test]
        fn never_more_than_the_limit_in_a_bucket(
            limit in 1_u64..50,
            takes in prop::collection::vec((1_u64..8, 0_u64..1_000), 1..300),
        ) {
            let bench = Bench::new();
            let (mut now, mut bucket, mut sum) = (0, 0, 0);
            for (n, pause) in takes {
                if now / 10_000 != bucket {
                    (bucket, sum) = (now / 10_000, 0);
                }
                let decision = bench.take(n, limit, now);
                prop_assert!(decision.consumed <= limit);
                sum += if decision.admitted { n } else { 0 };
                prop_assert!(sum <= limit);
                now += pause;
            }
        }
    }
}
