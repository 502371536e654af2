//! Fixed windows that start with the first touch of a key.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::shards::{Evict, Sharded};
use crate::ticks::{Epoch, ticks_of};
use crate::{CounterKey, Decision};

/// Ticks are nanoseconds.
const TICKS_PER_MS: u64 = 1_000_000;

/// Counters over fixed windows, as APISIX's `local` policy keeps them (compat §4.4, §6.3).
///
/// A window opens at the first touch of its key (a look is a touch) and ends one window length later.
/// [`Decision::reset_in`] follows APISIX's header, which is not quite the end of the window: it stays at the full
/// length while nothing is consumed, then counts down from the first charge.
///
/// The key must name the settings too: two lengths under one key would share a window.
/// Above the capacity, the entry that consumed least of a few is dropped for the new one.
#[derive(Debug)]
pub struct WindowCounters {
    epoch: Epoch,
    windows: Sharded<Window>,
}

/// The saved state of one window, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowState {
    /// Which counter.
    pub key: CounterKey,
    /// When the window ends.
    pub ends: u64,
    /// What the reset header counts down to.
    pub resets: u64,
    /// What is consumed.
    pub consumed: u64,
}

#[derive(Debug)]
struct Window {
    ends: u64,
    /// What the reset header counts down to, once something is consumed.
    resets: u64,
    consumed: u64,
}

impl WindowCounters {
    /// A store for about `capacity` live keys. No instant passed to it may be before `epoch`.
    #[must_use]
    pub fn new(capacity: usize, epoch: Instant) -> Self {
        Self {
            epoch: Epoch::new(epoch),
            windows: Sharded::new(capacity),
        }
    }

    /// Looks at the counter without charging. Admitted as long as less than `limit` is consumed: the request that
    /// crosses the limit passes in full.
    pub fn peek(&self, key: CounterKey, limit: u64, window: Duration, now: Instant) -> Decision {
        self.touch(key, window, now, |entry, ticks| {
            Decision::new(
                entry.consumed < limit,
                entry.consumed,
                limit,
                entry.reset_in(ticks, window),
            )
        })
    }

    /// Adds `cost` whatever the limit, and returns what is consumed then.
    pub fn charge(&self, key: CounterKey, cost: u64, window: Duration, now: Instant) -> u64 {
        self.touch(key, window, now, |entry, ticks| {
            entry.consume(cost, ticks, window);
            entry.consumed
        })
    }

    /// Counts `n` if they fit under `limit`, in one step. A refused take counts nothing.
    pub fn take(&self, key: CounterKey, n: u64, limit: u64, window: Duration, now: Instant) -> Decision {
        self.touch(key, window, now, |entry, ticks| {
            let admitted = entry.consumed.checked_add(n).is_some_and(|after| after <= limit);
            if admitted {
                entry.consume(n, ticks, window);
            }
            Decision::new(admitted, entry.consumed, limit, entry.reset_in(ticks, window))
        })
    }

    /// The instant that the store was made with.
    #[must_use]
    pub fn epoch(&self) -> Instant {
        self.epoch.start()
    }

    /// What has been consumed in windows that are open at `now`. `epoch` is the Unix time of [`epoch`](Self::epoch) in
    /// milliseconds.
    #[must_use]
    pub fn snapshot(&self, epoch: u64, now: Instant) -> Vec<WindowState> {
        let ticks = self.epoch.ticks(now);
        let unix = |at: u64| epoch.saturating_add(at / TICKS_PER_MS);
        let mut states = Vec::new();
        self.windows.for_each(|key, window| {
            if window.consumed > 0 && !window.expired(ticks) {
                states.push(WindowState {
                    key,
                    ends: unix(window.ends),
                    resets: unix(window.resets),
                    consumed: window.consumed,
                });
            }
        });
        states
    }

