//! `x-ratelimit-…`: how the tightest limits on requests and tokens stand, named as OpenAI names them.

use http::{HeaderMap, HeaderName, HeaderValue};
use sluice_core::{Holds, Measure};
use sluice_limit::Standing;

/// Names for limit, what remains and seconds to the reset.
type Names = [HeaderName; 3];

static REQUESTS: Names = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];

static TOKENS: Names = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// The headers for what a limit counts; money and places have none.
pub(super) fn names(measure: Measure) -> Option<&'static Names> {
    match measure {
        Measure::Requests => Some(&REQUESTS),
        Measure::Input | Measure::Output | Measure::Tokens => Some(&TOKENS),
        Measure::Money => None,
    }
}

/// Tells how the limits stand that a request holds something in.
pub(super) fn set(headers: &mut HeaderMap, holds: &Holds) {
    for own in [&REQUESTS, &TOKENS] {
        let counted = holds
            .reserved
            .iter()
            .filter(|hold| names(hold.measure) == Some(own));
        let tightest = counted.min_by_key(|hold| hold.guard.standing().remaining);
        if let Some(hold) = tightest {
            for (name, value) in values(own, hold.guard.budget().limit, hold.guard.standing()) {
                headers.insert(name, value);
            }
        }
    }
}

/// The headers of one limit.
pub(super) fn values(
    names: &'static Names,
    limit: u64,
    standing: Standing,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let seconds = standing.reset_in.map(|left| left.as_secs().max(1));
    let numbers = [Some(limit), Some(standing.remaining), seconds];
    let pairs = names.iter().zip(numbers);
    pairs.filter_map(|(name, number)| Some((name.clone(), HeaderValue::from(number?))))
}
