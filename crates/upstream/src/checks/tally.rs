//! What makes an address healthy or unhealthy.

use super::config::{ActiveChecks, PassiveChecks};
use super::report::Counter;

/// How an address stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Up.
    #[default]
    Healthy,
    /// Up, with failures of late.
    MostlyHealthy,
    /// Down, with successes of late.
    MostlyUnhealthy,
    /// Down.
    Unhealthy,
}

impl Status {
    /// As the control API shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::MostlyHealthy => "mostly_healthy",
            Self::MostlyUnhealthy => "mostly_unhealthy",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// Whether it gets requests.
    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, Self::Healthy | Self::MostlyHealthy)
    }
}

/// What came of asking an address, or of a client's request to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered with this status.
    Answered(u16),
    /// It took the connection, which was all that was asked.
    Connected,
    /// It answered something that is not HTTP.
    Garbled,
    /// It did not take the connection, or cut it.
    Broken,
    /// It was too slow.
    TimedOut,
}

/// What counts, for one of active and passive checks.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    good: Vec<u16>,
    bad: Vec<u16>,
    successes: u32,
    http_failures: u32,
    tcp_failures: u32,
    timeouts: u32,
}

impl From<&ActiveChecks> for Rules {
    fn from(checks: &ActiveChecks) -> Self {
        let (healthy, unhealthy) = (&checks.healthy, &checks.unhealthy);
        Self {
            good: healthy.http_statuses.clone(),
            bad: unhealthy.http_statuses.clone(),
            successes: healthy.successes,
            http_failures: unhealthy.http_failures,
            tcp_failures: unhealthy.tcp_failures,
            timeouts: unhealthy.timeouts,
        }
    }
}

impl From<&PassiveChecks> for Rules {
    fn from(checks: &PassiveChecks) -> Self {
        let (healthy, unhealthy) = (&checks.healthy, &checks.unhealthy);
        Self {
            good: healthy.http_statuses.clone(),
            bad: unhealthy.http_statuses.clone(),
            successes: healthy.successes,
            http_failures: unhealthy.http_failures,
            tcp_failures: unhealthy.tcp_failures,
            timeouts: unhealthy.timeouts,
        }
    }
}

/// The four counts of an address, of which a success clears the other three and a failure the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    Success,
    HttpFailure,
    TcpFailure,
    Timeout,
}

impl Rules {
    /// What an outcome counts as, and how many of them decide. `None` when it counts for nothing.
    fn judge(&self, outcome: Outcome) -> Option<(Count, u32)> {
        let (count, limit) = match outcome {
            Outcome::Connected => (Count::Success, self.successes),
            Outcome::Answered(status) if self.good.contains(&status) => (Count::Success, self.successes),
            Outcome::Answered(status) if !self.bad.contains(&status) => return None,
            Outcome::Answered(_) | Outcome::Garbled => (Count::HttpFailure, self.http_failures),
            Outcome::Broken => (Count::TcpFailure, self.tcp_failures),
            Outcome::TimedOut => (Count::Timeout, self.timeouts),
        };
        (limit > 0).then_some((count, limit))
    }
}

/// Counts and status of one address.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) status: Status,
    pub(super) counter: Counter,
}

impl Tally {
    /// Takes an outcome in. Active and passive checks share the counts, each with its own limits.
    pub(super) fn count(&mut self, rules: &Rules, outcome: Outcome) {
        let Some((count, limit)) = rules.judge(outcome) else {
            return;
        };
        let is_success = count == Count::Success;
        let settled = if is_success {
            Status::Healthy
        } else {
            Status::Unhealthy
        };
        // What is known for sure is not counted further.
        if self.status == settled {
            return;
        }
        let counter = &mut self.counter;
        let slot = match count {
            Count::Success => &mut counter.success,
            Count::HttpFailure => &mut counter.http_failure,
            Count::TcpFailure => &mut counter.tcp_failure,
            Count::Timeout => &mut counter.timeout_failure,
        };
        *slot += 1;
        let reached = *slot >= limit;
        if is_success {
            *counter = Counter {
                success: counter.success,
                ..Counter::default()
            };
        } else {
            counter.success = 0;
        }
        self.status = match self.status {
            _ if reached => settled,
            Status::Healthy => Status::MostlyHealthy,
            Status::Unhealthy => Status::MostlyUnhealthy,
            between => between,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active() -> Rules {
        Rules::from(&ActiveChecks::default())
    }

    fn after(tally: &mut Tally, rules: &Rules, outcomes: &[Outcome]) -> &'static str {
        outcomes.iter().for_each(|outcome| tally.count(rules, *outcome));
        tally.status.name()
    }

    #[test]
    fn nodes_fall_by_the_limit_of_each_kind_of_failure() {
        for (outcome, limit) in [
            (Outcome::Answered(500), 5),
            (Outcome::Garbled, 5),
            (Outcome::Broken, 2),
            (Outcome::TimedOut, 3),
        ] {
            let mut tally = Tally::default();
            for _ in 1..limit {
                assert_eq!(after(&mut tally, &active(), &[outcome]), "mostly_healthy");
                assert!(tally.status.is_up());
            }
            assert_eq!(
                after(&mut tally, &active(), &[outcome]),
                "unhealthy",
                "{outcome:?}"
            );
            let counted = tally.counter;
            assert_eq!(after(&mut tally, &active(), &[outcome]), "unhealthy");
            assert_eq!(
                tally.counter, counted,
                "a node that is down is not counted further"
            );
        }
    }

    #[test]
    fn successes_in_a_row_bring_a_node_back() {
        let mut tally = Tally::default();
        let rules = active();
        after(&mut tally, &rules, &[Outcome::Broken; 2]);
        assert_eq!(
            after(&mut tally, &rules, &[Outcome::Answered(200)]),
            "mostly_unhealthy"
        );
        assert!(!tally.status.is_up());
        assert_eq!(
            tally.counter,
            Counter {
                success: 1,
                ..Counter::default()
            }
        );
        // A failure in between starts the row anew.
        let steps = [Outcome::TimedOut, Outcome::Answered(302)];
        assert_eq!(after(&mut tally, &rules, &steps), "mostly_unhealthy");
        assert_eq!(after(&mut tally, &rules, &[Outcome::Connected]), "healthy");
    }

    #[test]
    fn a_success_forgives_failures() {
        let mut tally = Tally::default();
        let rules = active();
        for _ in 0..10 {
            after(&mut tally, &rules, &[Outcome::Broken, Outcome::Answered(200)]);
        }
        assert_eq!(tally.status.name(), "mostly_healthy");
    }

    #[test]
    fn statuses_of_neither_list_count_for_nothing() {
        let mut tally = Tally::default();
        assert_eq!(
            after(&mut tally, &active(), &[Outcome::Answered(418); 20]),
            "healthy"
        );
        assert_eq!(tally.counter, Counter::default());
    }

    #[test]
    fn a_limit_of_zero_turns_a_kind_off() {
        let mut passive = PassiveChecks::default();
        passive.unhealthy.http_failures = 0;
        passive.unhealthy.tcp_failures = 1;
        let rules = Rules::from(&passive);
        let mut tally = Tally::default();
        assert_eq!(
            after(&mut tally, &rules, &[Outcome::Answered(503); 20]),
            "healthy"
        );
        assert_eq!(after(&mut tally, &rules, &[Outcome::Broken]), "unhealthy");
    }
}
