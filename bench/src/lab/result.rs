//! The result of a run, as it is written to `result.json`.

use anyhow::Result;
use serde::Serialize;

use super::figure::Figure;
use super::machine::Machine;
use super::options::Scenario;

/// All figures of a run, and what they were taken on.
#[derive(Debug, Serialize)]
pub(super) struct RunResult {
    pub(super) machine: Machine,
    /// Whether rounds were few and short.
    quick: bool,
    pub(super) scenarios: Vec<ScenarioResult>,
}

/// The figures of one scenario.
#[derive(Debug, Serialize)]
pub(super) struct ScenarioResult {
    pub(super) name: String,
    pub(super) figures: Vec<Figure>,
}

impl RunResult {
    pub(super) fn new(machine: Machine, quick: bool) -> Self {
        Self {
            machine,
            quick,
            scenarios: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, scenario: Scenario, figures: Vec<Figure>) {
        self.scenarios.push(ScenarioResult {
            name: scenario.name(),
            figures,
        });
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec_pretty(self)?)
    }
}
