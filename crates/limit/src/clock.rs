//! Where budgets get the time from.

use std::time::{SystemTime, UNIX_EPOCH};

/// Wall-clock time, injected so that tests can turn it.
///
/// Budgets need the wall clock rather than a monotonic one: their periods follow the calendar and outlive the
/// process. They cope with a clock that jumps in either direction (see [`Budgets`](crate::Budgets)).
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn unix_millis(&self) -> u64;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_millis(&self) -> u64 {
        // A clock before 1970 is broken; zero keeps budgets working until it is set.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
pub(crate) mod manual {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Clock;

    /// A clock that stands still until a test moves it.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct ManualClock(Arc<AtomicU64>);

    impl ManualClock {
        pub(crate) fn at(millis: u64) -> Self {
            Self(Arc::new(AtomicU64::new(millis)))
        }

        pub(crate) fn set(&self, millis: u64) {
            self.0.store(millis, Ordering::SeqCst);
        }

        pub(crate) fn advance(&self, millis: u64) {
            self.0.fetch_add(millis, Ordering::SeqCst);
        }
    }

    impl Clock for ManualClock {
        fn unix_millis(&self) -> u64 {
            self.0.load(Ordering::SeqCst)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_is_past_2025() {
        assert!(SystemClock.unix_millis() > 1_735_689_600_000);
    }
}
