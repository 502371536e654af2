//! The thread that empties the [`RecordQueue`].

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use sluice_record::Record;

use super::RecordQueue;
use crate::ticker::{Flusher, Ticker};

/// Records that one call of a sink gets at most.
const MAX_BATCH: usize = 4096;

/// Reads finished records, batch by batch, on the drain thread.
///
/// A sink must not wait for a disk or a network: while it does, no other sink gets anything. What may take long
/// belongs on a thread of the sink's own. A sink is dropped when the drain stops, and closes itself then.
pub trait RecordSink: Send {
    /// Name for the log.
    fn name(&self) -> &'static str;

    /// Takes one batch, never an empty one. Batches come in the order in which requests ended, nearly: requests that
    /// end on several threads at once may change places.
    fn write(&mut self, batch: &[Arc<Record>]);
}

/// Takes everything out of a [`RecordQueue`] at every tick and shows it to every sink.
#[derive(Debug)]
pub struct Drain {
    ticker: Ticker,
    flusher: Flusher,
}

impl Drain {
    /// The usual tick: long enough for batches worth their overhead, short enough for a dashboard.
    pub const DEFAULT_TICK: Duration = Duration::from_millis(50);

    /// Starts the drain thread.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        queue: Arc<RecordQueue>,
        sinks: Vec<Box<dyn RecordSink>>,
        tick: Duration,
    ) -> io::Result<Self> {
        let mut work = Work {
            queue,
            sinks,
            batch: Vec::with_capacity(MAX_BATCH),
        };
        let ticker = Ticker::start("drain", tick, move || work.run())?;
        let flusher = ticker.flusher();
        Ok(Self { ticker, flusher })
    }

    /// Shows to every sink what was pushed before this call. Blocks, so not for async code; false when it did not
    /// happen within `timeout` or the drain has ended.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.flusher.flush(timeout)
    }

    /// Shows the sinks what is left, closes them and ends the thread. False when that took longer than `timeout`.
    pub fn stop(self, timeout: Duration) -> bool {
        self.ticker.stop(timeout)
    }
}

struct Work {
    queue: Arc<RecordQueue>,
    sinks: Vec<Box<dyn RecordSink>>,
    batch: Vec<Arc<Record>>,
}

impl Work {
    fn run(&mut self) {
        // Only what is there at the start: requests that end meanwhile must not keep a flush waiting for ever.
        let mut left = self.queue.len();
        while left > 0 {
            let size = left.min(MAX_BATCH);
            self.batch.extend((0..size).map_while(|_| self.queue.pop()));
            if self.batch.is_empty() {
                return;
            }
            left -= size;
            self.show();
            self.batch.clear();
        }
    }

    /// A sink that panics is taken out: its state is unknown, and the others must go on.
    fn show(&mut self) {
        let batch = &self.batch;
        self.sinks.retain_mut(|sink| {
            let shown = catch_unwind(AssertUnwindSafe(|| sink.write(batch)));
            if shown.is_err() {
                tracing::error!(sink = sink.name(), "record sink panicked and is switched off");
            }
            shown.is_ok()
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

    use super::*;
    use crate::sync::lock;
    use crate::testing::record;

    const NEVER: Duration = Duration::from_secs(3600);
    const LONG: Duration = Duration::from_secs(20);

    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<usize>>>);

    impl RecordSink for Seen {
        fn name(&self) -> &'static str {
            "seen"
        }

        fn write(&mut self, batch: &[Arc<Record>]) {
            lock(&self.0).push(batch.len());
        }
    }

    impl Seen {
        fn total(&self) -> usize {
            lock(&self.0).iter().sum()
        }
    }

    struct Broken;

    impl RecordSink for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }

        fn write(&mut self, _: &[Arc<Record>]) {
            panic!("broken sink");
        }
    }

    fn start(sinks: Vec<Box<dyn RecordSink>>) -> (Arc<RecordQueue>, Drain) {
        let queue = Arc::new(RecordQueue::new(RecordQueue::DEFAULT_CAPACITY));
        let drain = Drain::start(Arc::clone(&queue), sinks, NEVER).unwrap();
        (queue, drain)
    }

    #[test]
    fn a_flush_shows_everything_in_bounded_batches() {
        let seen = Seen::default();
        let (queue, drain) = start(vec![Box::new(seen.clone())]);
        let record = Arc::new(record());
        for _ in 0..MAX_BATCH + 3 {
            queue.push(Arc::clone(&record));
        }
        assert!(drain.flush(LONG));
        assert_eq!(*lock(&seen.0), [MAX_BATCH, 3]);
        assert!(drain.flush(LONG));
        assert_eq!(lock(&seen.0).len(), 2, "no empty batches");
    }

    #[test]
    fn stopping_loses_nothing_that_was_pushed() {
        let seen = Seen::default();
        let (queue, drain) = start(vec![Box::new(seen.clone())]);
        let record = Arc::new(record());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| assert!(queue.push(Arc::clone(&record)))));
            }
        });
        assert!(drain.stop(LONG));
        assert_eq!(seen.total(), 4000);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_panicking_sink_is_switched_off_and_the_others_go_on() {
        let seen = Seen::default();
        let (queue, drain) = start(vec![Box::new(Broken), Box::new(seen.clone())]);
        for _ in 0..2 {
            queue.push(Arc::new(record()));
            assert!(drain.flush(LONG));
        }
        assert_eq!(seen.total(), 2);
    }

    #[test]
    fn sinks_are_closed_before_stop_returns() {
        struct Closes(Arc<Mutex<bool>>);
        impl RecordSink for Closes {
            fn name(&self) -> &'static str {
                "closes"
            }
            fn write(&mut self, _: &[Arc<Record>]) {}
        }
        impl Drop for Closes {
            fn drop(&mut self) {
                *lock(&self.0) = true;
            }
        }
        let closed = Arc::new(Mutex::new(false));
        let (_, drain) = start(vec![Box::new(Closes(Arc::clone(&closed)))]);
        assert!(drain.stop(LONG));
        assert!(*lock(&closed));
    }
}
