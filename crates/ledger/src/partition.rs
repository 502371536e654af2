//! The tables of records, one per day, so that a day is dropped at once.
//!
//! They have no index beside the key while they grow: with a thousand consumers, one on the consumer costs several times
//! as much as the row itself, because every row then dirties a page of its own. Reads find their hours in the rollups
//! instead. A day that is over gets one on the series, made in one go, which is cheap.

use time::Date;

const PREFIX: &str = "records_";
const PAYLOADS: &str = "payloads_";
const UNIX_EPOCH: i32 = 2_440_588; // Julian day of 1970-01-01

/// The columns in the order in which rows are bound.
pub(crate) const COLUMNS: &str = "seq, id, series, status, started_us, duration_us, ttft_us, input_tokens, \
                                  output_tokens, cost_micros, detail";

/// The table of a day, given in days since the Unix epoch. Days that no date has share the last one's.
pub(crate) fn name(day: i64) -> String {
    dated(PREFIX, day)
}

/// The table of a day's payloads.
pub(crate) fn payloads(day: i64) -> String {
    dated(PAYLOADS, day)
}

fn dated(prefix: &str, day: i64) -> String {
    let julian = day.saturating_add(UNIX_EPOCH.into());
    let date = i32::try_from(julian)
        .ok()
        .and_then(|julian| Date::from_julian_day(julian).ok())
        .unwrap_or(Date::MAX);
    let (year, month, day) = date.to_calendar_date();
    format!("{prefix}{year:04}{:02}{day:02}", u8::from(month))
}

/// Name of the index on the series of a table.
pub(crate) fn index(table: &str) -> String {
    format!("{table}_series")
}

/// The day of a table, if it is one of ours.
pub(crate) fn day(name: &str) -> Option<i64> {
    let digits = name
        .strip_prefix(PREFIX)
        .or_else(|| name.strip_prefix(PAYLOADS))?;
    if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = digits.split_at(4);
    let (month, day) = rest.split_at(2);
    let month = time::Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    Some(i64::from(date.to_julian_day()) - i64::from(UNIX_EPOCH))
}

/// The statement that makes the table. `detail` is JSON ([`crate::Detail`]).
pub(crate) fn create(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (
            seq INTEGER PRIMARY KEY,
            id BLOB NOT NULL,
            series INTEGER NOT NULL,
            status INTEGER NOT NULL,
            started_us INTEGER NOT NULL,
            duration_us INTEGER NOT NULL,
            ttft_us INTEGER,
            input_tokens INTEGER NOT NULL,
            output_tokens INTEGER NOT NULL,
            cost_micros INTEGER,
            detail TEXT NOT NULL
        )"
    )
}

/// The statement that makes a table of payloads, which are packed ([`crate::payload`]).
pub(crate) fn create_payloads(table: &str) -> String {
    format!("CREATE TABLE IF NOT EXISTS {table} (seq INTEGER PRIMARY KEY, payload BLOB NOT NULL)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_date() {
        assert_eq!(name(0), "records_19700101");
        assert_eq!(name(20_777), "records_20261120");
        for day_number in [0, 20_777, 21_000, 11_016] {
            assert_eq!(day(&name(day_number)), Some(day_number));
        }
        assert_eq!(name(i64::MAX), "records_99991231");
    }

    #[test]
    fn other_tables_are_left_alone() {
        for other in [
            "records",
            "records_",
            "records_20261301",
            "records_2026112",
            "records_2026112x",
            "rollups",
        ] {
            assert_eq!(day(other), None, "{other}");
        }
    }
}
