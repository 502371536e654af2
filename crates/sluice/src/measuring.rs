//! Wires finished records to metrics, access log and ledger.

mod limits;
mod live;
mod prometheus;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, Value, json};
use sluice_core::{Services, SnapshotCell};
use sluice_ledger::{Ledger, LedgerConfig, LedgerHandle, LedgerReader};
use sluice_observe::{
    AccessLog, AccessLogFormat, AccessLogHandle, AccessLogTarget, AskedVariables, Drain, Escape, Exposition,
    Kind, Live, LiveSeed, Metrics, RecordQueue, RecordSink,
};
use sluice_record::{Record, Text};

pub(crate) use self::prometheus::check;
use crate::config::Config;

/// How long the ends of the chain get to write what they hold.
const FLUSH: Duration = Duration::from_secs(10);

/// Everything that measures.
pub(crate) struct Measuring {
    pub(crate) queue: Arc<RecordQueue>,
    pub(crate) metrics: Arc<Metrics>,
    /// What happens right now.
    pub(crate) live: Arc<Live>,
    /// What records have to carry for access log and metrics.
    pub(crate) asked_variables: Box<[Text]>,
    drain: Arc<Drain>,
    access_log: Option<AccessLogHandle>,
    ledger: Option<Ledger>,
}

/// Hands records on to the ledger.
struct LedgerSink(LedgerHandle);

impl RecordSink for LedgerSink {
    fn name(&self) -> &'static str {
        "ledger"
    }

    fn write(&mut self, batch: &[Arc<Record>]) {
        self.0.submit(batch);
    }
}

impl Measuring {
    /// Opens the ledger and starts the threads that measure.
    pub(crate) async fn start(config: &Config, hostname: &str) -> anyhow::Result<Self> {
        let queue = Arc::new(RecordQueue::new(RecordQueue::DEFAULT_CAPACITY));
        let mut asked = AskedVariables::default();
        let format = format(config, &mut asked);
        let metrics = prometheus::config(config, hostname, &mut asked).context("plugin_attr.prometheus")?;
        let metrics = Arc::new(Metrics::new(metrics)?);
        let mut sinks: Vec<Box<dyn RecordSink>> = vec![metrics.sink()];
        let target: AccessLogTarget = match config.access_log.target.parse() {
            Ok(target) => target,
            Err(never) => match never {},
        };
        let started = AccessLog::start(target, format)
            .with_context(|| format!("cannot open the access log {}", config.access_log.target))?;
        let access_log = started.map(|(log, handle)| {
            sinks.push(Box::new(log));
            handle
        });
        let ledger = match config.ledger.enabled {
            true => Some(open_ledger(config).await?),
            false => None,
        };
        let seed = match &ledger {
            Some(ledger) => live::seed(ledger).await,
            None => LiveSeed::default(),
        };
        let live = Arc::new(Live::new(&seed));
        sinks.push(live.sink());
        if let Some(ledger) = &ledger {
            sinks.push(Box::new(LedgerSink(ledger.handle())));
        }
        let drain =
            Drain::start(queue.clone(), sinks, Drain::DEFAULT_TICK).context("cannot start a thread")?;
        let measuring = Self {
            queue,
            metrics,
            live,
            asked_variables: asked.names().into(),
            drain: Arc::new(drain),
            access_log,
            ledger,
        };
        measuring.collect();
        Ok(measuring)
    }

    /// What reads the records of requests, if they are kept.
    pub(crate) fn ledger(&self) -> Option<LedgerReader> {
        self.ledger.as_ref().map(Ledger::reader)
    }

    /// Shows queue, access log and ledger among the metrics.
    fn collect(&self) {
        let queue = self.queue.clone();
        self.metrics.register_collector(move |out| queue.collect(out));
        if let Some(log) = self.access_log.clone() {
            self.metrics.register_collector(move |out| log.collect(out));
        }
        let Some(ledger) = self.ledger.as_ref().map(Ledger::handle) else {
            return;
        };
        self.metrics.register_collector(move |out| {
            let stats = ledger.stats();
            for (name, help, kind, value) in [
                (
                    "sluice_ledger_written_total",
                    "Records written to the ledger.",
                    Kind::Counter,
                    stats.written,
                ),
                (
                    "sluice_ledger_spilled_total",
                    "Records written to the spill file.",
                    Kind::Counter,
                    stats.spilled,
                ),
                (
                    "sluice_ledger_replayed_total",
                    "Spilled records that reached the ledger.",
                    Kind::Counter,
                    stats.replayed,
                ),
                (
                    "sluice_ledger_dropped_total",
                    "Records that are lost.",
                    Kind::Counter,
                    stats.dropped,
                ),
                (
                    "sluice_ledger_queue",
                    "Records that wait in memory.",
                    Kind::Gauge,
                    stats.queue_len,
                ),
                (
                    "sluice_ledger_degraded",
                    "Whether records cannot be stored.",
                    Kind::Gauge,
                    stats.degraded.into(),
                ),
            ] {
                out.family(name, kind, help).sample(&[], value);
            }
        });
    }

