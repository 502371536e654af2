//! The same load on every side in turn.

use anyhow::Result;

use super::figure::PerSide;
use super::side::Side;
use super::workbench::Workbench;
use crate::load::Report;

/// What the load saw of each side, round by round.
#[derive(Debug)]
pub(super) struct Rounds(PerSide<Report>);

impl Rounds {
    /// Puts every side under the same load `count` times. Each round begins with another side, so that a machine
    /// that grows slower is unfair to nobody.
    pub(super) async fn run(bench: &Workbench, sides: &[Side], count: u32, load: &str) -> Result<Self> {
        let mut reports = PerSide::new();
        for round in 0..count as usize {
            for turn in 0..sides.len() {
                let side = &sides[(round + turn) % sides.len()];
                reports.push(side.who, bench.load(side, load).await?);
            }
        }
        Ok(Self(reports))
    }

    /// One value of every report.
    pub(super) fn values(&self, value: impl Fn(&Report) -> f64) -> PerSide<f64> {
        let all = |reports: &[Report]| reports.iter().map(&value).collect();
        PerSide {
            direct: all(&self.0.direct),
            nginx: all(&self.0.nginx),
            gateway: all(&self.0.gateway),
        }
    }

    /// What each proxy's value is above the direct one of the same round.
    pub(super) fn added(&self, value: impl Fn(&Report) -> f64) -> PerSide<f64> {
        let values = self.values(value);
        let over = |proxy: Vec<f64>| {
            proxy
                .iter()
                .zip(&values.direct)
                .map(|(proxy, direct)| proxy - direct)
                .collect()
        };
        PerSide {
            direct: Vec::new(),
            nginx: over(values.nginx),
            gateway: over(values.gateway),
        }
    }
}
