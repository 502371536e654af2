//! `created_at`.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Seconds since 1970 as RFC 3339.
pub(super) fn write(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// Seconds since 1970 of RFC 3339.
pub(super) fn read(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(write(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(read("2023-11-14T14:13:20.123456789-08:00"), Some(1_700_000_000));
        assert_eq!(read("yesterday"), None);
        assert_eq!(write(u64::MAX), "1970-01-01T00:00:00Z");
    }
}
