//! Response times that fade.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After this long an observation weighs 1/e of what it did (compat §8.2).
const DECAY: Duration = Duration::from_secs(10);

/// The exponentially weighted mean response time of a node, in seconds.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    mean: Mutex<Option<Mean>>,
}

#[derive(Clone, Copy, Debug)]
struct Mean {
    seconds: f64,
    at: Instant,
}

impl Latency {
    /// Takes a response time in. The longer the mean is untouched, the more the observation counts.
    pub(crate) fn observe(&self, response_time: Duration, now: Instant) {
        let observed = response_time.as_secs_f64();
        let mut mean = self.mean.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = mean.map_or(observed, |mean| {
            let kept = mean.kept(now);
            mean.seconds * kept + observed * (1.0 - kept)
        });
        *mean = Some(Mean { seconds, at: now });
    }

    /// The mean, faded towards 0 since it was last touched: a node that was slow once gets another chance.
    pub(crate) fn score(&self, now: Instant) -> f64 {
        let mean = self.mean.lock().unwrap_or_else(PoisonError::into_inner);
        mean.map_or(0.0, |mean| mean.seconds * mean.kept(now))
    }
}

impl Mean {
    fn kept(self, now: Instant) -> f64 {
        (-now.saturating_duration_since(self.at).div_duration_f64(DECAY)).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn unseen_nodes_score_best() {
        assert_eq!(Latency::default().score(Instant::now()), 0.0);
    }

    #[test]
    fn the_mean_moves_by_age_and_fades() {
        let (latency, start) = (Latency::default(), Instant::now());
        latency.observe(Duration::from_secs(4), start);
        assert!(close(latency.score(start), 4.0));
        let later = start + DECAY;
        let kept = (-1.0_f64).exp();
        assert!(close(latency.score(later), 4.0 * kept));
        latency.observe(Duration::from_secs(1), later);
        assert!(close(latency.score(later), 4.0 * kept + 1.0 - kept));
    }
}
