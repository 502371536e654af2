//! How much may wait to be written.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit stands for.
const GRAIN: usize = 1024;

/// A bound on what waits to be written to stores, in bytes. Clones share it.
#[derive(Clone, Debug)]
pub struct Backlog(Arc<Semaphore>);

/// A place in a [`Backlog`], given back when it is dropped.
#[derive(Debug)]
pub struct BacklogGuard(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Backlog {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(
            (max_bytes / GRAIN).min(Semaphore::MAX_PERMITS),
        )))
    }

    /// Takes room for an answer of so many bytes. `None` when there is not enough.
    #[must_use]
    pub fn enter(&self, bytes: usize) -> Option<BacklogGuard> {
        let permits = u32::try_from(bytes / GRAIN + 1).ok()?;
        self.0
            .clone()
            .try_acquire_many_owned(permits)
            .ok()
            .map(BacklogGuard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_given_back() {
        let backlog = Backlog::new(4 * GRAIN);
        let first = backlog.enter(2 * GRAIN).unwrap();
        assert!(backlog.enter(GRAIN).is_none());
        let small = backlog.enter(10).unwrap();
        drop(first);
        assert!(backlog.enter(2 * GRAIN).is_some());
        drop(small);
        assert!(backlog.enter(4 * GRAIN).is_none(), "more than there is at all");
    }
}
