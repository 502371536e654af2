//! The limits of a configuration.

use std::time::Duration;

use serde_json::Value;
use sluice_core::{Measure, Subject};
use sluice_limit::{Budget, CounterKey, Period, UnknownZone, Zone};
use sluice_resource::Glob;

use super::NAME;

const MINUTE: Period = Period::Fixed(Duration::from_secs(60));
const HOUR: Period = Period::Fixed(Duration::from_secs(3600));

/// A limit that a configuration may have.
pub(super) struct Named {
    pub(super) name: &'static str,
    measure: Measure,
    period: Span,
}

/// Days and months depend on the time zone.
#[derive(Clone, Copy)]
enum Span {
    Window(Period),
    Day,
    Month,
}

const fn named(name: &'static str, measure: Measure, period: Span) -> Named {
    Named {
        name,
        measure,
        period,
    }
}

impl Named {
    pub(super) const ALL: [Self; 14] = [
        named("requests_per_minute", Measure::Requests, Span::Window(MINUTE)),
        named("requests_per_hour", Measure::Requests, Span::Window(HOUR)),
        named("requests_per_day", Measure::Requests, Span::Day),
        named("input_tokens_per_minute", Measure::Input, Span::Window(MINUTE)),
        named("output_tokens_per_minute", Measure::Output, Span::Window(MINUTE)),
        named("tokens_per_minute", Measure::Tokens, Span::Window(MINUTE)),
        named("input_tokens_per_day", Measure::Input, Span::Day),
        named("output_tokens_per_day", Measure::Output, Span::Day),
        named("tokens_per_day", Measure::Tokens, Span::Day),
        named("tokens_per_month", Measure::Tokens, Span::Month),
        named("tokens_total", Measure::Tokens, Span::Window(Period::Total)),
        named("budget_micro_usd_per_day", Measure::Money, Span::Day),
        named("budget_micro_usd_per_month", Measure::Money, Span::Month),
        named(
            "budget_micro_usd_total",
            Measure::Money,
            Span::Window(Period::Total),
        ),
    ];
}

/// A limit that a configuration has.
pub(super) struct Limit {
    pub(super) name: &'static str,
    pub(super) measure: Measure,
    pub(super) limit: u64,
    /// The models that it is for, as written.
    pub(super) pattern: Option<String>,
    models: Option<Glob>,
    period: Period,
}

impl Limit {
    /// The account that it draws on: named by what is limited for whom, so that an edit keeps what was spent.
    pub(super) fn budget(&self, subject: Subject<'_>) -> Budget {
        let pattern = self.pattern.as_deref().unwrap_or_default();
        Budget {
            key: CounterKey::new(&[NAME, subject.scope(), subject.name(), self.name, pattern]),
            limit: self.limit,
            period: self.period,
        }
    }

    fn is_of_all_requests(&self) -> bool {
        self.measure == Measure::Requests && self.models.is_none()
    }

    pub(super) fn unit(&self) -> &'static str {
        match self.measure {
            Measure::Requests => "requests",
            Measure::Input | Measure::Output | Measure::Tokens => "tokens",
            Measure::Money => "micro_usd",
        }
    }
}

/// All limits of a configuration, in the order of [`Named::ALL`].
pub(super) struct Limits(Vec<Limit>);

impl Limits {
    /// Reads what holds its schema. Zero means that there is no limit.
    pub(super) fn read(conf: &Value) -> Self {
        // Whether the name is one is checked where it is written.
        let zone = zone(conf).unwrap_or_else(|_| Zone::utc());
        let mut limits = Vec::new();
        add(&mut limits, conf, None, zone);
        for (pattern, own) in conf["per_model"].as_object().into_iter().flatten() {
            add(&mut limits, own, Some(pattern), zone);
        }
        Self(limits)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Limit> {
        self.0.iter()
    }

    /// Those that count requests, whatever the model.
    pub(super) fn of_all_requests(&self) -> impl Iterator<Item = &Limit> {
        self.0.iter().filter(|limit| limit.is_of_all_requests())
    }

    /// The others that a call of a model meets.
    pub(super) fn of_call(&self, model: &str) -> impl Iterator<Item = &Limit> {
        let others = self.0.iter().filter(|limit| !limit.is_of_all_requests());
        others.filter(move |limit| limit.models.as_ref().is_none_or(|pattern| pattern.matches(model)))
    }

    /// The limit of that name that is for all models.
    pub(super) fn find(&self, name: &str) -> Option<u64> {
        self.0
            .iter()
            .find(|limit| limit.name == name && limit.models.is_none())
            .map(|limit| limit.limit)
    }
}

fn add(limits: &mut Vec<Limit>, conf: &Value, pattern: Option<&String>, zone: Zone) {
    for named in &Named::ALL {
        let Some(limit) = conf[named.name].as_u64().filter(|limit| *limit > 0) else {
            continue;
        };
        let period = match named.period {
            Span::Window(period) => period,
            Span::Day => Period::Day { zone },
            Span::Month => Period::Month { zone },
        };
        limits.push(Limit {
            name: named.name,
            measure: named.measure,
            limit,
            pattern: pattern.cloned(),
            models: pattern.map(|pattern| Glob::new(pattern)),
            period,
        });
    }
}

/// Where days and months begin.
pub(super) fn zone(conf: &Value) -> Result<Zone, UnknownZone> {
    conf["time_zone"]
        .as_str()
        .map_or_else(|| Ok(Zone::utc()), Zone::named)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn zero_is_no_limit_and_models_have_their_own() {
        let limits = Limits::read(&json!({
            "requests_per_minute": 5, "tokens_per_day": 0, "per_model": { "gpt-*": { "tokens_per_day": 10 } },
        }));
        let names = |model| {
            let met = limits.of_call(model);
            met.map(|limit| limit.name).collect::<Vec<_>>()
        };
        assert_eq!(names("gpt-4o"), ["tokens_per_day"]);
        assert!(names("claude").is_empty());
        let early: Vec<_> = limits.of_all_requests().map(|limit| limit.name).collect();
        assert_eq!(early, ["requests_per_minute"]);
    }

    #[test]
    fn an_edit_keeps_the_account() {
        let key = |conf: Value| Limits::read(&conf).0[0].budget(Subject::Client("ann")).key;
        let before = key(json!({ "tokens_per_day": 10 }));
        assert_eq!(
            before,
            key(json!({ "tokens_per_day": 20, "time_zone": "Europe/Berlin" }))
        );
        assert_ne!(before, key(json!({ "tokens_per_month": 10 })));
    }
}
