//! Time that two processes agree on, and an alarm finer than the runtime's millisecond.

use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;
/// Nanoseconds in a millisecond.
pub const MILLISECOND: u64 = 1_000_000;

/// Nanoseconds of the machine's monotonic clock, the same in every process.
#[must_use]
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.cast_unsigned() * SECOND + time.tv_nsec.cast_unsigned()
}

/// A kernel timer that wakes a task at a given nanosecond. The runtime's own timers round up to a millisecond, which
/// would drown what is measured.
#[derive(Debug)]
pub struct Alarm {
    timer: AsyncFd<OwnedFd>,
}

impl Alarm {
    /// Creates an alarm on the current runtime.
    ///
    /// # Errors
    /// The kernel gives no timer: out of file descriptors.
    #[expect(
        deprecated,
        reason = "its successor is unsafe because of handles whose descriptor may change; an OwnedFd's cannot"
    )]
    pub fn new() -> io::Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        Ok(Self {
            timer: AsyncFd::with_interest(timer, Interest::READABLE)?,
        })
    }

    /// Waits until [`now`] has reached `at`.
    ///
    /// # Errors
    /// The timer cannot be set or read.
    pub async fn until(&self, at: u64) -> io::Result<()> {
        if at <= now() {
            return Ok(());
        }
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: timespec(at),
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once)?;
        self.timer
            .async_io(Interest::READABLE, |timer| {
                rustix::io::read(timer, &mut [0_u8; 8])?;
                Ok(())
            })
            .await
    }
}

fn timespec(at: u64) -> Timespec {
    Timespec {
        tv_sec: (at / SECOND).cast_signed(),
        tv_nsec: (at % SECOND).cast_signed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wakes_after_the_moment_and_at_once_when_it_has_passed() {
        let alarm = Alarm::new().unwrap();
        let at = now() + 2 * MILLISECOND;
        alarm.until(at).await.unwrap();
        assert!(now() >= at);
        alarm.until(at).await.unwrap();
        let again = now() + MILLISECOND;
        alarm.until(again).await.unwrap();
        assert!(now() >= again);
    }
}
