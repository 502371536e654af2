//! One engine under every limit plugin: the same questions, whether the counters are here or in Redis.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_redis::RedisError;
use tokio::runtime::Handle;

use crate::delayed::Delay;
use crate::redis::RedisCounters;
use crate::{Counter, Decision, Leak, LocalCounters, TooManyKeys, WindowCounters};

/// Pauses between the attempts to tell Redis that a request has ended, and their number: what it is not told then it
/// forgets by itself.
const LEAVE_RETRY: (Duration, u32) = (Duration::from_secs(1), 120);

/// Where the counters of a limit are, and how they are asked.
///
/// Every question is an `async fn`; with local counters none of them ever waits, so that a caller may poll once and
/// go on without a task switch or an allocation.
#[derive(Clone, Debug)]
pub struct Meter {
    local: Arc<LocalCounters>,
    store: Store,
}

#[derive(Clone, Debug)]
enum Store {
    Local,
    Kept,
    Redis(RedisCounters, Handle),
    Delayed(Delay),
}

/// Which kind of window counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Begins with the first touch and ends as a whole.
    Fixed,
    /// The time before each request.
    Sliding,
}

/// Why a limit could not be decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeterError {
    /// Redis did not decide.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// There is no place for the counter.
    #[error(transparent)]
    Full(#[from] TooManyKeys),
}

impl Meter {
    /// Counts in this process.
    #[must_use]
    pub fn local(local: Arc<LocalCounters>) -> Self {
        Self {
            local,
            store: Store::Local,
        }
    }

    /// Counts in this process, fixed windows among those that outlive it.
    #[must_use]
    pub fn kept(local: Arc<LocalCounters>) -> Self {
        Self {
            local,
            store: Store::Kept,
        }
    }

    /// Counts in Redis; what nobody waits for runs on `runtime`. With `sync_interval`, fixed windows are counted here
    /// and told to Redis so often.
    #[must_use]
    pub fn redis(
        local: Arc<LocalCounters>,
        redis: RedisCounters,
        runtime: Handle,
        sync_interval: Option<Duration>,
    ) -> Self {
        let store = match sync_interval {
            None => Store::Redis(redis, runtime),
            Some(interval) => Store::Delayed(Delay {
                interval,
                redis,
                runtime,
                local: local.clone(),
            }),
        };
        Self { local, store }
    }

    /// Whether no question ever waits.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.store, Store::Local | Store::Kept)
    }

    fn windows(&self) -> &WindowCounters {
        match self.store {
            Store::Kept => &self.local.kept,
            _ => &self.local.windows,
        }
    }

    /// Looks at a fixed window without charging: [`WindowCounters::peek`](crate::WindowCounters::peek).
    ///
    /// # Errors
    /// When Redis does not decide.
    pub async fn peek(
        &self,
        counter: &Counter,
        limit: u64,
        window: Duration,
        now: Instant,
    ) -> Result<Decision, MeterError> {
        match self.shared() {
            None => Ok(self.windows().peek(counter.key, limit, window, now)),
            Some((redis, _)) => Ok(Box::pin(redis.peek(counter.name(), limit, window)).await?),
        }
    }

    /// Adds `cost` to a fixed window whatever the limit. With Redis nobody waits for it, and what Redis is not told
    /// within its bound is lost.
    pub fn charge(&self, counter: &Counter, cost: u64, window: Duration, now: Instant) {
        let Some((redis, runtime)) = self.shared() else {
            self.windows().charge(counter.key, cost, window, now);
            return;
        };
        if cost == 0 {
            return;
        }
        let (redis, counter) = (redis.clone(), counter.clone());
        runtime.spawn(async move {
            if let Err(error) = redis.window(counter.name(), cost, None, window).await {
                tracing::debug!(%error, cost, "a charge is lost");
            }
        });
    }

    /// Counts one request in if it fits.
    ///
    /// # Errors
    /// When Redis does not decide.
    pub async fn take(
        &self,
        counter: &Counter,
        kind: WindowKind,
        limit: u64,
        window: Duration,
        now: Instant,
    ) -> Result<Decision, MeterError> {
        match (&self.store, kind) {
            (Store::Local | Store::Kept, WindowKind::Fixed) => {
                Ok(self.windows().take(counter.key, 1, limit, window, now))
            }
            (Store::Local | Store::Kept, WindowKind::Sliding) => {
                Ok(self.local.sliding.take(counter.key, 1, limit, window, now))
            }
            (Store::Redis(redis, _), WindowKind::Fixed) => {
                Ok(Box::pin(redis.take(counter.name(), limit, window)).await?)
            }
            (Store::Delayed(delay), WindowKind::Fixed) => {
                Box::pin(delay.take(counter, limit, window, now)).await
            }
            (Store::Redis(redis, _) | Store::Delayed(Delay { redis, .. }), WindowKind::Sliding) => {
                Ok(Box::pin(redis.slide(counter.name(), limit, window)).await?)
            }
        }
    }

    /// Adds a request to a leaky bucket: how long it has to wait, `None` when it is refused.
    ///
    /// # Errors
    /// When Redis does not decide.
    pub async fn pour(
        &self,
        counter: &Counter,
        leak: Leak,
        now: Instant,
    ) -> Result<Option<Duration>, MeterError> {
        match self.shared() {
            None => Ok(self.local.buckets.pour(counter.key, leak, now)),
            Some((redis, _)) => Ok(Box::pin(redis.pour(counter.name(), leak)).await?),
        }
    }

    /// Counts a request in as under way, unless `limit` are: how many there are then, `None` when it is refused.
    /// `request` names it among all of its Redis, which forgets it after `forget_after` if it does not leave.
    ///
    /// # Errors
    /// When Redis does not decide, or there is no place for the counter.
    pub async fn enter(
        &self,
        counter: &Counter,
        request: &str,
        limit: u64,
        forget_after: Duration,
    ) -> Result<Option<u64>, MeterError> {
        let Some((redis, _)) = self.shared() else {
            return Ok(self.local.concurrency.enter(counter.key, limit)?);
        };
        let entered = Box::pin(redis.enter(counter.name(), request, limit, forget_after)).await;
        if matches!(entered, Err(RedisError::Timeout | RedisError::Connection(_))) {
            // It may have been counted in without our learning of it.
            self.leave(counter, request);
        }
        Ok(entered?)
    }

    /// Counts a request out. Nobody waits for it; Redis is told again and again while it is away.
    pub fn leave(&self, counter: &Counter, request: &str) {
        let Some((redis, runtime)) = self.shared() else {
            return self.local.concurrency.leave(counter.key);
        };
        let (redis, counter, request) = (redis.clone(), counter.clone(), request.to_owned());
        runtime.spawn(async move {
            let (pause, times) = LEAVE_RETRY;
            for _ in 0..times {
                match redis.leave(counter.name(), &request).await {
                    Ok(()) => return,
                    Err(error) => tracing::debug!(%error, "redis will be told later that a request ended"),
                }
                tokio::time::sleep(pause).await;
            }
        });
    }

    fn shared(&self) -> Option<(&RedisCounters, &Handle)> {
        match &self.store {
            Store::Local | Store::Kept => None,
            Store::Redis(redis, runtime) | Store::Delayed(Delay { redis, runtime, .. }) => {
                Some((redis, runtime))
            }
        }
    }
}
