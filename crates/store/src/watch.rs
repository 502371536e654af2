//! The latest events, kept in memory, and the watchers that read along.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::Event;

/// What a [`Watch`] reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// One event. Events come in the order of revisions, and none is left out.
    Event(Arc<Event>),
    /// Events were missed, or the place to start from is too far back. The watch is over: load everything
    /// anew and subscribe from there.
    Resync,
}

/// How much is kept for watchers that lag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HistoryLimits {
    /// Number of events.
    pub(crate) events: usize,
    /// Bytes of their values, as text.
    pub(crate) bytes: usize,
}

/// The latest events.
///
/// Positions count events since the start. Those from `base` on are held, and the one to come has the position
/// `base + events.len()`. No event of a revision later than `floor` is missing from them.
struct History {
    events: VecDeque<Kept>,
    bytes: usize,
    base: u64,
    floor: u64,
}

struct Kept {
    event: Arc<Event>,
    bytes: usize,
}

/// The writing end of the event history; there is one.
pub(crate) struct Publisher {
    history: Arc<Mutex<History>>,
    signal: watch::Sender<()>,
    limits: HistoryLimits,
}

/// Hands out watches.
pub(crate) struct Subscriptions {
    history: Arc<Mutex<History>>,
    signal: watch::Receiver<()>,
}

/// Follows the changes of a store from some revision on.
pub struct Watch {
    history: Arc<Mutex<History>>,
    signal: watch::Receiver<()>,
    /// Events up to here are known to the watcher.
    from_revision: u64,
    /// The position of the next event, nothing when the watch is over.
    position: Option<u64>,
}

/// An empty history.
pub(crate) fn channel(limits: HistoryLimits) -> (Publisher, Subscriptions) {
    let history = Arc::new(Mutex::new(History {
        events: VecDeque::new(),
        bytes: 0,
        base: 0,
        floor: 0,
    }));
    let (sender, signal) = watch::channel(());
    let publisher = Publisher {
        history: Arc::clone(&history),
        signal: sender,
        limits,
    };
    (publisher, Subscriptions { history, signal })
}

impl Publisher {
    pub(crate) fn limits(&self) -> HistoryLimits {
        self.limits
    }

    /// Appends events with the size of their values, oldest first. Watchers see all of them at once.
    pub(crate) fn publish(&self, events: impl Iterator<Item = (Event, usize)>) {
        let events: Vec<_> = events
            .map(|(event, bytes)| Kept {
                event: Arc::new(event),
                bytes,
            })
            .collect();
        let mut history = lock(&self.history);
        history.bytes += events.iter().map(|kept| kept.bytes).sum::<usize>();
        history.events.extend(events);
        while history.events.len() > self.limits.events || history.bytes > self.limits.bytes {
            let Some(oldest) = history.events.pop_front() else {
                break;
            };
            history.bytes -= oldest.bytes;
            history.base += 1;
            history.floor = oldest.event.revision;
        }
        drop(history);
        self.signal.send_replace(());
    }

    /// Forgets everything up to `revision`; every present watcher has to resync.
    pub(crate) fn reset(&self, revision: u64) {
        let mut history = lock(&self.history);
        // One more than there were, so that watchers who had read everything are left behind too.
        history.base += history.events.len() as u64 + 1;
        history.events.clear();
        history.bytes = 0;
        history.floor = revision;
        drop(history);
        self.signal.send_replace(());
    }
}

impl Subscriptions {
    pub(crate) fn subscribe(&self, from_revision: u64) -> Watch {
        let history = lock(&self.history);
        let known = history
            .events
            .partition_point(|kept| kept.event.revision <= from_revision);
        // A position before `base` makes the first look at the history report the gap.
        let position = if from_revision < history.floor {
            0
        } else {
            history.base + known as u64
        };
        Watch {
            history: Arc::clone(&self.history),
            signal: self.signal.clone(),
            from_revision,
            position: Some(position),
        }
    }
}

impl Watch {
    /// Waits for the next change. Nothing means that the watch is over, because the store was closed or
    /// [`Change::Resync`] was the last change. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Change> {
        while self.position.is_some() {
            if let Some(change) = self.try_next() {
                return Some(change);
            }
            if self.signal.changed().await.is_err() {
                return self.try_next();
            }
        }
        None
    }

    /// The next change if it is there already: a caller that wants to act once on many changes takes them
    /// with this. The events of one batch always become visible together.
    pub fn try_next(&mut self) -> Option<Change> {
        let mut position = self.position?;
        let history = lock(&self.history);
        let Some(mut index) = position.checked_sub(history.base) else {
            self.position = None;
            return Some(Change::Resync);
        };
        while let Some(kept) = usize::try_from(index)
            .ok()
            .and_then(|index| history.events.get(index))
        {
            index += 1;
            position += 1;
            self.position = Some(position);
            if kept.event.revision > self.from_revision {
                return Some(Change::Event(Arc::clone(&kept.event)));
            }
        }
        None
    }
}

/// Nothing panics while it holds the lock.
fn lock(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
