//! Metrics in the Prometheus text format, fed by records in batches.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use sluice_record::Record;

use crate::queue::RecordSink;
use crate::sync::lock;
use crate::terms::ended_us;

mod active;
mod ai;
mod apisix;
mod config;
mod exposition;
mod extra;
mod family;
mod histogram;
mod names;
mod requests;
mod server;
mod tuples;

use self::active::ActiveGauge;
pub use self::active::{ActiveLabels, LlmActiveGuard};
use self::ai::AiMetrics;
use self::apisix::ApisixMetrics;
pub use self::config::{MetricsConfig, MetricsError};
pub use self::exposition::{CONTENT_TYPE, Exposition, FamilyWriter, Kind, Number};
pub use self::extra::ExtraLabel;
use self::names::ModelNames;
use self::requests::RequestMetrics;
pub use self::server::{ConnectionGuard, RequestGuard, ServerStats};

/// Value that stands for all values past a label budget, except those of models.
pub const OVERFLOW: &str = "__overflow__";
/// Value of a model label that stands for all models past the budget of names.
pub const OTHER_MODEL: &str = "other";

/// Labels to blank: metric name without its prefix → label names (`disabled_labels` of compat §7).
pub type DisabledLabels = BTreeMap<String, Vec<String>>;

type Collector = dyn Fn(&mut Exposition) + Send + Sync;

/// Seconds between two looks for idle series when nobody scrapes.
const SWEEP_EVERY: u32 = 60;

/// All metrics of one gateway.
///
/// Three sources: finished records, written by the drain thread ([`Metrics::sink`]); gauges of what is going on,
/// which request threads hold by guards ([`Metrics::server`], [`Metrics::llm_active`]); and collectors, asked at every
/// scrape ([`Metrics::register_collector`]).
///
/// Labels cannot explode. [`MetricsConfig::max_label_sets`] combinations of route, consumer, node, model… have series
/// of their own; what comes later counts under one set whose open labels read [`OVERFLOW`], and in
/// `sluice_metrics_overflow_total`. When the budget is used up, sets idle for an hour make room. Model names, which
/// callers choose, have a tighter budget of their own, past which they read [`OTHER_MODEL`].
pub struct Metrics {
    prefix: String,
    node_info: [(&'static str, String); 2],
    server: Arc<ServerStats>,
    active: ActiveGauge,
    fed: Mutex<Fed>,
    collectors: Mutex<Vec<Arc<Collector>>>,
}

/// What records feed.
struct Fed {
    names: ModelNames,
    apisix: ApisixMetrics,
    ai: AiMetrics,
    requests: RequestMetrics,
    last_sweep: u32,
}

impl Metrics {
    /// Metrics without any sample.
    ///
    /// # Errors
    /// When the prefix or a bucket list is invalid.
    pub fn new(config: MetricsConfig) -> Result<Self, MetricsError> {
        config.check()?;
        let fed = Fed {
            names: ModelNames::new(config.max_models),
            apisix: ApisixMetrics::new(&config)?,
            ai: AiMetrics::new(&config)?,
            requests: RequestMetrics::new(&config),
            last_sweep: 0,
        };
        Ok(Self {
            active: ActiveGauge::new(config.max_label_sets),
            server: Arc::new(ServerStats::default()),
            fed: Mutex::new(fed),
            collectors: Mutex::new(Vec::new()),
            node_info: [("hostname", config.hostname), ("version", config.version)],
            prefix: config.prefix,
        })
    }

    /// The sink that feeds these metrics. Wire one: two would count every record twice.
    #[must_use]
    pub fn sink(self: &Arc<Self>) -> Box<dyn RecordSink> {
        Box::new(MetricsSink(Arc::clone(self)))
    }

    /// Gauges and counters that listeners feed.
    #[must_use]
    pub fn server(&self) -> &Arc<ServerStats> {
        &self.server
    }

    /// Counts one AI call as in progress until the guard is dropped; with labels, for a request that `prometheus` is
    /// on for, also in `llm_active_connections`.
    #[must_use]
    pub fn llm_active(&self, labels: Option<&ActiveLabels<'_>>) -> LlmActiveGuard {
        let labelled = labels.map(|labels| self.active.start(labels));
        LlmActiveGuard::new(labelled, self.server.ai_request())
    }

    /// Blanks labels from the next record on. Samples that were counted under other labels stay. Unknown metrics and
    /// labels are ignored, and so are `code`, `type` and `layer`, which no one may blank (compat §7).
    pub fn set_disabled_labels(&self, disabled: &DisabledLabels) {
        self.active.set_disabled(disabled);
        lock(&self.fed).apisix.set_disabled(disabled);
    }

    /// Adds families that are read when somebody scrapes. The collector runs on the scraping thread and must not
    /// wait.
    pub fn register_collector(&self, collector: impl Fn(&mut Exposition) + Send + Sync + 'static) {
        lock(&self.collectors).push(Arc::new(collector));
    }

    /// The text of a scrape, families and series in a fixed order. What was pushed a moment ago is in it once the
    /// drain has been flushed.
    #[must_use]
    pub fn encode(&self) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        self.encode_at(u32::try_from(now).unwrap_or(u32::MAX))
    }

    fn encode_at(&self, now: u32) -> String {
        let mut out = Exposition::new(&self.prefix);
        let node_info = self
            .node_info
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        out.apisix_family("node_info", Kind::Gauge, "Host name and version of the gateway.")
            .sample(&node_info, 1_u64);
        self.server.collect(&mut out);
        self.active.collect(&mut out);
        {
            let mut fed = lock(&self.fed);
            fed.sweep(now);
            fed.apisix.collect(&mut out);
            fed.ai.collect(now, &mut out);
            fed.requests.collect(&mut out);
            out.family(
                "sluice_metrics_overflow_total",
                Kind::Counter,
                "How often labels were replaced because the label budget was used up.",
            )
            .sample(&[], fed.overflowed());
        }
        let collectors = lock(&self.collectors).clone();
        for collect in collectors {
            collect(&mut out);
        }
        let errors = out.errors();
        out.apisix_family(
            "nginx_metric_errors_total",
            Kind::Counter,
            "Samples of this scrape that were invalid.",
        )
        .sample(&[], errors);
        out.finish()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Fed {
    fn feed(&mut self, record: &Record) {
        let now = u32::try_from(ended_us(record) / 1_000_000).unwrap_or(0);
        if now.saturating_sub(self.last_sweep) >= SWEEP_EVERY {
            self.sweep(now);
        }
        self.requests.feed(record, now);
        let models = record
            .ai
            .as_deref()
            .map(|ai| self.names.labels(ai, record.status < 400));
        if let Some(prefer_name) = record.prometheus {
            self.apisix.feed(record, prefer_name, models, now);
        }
        if let (Some(ai), Some(models)) = (record.ai.as_deref(), models) {
            self.ai.feed(record, ai, models, now);
        }
    }

    fn sweep(&mut self, now: u32) {
        self.last_sweep = now;
        self.apisix.sweep(now);
        self.ai.sweep(now);
    }

    fn overflowed(&mut self) -> u64 {
        self.apisix.overflowed() + self.ai.overflowed()
    }
}

struct MetricsSink(Arc<Metrics>);

impl RecordSink for MetricsSink {
    fn name(&self) -> &'static str {
        "metrics"
    }

    fn write(&mut self, batch: &[Arc<Record>]) {
        let mut fed = lock(&self.0.fed);
        for record in batch {
            fed.feed(record);
        }
    }
}

#[cfg(test)]
mod tests;
