//! The latest seconds, one sum each.

use super::LiveTotals;

/// Seconds that are remembered.
const KEPT: usize = 16;

/// Seconds that a rate is made of.
const RATED: i64 = 5;

/// A second that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Its start, in unix seconds.
    pub at: i64,
    /// What ended in it.
    pub totals: LiveTotals,
}

/// A ring of seconds.
#[derive(Debug, Default)]
pub(super) struct Seconds([Second; KEPT]);

/// Averages per second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    pub(super) requests: f64,
    pub(super) errors: f64,
    pub(super) tokens: f64,
}

impl Seconds {
    pub(super) fn add(&mut self, at: i64, totals: &LiveTotals) {
        let Some(second) = self.0.get_mut(place(at)) else {
            return;
        };
        if second.at != at {
            *second = Second {
                at,
                totals: LiveTotals::default(),
            };
        }
        second.totals.add(totals);
    }

    /// The second before the running one.
    pub(super) fn last(&self, now: i64) -> Second {
        let at = now - 1;
        match self.0.get(place(at)) {
            Some(second) if second.at == at => *second,
            _ => Second {
                at,
                totals: LiveTotals::default(),
            },
        }
    }

    /// The average of the latest seconds that are over.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(super) fn rate(&self, now: i64) -> Rate {
        let mut sum = LiveTotals::default();
        for ago in 0..RATED {
            sum.add(&self.last(now - ago).totals);
        }
        let each = |count: i64| count as f64 / RATED as f64;
        Rate {
            requests: each(sum.requests),
            errors: each(sum.errors),
            tokens: each(sum.tokens()),
        }
    }
}

fn place(at: i64) -> usize {
    usize::try_from(at.rem_euclid(KEPT as i64)).unwrap_or_default()
}
