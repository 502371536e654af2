//! Which records a query means.

use sluice_ledger::Filter;

use crate::v1::{ApiError, Call};

/// The filter of a query: `from_ms`, `to_ms`, `client`, `group`, `credential`, `route`, `provider`, `model`, `status`.
pub(super) fn of(call: &Call) -> Result<Filter, ApiError> {
    let time = |name: &str| -> Result<Option<i64>, ApiError> {
        Ok(call
            .number(name)?
            .map(|ms| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1000)))
    };
    Ok(Filter {
        since_us: time("from_ms")?,
        until_us: time("to_ms")?,
        status: call.text("status").map(|status| statuses(&status)).transpose()?,
        consumer: call.text("client"),
        consumer_group: call.text("group"),
        credential: call.text("credential"),
        route: call.text("route"),
        provider: call.text("provider"),
        model: call.text("model"),
    })
}

/// `429`, `4xx`, or `error` for everything from 400 on.
fn statuses(text: &str) -> Result<std::ops::RangeInclusive<u16>, ApiError> {
    let wrong = || ApiError::field("status", "a status is a number, a class such as 4xx, or `error`");
    if text == "error" {
        return Ok(400..=599);
    }
    if let Some(class) = text.strip_suffix("xx") {
        let class: u16 = class.parse().map_err(|_| wrong())?;
        return (1..=5)
            .contains(&class)
            .then(|| class * 100..=class * 100 + 99)
            .ok_or_else(wrong);
    }
    let status: u16 = text.parse().map_err(|_| wrong())?;
    Ok(status..=status)
}

#[cfg(test)]
mod tests {
    use super::statuses;

    #[test]
    fn statuses_and_classes() {
        assert_eq!(statuses("429").unwrap(), 429..=429);
        assert_eq!(statuses("4xx").unwrap(), 400..=499);
        assert_eq!(statuses("error").unwrap(), 400..=599);
        assert!(statuses("9xx").is_err() && statuses("x").is_err());
    }
}
