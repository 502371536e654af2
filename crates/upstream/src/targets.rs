//! How LLM targets are doing: what strategies go by, and cool-downs.
//!
//! The state of a target outlives every edit that leaves the target itself alone, and all models that name it share it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Weight of the latest observation in a running mean.
const STEP: f64 = 0.2;

/// After this long without an observation, what was seen weighs 1/e of what it did: a target that nobody calls is
/// forgiven.
const FORGIVES: Duration = Duration::from_secs(60);

/// How keys begin of targets that stand on routes and consumers themselves: no id of a provider does. The name of the
/// instance follows, and behind a slash its address.
pub const OWN_TARGETS: &str = "@";

/// What is known of one target. Times are means that follow the latest observations.
#[derive(Debug, Default)]
pub struct TargetState {
    active: AtomicU32,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Time to the first token of a stream.
    first_token: Option<Mean>,
    /// Time to a whole answer.
    whole: Option<Mean>,
    errors: Errors,
    cooling: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Mean {
    seconds: f64,
    at: Instant,
}

impl Mean {
    /// Fades with time: who was slow once gets another chance.
    fn faded(self, now: Instant) -> f64 {
        self.seconds * faded(Some(self.at), now)
    }
}

/// What is left of an observation of that time.
fn faded(at: Option<Instant>, now: Instant) -> f64 {
    let age = at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
    (-age.div_duration_f64(FORGIVES)).exp()
}

#[derive(Debug, Default)]
struct Errors {
    /// Share of attempts that failed, 0 to 1.
    rate: f64,
    in_row: u32,
    at: Option<Instant>,
}

impl Errors {
    fn rate(&self, now: Instant) -> f64 {
        self.rate * faded(self.at, now)
    }

    fn take(&mut self, failed: bool, now: Instant) {
        let rate = self.rate(now);
        self.rate = rate + STEP * (f64::from(u8::from(failed)) - rate);
        self.in_row = if failed { self.in_row.saturating_add(1) } else { 0 };
        self.at = Some(now);
    }
}

/// How a target is doing at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetView {
    /// Seconds until an answer begins, fading with time; `None` before the first one.
    pub latency: Option<f64>,
    /// Share of attempts that failed, 0 to 1, fading with time.
    pub error_rate: f64,
    /// Requests under way.
    pub active: u32,
}

impl TargetState {
    /// How it is doing for streams, or for whole answers. Where only the other kind has been seen, that counts.
    #[must_use]
    pub fn view(&self, stream: bool, now: Instant) -> TargetView {
        let seen = self.seen();
        let (own, other) = match stream {
            true => (seen.first_token, seen.whole),
            false => (seen.whole, seen.first_token),
        };
        TargetView {
            latency: own.or(other).map(|mean| mean.faded(now)),
            error_rate: seen.errors.rate(now),
            active: self.active.load(Ordering::Relaxed),
        }
    }

    /// Takes in an answer that began after this long.
    pub fn answered(&self, stream: bool, after: Duration, now: Instant) {
        let mut seen = self.seen();
        seen.errors.take(false, now);
        let mean = if stream {
            &mut seen.first_token
        } else {
            &mut seen.whole
        };
        let observed = after.as_secs_f64();
        let seconds = mean.map_or(observed, |mean| mean.seconds + STEP * (observed - mean.seconds));
        *mean = Some(Mean { seconds, at: now });
    }

    /// Takes in a failure. Returns how many there have been in a row.
    pub fn failed(&self, now: Instant) -> u32 {
        let mut seen = self.seen();
        seen.errors.take(true, now);
        seen.errors.in_row
    }

    /// Leaves the target alone until then; an earlier end does not shorten a later one.
    pub fn cool_down(&self, until: Instant) {
        let mut seen = self.seen();
        seen.cooling = Some(seen.cooling.map_or(until, |known| known.max(until)));
    }

    /// Whether it is to be left alone.
    #[must_use]
    pub fn is_cooling(&self, now: Instant) -> bool {
        self.seen().cooling.is_some_and(|until| now < until)
    }

