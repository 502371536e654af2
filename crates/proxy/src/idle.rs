//! Whether a connection is in use: HTTP/2 connections without requests are closed like idle ones of HTTP/1.1, for
//! which hyper's limit on request heads does it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Instant;

/// The requests of a connection. Clones share it.
#[derive(Clone)]
pub(crate) struct Activity(Arc<Mutex<State>>);

struct State {
    /// Requests that are not answered to the end.
    running: usize,
    /// When the latest of them ended, or the connection began.
    since: Instant,
}

/// A request that is not answered to the end.
pub(crate) struct BusyGuard(Activity);

impl Activity {
    /// A connection that begins.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            running: 0,
            since: Instant::now(),
        })))
    }

    /// A request begins; it ends with the guard.
    pub(crate) fn begin(&self) -> BusyGuard {
        self.with(|state| state.running += 1);
        BusyGuard(self.clone())
    }

    /// Waits until there has been no request for `limit`.
    ///
    /// It looks every now and then instead of being told, which costs requests nothing.
    pub(crate) async fn idle(&self, limit: Duration) {
        loop {
            let now = Instant::now();
            let next = self.with(|state| match state.running {
                0 => state.since + limit,
                _ => now + limit,
            });
            if next <= now {
                return;
            }
            tokio::time::sleep_until(next).await;
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.0.with(|state| {
            state.running -= 1;
            state.since = Instant::now();
        });
    }
}

pin_project! {
    /// An answer's body, which keeps its connection busy.
    pub(crate) struct BusyBody<B> {
        #[pin]
        body: B,
        guard: BusyGuard,
    }
}

impl<B> BusyBody<B> {
    pub(crate) fn new(body: B, guard: BusyGuard) -> Self {
        Self { body, guard }
    }
}

impl<B: Body> Body for BusyBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_requests_is_idle_after_the_limit() {
        let begun = Instant::now();
        Activity::new().idle(LIMIT).await;
        assert_eq!(begun.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_counts_from_the_end_of_the_latest_request() {
        let begun = Instant::now();
        let activity = Activity::new();
        let watched = activity.clone();
        let idle = tokio::spawn(async move {
            watched.idle(LIMIT).await;
            begun.elapsed()
        });
        tokio::time::sleep(Duration::from_secs(50)).await;
        let long = activity.begin();
        drop(activity.begin());
        tokio::time::sleep(Duration::from_secs(100)).await;
        drop(long);
        assert_eq!(idle.await.unwrap(), Duration::from_secs(150) + LIMIT);
    }
}
