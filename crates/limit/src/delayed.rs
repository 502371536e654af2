//! Windows that are counted here and told to Redis later (compat §6.3, `sync_interval`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::redis::RedisCounters;
use crate::shards::{Evict, Sharded};
use crate::ticks::{Epoch, ticks_of};
use crate::{Counter, CounterKey, Decision, LocalCounters, MeterError};

/// What this process knows of windows in Redis, and has counted beside it.
#[derive(Debug)]
pub(crate) struct DelayedWindows {
    epoch: Epoch,
    windows: Sharded<Window>,
}

#[derive(Debug)]
struct Window {
    ends: u64,
    /// Consumed by all gateways, when Redis was last asked.
    known: u64,
    /// Counted here and on its way.
    flying: u64,
    /// Counted here since.
    pending: u64,
    scheduled: bool,
}

/// How a limit tells Redis later.
#[derive(Clone, Debug)]
pub(crate) struct Delay {
    pub(crate) interval: Duration,
    pub(crate) redis: RedisCounters,
    pub(crate) runtime: Handle,
    pub(crate) local: Arc<LocalCounters>,
}

impl DelayedWindows {
    pub(crate) fn new(capacity: usize, epoch: Instant) -> Self {
        Self {
            epoch: Epoch::new(epoch),
            windows: Sharded::new(capacity),
        }
    }

    /// Counts one here if it fits. `None` when the window is not known here; else with whether nobody is about to
    /// tell Redis.
    fn take(&self, key: CounterKey, limit: u64, now: Instant) -> Option<(Decision, bool)> {
        let ticks = self.epoch.ticks(now);
        self.windows.change(key, |window| {
            if window.expired(ticks) {
                return None;
            }
            let used = window.used();
            let admitted = used < limit;
            window.pending += u64::from(admitted);
            let left = Duration::from_nanos(window.ends.saturating_sub(ticks));
            let decision = Decision::new(admitted, used + u64::from(admitted), limit, left);
            let tell = admitted && !std::mem::replace(&mut window.scheduled, true);
            Some((decision, tell))
        })?
    }

    /// Takes over what Redis says after it was told `amount`.
    fn learn(&self, key: CounterKey, amount: u64, consumed: u64, left: Duration, now: Instant) {
        let ticks = self.epoch.ticks(now);
        let open = || Window {
            ends: 0,
            known: 0,
            flying: 0,
            pending: 0,
            scheduled: false,
        };
        let ends = ticks.saturating_add(ticks_of(left));
        self.windows.update(key, ticks, open, |window| {
            window.known = consumed;
            window.flying = window.flying.saturating_sub(amount);
            window.ends = ends;
        });
    }

    /// What is to be told to Redis, if the window still runs.
    fn depart(&self, key: CounterKey, now: Instant) -> Option<u64> {
        let ticks = self.epoch.ticks(now);
        self.windows.change(key, |window| {
            window.scheduled = false;
            let amount = std::mem::take(&mut window.pending);
            window.flying += amount;
            (!window.expired(ticks)).then_some(amount)
        })?
    }

    /// What could not be told stays to be told.
    fn came_back(&self, key: CounterKey, amount: u64) {
        self.windows.change(key, |window| {
            window.flying = window.flying.saturating_sub(amount);
            window.pending += amount;
        });
    }
}

impl Window {
    fn used(&self) -> u64 {
        self.known
            .saturating_add(self.flying)
            .saturating_add(self.pending)
    }
}

impl Evict for Window {
    fn expired(&self, now: u64) -> bool {
        now >= self.ends
    }

    fn loss(&self) -> u64 {
        self.used()
    }
}

impl Delay {
    /// Counts one if it fits. The first of a window asks Redis, the others do not wait for it.
    pub(crate) async fn take(
        &self,
        counter: &Counter,
        limit: u64,
        window: Duration,
        now: Instant,
    ) -> Result<Decision, MeterError> {
        if let Some((decision, tell)) = self.local.delayed.take(counter.key, limit, now) {
            if tell {
                self.runtime.spawn(self.clone().tell(counter.clone(), window));
            }
            return Ok(decision);
        }
        let decision = self.redis.take(counter.name(), limit, window).await?;
        self.local
            .delayed
            .learn(counter.key, 0, decision.consumed, decision.reset_in, now);
        Ok(decision)
    }

    async fn tell(self, counter: Counter, window: Duration) {
        tokio::time::sleep(self.interval).await;
        let delayed = &self.local.delayed;
        let Some(amount) = delayed.depart(counter.key, Instant::now()) else {
            return;
        };
        match self.redis.window(counter.name(), amount, None, window).await {
            Ok(found) => delayed.learn(counter.key, amount, found.consumed, found.left, Instant::now()),
            Err(error) => {
                tracing::debug!(%error, "counts are told to redis later");
                delayed.came_back(counter.key, amount);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_not_told_counts_all_the_same() {
        let start = Instant::now();
        let windows = DelayedWindows::new(10, start);
        let key = CounterKey::new(&["delayed"]);
        let take = || {
            windows
                .take(key, 5, start)
                .map(|(decision, tell)| (decision.admitted, decision.consumed, tell))
        };
        assert_eq!(take(), None, "the first of a window asks redis");
        windows.learn(key, 0, 1, MINUTE, start);
        assert_eq!(take(), Some((true, 2, true)));
        assert_eq!(take(), Some((true, 3, false)), "one tells for all");
        assert_eq!(windows.depart(key, start), Some(2));
        assert_eq!(take(), Some((true, 4, true)), "what is on its way counts");
        windows.came_back(key, 2);
        assert_eq!(take(), Some((true, 5, false)));
        assert_eq!(take(), Some((false, 5, false)));
        assert_eq!(windows.depart(key, start), Some(4));
        windows.learn(key, 4, 9, MINUTE, start);
        assert_eq!(take(), Some((false, 9, false)), "other gateways count too");
        assert_eq!(windows.take(key, 5, start + MINUTE), None, "a window ends");
        assert_eq!(windows.depart(key, start + MINUTE), None);
    }
}
