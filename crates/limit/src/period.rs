//! How long a budget counts before it starts again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Zone;

/// The period of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A window of this length that opens at the first touch.
    Fixed(Duration),
    /// From midnight to midnight.
    Day {
        /// Whose midnight.
        zone: Zone,
    },
    /// From the first of a month to the first of the next.
    Month {
        /// Whose calendar.
        zone: Zone,
    },
    /// For ever.
    Total,
}

impl Period {
    /// When a period that was running at `start` ends; both in milliseconds since the Unix epoch.
    /// `u64::MAX` where it never does.
    pub(crate) fn end_after(self, start: u64) -> u64 {
        match self {
            Self::Fixed(length) => {
                start.saturating_add(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
            }
            Self::Day { zone } => calendar_end(start, |start| zone.next_day(start)),
            Self::Month { zone } => calendar_end(start, |start| zone.next_month(start)),
            Self::Total => u64::MAX,
        }
    }
}

fn calendar_end(start: u64, next: impl FnOnce(i64) -> Option<i64>) -> u64 {
    let end = i64::try_from(start).ok().and_then(next);
    end.and_then(|end| u64::try_from(end).ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn ms(moment: &str) -> u64 {
        let moment: Timestamp = moment.parse().unwrap();
        u64::try_from(moment.as_millisecond()).unwrap()
    }

    fn day(zone: &str) -> Period {
        Period::Day {
            zone: Zone::named(zone).unwrap(),
        }
    }

    fn month(zone: &str) -> Period {
        Period::Month {
            zone: Zone::named(zone).unwrap(),
        }
    }

    #[test]
    fn fixed_periods_run_from_their_start() {
        assert_eq!(Period::Fixed(Duration::from_secs(60)).end_after(5), 60_005);
        assert_eq!(Period::Fixed(Duration::MAX).end_after(5), u64::MAX);
        assert_eq!(Period::Total.end_after(5), u64::MAX);
    }

    #[test]
    fn days_end_at_local_midnight() {
        let start = ms("2026-11-20T22:30:00Z");
        // In Berlin that is half past eleven, in Tokyo the next morning, in New York the afternoon.
        for (zone, end) in [
            ("UTC", "2026-11-21T00:00:00Z"),
            ("+01:00", "2026-11-20T23:00:00Z"),
            ("Europe/Berlin", "2026-11-20T23:00:00Z"),
            ("Asia/Tokyo", "2026-11-21T15:00:00Z"),
            ("-05:00", "2026-11-21T05:00:00Z"),
            ("America/New_York", "2026-11-21T05:00:00Z"),
            ("Asia/Kolkata", "2026-11-21T18:30:00Z"),
        ] {
            assert_eq!(day(zone).end_after(start), ms(end), "{zone}");
        }
    }

    #[test]
    fn a_day_that_starts_at_midnight_lasts_a_day() {
        let midnight = ms("2026-11-20T00:00:00Z");
        assert_eq!(day("UTC").end_after(midnight), midnight + 86_400_000);
    }

    #[test]
    fn months_know_the_calendar() {
        for (zone, start, end) in [
            ("UTC", "2028-02-29T12:00:00Z", "2028-03-01T00:00:00Z"),
            ("UTC", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
            ("+01:00", "2026-11-30T23:30:00Z", "2026-12-31T23:00:00Z"),
            // Begun in summer time, over in winter time.
            ("Europe/Berlin", "2026-10-01T12:00:00Z", "2026-10-31T23:00:00Z"),
        ] {
            assert_eq!(month(zone).end_after(ms(start)), ms(end), "{zone} {start}");
        }
    }

    #[test]
    fn the_end_of_time_is_never() {
        assert_eq!(day("UTC").end_after(u64::MAX), u64::MAX);
        assert_eq!(month("+14:00").end_after(i64::MAX as u64), u64::MAX);
    }
}
