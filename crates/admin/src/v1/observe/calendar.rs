//! Reports by days and months of a time zone.
//!
//! The ledger sums full hours of UTC: a day is put together from its hours, and where it begins within one, that
//! hour counts for the day in which it begins.

use sluice_ledger::{Filter, GroupBy, Period, UsageKey, UsageRow};
use sluice_limit::Zone;

use super::{HOUR_US, ledger, overview};
use crate::api::Api;
use crate::v1::{ApiError, Call};

/// Most days or months of one answer.
const PERIODS: usize = 400;

/// Microseconds of a millisecond.
const MILLI: i64 = 1000;

/// The time zone that a query names, unless that is UTC, by which the ledger counts anyway.
pub(super) fn zone(call: &Call) -> Result<Option<Zone>, ApiError> {
    let Some(name) = call.text("time_zone") else {
        return Ok(None);
    };
    let zone = Zone::named(&name).map_err(|error| ApiError::field("time_zone", error.to_string()))?;
    Ok((zone != Zone::utc()).then_some(zone))
}

/// A day or a month: where it begins, and the full hours that count for it.
struct Span {
    begin_us: i64,
    since_us: i64,
    until_us: i64,
}

impl Span {
    /// The one that a moment is in. None beyond the calendar.
    fn around(moment_us: i64, period: Period, zone: Zone) -> Option<Self> {
        let moment = moment_us.div_euclid(MILLI);
        let (begin, end) = match period {
            Period::Month => (zone.month(moment)?, zone.next_month(moment)?),
            _ => (zone.day(moment)?, zone.next_day(moment)?),
        };
        let full_hour = |millis: i64| (millis * MILLI).div_euclid(HOUR_US) * HOUR_US;
        Some(Self {
            begin_us: begin * MILLI,
            since_us: full_hour(begin),
            until_us: full_hour(end),
        })
    }
}

/// As the ledger's report by days or months, of this zone. Rows come in the order of their keys, those after `after`.
pub(super) async fn usage(
    api: &Api,
    filter: &Filter,
    group: GroupBy,
    zone: Zone,
    after: Option<&UsageKey>,
    limit: u32,
) -> Result<Vec<UsageRow>, ApiError> {
    let ledger = ledger(api)?;
    let until = filter.until_us.unwrap_or_else(overview::now_us);
    let since = match (after, filter.since_us) {
        (Some(after), _) => after.period_us,
        (None, Some(since)) => since,
        (None, None) => {
            let days = GroupBy {
                period: Period::Day,
                dimension: None,
            };
            let first = ledger.usage(filter, days, None, 1).await?;
            first.first().map_or(until, |row| row.key.period_us)
        }
    };
    let mut rows: Vec<UsageRow> = Vec::new();
    let mut moment = since;
    for _ in 0..PERIODS {
        let room = limit - u32::try_from(rows.len()).unwrap_or(limit).min(limit);
        let span = Span::around(moment, group.period, zone);
        let Some(span) = span.filter(|span| room > 0 && span.begin_us < until) else {
            break;
        };
        let part = Filter {
            since_us: Some(span.since_us.max(filter.since_us.unwrap_or(i64::MIN))),
            until_us: Some(span.until_us.min(until)),
            ..filter.clone()
        };
        let whole = GroupBy {
            period: Period::Whole,
            ..group
        };
        // The cursor is within the first one, whose rows have no period here.
        let name = after
            .filter(|after| after.period_us == span.begin_us)
            .map(|after| UsageKey {
                period_us: 0,
                name: after.name.clone(),
            });
        let part = ledger.usage(&part, whole, name.as_ref(), room).await?;
        rows.extend(
            part.into_iter()
                .filter(|row| row.totals.requests > 0)
                .map(|mut row| {
                    row.key.period_us = span.begin_us;
                    row
                }),
        );
        let Some(next) = next(moment, group.period, zone) else {
            break;
        };
        moment = next;
    }
    Ok(rows)
}

/// The first moment of the next day or month.
fn next(moment_us: i64, period: Period, zone: Zone) -> Option<i64> {
    let moment = moment_us.div_euclid(MILLI);
    let next = match period {
        Period::Month => zone.next_month(moment),
        _ => zone.next_day(moment),
    };
    next?.checked_mul(MILLI)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_of_full_hours_that_follow_each_other() {
        for name in ["Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"] {
            let zone = Zone::named(name).unwrap();
            // 2026-10-01 for forty days, over the end of summer time.
            let mut moment = 1_790_812_800_000_000;
            for _ in 0..40 {
                let span = Span::around(moment, Period::Day, zone).unwrap();
                assert!(span.begin_us <= moment && span.since_us % HOUR_US == 0);
                moment = next(moment, Period::Day, zone).unwrap();
                let following = Span::around(moment, Period::Day, zone).unwrap();
                assert_eq!(span.until_us, following.since_us, "{name}");
                assert_eq!(following.begin_us, moment);
            }
        }
    }
}