    /// Takes saved windows in that are still open, and returns how many; `epoch` as for [`snapshot`](Self::snapshot).
    /// What was consumed since the store was made is kept.
    pub fn restore(&self, states: impl IntoIterator<Item = WindowState>, epoch: u64, now: Instant) -> usize {
        let ticks = self.epoch.ticks(now);
        let local = |at: u64| at.saturating_sub(epoch).saturating_mul(TICKS_PER_MS);
        let open = states.into_iter().filter(|state| local(state.ends) > ticks);
        open.map(|state| {
            let saved = || Window {
                ends: local(state.ends),
                resets: local(state.resets),
                consumed: 0,
            };
            self.windows.update(state.key, ticks, saved, |window| {
                window.consumed = window.consumed.saturating_add(state.consumed);
            });
        })
        .count()
    }

    /// How many counters were dropped alive because the store was full.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.windows.overflows()
    }

    fn touch<R>(
        &self,
        key: CounterKey,
        window: Duration,
        now: Instant,
        change: impl FnOnce(&mut Window, u64) -> R,
    ) -> R {
        let ticks = self.epoch.ticks(now);
        let open = || Window {
            ends: ticks.saturating_add(ticks_of(window)),
            resets: 0,
            consumed: 0,
        };
        self.windows
            .update(key, ticks, open, |entry| change(entry, ticks))
    }
}

impl Window {
    fn consume(&mut self, cost: u64, now: u64, window: Duration) {
        if self.consumed == 0 {
            self.resets = now.saturating_add(ticks_of(window));
        }
        self.consumed = self.consumed.saturating_add(cost);
    }

    fn reset_in(&self, now: u64, window: Duration) -> Duration {
        if self.consumed == 0 {
            window
        } else {
            Duration::from_nanos(self.resets.saturating_sub(now))
        }
    }
}

impl Evict for Window {
    fn expired(&self, now: u64) -> bool {
        now >= self.ends
    }

    fn loss(&self) -> u64 {
        self.consumed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    struct Bench {
        counters: WindowCounters,
        start: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let start = Instant::now();
            Self {
                counters: WindowCounters::new(1_000, start),
                start,
            }
        }
        fn at(&self, seconds: f64) -> Instant {
            self.start + Duration::from_secs_f64(seconds)
        }
        fn peek(&self, limit: u64, at: f64) -> (bool, u64, u64, f64) {
            plain(self.counters.peek(key(), limit, MINUTE, self.at(at)))
        }
        fn take(&self, n: u64, limit: u64, at: f64) -> (bool, u64, u64, f64) {
            plain(self.counters.take(key(), n, limit, MINUTE, self.at(at)))
        }
        fn charge(&self, cost: u64, at: f64) -> u64 {
            self.counters.charge(key(), cost, MINUTE, self.at(at))
        }
    }

    fn key() -> CounterKey {
        CounterKey::new(&["windows"])
    }

    fn plain(decision: Decision) -> (bool, u64, u64, f64) {
        (
            decision.admitted,
            decision.consumed,
            decision.remaining,
            decision.reset_in.as_secs_f64(),
        )
    }

    #[test]
    fn windows_outlive_the_store() {
        let key = CounterKey::new(&["a"]);
        let bench = Bench::new();
        let second = Duration::from_secs(1);
        bench.counters.charge(key, 40, MINUTE, bench.start);
        let saved = bench.counters.snapshot(1_000_000, bench.start + second);
        // A second store, begun 20 seconds of Unix time after the first.
        let later = Bench::new();
        assert_eq!(later.counters.restore(saved.clone(), 1_020_000, later.start), 1);
        let seen = later.counters.peek(key, 100, MINUTE, later.start);
        assert_eq!((seen.consumed, seen.reset_in), (40, Duration::from_secs(40)));
        later.counters.charge(key, 2, MINUTE, later.start);
        let seen = later.counters.peek(key, 100, MINUTE, later.start + 39 * second);
        assert_eq!((seen.consumed, seen.reset_in), (42, second));
        let seen = later.counters.peek(key, 100, MINUTE, later.start + 40 * second);
        assert_eq!(seen.consumed, 0);
        // What had ended meanwhile is of no use.
        assert_eq!(Bench::new().counters.restore(saved, 1_060_000, Instant::now()), 0);
    }

