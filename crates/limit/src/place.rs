//! A request's place among those under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::{Counter, Meter};

/// How long a request of `limit-conn` takes, for the delay of those that come too early. Follows what is observed,
/// each observation weighing as much as all before it (compat §6.4).
#[derive(Debug)]
pub struct UnitDelay(AtomicU64);

impl UnitDelay {
    /// Before anything was observed.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        Self(AtomicU64::new(micros(delay)))
    }

    /// The delay.
    #[must_use]
    pub fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// Takes in how long a request took. Of two at the same moment one may be lost, which an average bears.
    pub fn observe(&self, latency: Duration) {
        let known = self.0.load(Ordering::Relaxed);
        self.0.store(known.midpoint(micros(latency)), Ordering::Relaxed);
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// Leaves when dropped.
#[derive(Debug)]
#[must_use = "dropping the guard leaves"]
pub struct PlaceGuard {
    meter: Meter,
    counter: Counter,
    request: Box<str>,
    timing: Option<Timing>,
}

#[derive(Debug)]
struct Timing {
    unit: Arc<UnitDelay>,
    /// When the request is let on.
    begins: Instant,
}

impl PlaceGuard {
    /// The place that a request took by [`Meter::enter`].
    pub fn new(meter: &Meter, counter: Counter, request: &str) -> Self {
        Self {
            meter: meter.clone(),
            counter,
            request: request.into(),
            timing: None,
        }
    }

    /// Tells `unit` how long the request takes from `begins` on.
    pub fn timed(mut self, unit: Arc<UnitDelay>, begins: Instant) -> Self {
        self.timing = Some(Timing { unit, begins });
        self
    }
}

impl Drop for PlaceGuard {
    fn drop(&mut self) {
        self.meter.leave(&self.counter, &self.request);
        // Who gives up while it waits has not begun.
        if let Some(timing) = &self.timing
            && let Some(latency) = Instant::now().checked_duration_since(timing.begins)
        {
            timing.unit.observe(latency);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CounterNames, LocalCounters};

    #[tokio::test]
    async fn a_dropped_place_is_free_and_its_time_is_observed() {
        let start = Instant::now();
        let meter = Meter::local(Arc::new(LocalCounters::new(10, start)));
        let counter = CounterNames::new("limit-conn", "o", "s", false).counter("k");
        let enter = || meter.enter(&counter, "r", 1, Duration::ZERO);
        let unit = Arc::new(UnitDelay::new(Duration::from_secs(10)));
        assert_eq!(enter().await, Ok(Some(1)));
        let place = PlaceGuard::new(&meter, counter.clone(), "r").timed(unit.clone(), start);
        assert_eq!(enter().await, Ok(None));
        drop(place);
        assert_eq!(enter().await, Ok(Some(1)));
        assert!(unit.get() >= Duration::from_secs(5) && unit.get() < Duration::from_secs(6));
        let later = start + Duration::from_secs(60);
        drop(PlaceGuard::new(&meter, counter.clone(), "r").timed(unit.clone(), later));
        assert!(unit.get() >= Duration::from_secs(5), "it never began");
    }
}
