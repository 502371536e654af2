//! A resource `models`, as written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use sluice_llm::PriceConfig;

/// A model of the registry.
#[derive(Deserialize)]
pub(super) struct ModelConfig {
    pub(super) name: Option<String>,
    pub(super) targets: Vec<TargetConfig>,
    #[serde(default)]
    pub(super) strategy: Strategy,
    pub(super) hash: Option<HashConfig>,
    #[serde(default)]
    pub(super) rules: Vec<RuleConfig>,
    #[serde(default)]
    pub(super) fallback: FallbackConfig,
    #[serde(default)]
    pub(super) cool_down: CoolDownConfig,
    pub(super) prices: Option<PriceConfig>,
}

/// Who serves a model.
#[derive(Deserialize)]
pub(super) struct TargetConfig {
    name: Option<String>,
    provider: Value,
    pub(super) model: Option<String>,
    #[serde(default = "one")]
    pub(super) weight: u32,
    #[serde(default)]
    pub(super) priority: i32,
    pub(super) options: Option<Map<String, Value>>,
    pub(super) prices: Option<PriceConfig>,
}

impl TargetConfig {
    /// Its provider's id.
    pub(super) fn provider(&self) -> String {
        match &self.provider {
            Value::String(id) => id.clone(),
            id => id.to_string(),
        }
    }

    /// `name`, else provider and model.
    pub(super) fn name(&self) -> String {
        match (&self.name, &self.model) {
            (Some(name), _) => name.clone(),
            (None, Some(model)) => format!("{}/{model}", self.provider()),
            (None, None) => self.provider(),
        }
    }
}

fn one() -> u32 {
    1
}

/// How a target is chosen among those of one priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Strategy {
    /// Shares of the traffic.
    #[default]
    Weighted,
    /// The first that is up.
    Priority,
    /// The one that begins to answer first.
    LeastLatency,
    /// The one with the fewest requests under way per weight.
    LeastBusy,
    /// The cheapest for the request.
    LeastCost,
    /// Weights moved by what is observed.
    Adaptive,
    /// The same for the same key.
    ConsistentHash,
}

impl Strategy {
    /// Name in records.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::Priority => "priority",
            Self::LeastLatency => "least_latency",
            Self::LeastBusy => "least_busy",
            Self::LeastCost => "least_cost",
            Self::Adaptive => "adaptive",
            Self::ConsistentHash => "consistent_hash",
        }
    }
}

/// What consistent hashing goes by.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HashConfig {
    pub(super) on: HashOn,
    pub(super) header: Option<String>,
}

/// See [`HashConfig`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum HashOn {
    /// The conversation: instructions, tools and what the user said first.
    #[default]
    Prompt,
    /// Instructions and tools.
    System,
    /// A header.
    Header,
    /// The end user, else the consumer.
    User,
    /// The consumer.
    Consumer,
}

/// A rule that chooses targets by what the request is.
#[derive(Deserialize)]
pub(super) struct RuleConfig {
    pub(super) name: String,
    pub(super) when: WhenConfig,
    pub(super) targets: Vec<String>,
    #[serde(default)]
    pub(super) strict: bool,
}

/// What has to hold for a rule, all of it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WhenConfig {
    pub(super) headers: BTreeMap<String, String>,
    pub(super) min_tokens: Option<u64>,
    pub(super) max_tokens: Option<u64>,
    pub(super) has_tools: Option<bool>,
    pub(super) has_images: Option<bool>,
    pub(super) stream: Option<bool>,
    pub(super) prompt: Vec<String>,
    pub(super) task: Option<TaskConfig>,
}

/// A class of tasks, by examples.
#[derive(Deserialize)]
pub(super) struct TaskConfig {
    pub(super) examples: Vec<String>,
    #[serde(default = "quarter")]
    pub(super) threshold: f32,
}

fn quarter() -> f32 {
    0.25
}

/// When another target is tried, and how long all of it may take.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct FallbackConfig {
    pub(super) on: Option<Vec<String>>,
    pub(super) max_attempts: Option<usize>,
    pub(super) attempt_timeout_ms: Option<u64>,
    pub(super) deadline_ms: Option<u64>,
}

/// How long a target that failed is left alone.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default)]
pub(super) struct CoolDownConfig {
    pub(super) enabled: bool,
    pub(super) seconds: u64,
    pub(super) max_seconds: u64,
    pub(super) failures: u32,
}

impl Default for CoolDownConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            seconds: 30,
            max_seconds: 600,
            failures: 3,
        }
    }
}
