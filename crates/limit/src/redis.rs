//! Counters in Redis: one atomic script per decision.

use std::sync::Arc;
use std::time::Duration;

use sluice_redis::{Arg, Client, RedisError, Script};

use crate::{Decision, Leak};

/// Counters behind one client. A cheap handle.
#[derive(Clone, Debug)]
pub struct RedisCounters {
    client: Arc<Client>,
    scripts: Arc<Scripts>,
}

#[derive(Debug)]
struct Scripts {
    window: Script,
    sliding: Script,
    leak: Script,
    enter: Script,
    leave: Script,
}

/// What the window script says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) counted: bool,
    pub(crate) consumed: u64,
    pub(crate) left: Duration,
}

impl RedisCounters {
    /// Counters behind `client`.
    #[must_use]
    pub fn new(client: Arc<Client>) -> Self {
        Self {
            client,
            scripts: Arc::new(Scripts {
                window: Script::new(include_str!("scripts/window.lua")),
                sliding: Script::new(include_str!("scripts/sliding.lua")),
                leak: Script::new(include_str!("scripts/leak.lua")),
                enter: Script::new(include_str!("scripts/enter.lua")),
                leave: Script::new(include_str!("scripts/leave.lua")),
            }),
        }
    }

    /// Looks at a window, which this opens.
    pub(crate) async fn peek(&self, key: &str, limit: u64, window: Duration) -> Result<Decision, RedisError> {
        let found = self.window(key, 0, None, window).await?;
        Ok(Decision::new(
            found.consumed < limit,
            found.consumed,
            limit,
            found.left,
        ))
    }

    /// Counts one in if it fits.
    pub(crate) async fn take(&self, key: &str, limit: u64, window: Duration) -> Result<Decision, RedisError> {
        let found = self.window(key, 1, Some(limit), window).await?;
        Ok(Decision::new(found.counted, found.consumed, limit, found.left))
    }

    pub(crate) async fn window(
        &self,
        key: &str,
        cost: u64,
        limit: Option<u64>,
        window: Duration,
    ) -> Result<Window, RedisError> {
        let args = [
            number(cost),
            limit.map_or(Arg::Int(-1), number),
            number(window.as_secs().max(1)),
        ];
        let [counted, consumed, left] = self.run(&self.scripts.window, key, &args).await?;
        Ok(Window {
            counted: counted == 1,
            consumed: amount(consumed),
            left: Duration::from_millis(amount(left)),
        })
    }

    /// Counts one into a sliding window if it fits.
    pub(crate) async fn slide(
        &self,
        key: &str,
        limit: u64,
        window: Duration,
    ) -> Result<Decision, RedisError> {
        let args = [number(1), number(limit), number(window.as_secs().max(1))];
        let [counted, consumed, wait] = self.run(&self.scripts.sliding, key, &args).await?;
        let wait = Duration::from_millis(amount(wait));
        Ok(Decision::new(counted == 1, amount(consumed), limit, wait))
    }

    pub(crate) async fn pour(&self, key: &str, leak: Leak) -> Result<Option<Duration>, RedisError> {
        let (rate, burst) = (leak.rate.to_string(), leak.burst.to_string());
        let args = [Arg::Bytes(rate.as_bytes()), Arg::Bytes(burst.as_bytes())];
        let [admitted, wait] = self.run(&self.scripts.leak, key, &args).await?;
        Ok((admitted == 1).then(|| Duration::from_micros(amount(wait))))
    }

    pub(crate) async fn enter(
        &self,
        key: &str,
        request: &str,
        limit: u64,
        forget_after: Duration,
    ) -> Result<Option<u64>, RedisError> {
        let args = [
            Arg::Bytes(request.as_bytes()),
            number(limit),
            number(forget_after.as_secs().max(1)),
        ];
        let [admitted, count] = self.run(&self.scripts.enter, key, &args).await?;
        Ok((admitted == 1).then(|| amount(count)))
    }

    pub(crate) async fn leave(&self, key: &str, request: &str) -> Result<(), RedisError> {
        let args = [Arg::Bytes(request.as_bytes())];
        self.run::<1>(&self.scripts.leave, key, &args).await.map(drop)
    }

    async fn run<const N: usize>(
        &self,
        script: &Script,
        key: &str,
        args: &[Arg<'_>],
    ) -> Result<[i64; N], RedisError> {
        self.client.run(script, key, args).await?.integers()
    }
}

/// Lua counts in doubles: larger amounts than that are no longer exact there.
fn number(amount: u64) -> Arg<'static> {
    const EXACT: u64 = 1 << 53;
    Arg::Int(i64::try_from(amount.min(EXACT)).unwrap_or(i64::MAX))
}

fn amount(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
