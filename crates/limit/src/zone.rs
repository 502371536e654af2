//! Time zones, in which days and months begin.

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan, Zoned};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Offsets that are in use somewhere, in hours.
const OFFSETS: std::ops::RangeInclusive<i32> = -14..=14;

/// The zones that were named so far. There are some 600 names and 1,740 offsets, so what is kept for ever is bounded.
static NAMED: LazyLock<Mutex<HashMap<String, Zone>>> = LazyLock::new(Mutex::default);

/// The data of all zones, as they were built into the binary: whatever the machine has is not asked.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone: a name of IANA's database such as `Europe/Berlin`, with its summer time, or a fixed offset from UTC
/// such as `+05:30`. Copies are cheap.
#[derive(Clone, Copy)]
pub struct Zone(&'static Known);

struct Known {
    name: String,
    zone: TimeZone,
}

/// A name that no time zone has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time zone: a name such as `Europe/Berlin`, an offset such as `+02:00` or `UTC` is wanted"
)]
pub struct UnknownZone(String);

impl Zone {
    /// The zone of a name, in whatever case, or of an offset in hours and minutes.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        let (name, zone) = find(name).ok_or_else(|| UnknownZone(name.chars().take(64).collect()))?;
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = named.get(&name) {
            return Ok(*known);
        }
        let known = Self(Box::leak(Box::new(Known {
            name: name.clone(),
            zone,
        })));
        named.insert(name, known);
        Ok(known)
    }

    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        static UTC: LazyLock<Zone> = LazyLock::new(|| {
            Zone(Box::leak(Box::new(Known {
                name: "UTC".to_owned(),
                zone: TimeZone::UTC,
            })))
        });
        *UTC
    }

    /// As it is written: `Europe/Berlin`, `+02:00`, `UTC`.
    #[must_use]
    pub fn name(self) -> &'static str {
        &self.0.name
    }

    /// The first moment of the day after that of a moment; both in milliseconds since the Unix epoch. `None` beyond
    /// the calendar.
    #[must_use]
    pub fn next_day(self, moment: i64) -> Option<i64> {
        millis(&self.at(moment)?.tomorrow().ok()?.start_of_day().ok()?)
    }

    /// The same of the month.
    #[must_use]
    pub fn next_month(self, moment: i64) -> Option<i64> {
        let first = self.at(moment)?.first_of_month().ok()?;
        millis(&first.checked_add(1.month()).ok()?.start_of_day().ok()?)
    }

    /// The first moment of the day of a moment.
    #[must_use]
    pub fn day(self, moment: i64) -> Option<i64> {
        millis(&self.at(moment)?.start_of_day().ok()?)
    }

    /// The same of the month.
    #[must_use]
    pub fn month(self, moment: i64) -> Option<i64> {
        millis(&self.at(moment)?.first_of_month().ok()?.start_of_day().ok()?)
    }

    fn at(self, moment: i64) -> Option<Zoned> {
        let moment = Timestamp::from_millisecond(moment).ok()?;
        Some(moment.to_zoned(self.0.zone.clone()))
    }
}

fn millis(moment: &Zoned) -> Option<i64> {
    Some(moment.timestamp().as_millisecond())
}

/// A zone and its name as the database writes it.
fn find(name: &str) -> Option<(String, TimeZone)> {
    if name == "UTC" {
        return Some((name.to_owned(), TimeZone::UTC));
    }
    if let Some(offset) = offset(name) {
        return Some((name.to_owned(), TimeZone::fixed(offset)));
    }
    let zone = DATABASE.get(name).ok().filter(|zone| !zone.is_unknown())?;
    Some((zone.iana_name()?.to_owned(), zone))
}

/// `+05:30`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.as_bytes() {
        [b'+', ..] => (1, text.get(1..)?),
        [b'-', ..] => (-1, text.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').filter(|_| rest.len() == 5)?;
    let two_digits = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    if !OFFSETS.contains(&hours) || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn names_are_those_of_the_database() {
        for (name, own) in [
            ("UTC", "UTC"),
            ("Europe/Berlin", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
            ("+05:30", "+05:30"),
            ("-14:00", "-14:00"),
        ] {
            assert_eq!(Zone::named(name).unwrap().name(), own);
        }
        for name in [
            "",
            "Europe/Berlim",
            "+5:30",
            "+15:00",
            "+01:60",
            "+0100",
            "../Berlin",
            "Etc/Unknown",
            "+é:00",
        ] {
            assert_eq!(Zone::named(name), Err(UnknownZone(name.to_owned())), "{name}");
        }
        assert_eq!(Zone::named("+02:00"), Zone::named("+02:00"));
        assert_eq!(Zone::named("UTC").unwrap(), Zone::utc());
    }

    #[test]
    fn days_are_as_long_as_they_are() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        // Summer time ends at 3:00 on that day: it has 25 hours; the other one 23.
        for (day, next) in [
            ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ] {
            assert_eq!(berlin.next_day(ms(day)), Some(ms(next)));
            assert_eq!(berlin.day(ms(next) - 1), Some(ms(day)));
        }
    }

    #[test]
    fn a_day_without_midnight_begins_when_it_begins() {
        // In Cairo the clock goes from 0:00 to 1:00.
        let cairo = Zone::named("Africa/Cairo").unwrap();
        assert_eq!(
            cairo.next_day(ms("2026-04-23T12:00:00Z")),
            Some(ms("2026-04-23T22:00:00Z"))
        );
        assert_eq!(
            cairo.next_day(ms("2026-04-23T22:00:00Z")),
            Some(ms("2026-04-24T21:00:00Z"))
        );
    }

    #[test]
    fn months_begin_by_local_time() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let within = ms("2026-10-10T12:00:00Z");
        assert_eq!(berlin.month(within), Some(ms("2026-09-30T22:00:00Z")));
        assert_eq!(berlin.next_month(within), Some(ms("2026-10-31T23:00:00Z")));
        assert_eq!(berlin.next_month(i64::MAX), None);
    }
}
