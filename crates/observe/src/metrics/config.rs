//! What can be configured about metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use super::exposition::is_metric_name;
use super::family::SeriesLimits;

/// Series of one family that one label set may have on average: statuses, types, token buckets.
const FAN_OUT: usize = 8;

/// Settings, with the members of APISIX's `plugin_attr.prometheus` (compat §7) and our budgets.
#[derive(Clone, Debug)]
pub struct MetricsConfig {
    /// `metric_prefix`: begins the names of the families that APISIX has.
    pub prefix: String,
    /// `hostname` of `node_info`.
    pub hostname: String,
    /// `version` of `node_info`.
    pub version: String,
    /// `default_buckets`: milliseconds, of `http_latency`.
    pub latency_buckets: Vec<f64>,
    /// `llm_latency_buckets`: milliseconds.
    pub llm_latency_buckets: Vec<f64>,
    /// `llm_prompt_tokens_buckets`.
    pub prompt_token_buckets: Vec<f64>,
    /// `llm_completion_tokens_buckets`.
    pub completion_token_buckets: Vec<f64>,
    /// `metrics.<name>.expire`: how long a series without an observation stays, by name without prefix. Families
    /// not named here keep their series, while the label budget lasts.
    pub expire: BTreeMap<String, Duration>,
    /// Combinations of route, consumer, node, models… that get labels of their own; what comes later overflows.
    pub max_label_sets: usize,
    /// Model names of successful answers that become labels; a tenth as many names get in by failures.
    pub max_models: usize,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        let latency = [
            1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4,
        ];
        let tokens = [
            1.0, 10.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6,
        ];
        Self {
            prefix: "apisix_".to_owned(),
            hostname: String::new(),
            version: String::new(),
            latency_buckets: latency.to_vec(),
            llm_latency_buckets: latency.to_vec(),
            prompt_token_buckets: tokens.to_vec(),
            completion_token_buckets: tokens.to_vec(),
            expire: BTreeMap::new(),
            max_label_sets: 5_000,
            max_models: 500,
        }
    }
}

impl MetricsConfig {
    pub(super) fn check(&self) -> Result<(), MetricsError> {
        if self.prefix.is_empty() || is_metric_name(&self.prefix) {
            Ok(())
        } else {
            Err(MetricsError::Prefix)
        }
    }

    /// Limits of the family `name`.
    pub(super) fn limits(&self, name: &str) -> SeriesLimits {
        let expire_secs = |expire: &Duration| u32::try_from(expire.as_secs()).unwrap_or(u32::MAX);
        SeriesLimits {
            max: self.max_label_sets.saturating_mul(FAN_OUT),
            expire_secs: self.expire.get(name).map_or(0, expire_secs),
        }
    }
}

/// A setting that cannot be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MetricsError {
    /// The prefix would make names that Prometheus does not read.
    #[error("metric_prefix may only consist of letters, digits and underscores, and not begin with a digit")]
    Prefix,
    /// Bucket bounds are not finite, ascending numbers of at least 0, or there are none.
    #[error("{name} must be a list of ascending numbers")]
    Buckets {
        /// The setting.
        name: &'static str,
    },
}
