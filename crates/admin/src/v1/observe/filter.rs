//! Which records a query means.

use sluice_ledger::{CacheFilter, Filter};

use super::names;
use crate::api::Api;
use crate::v1::{ApiError, Call};

/// Name that no client has: what stands for the clients of a tag without any.
const NOBODY: &str = "\u{0}";

/// Longest text that is looked for, in bytes.
const MAX_TEXT: usize = 200;

/// The filter of a query: `from_ms`, `to_ms`, `client`, `group`, `credential`, `route`, `provider`, `model`, `tag`,
/// `status`, and for records `tool_calls`, `cache`, `guard`, `stream`, `text`.
pub(super) async fn of(api: &Api, call: &Call) -> Result<Filter, ApiError> {
    let time = |name: &str| -> Result<Option<i64>, ApiError> {
        Ok(call
            .number(name)?
            .map(|ms| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1000)))
    };
    let names = |name: &str| call.text(name).into_iter().collect::<Vec<_>>();
    let mut clients = names("client");
    if let Some(tag) = call.text("tag") {
        let known = names::of(api).await;
        let mut tagged = known.tagged(&tag).to_vec();
        tagged.retain(|id| clients.is_empty() || clients.contains(id));
        if tagged.is_empty() {
            tagged.push(NOBODY.to_owned());
        }
        clients = tagged;
    }
    let text = call.text("text");
    if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT) {
        return Err(ApiError::field(
            "text",
            format!("at most {MAX_TEXT} bytes are looked for"),
        ));
    }
    Ok(Filter {
        since_us: time("from_ms")?,
        until_us: time("to_ms")?,
        status: call.text("status").map(|status| statuses(&status)).transpose()?,
        consumer: clients,
        consumer_group: names("group"),
        credential: names("credential"),
        route: names("route"),
        provider: names("provider"),
        model: names("model"),
        tool_calls: flag(call, "tool_calls")?,
        cache: cache(call)?,
        guard: flag(call, "guard")?,
        stream: flag(call, "stream")?,
        text,
    })
}

fn flag(call: &Call, name: &str) -> Result<Option<bool>, ApiError> {
    match call.text(name).as_deref() {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(ApiError::field(name, "true or false is wanted")),
    }
}

fn cache(call: &Call) -> Result<Option<CacheFilter>, ApiError> {
    Ok(match call.text("cache").as_deref() {
        None => None,
        Some("hit") => Some(CacheFilter::Hit),
        Some("exact") => Some(CacheFilter::Exact),
        Some("semantic") => Some(CacheFilter::Semantic),
        Some("miss") => Some(CacheFilter::Miss),
        Some("bypass") => Some(CacheFilter::Bypass),
        Some(_) => {
            let known = "hit, exact, semantic, miss, bypass";
            return Err(ApiError::field("cache", format!("one of {known} is wanted")));
        }
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