    #[test]
    fn the_request_that_crosses_the_limit_is_served() {
        let bench = Bench::new();
        assert_eq!(bench.peek(30, 0.0), (true, 0, 30, 60.0));
        assert_eq!(bench.charge(29, 0.0), 29);
        assert_eq!(bench.peek(30, 0.0), (true, 29, 1, 60.0));
        assert_eq!(bench.charge(25, 0.0), 54);
        assert_eq!(bench.peek(30, 0.0), (false, 54, 0, 60.0));
    }

    #[test]
    fn the_reset_stands_still_until_the_first_charge() {
        let bench = Bench::new();
        assert_eq!(bench.peek(30, 0.0).3, 60.0);
        assert_eq!(bench.peek(30, 10.0).3, 60.0);
        bench.charge(5, 20.0);
        assert_eq!(bench.peek(30, 20.0).3, 60.0);
        bench.charge(5, 30.0);
        assert_eq!(bench.peek(30, 32.5).3, 47.5);
    }

    #[test]
    fn a_look_opens_the_window() {
        let bench = Bench::new();
        bench.peek(30, 0.0);
        bench.charge(30, 50.0);
        assert_eq!(bench.peek(30, 59.0), (false, 30, 0, 51.0));
        // Sixty seconds after the look, not after the charge.
        assert_eq!(bench.peek(30, 60.0), (true, 0, 30, 60.0));
    }

    #[test]
    fn a_charge_of_nothing_does_not_start_the_countdown() {
        let bench = Bench::new();
        bench.charge(0, 0.0);
        assert_eq!(bench.peek(30, 7.0).3, 60.0);
    }

    #[test]
    fn a_charge_after_the_end_falls_into_a_fresh_window() {
        let bench = Bench::new();
        bench.charge(10, 0.0);
        assert_eq!(bench.charge(4, 61.0), 4);
        assert_eq!(bench.peek(30, 61.0), (true, 4, 26, 60.0));
    }

    #[test]
    fn takes_count_at_once_and_refusals_do_not() {
        let bench = Bench::new();
        assert_eq!(bench.take(1, 2, 0.0), (true, 1, 1, 60.0));
        assert_eq!(bench.take(1, 2, 10.0), (true, 2, 0, 50.0));
        assert_eq!(bench.take(1, 2, 20.0), (false, 2, 0, 40.0));
        assert_eq!(bench.take(1, 2, 60.0), (true, 1, 1, 60.0));
        assert_eq!(bench.take(5, 3, 61.0), (false, 1, 0, 59.0));
        assert_eq!(bench.take(2, 3, 61.0), (true, 3, 0, 59.0));
    }

    #[test]
    fn absurd_numbers_saturate() {
        let bench = Bench::new();
        let forever = Duration::MAX;
        let counters = &bench.counters;
        counters.charge(key(), u64::MAX, forever, bench.start);
        assert_eq!(counters.charge(key(), 5, forever, bench.start), u64::MAX);
        assert!(!counters.take(key(), 1, u64::MAX, forever, bench.start).admitted);
    }

    #[test]
    fn parallel_takes_never_pass_the_limit() {
        let bench = Bench::new();
        let admitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..1_000).filter(|_| bench.take(1, 777, 0.0).0).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 777);
    }

    proptest! {
        /// In any window that starts with an admitted take, no more than the limit is admitted.
        #[test]
        fn takes_stay_under_the_limit(
            limit in 1_u64..20,
            takes in prop::collection::vec((1_u64..5, 0_u64..20_000), 1..200),
        ) {
            let bench = Bench::new();
            // Whole milliseconds: adding up fractions of seconds would drift past the ends of windows.
            let mut clock = 0;
            let mut window: Option<(u64, u64)> = None;
            for (n, pause) in takes {
                clock += pause;
                if window.is_none_or(|(opened, _)| clock - opened >= 60_000) {
                    window = Some((clock, 0));
                }
                let (admitted, consumed, remaining, reset) = bench.take(n, limit, clock as f64 / 1000.0);
                if let Some((_, sum)) = &mut window {
                    *sum += if admitted { n } else { 0 };
                    prop_assert_eq!(consumed, *sum);
                    prop_assert!(*sum <= limit);
                }
                prop_assert!(remaining <= limit && reset <= 60.0);
            }
        }
    }
}
