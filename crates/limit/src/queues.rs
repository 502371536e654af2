//! Fair queues that requests of all threads wait in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::fair::{Entry, FairLimits, FairQueue, FairRequest, KeyView, QueueFull, Ticket};

/// How much of the known time of a request an observation replaces: one part in so many.
const SMOOTHING: u32 = 8;

/// All queues, by the id of what they stand before.
#[derive(Debug, Default)]
pub struct Queues(Mutex<HashMap<String, Arc<Queue>>>);

/// A [`FairQueue`] whose requests are woken when it is their turn.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    fair: FairQueue,
    wakers: HashMap<Ticket, oneshot::Sender<()>>,
    /// How long requests run, smoothed; zero before one was seen.
    runs: Duration,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    refused_full: u64,
    refused_late: u64,
    waited: u64,
    wait_ms: u64,
}

/// A queue as others see it.
#[derive(Clone, Debug)]
pub struct QueueView {
    /// What it stands before: `provider/…` or `upstream/…`.
    pub id: String,
    /// Requests that may run at once.
    pub slots: usize,
    /// Requests that run.
    pub running: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Requests that were refused since it was full.
    pub refused_full: u64,
    /// Requests that were refused since their turn did not come in time.
    pub refused_late: u64,
    /// Requests that waited and got their turn.
    pub waited: u64,
    /// How long they waited together, in milliseconds.
    pub wait_ms: u64,
    /// How long the next one to come is expected to wait.
    pub expected: Duration,
    /// Who is here.
    pub keys: Vec<KeyView>,
}

/// A request's place in a queue, first waiting and then running. Dropping it leaves.
#[derive(Debug)]
#[must_use = "dropping a turn leaves the queue"]
pub struct Turn {
    queue: Arc<Queue>,
    ticket: Ticket,
    entered: Instant,
    /// When it began to run.
    began: Option<Instant>,
    wakes: Option<oneshot::Receiver<()>>,
    position: usize,
    expected: Duration,
}

/// A request did not get its turn within the time it may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the turn did not come within {0:?}")]
pub struct TooLate(pub Duration);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queues {
    /// The queue of this id, which has these bounds from here on; who waits in it goes on waiting.
    pub fn queue(&self, id: &str, limits: FairLimits) -> Arc<Queue> {
        let queue = {
            let mut queues = lock(&self.0);
            // Whose last resource went and where nobody is.
            queues.retain(|known, queue| known == id || Arc::strong_count(queue) > 1);
            let known = queues.entry(id.to_owned());
            known.or_insert_with(|| Arc::new(Queue::new(limits))).clone()
        };
        queue.set_limits(limits);
        queue
    }

    /// All queues, by id.
    #[must_use]
    pub fn views(&self) -> Vec<QueueView> {
        let queues: Vec<_> = {
            let queues = lock(&self.0);
            let in_use = queues.iter().filter(|(_, queue)| Arc::strong_count(queue) > 1);
            in_use.map(|(id, queue)| (id.clone(), queue.clone())).collect()
        };
        let mut views: Vec<_> = queues.into_iter().map(|(id, queue)| queue.view(id)).collect();
        views.sort_by(|a, b| a.id.cmp(&b.id));
        views
    }
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(limits: FairLimits) -> Self {
        Self {
            state: Mutex::new(State {
                fair: FairQueue::new(limits),
                wakers: HashMap::new(),
                runs: Duration::ZERO,
                tally: Tally::default(),
            }),
        }
    }

    /// Changes its bounds; who waits stays.
    pub fn set_limits(&self, limits: FairLimits) {
        let mut state = lock(&self.state);
        if state.fair.limits() != limits {
            let begun = state.fair.set_limits(limits);
            state.wake(begun);
        }
    }

    /// Takes a place for a request.
    ///
    /// # Errors
    /// When it would have to wait and may not; with it, how long the queue is expected to take.
    pub fn enter(self: &Arc<Self>, request: FairRequest<'_>) -> Result<Turn, (QueueFull, Duration)> {
        let entered = Instant::now();
        let mut state = lock(&self.state);
        let (ticket, position) = match state.fair.enter(request) {
            Ok(Entry::Runs(ticket)) => (ticket, 0),
            Ok(Entry::Waits { ticket, position }) => (ticket, position),
            Err(full) => {
                state.tally.refused_full += 1;
                let waiting = state.fair.waiting();
                return Err((full, state.expected(waiting)));
            }
        };
        let waits = position > 0;
        let wakes = waits.then(|| {
            let (waker, wakes) = oneshot::channel();
            state.wakers.insert(ticket, waker);
            wakes
        });
        Ok(Turn {
            queue: self.clone(),
            ticket,
            entered,
            began: (!waits).then_some(entered),
            wakes,
            position,
            expected: state.expected(position),
        })
    }

    fn view(&self, id: String) -> QueueView {
        let state = lock(&self.state);
        let Tally {
            refused_full,
            refused_late,
            waited,
            wait_ms,
        } = state.tally;
        let waiting = state.fair.waiting();
        QueueView {
            id,
            slots: state.fair.limits().slots,
            running: state.fair.running(),
            waiting,
            refused_full,
            refused_late,
            waited,
            wait_ms,
            expected: if state.fair.running() < state.fair.limits().slots {
                Duration::ZERO
            } else {
                state.expected(waiting + 1)
            },
            keys: state.fair.view(),
        }
    }
}

