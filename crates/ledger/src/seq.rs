//! The place of a record in the ledger.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub(crate) const HOUR_US: i64 = 3_600_000_000;
pub(crate) const DAY_US: i64 = 24 * HOUR_US;

/// The place of a record in the ledger: the time at which the ledger took it, in microseconds since the Unix epoch,
/// moved up where that is needed to make it unique and ascending.
///
/// It is the records' key, their order, the cursor of a page, and the time that decides to which hour and day a
/// record belongs. A record is taken when its request is over, so new records always come last: a page never
/// changes behind its reader, and the database only ever appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seq(pub i64);

impl Seq {
    /// Hours since the Unix epoch.
    pub(crate) fn hour(self) -> i64 {
        self.0.div_euclid(HOUR_US)
    }

    /// Days since the Unix epoch, in UTC.
    pub(crate) fn day(self) -> i64 {
        self.0.div_euclid(DAY_US)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seq {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Hands out ascending places.
#[derive(Debug)]
pub(crate) struct Sequence {
    last: i64,
}

impl Sequence {
    /// Starts after what is stored already.
    pub(crate) fn after(last: Option<Seq>) -> Self {
        Self {
            last: last.map_or(0, |seq| seq.0),
        }
    }

    /// The next place, near the given time. When the clock has been set back, places go on from the last one.
    pub(crate) fn next(&mut self, now_us: i64) -> Seq {
        self.last = now_us.max(self.last.saturating_add(1));
        Seq(self.last)
    }

    /// Makes sure that the places to come are after the given one.
    pub(crate) fn advance(&mut self, taken: Seq) {
        self.last = self.last.max(taken.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_ascend_whatever_the_clock_does() {
        let mut sequence = Sequence::after(Some(Seq(100)));
        let clock = [50, 100, 200, 200, 150, 300];
        let places = clock.map(|now| sequence.next(now).0);
        assert_eq!(places, [101, 102, 200, 201, 202, 300]);
        sequence.advance(Seq(1000));
        sequence.advance(Seq(500));
        assert_eq!(sequence.next(0), Seq(1001));
    }

    #[test]
    fn hours_and_days_are_of_utc() {
        let seq = Seq(1_795_190_400_000_000); // 2026-11-20T16:00:00Z
        assert_eq!(seq.hour(), 1_795_190_400 / 3600);
        assert_eq!(seq.day(), 20_777);
        assert_eq!(Seq(-1).day(), -1);
    }

    #[test]
    fn a_cursor_survives_its_text() {
        let seq = Seq(1_795_190_400_000_000);
        assert_eq!(seq.to_string().parse::<Seq>().unwrap(), seq);
        assert!("12x".parse::<Seq>().is_err());
    }
}
