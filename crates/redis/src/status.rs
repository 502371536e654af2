//! How a client is doing, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::RedisError;

/// How one client is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientStatus {
    /// Name of its Redis; see [`RedisConfig::name`](crate::RedisConfig::name).
    pub name: String,
    /// Whether it has a connection, or would open one when asked.
    pub up: bool,
    /// Scripts that were run or tried.
    pub calls: u64,
    /// Failed ones, by [`RedisError::reason`].
    pub failures: [(&'static str, u64); 5],
}

/// Counts what [`ClientStatus`] shows.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    calls: AtomicU64,
    down: AtomicU64,
    timeout: AtomicU64,
    connection: AtomicU64,
    refused: AtomicU64,
    reply: AtomicU64,
}

impl Counts {
    pub(crate) fn count<T>(&self, outcome: &Result<T, RedisError>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let failed = match outcome {
            Ok(_) => return,
            Err(RedisError::Down) => &self.down,
            Err(RedisError::Timeout) => &self.timeout,
            Err(RedisError::Connection(_)) => &self.connection,
            Err(RedisError::Refused(_)) => &self.refused,
            Err(RedisError::Reply) => &self.reply,
        };
        failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn status(&self, name: String, up: bool) -> ClientStatus {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ClientStatus {
            name,
            up,
            calls: read(&self.calls),
            failures: [
                ("down", read(&self.down)),
                ("timeout", read(&self.timeout)),
                ("connection", read(&self.connection)),
                ("refused", read(&self.refused)),
                ("reply", read(&self.reply)),
            ],
        }
    }
}
