//! The claims that say when a token is in force (RFC 7519 §4.1.4, §4.1.5).

use serde::Deserialize;
use serde_json::{Map, Value};

/// A claim that is looked at, where a token makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Claim {
    /// Not on or after.
    Exp,
    /// Not before.
    Nbf,
}

/// The time that tokens are held against, in seconds.
pub(super) struct Clock {
    /// Since the Unix epoch.
    pub(super) now: f64,
    /// How far the clocks of gateway and issuer may be apart.
    pub(super) grace: f64,
}

impl Claim {
    pub(super) fn verify(self, claims: &Map<String, Value>, clock: &Clock) -> Result<(), &'static str> {
        let name = match self {
            Self::Exp => "exp",
            Self::Nbf => "nbf",
        };
        let Some(value) = claims.get(name) else {
            return Ok(());
        };
        let at = value.as_f64().ok_or("a time in it is not a number")?;
        match self {
            Self::Exp if at <= clock.now - clock.grace => Err("it has expired"),
            Self::Nbf if at > clock.now + clock.grace => Err("it is not in force yet"),
            Self::Exp | Self::Nbf => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(claim: Claim, claims: &Value, grace: f64) -> bool {
        let clock = Clock { now: 1000.0, grace };
        claim.verify(claims.as_object().unwrap(), &clock).is_ok()
    }

    #[test]
    fn tokens_expire_at_their_time_or_after_the_grace_period() {
        for (exp, grace, expected) in [
            (json!(1001), 0.0, true),
            (json!(1000), 0.0, false),
            (json!(1000.5), 0.0, true),
            (json!(991), 10.0, true),
            (json!(990), 10.0, false),
            (json!("1001"), 0.0, false),
            (json!(null), 0.0, false),
        ] {
            assert_eq!(
                holds(Claim::Exp, &json!({ "exp": exp }), grace),
                expected,
                "{exp} {grace}"
            );
        }
        assert!(holds(Claim::Exp, &json!({ "nbf": 2000 }), 0.0), "no such claim");
    }

    #[test]
    fn tokens_begin_at_their_time_or_a_grace_period_before() {
        for (nbf, grace, expected) in [
            (json!(1000), 0.0, true),
            (json!(1001), 0.0, false),
            (json!(1010), 10.0, true),
            (json!(1011), 10.0, false),
            (json!([]), 0.0, false),
        ] {
            assert_eq!(
                holds(Claim::Nbf, &json!({ "nbf": nbf }), grace),
                expected,
                "{nbf} {grace}"
            );
        }
        assert!(holds(Claim::Nbf, &json!({ "exp": 0 }), 0.0), "no such claim");
    }
}
