//! The time that expiry and polling go by.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;

/// Wall-clock time, which tests move by hand.
pub(crate) trait Clock: Send + Sync + 'static {
    /// Milliseconds since the unix epoch.
    fn now_ms(&self) -> u64;

    /// Waits. May be dropped while it does.
    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()>;
}

/// The clock of the machine.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }

    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(pause))
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use tokio::sync::watch;

    use super::{BoxFuture, Clock, Duration};

    /// Stands still until it is told to move.
    pub(crate) struct ManualClock(watch::Sender<u64>);

    impl ManualClock {
        pub(crate) fn new() -> Self {
            Self(watch::Sender::new(1_700_000_000_000))
        }

        pub(crate) fn advance(&self, by: Duration) {
            self.0
                .send_modify(|now| *now += u64::try_from(by.as_millis()).unwrap());
        }
    }

    impl Clock for ManualClock {
        fn now_ms(&self) -> u64 {
            *self.0.borrow()
        }

        fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
            let mut now = self.0.subscribe();
            let until = *now.borrow() + u64::try_from(pause.as_millis()).unwrap();
            Box::pin(async move {
                if now.wait_for(|now| *now >= until).await.is_err() {
                    std::future::pending::<()>().await;
                }
            })
        }
    }
}