    /// Shows what the data plane holds and how far its configuration is.
    pub(crate) fn collect_from(&self, services: &Arc<Services>, snapshots: &Arc<SnapshotCell>) {
        let services = services.clone();
        self.metrics.register_collector(move |out| {
            services.batches.collect(out);
            collect_checks(&services, out);
            services.files.collect(out);
            limits::collect(&services, out);
        });
        let snapshots = snapshots.clone();
        self.metrics.register_collector(move |out| {
            let snapshot = snapshots.load();
            let (revision, problems) = (snapshot.revision, snapshot.problems.len() as u64);
            out.family(
                "sluice_config_revision",
                Kind::Gauge,
                "Revision of the configuration in force.",
            )
            .sample(&[], revision);
            out.family(
                "sluice_config_problems",
                Kind::Gauge,
                "Resources whose latest version is not in force.",
            )
            .sample(&[], problems);
        });
    }

    /// State of queue and ledger, for `/status`: whether records cannot be stored, and details.
    pub(crate) fn health(&self) -> impl Fn() -> (bool, Map<String, Value>) + Send + Sync + 'static + use<> {
        let (queue, ledger) = (self.queue.clone(), self.ledger.as_ref().map(Ledger::handle));
        move || {
            let stats = ledger.as_ref().map(LedgerHandle::stats);
            let mut details = Map::new();
            details.insert(
                "records".to_owned(),
                json!({ "waiting": queue.len(), "dropped": queue.dropped() }),
            );
            if let Some(stats) = stats {
                let shown = json!({
                    "written": stats.written, "spilled": stats.spilled, "replayed": stats.replayed,
                    "dropped": stats.dropped, "waiting": stats.queue_len, "degraded": stats.degraded,
                });
                details.insert("ledger".to_owned(), shown);
            }
            (stats.is_some_and(|stats| stats.degraded), details)
        }
    }

    /// Opens the access log anew, for log rotation.
    pub(crate) fn reopen_logs(&self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        }
    }

    /// Writes everything that is held, and ends.
    pub(crate) async fn close(self) {
        let drain = self.drain;
        let drained = tokio::task::spawn_blocking(move || drain.flush(FLUSH))
            .await
            .unwrap_or(false);
        if !drained {
            tracing::error!("records of the last requests could not be handed over in time");
        }
        if let Some(ledger) = self.ledger
            && let Err(error) = ledger.close(FLUSH).await
        {
            tracing::error!(%error, "the ledger could not be closed in time");
        }
        if let Some(log) = self.access_log {
            // Blocks for a disk at most.
            let _ = tokio::task::spawn_blocking(move || log.flush(FLUSH)).await;
        }
    }
}

/// `apisix_upstream_status`: whether checked nodes are up (compat §7).
fn collect_checks(services: &Services, out: &mut Exposition) {
    let mut family = out.apisix_family(
        "upstream_status",
        Kind::Gauge,
        "Whether a node of an upstream is up, as its active checks say.",
    );
    for checker in services.checkers.status() {
        for node in checker.nodes {
            let (ip, port) = (node.ip.to_string(), node.port.to_string());
            let labels = [("name", &*checker.name), ("ip", &ip), ("port", &port)];
            family.sample(&labels, u64::from(node.status.is_up()));
        }
    }
}

async fn open_ledger(config: &Config) -> anyhow::Result<Ledger> {
    let path = config.data_dir.join("ledger.db");
    let days = config.ledger.retention_days;
    let settings = LedgerConfig {
        record_days: days,
        payload_days: config.ledger.payload_retention_days,
        ..LedgerConfig::new(&path)
    };
    Ledger::open(settings)
        .await
        .with_context(|| format!("cannot open the ledger {}", path.display()))
}

fn format(config: &Config, asked: &mut AskedVariables) -> AccessLogFormat {
    let Some(template) = &config.access_log.format else {
        return AccessLogFormat::json();
    };
    let escape = if config.access_log.escape == "json" {
        Escape::Json
    } else {
        Escape::Default
    };
    let format = AccessLogFormat::template(template, escape, asked);
    for unknown in asked
        .names()
        .iter()
        .filter(|name| !sluice_core::is_variable(name))
    {
        tracing::warn!(
            variable = &**unknown,
            "access_log.format names an unknown variable, it prints as -"
        );
    }
    format
}
