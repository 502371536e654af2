//! What the sending side of a connection is doing, seen from those who wait for an answer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// Tells whether a request is still on its way out, so that the read clock of its answer does not run meanwhile.
///
/// Written by the socket and by a streamed request body, read when a read timer fires. Times are milliseconds since
/// `epoch`, so that they fit an atomic.
pub(crate) struct Outflow {
    epoch: Instant,
    send_limit: AtomicU64,
    /// The peer does not take bytes that the socket has.
    blocked: AtomicBool,
    /// The request's body has not been read to its end.
    uploading: AtomicBool,
    /// The request's body failed.
    failed: AtomicBool,
    last_sent: AtomicU64,
}

impl Outflow {
    pub(crate) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            send_limit: AtomicU64::new(0),
            blocked: AtomicBool::new(false),
            uploading: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            last_sent: AtomicU64::new(0),
        }
    }

    /// A request begins: how long one write may be blocked, and whether its body is streamed.
    pub(crate) fn begin(&self, send_limit: Duration, streamed: bool) {
        self.send_limit
            .store(u64::try_from(send_limit.as_millis()).unwrap_or(u64::MAX), Relaxed);
        self.uploading.store(streamed, Relaxed);
        self.failed.store(false, Relaxed);
    }

    pub(crate) fn send_limit(&self) -> Duration {
        Duration::from_millis(self.send_limit.load(Relaxed))
    }

    /// The socket stopped or resumed taking bytes.
    pub(crate) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
        self.touch();
    }

    /// The streamed body has ended.
    pub(crate) fn uploaded(&self) {
        self.uploading.store(false, Relaxed);
        self.touch();
    }

    /// The streamed body has failed.
    pub(crate) fn fail_upload(&self) {
        self.failed.store(true, Relaxed);
    }

    pub(crate) fn upload_failed(&self) -> bool {
        self.failed.load(Relaxed)
    }

    /// When the last byte went out as far as is known; `None` while more is to come.
    pub(crate) fn quiet_since(&self) -> Option<Instant> {
        if self.blocked.load(Relaxed) || self.uploading.load(Relaxed) {
            return None;
        }
        Some(self.epoch + Duration::from_millis(self.last_sent.load(Relaxed)))
    }

    fn touch(&self) {
        let since = Instant::now().saturating_duration_since(self.epoch);
        self.last_sent
            .store(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn is_quiet_only_when_neither_socket_nor_body_holds_bytes() {
        let outflow = Outflow::new();
        outflow.begin(Duration::from_secs(1), true);
        assert!(outflow.quiet_since().is_none(), "body not read to its end");
        outflow.set_blocked(true);
        outflow.uploaded();
        assert!(outflow.quiet_since().is_none(), "socket blocked");
        tokio::time::advance(Duration::from_secs(5)).await;
        outflow.set_blocked(false);
        assert_eq!(outflow.quiet_since(), Some(Instant::now()));
    }
}
