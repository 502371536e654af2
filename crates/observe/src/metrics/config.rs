//! What can be configured about metrics.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use thiserror::Error;

use super::exposition::{is_label_name, is_metric_name};
use super::extra::{ExtraLabel, FAMILIES};
use super::family::{CounterFamily, Desc, HistogramFamily, SeriesLimits};
use super::histogram::Buckets;

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
    /// `metrics.<name>.extra_labels`, by name without prefix.
    pub extra_labels: BTreeMap<String, Vec<ExtraLabel>>,
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
            extra_labels: BTreeMap::new(),
            max_label_sets: 5_000,
            max_models: 500,
        }
    }
}

impl MetricsConfig {
    pub(super) fn check(&self) -> Result<(), MetricsError> {
        if !self.prefix.is_empty() && !is_metric_name(&self.prefix) {
            return Err(MetricsError::Prefix);
        }
        for (family, labels) in &self.extra_labels {
            if !FAMILIES.contains(&family.as_str()) {
                return Err(MetricsError::ExtraFamily {
                    family: family.clone(),
                });
            }
            if let Some(label) = labels.iter().find(|label| !is_label_name(&label.name)) {
                return Err(MetricsError::ExtraName {
                    family: family.clone(),
                    name: label.name.clone(),
                });
            }
        }
        Ok(())
    }

    /// All extra labels, family by family.
    pub(super) fn all_extra_labels(&self) -> Vec<ExtraLabel> {
        self.extra_labels.values().flatten().cloned().collect()
    }

    /// The extra labels of a family: names, and their places in [`all_extra_labels`](Self::all_extra_labels).
    pub(super) fn extras_of(&self, family: &str) -> Vec<(String, usize)> {
        let before = (Bound::Unbounded, Bound::Excluded(family));
        let before = self.extra_labels.range::<str, _>(before);
        let first = before.map(|(_, labels)| labels.len()).sum();
        let own = self.extra_labels.get(family).into_iter().flatten();
        own.map(|label| label.name.clone()).zip(first..).collect()
    }

    pub(super) fn counter<const N: usize>(&self, desc: Desc<N>) -> CounterFamily<N> {
        CounterFamily::new(desc, self.limits(desc.name)).with_extras(self.extras_of(desc.name))
    }

    pub(super) fn histogram<const N: usize>(&self, desc: Desc<N>, buckets: Buckets) -> HistogramFamily<N> {
        HistogramFamily::new(desc, buckets, self.limits(desc.name)).with_extras(self.extras_of(desc.name))
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
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MetricsError {
    /// The prefix would make names that Prometheus does not read.
    #[error("metric_prefix may only consist of letters, digits and underscores, and not begin with a digit")]
    Prefix,
    /// A family has no labels that could be added to.
    #[error("metrics.{family}: this metric takes no extra labels")]
    ExtraFamily {
        /// Its name without prefix.
        family: String,
    },
    /// A label's name is none that Prometheus reads.
    #[error("metrics.{family}.extra_labels: `{name}` is no label name")]
    ExtraName {
        /// The family's name without prefix.
        family: String,
        /// The label's.
        name: String,
    },
    /// Bucket bounds are not finite, ascending numbers of at least 0, or there are none.
    #[error("{name} must be a list of ascending numbers")]
    Buckets {
        /// The setting.
        name: &'static str,
    },
}
