//! Circuit breakers that count bad and good answers (compat §6.8.3).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When a breaker opens, for how long, and when it is forgotten.
#[derive(Clone, Copy, Debug)]
pub struct BreakerRules {
    /// So many bad answers open it, and as many more open it again.
    pub failures: u64,
    /// So many good answers after a bad one forget everything.
    pub successes: u64,
    /// Longest time that it stays open, in seconds.
    pub max_seconds: u64,
}

/// The breakers of a gateway, by what they guard.
///
/// A breaker that opened for the first time stays open for 2 seconds, then 4, 8 and so on, at most
/// [`BreakerRules::max_seconds`]. Time is counted in whole seconds and the last one is part of it, as in APISIX: two
/// seconds may be nearly three. After that everything passes. Only what had bad answers takes up memory, and of that a
/// bounded number of keys.
#[derive(Debug)]
pub struct Breakers {
    epoch: Instant,
    most: usize,
    table: Mutex<HashMap<Box<str>, Breaker>>,
}

#[derive(Debug)]
struct Breaker {
    failures: u64,
    successes: u64,
    opened: Option<Instant>,
    last_failure: Instant,
}

/// Keys that are kept. Beyond that the half whose failures are oldest is forgotten.
const KEYS_MAX: usize = 16_384;

impl Default for Breakers {
    fn default() -> Self {
        Self::with_room_for(KEYS_MAX)
    }
}

impl Breakers {
    fn with_room_for(keys: usize) -> Self {
        Self {
            epoch: Instant::now(),
            most: keys,
            table: Mutex::default(),
        }
    }

    /// Whether requests for `key` are to be refused.
    #[must_use]
    pub fn is_open(&self, key: &str, rules: &BreakerRules, now: Instant) -> bool {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(breaker) = table.get(key) else {
            return false;
        };
        let Some(opened) = breaker.opened else {
            return false;
        };
        if now.saturating_duration_since(opened) >= Duration::from_secs(rules.max_seconds) {
            return false;
        }
        let rounds = (breaker.failures / rules.failures.max(1)).clamp(1, 62);
        let window = (1 << rounds).min(rules.max_seconds);
        self.second(now) <= self.second(opened) + window
    }

    /// Counts a bad answer.
    pub fn failure(&self, key: &str, rules: &BreakerRules, now: Instant) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if !table.contains_key(key) {
            if table.len() >= self.most {
                forget_oldest(&mut table);
            }
            let breaker = Breaker {
                failures: 0,
                successes: 0,
                opened: None,
                last_failure: now,
            };
            table.insert(key.into(), breaker);
        }
        let Some(breaker) = table.get_mut(key) else {
            return;
        };
        breaker.failures += 1;
        breaker.successes = 0;
        breaker.last_failure = now;
        if breaker.failures.is_multiple_of(rules.failures.max(1)) {
            breaker.opened = Some(now);
        }
    }

    /// Counts a good answer; without a bad one before it there is nothing to count.
    pub fn success(&self, key: &str, rules: &BreakerRules) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(breaker) = table.get_mut(key) else {
            return;
        };
        breaker.successes += 1;
        if breaker.successes >= rules.successes {
            table.remove(key);
        }
    }

    fn second(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.epoch).as_secs()
    }
}

fn forget_oldest(table: &mut HashMap<Box<str>, Breaker>) {
    let mut ages: Vec<Instant> = table.values().map(|breaker| breaker.last_failure).collect();
    let middle = ages.len() / 2;
    let (_, &mut median, _) = ages.select_nth_unstable(middle);
    table.retain(|_, breaker| breaker.last_failure > median);
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: BreakerRules = BreakerRules {
        failures: 3,
        successes: 2,
        max_seconds: 300,
    };

    fn fail(breakers: &Breakers, times: usize, now: Instant) {
        for _ in 0..times {
            breakers.failure("k", &RULES, now);
        }
    }

    /// For how many seconds it stays open after `start`.
    fn open_for(breakers: &Breakers, rules: &BreakerRules, start: Instant) -> u64 {
        let is_open = |second: &u64| breakers.is_open("k", rules, start + Duration::from_secs(*second));
        (0..1000).take_while(is_open).count() as u64
    }

    #[test]
    fn every_third_failure_opens_for_twice_as_long() {
        let breakers = Breakers::default();
        let now = breakers.epoch;
        fail(&breakers, 2, now);
        assert_eq!(open_for(&breakers, &RULES, now), 0);
        for seconds in [2, 4, 8] {
            fail(&breakers, 1, now);
            // The last second is part of the window.
            assert_eq!(open_for(&breakers, &RULES, now), seconds + 1);
            fail(&breakers, 2, now);
        }
    }

    #[test]
    fn seconds_are_whole() {
        let breakers = Breakers::default();
        let late = breakers.epoch + Duration::from_millis(900);
        fail(&breakers, 3, late);
        let at = |millis| breakers.is_open("k", &RULES, breakers.epoch + Duration::from_millis(millis));
        assert!(at(2999));
        assert!(!at(3000));
    }

    #[test]
    fn the_window_has_a_longest() {
        let breakers = Breakers::default();
        let now = breakers.epoch;
        fail(&breakers, 3 * 70, now);
        let rules = BreakerRules {
            max_seconds: 5,
            ..RULES
        };
        assert_eq!(open_for(&breakers, &rules, now), 5);
        assert_eq!(open_for(&breakers, &RULES, now), 300);
    }

    #[test]
    fn good_answers_forget_bad_ones() {
        let breakers = Breakers::default();
        let now = breakers.epoch;
        breakers.success("k", &RULES);
        breakers.success("k", &RULES);
        fail(&breakers, 2, now);
        breakers.success("k", &RULES);
        fail(&breakers, 1, now);
        assert!(
            breakers.is_open("k", &RULES, now),
            "one good answer between bad ones changes nothing"
        );
        breakers.success("k", &RULES);
        assert!(
            breakers.is_open("k", &RULES, now),
            "a bad answer clears the good ones"
        );
        breakers.success("k", &RULES);
        assert!(!breakers.is_open("k", &RULES, now));
        assert!(breakers.table.lock().unwrap().is_empty());
    }

    #[test]
    fn keys_do_not_meet() {
        let breakers = Breakers::default();
        fail(&breakers, 3, breakers.epoch);
        assert!(!breakers.is_open("other", &RULES, breakers.epoch));
    }

    #[test]
    fn the_oldest_failures_are_forgotten_first() {
        let breakers = Breakers::with_room_for(8);
        for n in 0..9 {
            let now = breakers.epoch + Duration::from_secs(n);
            breakers.failure(&n.to_string(), &RULES, now);
        }
        let table = breakers.table.lock().unwrap();
        let mut kept: Vec<_> = table.keys().map(|key| &**key).collect();
        kept.sort_unstable();
        assert_eq!(kept, ["5", "6", "7", "8"]);
    }
}
