//! A stall timer that costs one clock read per wait.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A duration for which nothing is ever waited: stands for "no limit" where adding the limit overflows the clock.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365);

/// Fires when one uninterrupted wait lasts longer than a limit.
///
/// The tokio timer behind it is made on the first wait and reset only when it fires: a stream of frames that all
/// arrive in time never touches the timer wheel.
pub(crate) struct StallTimer {
    limit: Duration,
    /// When the present wait is too long; `None` while nothing is waited for.
    deadline: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl StallTimer {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            deadline: None,
            sleep: None,
        }
    }

    /// Changes the limit of waits that begin later.
    pub(crate) fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Ends the wait: what was waited for has come.
    pub(crate) fn stop(&mut self) {
        self.deadline = None;
    }

    /// Whether a wait is under way.
    pub(crate) fn is_waiting(&self) -> bool {
        self.deadline.is_some()
    }

    /// Lets the present wait begin at `start` instead.
    pub(crate) fn restart(&mut self, start: Instant) {
        self.deadline = Some(later(start, self.limit));
    }

    /// Begins a wait if none is under way; ready once it has lasted longer than the limit.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = *self
            .deadline
            .get_or_insert_with(|| later(Instant::now(), self.limit));
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

/// `start + limit`, where the clock has room for it.
pub(crate) fn later(start: Instant, limit: Duration) -> Instant {
    start.checked_add(limit).unwrap_or_else(|| start + FAR_FUTURE)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn fires_after_one_whole_wait_and_not_before() {
        let mut timer = StallTimer::new(Duration::from_secs(10));
        let start = Instant::now();
        for _ in 0..5 {
            assert!(poll_fn(|cx| Poll::Ready(timer.poll(cx))).await.is_pending());
            tokio::time::advance(Duration::from_secs(9)).await;
            timer.stop();
        }
        poll_fn(|cx| timer.poll(cx)).await;
        let waited = start.elapsed();
        assert!(
            waited >= Duration::from_secs(55) && waited < Duration::from_secs(56),
            "{waited:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_limit_takes_effect_on_an_armed_timer() {
        let mut timer = StallTimer::new(Duration::from_secs(100));
        assert!(poll_fn(|cx| Poll::Ready(timer.poll(cx))).await.is_pending());
        timer.stop();
        timer.set_limit(Duration::from_secs(1));
        let start = Instant::now();
        poll_fn(|cx| timer.poll(cx)).await;
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_beyond_the_clock_means_no_limit() {
        let mut timer = StallTimer::new(Duration::MAX);
        assert!(poll_fn(|cx| Poll::Ready(timer.poll(cx))).await.is_pending());
        tokio::time::advance(Duration::from_secs(86_400)).await;
        assert!(poll_fn(|cx| Poll::Ready(timer.poll(cx))).await.is_pending());
    }
}
