//! One figure of the result, and what is aimed at.

use serde::Serialize;

use super::side::Who;
use crate::samples::median;

/// What was found on each side, round by round; nothing on a side that took no part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct PerSide<T> {
    pub(super) direct: Vec<T>,
    pub(super) nginx: Vec<T>,
    pub(super) gateway: Vec<T>,
}

impl<T> PerSide<T> {
    pub(super) fn new() -> Self {
        Self {
            direct: Vec::new(),
            nginx: Vec::new(),
            gateway: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, who: Who, found: T) {
        match who {
            Who::Direct => self.direct.push(found),
            Who::Nginx => self.nginx.push(found),
            Who::Gateway => self.gateway.push(found),
        }
    }
}

/// What the gateway is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Goal {
    /// At most so many times nginx's figure.
    TimesNginx(f64),
    /// At most this, in the figure's unit.
    AtMost(f64),
    /// At least this, in the figure's unit.
    AtLeast(f64),
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) unit: &'static str,
    pub(super) direct: Option<f64>,
    pub(super) nginx: Option<f64>,
    pub(super) gateway: Option<f64>,
    /// The gateway's median over nginx's.
    pub(super) ratio: Option<f64>,
    pub(super) goal: Option<Goal>,
    pub(super) met: Option<bool>,
    rounds: PerSide<f64>,
}

impl Figure {
    /// A figure whose columns are the medians of `rounds`.
    pub(super) fn new(name: impl Into<String>, unit: &'static str, rounds: PerSide<f64>) -> Self {
        let of = |values: &Vec<f64>| median(values.clone());
        let (nginx, gateway) = (of(&rounds.nginx), of(&rounds.gateway));
        Self {
            name: name.into(),
            unit,
            direct: of(&rounds.direct),
            nginx,
            gateway,
            ratio: gateway
                .zip(nginx)
                .filter(|(_, nginx)| *nginx > 0.0)
                .map(|(gateway, nginx)| gateway / nginx),
            goal: None,
            met: None,
            rounds,
        }
    }

    /// The same figure with a goal for the gateway.
    pub(super) fn aim(self, goal: Goal) -> Self {
        let met = match goal {
            Goal::TimesNginx(times) => self.ratio.map(|ratio| ratio <= times),
            Goal::AtMost(most) => self.gateway.map(|gateway| gateway <= most),
            Goal::AtLeast(least) => self.gateway.map(|gateway| gateway >= least),
        };
        Self {
            goal: Some(goal),
            met,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(nginx: &[f64], gateway: &[f64]) -> PerSide<f64> {
        PerSide {
            direct: Vec::new(),
            nginx: nginx.to_vec(),
            gateway: gateway.to_vec(),
        }
    }

    #[test]
    fn a_goal_is_judged_on_medians() {
        let figure = Figure::new("cpu", "µs", values(&[10.0, 12.0, 90.0], &[20.0, 24.0, 25.0]));
        assert_eq!(
            (figure.nginx, figure.gateway, figure.ratio),
            (Some(12.0), Some(24.0), Some(2.0))
        );
        assert_eq!(figure.clone().aim(Goal::TimesNginx(2.0)).met, Some(true));
        assert_eq!(figure.clone().aim(Goal::TimesNginx(1.9)).met, Some(false));
        assert_eq!(figure.aim(Goal::AtMost(23.0)).met, Some(false));
    }

    #[test]
    fn without_a_gateway_no_goal_is_judged() {
        let figure = Figure::new("cpu", "µs", values(&[10.0], &[])).aim(Goal::TimesNginx(2.0));
        assert_eq!((figure.ratio, figure.met), (None, None));
        let figure = Figure::new("merged", "", values(&[0.0], &[0.0])).aim(Goal::AtMost(0.0));
        assert_eq!((figure.ratio, figure.met), (None, Some(true)));
    }
}