impl State {
    fn wake(&mut self, begun: Vec<Ticket>) {
        for ticket in begun {
            if let Some(waker) = self.wakers.remove(&ticket) {
                // Who gave up meanwhile leaves by its own `Drop`.
                let _ = waker.send(());
            }
        }
    }

    /// How long the request at this position is expected to wait.
    fn expected(&self, position: usize) -> Duration {
        let rounds = u32::try_from(position).unwrap_or(u32::MAX);
        let slots = u32::try_from(self.fair.limits().slots.max(1)).unwrap_or(u32::MAX);
        self.runs.saturating_mul(rounds) / slots
    }
}

impl Turn {
    /// Waits until it is this request's turn.
    ///
    /// # Errors
    /// When that takes longer than it may. Drop the turn then.
    pub async fn wait(&mut self, at_most: Duration) -> Result<(), TooLate> {
        let Some(wakes) = self.wakes.take() else {
            return Ok(());
        };
        let in_time = tokio::time::timeout(at_most, wakes).await;
        let mut state = lock(&self.queue.state);
        if in_time.is_err() {
            state.tally.refused_late += 1;
            return Err(TooLate(at_most));
        }
        let waited = u64::try_from(self.entered.elapsed().as_millis()).unwrap_or(u64::MAX);
        let tally = &mut state.tally;
        tally.waited += 1;
        tally.wait_ms = tally.wait_ms.saturating_add(waited);
        self.began = Some(Instant::now());
        Ok(())
    }

    /// The position at which it began to wait; 0 if it did not have to.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// How long it was expected to wait when it came.
    #[must_use]
    pub fn expected(&self) -> Duration {
        self.expected
    }

    /// How long it waited, so far.
    #[must_use]
    pub fn waited(&self) -> Duration {
        let until = self.began.unwrap_or_else(Instant::now);
        until.saturating_duration_since(self.entered)
    }

    /// Ends it: the request used so many tokens.
    pub fn settle(mut self, used: u64) {
        self.leave(Some(used));
    }

    fn leave(&mut self, used: Option<u64>) {
        let mut state = lock(&self.queue.state);
        if let Some(began) = self.began.take() {
            let ran = began.elapsed();
            state.runs = if state.runs.is_zero() {
                ran
            } else {
                state.runs.saturating_mul(SMOOTHING - 1).saturating_add(ran) / SMOOTHING
            };
        }
        state.wakers.remove(&self.ticket);
        let begun = state.fair.end(self.ticket, used);
        state.wake(begun);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.leave(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FairLimits = FairLimits {
        slots: 1,
        waiting: 2,
        waiting_per_key: 2,
    };

    fn of(key: &str) -> FairRequest<'_> {
        FairRequest {
            key,
            weight: 1,
            tokens: 1,
        }
    }

    #[tokio::test]
    async fn a_slot_that_is_freed_goes_to_who_waits_and_is_freed_once() {
        let queues = Queues::default();
        let queue = queues.queue("upstream/1", LIMITS);
        let first = queue.enter(of("a")).unwrap();
        let mut second = queue.enter(of("b")).unwrap();
        let gone = queue.enter(of("c")).unwrap();
        assert_eq!((first.position(), second.position(), gone.position()), (0, 1, 2));
        assert_eq!(queue.enter(of("d")).unwrap_err().0, QueueFull::All);
        drop(gone);
        first.settle(5);
        assert_eq!(second.wait(Duration::from_secs(60)).await, Ok(()));
        let view = &queues.views()[0];
        assert_eq!((view.running, view.waiting, view.waited), (1, 0, 1));
        assert_eq!((view.refused_full, view.keys.len()), (1, 1));
        second.settle(1);
        assert_eq!(queues.views()[0].running, 0);
    }

    #[tokio::test]
    async fn who_is_woken_and_gone_hands_the_slot_on() {
        let queue = Arc::new(Queue::new(LIMITS));
        let first = queue.enter(of("a")).unwrap();
        let second = queue.enter(of("b")).unwrap();
        let mut third = queue.enter(of("c")).unwrap();
        drop(first);
        drop(second);
        assert_eq!(third.wait(Duration::from_secs(60)).await, Ok(()));
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_and_leaves() {
        let queues = Queues::default();
        let queue = queues.queue("upstream/1", LIMITS);
        let _first = queue.enter(of("a")).unwrap();
        let mut second = queue.enter(of("b")).unwrap();
        let late = second.wait(Duration::from_millis(1)).await;
        assert_eq!(late, Err(TooLate(Duration::from_millis(1))));
        drop(second);
        let view = &queues.views()[0];
        assert_eq!((view.running, view.waiting, view.refused_late), (1, 0, 1));
    }

    #[tokio::test]
    async fn an_edit_keeps_who_waits() {
        let queues = Queues::default();
        let queue = queues.queue("upstream/1", LIMITS);
        let _first = queue.enter(of("a")).unwrap();
        let mut second = queue.enter(of("b")).unwrap();
        let edited = queues.queue("upstream/1", FairLimits { slots: 2, ..LIMITS });
        assert!(Arc::ptr_eq(&queue, &edited));
        assert_eq!(second.wait(Duration::from_secs(60)).await, Ok(()));
    }
}
