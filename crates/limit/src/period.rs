//! How long a budget counts before it starts again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::{Date, Month, OffsetDateTime};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// The period of a budget. Calendar periods are those of a fixed offset from UTC, in minutes east.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A window of this length that opens at the first touch.
    Fixed(Duration),
    /// From midnight to midnight.
    Day {
        /// Minutes east of UTC.
        utc_offset: i16,
    },
    /// From the first of a month to the first of the next.
    Month {
        /// Minutes east of UTC.
        utc_offset: i16,
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
            Self::Day { utc_offset } => calendar_end(start, utc_offset, next_midnight),
            Self::Month { utc_offset } => calendar_end(start, utc_offset, next_first_of_month),
            Self::Total => u64::MAX,
        }
    }
}

/// Applies `next`, which works on local time, to a moment in UTC.
fn calendar_end(start: u64, utc_offset: i16, next: fn(i64) -> Option<i64>) -> u64 {
    let offset = i64::from(utc_offset) * MINUTE_MS;
    i64::try_from(start)
        .ok()
        .and_then(|start| start.checked_add(offset))
        .and_then(next)
        .and_then(|end| u64::try_from(end - offset).ok())
        .unwrap_or(u64::MAX)
}

fn next_midnight(local: i64) -> Option<i64> {
    local.div_euclid(DAY_MS).checked_add(1)?.checked_mul(DAY_MS)
}

fn next_first_of_month(local: i64) -> Option<i64> {
    let today = OffsetDateTime::from_unix_timestamp(local.div_euclid(1_000))
        .ok()?
        .date();
    let year = if today.month() == Month::December {
        today.year() + 1
    } else {
        today.year()
    };
    let first = Date::from_calendar_date(year, today.month().next(), 1).ok()?;
    Some(first.midnight().assume_utc().unix_timestamp() * 1_000)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn ms(moment: OffsetDateTime) -> u64 {
        u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap()
    }

    #[test]
    fn fixed_periods_run_from_their_start() {
        assert_eq!(Period::Fixed(Duration::from_secs(60)).end_after(5), 60_005);
        assert_eq!(Period::Fixed(Duration::MAX).end_after(5), u64::MAX);
        assert_eq!(Period::Total.end_after(5), u64::MAX);
    }

    #[test]
    fn days_end_at_local_midnight() {
        let start = ms(datetime!(2026-11-20 22:30 UTC));
        assert_eq!(
            Period::Day { utc_offset: 0 }.end_after(start),
            ms(datetime!(2026-11-21 00:00 UTC))
        );
        // In Berlin that is half past eleven, in Tokyo the next morning, in New York the afternoon.
        assert_eq!(
            Period::Day { utc_offset: 60 }.end_after(start),
            ms(datetime!(2026-11-21 00:00 +1))
        );
        assert_eq!(
            Period::Day { utc_offset: 540 }.end_after(start),
            ms(datetime!(2026-11-22 00:00 +9))
        );
        assert_eq!(
            Period::Day { utc_offset: -300 }.end_after(start),
            ms(datetime!(2026-11-21 00:00 -5))
        );
    }

    #[test]
    fn a_day_that_starts_at_midnight_lasts_a_day() {
        let midnight = ms(datetime!(2026-11-20 00:00 UTC));
        assert_eq!(
            Period::Day { utc_offset: 0 }.end_after(midnight),
            midnight + 86_400_000
        );
    }

    #[test]
    fn months_know_the_calendar() {
        let month = Period::Month { utc_offset: 0 };
        assert_eq!(
            month.end_after(ms(datetime!(2028-02-29 12:00 UTC))),
            ms(datetime!(2028-03-01 00:00 UTC))
        );
        assert_eq!(
            month.end_after(ms(datetime!(2026-12-31 23:59:59 UTC))),
            ms(datetime!(2027-01-01 00:00 UTC))
        );
        let berlin = Period::Month { utc_offset: 60 };
        assert_eq!(
            berlin.end_after(ms(datetime!(2026-11-30 23:30 UTC))),
            ms(datetime!(2027-01-01 00:00 +1))
        );
    }

    #[test]
    fn the_end_of_time_is_never() {
        assert_eq!(Period::Day { utc_offset: 0 }.end_after(u64::MAX), u64::MAX);
        assert_eq!(
            Period::Month { utc_offset: 840 }.end_after(i64::MAX as u64),
            u64::MAX
        );
    }
}