    /// Counts a request as under way until the guard is dropped.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> TargetGuard {
        self.active.fetch_add(1, Ordering::Relaxed);
        TargetGuard(Arc::clone(self))
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way at a target.
#[derive(Debug)]
pub struct TargetGuard(Arc<TargetState>);

impl Drop for TargetGuard {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The states of all targets in use, by a key that says what the target is. Not on the request path.
#[derive(Debug, Default)]
pub struct TargetStates {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    states: HashMap<Box<str>, Weak<TargetState>>,
    /// States at which the dead are swept out.
    sweep_at: usize,
}

impl TargetStates {
    /// The state of a target: the one in use, else a fresh one.
    #[must_use]
    pub fn state(&self, key: &str) -> Arc<TargetState> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = table.states.get(key).and_then(Weak::upgrade) {
            return state;
        }
        if table.states.len() >= table.sweep_at {
            table.states.retain(|_, state| state.strong_count() > 0);
            table.sweep_at = (table.states.len() * 2).max(64);
        }
        let state = Arc::new(TargetState::default());
        table.states.insert(key.into(), Arc::downgrade(&state));
        state
    }

    /// The keys in use that begin so, in order.
    #[must_use]
    pub fn keys_beginning_with(&self, prefix: &str) -> Vec<String> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let in_use = table.states.iter().filter(|(_, state)| state.strong_count() > 0);
        let mut keys: Vec<_> = in_use
            .filter(|(key, _)| key.starts_with(prefix))
            .map(|(key, _)| key.to_string())
            .collect();
        keys.sort_unstable();
        keys
    }

    /// The states in use of all targets whose key begins so.
    #[must_use]
    pub fn beginning_with(&self, prefix: &str) -> Vec<Arc<TargetState>> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = table.states.iter().filter(|(key, _)| key.starts_with(prefix));
        fitting.filter_map(|(_, state)| state.upgrade()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_follow_and_kinds_stay_apart() {
        let (state, now) = (TargetState::default(), Instant::now());
        assert_eq!(state.view(true, now).latency, None);
        state.answered(false, Duration::from_secs(2), now);
        assert_eq!(state.view(true, now).latency, Some(2.0), "better than nothing");
        state.answered(true, Duration::from_secs(1), now);
        state.answered(true, Duration::from_secs(2), now);
        let latency = state.view(true, now).latency.unwrap();
        assert!((latency - 1.2).abs() < 1e-9);
        assert_eq!(state.view(false, now).latency, Some(2.0));
    }

    #[test]
    fn errors_count_and_fade() {
        let (state, now) = (TargetState::default(), Instant::now());
        assert_eq!((state.failed(now), state.failed(now)), (1, 2));
        let rate = state.view(false, now).error_rate;
        assert!((rate - 0.36).abs() < 1e-9);
        assert!(state.view(false, now + FORGIVES).error_rate < rate / 2.0);
        state.answered(false, Duration::ZERO, now);
        assert_eq!(state.failed(now), 1, "not in a row any more");
    }

    #[test]
    fn cool_downs_end_and_only_grow() {
        let (state, now) = (TargetState::default(), Instant::now());
        let later = now + Duration::from_secs(10);
        state.cool_down(later);
        state.cool_down(now + Duration::from_secs(1));
        assert!(state.is_cooling(now + Duration::from_secs(9)));
        assert!(!state.is_cooling(later));
    }

    #[test]
    fn requests_under_way_are_counted() {
        let state = Arc::new(TargetState::default());
        let guard = state.begin();
        assert_eq!(state.view(false, Instant::now()).active, 1);
        drop(guard);
        assert_eq!(state.view(false, Instant::now()).active, 0);
    }

    #[test]
    fn states_are_shared_while_in_use_and_then_forgotten() {
        let states = TargetStates::default();
        let kept = states.state("kept");
        for n in 0..1000 {
            let _ = states.state(&n.to_string());
        }
        assert!(Arc::ptr_eq(&kept, &states.state("kept")));
        assert!(states.table.lock().unwrap().states.len() < 200);
    }
}
