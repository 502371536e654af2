//! A thread that runs one job at a fixed tick, on demand, and once more when it is told to end.

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::sync::lock;

/// How long a dropped [`Ticker`] waits for its last run. A job that hangs (a stalled pipe, a dead network file
/// system) must not hang its owner.
const DROP_GRACE: Duration = Duration::from_secs(5);

/// Owns the thread. Dropping it stops the thread after one last run.
#[derive(Debug)]
pub(crate) struct Ticker {
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
}

/// Asks a [`Ticker`]'s thread for a run and waits for it; cheap to clone, outlives the ticker.
#[derive(Clone, Debug)]
pub(crate) struct Flusher(Arc<Control>);

#[derive(Debug, Default)]
struct Control {
    state: Mutex<State>,
    /// Wakes the thread.
    asked: Condvar,
    /// Wakes those who wait for the thread.
    answered: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Runs asked for so far.
    wanted: u64,
    /// The highest value of `wanted` that a finished run had seen when it began.
    finished: u64,
    stop: bool,
    ended: bool,
}

impl Ticker {
    /// Starts a thread called `name` that runs `job` every `tick`.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(crate) fn start(name: &str, tick: Duration, job: impl FnMut() + Send + 'static) -> io::Result<Self> {
        let control = Arc::new(Control::default());
        let of_thread = Arc::clone(&control);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(&of_thread, tick, job))?;
        Ok(Self {
            control,
            thread: Some(thread),
        })
    }

    /// A handle that can ask for a run.
    pub(crate) fn flusher(&self) -> Flusher {
        Flusher(Arc::clone(&self.control))
    }

    /// Runs the job once more and ends the thread. False when that took longer than `timeout`: the thread is then
    /// left behind and ends when its job returns.
    pub(crate) fn stop(mut self, timeout: Duration) -> bool {
        self.end(timeout)
    }

    fn end(&mut self, timeout: Duration) -> bool {
        let Some(thread) = self.thread.take() else {
            return true;
        };
        lock(&self.control.state).stop = true;
        self.control.asked.notify_one();
        let ended = self.control.wait(timeout, |state| state.ended);
        if ended {
            // The thread has nothing left to do; a panic of its job has been reported by the panic hook.
            let _ = thread.join();
        }
        ended
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.end(DROP_GRACE);
    }
}

impl Flusher {
    /// Runs the job and waits for it. True when a run that began after this call has finished, false when it did
    /// not within `timeout` or the thread has ended.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        let ticket = {
            let mut state = lock(&self.0.state);
            if state.ended {
                return false;
            }
            state.wanted += 1;
            state.wanted
        };
        self.0.asked.notify_one();
        self.0
            .wait(timeout, |state| state.finished >= ticket || state.ended)
            && lock(&self.0.state).finished >= ticket
    }
}

impl Control {
    fn wait(&self, timeout: Duration, done: impl Fn(&State) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = lock(&self.state);
        while !done(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = match self.answered.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        true
    }

    /// Sleeps until something is asked for or `tick` has passed; returns what a run starting here answers.
    fn next_run(&self, tick: Duration) -> (u64, bool) {
        let state = lock(&self.state);
        let idle = |state: &mut State| state.wanted == state.finished && !state.stop;
        let state = match self.asked.wait_timeout_while(state, tick, idle) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        };
        (state.wanted, state.stop)
    }
}

/// Marks the thread as ended, however it ends.
struct EndGuard<'a>(&'a Control);

impl Drop for EndGuard<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).ended = true;
        self.0.answered.notify_all();
    }
}

fn run(control: &Control, tick: Duration, job: impl FnMut()) {
    let _end = EndGuard(control);
    // Declared after the guard: what the job owns is closed before anybody hears that the thread has ended.
    let mut job = job;
    loop {
        let (wanted, stop) = control.next_run(tick);
        job();
        lock(&control.state).finished = wanted;
        control.answered.notify_all();
        if stop {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);
    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_flush_waits_for_a_run_that_began_after_it() {
        let runs = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&runs);
        let ticker = Ticker::start("t", NEVER, move || {
            seen.fetch_add(1, Ordering::SeqCst);
        })
        .unwrap();
        assert!(ticker.flusher().flush(LONG));
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        assert!(ticker.flusher().flush(LONG));
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        assert!(ticker.stop(LONG));
        assert_eq!(runs.load(Ordering::SeqCst), 3, "stopping runs the job once more");
    }

    #[test]
    fn it_runs_by_itself() {
        let (sender, runs) = mpsc::channel();
        let _ticker = Ticker::start("t", Duration::from_millis(1), move || {
            let _ = sender.send(());
        })
        .unwrap();
        assert!(runs.recv_timeout(LONG).is_ok());
        assert!(runs.recv_timeout(LONG).is_ok());
    }

    #[test]
    fn a_hanging_job_hangs_nobody() {
        let (release, held) = mpsc::channel::<()>();
        let ticker = Ticker::start("t", NEVER, move || {
            let _ = held.recv();
        })
        .unwrap();
        assert!(!ticker.flusher().flush(Duration::from_millis(5)));
        assert!(!ticker.stop(Duration::from_millis(5)));
        drop(release);
    }

    #[test]
    fn nothing_can_be_flushed_after_the_end() {
        let ticker = Ticker::start("t", NEVER, || {}).unwrap();
        let flusher = ticker.flusher();
        assert!(ticker.stop(LONG));
        assert!(!flusher.flush(LONG));
    }

    #[test]
    fn a_panicking_job_ends_the_wait() {
        let ticker = Ticker::start("t", NEVER, || panic!("job")).unwrap();
        assert!(!ticker.flusher().flush(LONG));
    }
}
