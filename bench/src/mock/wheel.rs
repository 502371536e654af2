//! A timer wheel for thousands of paced streams: one kernel timer, and a push into a slot for each wait.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::task::{Poll, Waker};

use tokio::sync::Notify;

use crate::clock::{self, Alarm, MILLISECOND};

/// Length of a tick in nanoseconds. Streams that are due in one tick are written in a burst; at 40,000 chunks a
/// second that is ten.
const TICK: u64 = MILLISECOND / 4;
/// One turn of the wheel, a bit over a second.
const SLOTS: usize = 4_096;

/// Wakes tasks of one thread at the tick that they wait for.
#[derive(Debug)]
pub(super) struct Wheel {
    slots: RefCell<Vec<Vec<Waker>>>,
    /// The last tick whose slot has been emptied.
    turned: Cell<u64>,
    waiting: Cell<usize>,
    /// Tells [`Wheel::drive`] that a wheel that had stopped has somebody waiting.
    occupied: Notify,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self {
            slots: RefCell::new((0..SLOTS).map(|_| Vec::new()).collect()),
            turned: Cell::new(clock::now() / TICK),
            waiting: Cell::new(0),
            occupied: Notify::new(),
        }
    }

    /// Waits for the first tick at or after `due`.
    pub(super) async fn until(&self, due: u64) {
        let tick = due.div_ceil(TICK);
        poll_fn(|context| {
            if tick <= self.turned.get() {
                return Poll::Ready(());
            }
            // What is due later than one turn is woken early and waits again.
            self.slots.borrow_mut()[slot(tick)].push(context.waker().clone());
            if self.waiting.replace(self.waiting.get() + 1) == 0 {
                self.occupied.notify_one();
            }
            Poll::Pending
        })
        .await;
    }

    /// Turns the wheel for ever; stands still while nobody waits.
    pub(super) async fn drive(&self) -> io::Result<()> {
        let alarm = Alarm::new()?;
        loop {
            while self.waiting.get() == 0 {
                self.occupied.notified().await;
            }
            let tick = clock::now() / TICK;
            self.turn_to(tick);
            alarm.until((tick + 1) * TICK).await?;
        }
    }

    fn turn_to(&self, now: u64) {
        let mut slots = self.slots.borrow_mut();
        let from = self.turned.replace(now) + 1;
        for tick in from..=now.min(from + SLOTS as u64 - 1) {
            let wakers = &mut slots[slot(tick)];
            self.waiting.set(self.waiting.get() - wakers.len());
            wakers.drain(..).for_each(Waker::wake);
        }
    }
}

fn slot(tick: u64) -> usize {
    tick as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn waits_end_in_order_and_not_early() {
        let wheel = Wheel::new();
        let start = clock::now();
        let order = RefCell::new(Vec::new());
        let wait = async |ms: u64| {
            let due = start + ms * MILLISECOND;
            wheel.until(due).await;
            assert!(clock::now() >= due);
            order.borrow_mut().push(ms);
        };
        let all = async { tokio::join!(wait(9), wait(3), wait(0), wait(1_100)) };
        tokio::select! {
            _ = all => {}
            end = wheel.drive() => panic!("{end:?}"),
        }
        assert_eq!(*order.borrow(), [0, 3, 9, 1_100]);
        assert_eq!(wheel.waiting.get(), 0);
    }

    #[tokio::test]
    async fn an_abandoned_wait_does_not_stop_the_wheel() {
        let wheel = Wheel::new();
        let mut abandoned = Box::pin(wheel.until(clock::now() + MILLISECOND));
        let mut context = std::task::Context::from_waker(Waker::noop());
        assert!(abandoned.as_mut().poll(&mut context).is_pending());
        drop(abandoned);
        let late = wheel.until(clock::now() + 2 * MILLISECOND);
        let mut late = pin!(late);
        tokio::select! {
            () = &mut late => {}
            end = wheel.drive() => panic!("{end:?}"),
        }
    }
}
