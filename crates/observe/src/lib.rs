//! Metrics, access log and log sinks, fed by finished records.
//!
//! Stands above [`sluice_record`] and beside the ledger, and is never on the request path: a request thread pushes
//! one [`Record`](sluice_record::Record) into the [`RecordQueue`] and goes on; the [`Drain`] thread shows it to
//! every [`RecordSink`]. Whatever is full, slow or broken behind the queue costs counted losses, never a request. It
//! knows no plugin, no store and no listener; what others want to show in a scrape they register as a collector.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use sluice_observe::{AccessLog, AccessLogFormat, AccessLogTarget, Drain, Metrics, MetricsConfig, RecordQueue};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let queue = Arc::new(RecordQueue::new(RecordQueue::DEFAULT_CAPACITY));
//! let metrics = Arc::new(Metrics::new(MetricsConfig::default())?);
//! let shown = Arc::clone(&queue);
//! metrics.register_collector(move |out| shown.collect(out));
//!
//! let mut sinks = vec![metrics.sink()];
//! if let Some((log, _handle)) = AccessLog::start(AccessLogTarget::Off, AccessLogFormat::json())? {
//!     sinks.push(Box::new(log));
//! }
//! let drain = Drain::start(queue, sinks, Drain::DEFAULT_TICK)?;
//!
//! // Request threads: queue.push(record). A scrape:
//! drain.flush(Duration::from_secs(1));
//! assert!(metrics.encode().contains("sluice_records_dropped_total 0\n"));
//! assert!(drain.stop(Duration::from_secs(5)));
//! # Ok(())
//! # }
//! ```

mod access_log;
mod append_file;
mod batch;
mod file_sink;
mod kafka;
mod line_buffer;
mod live;
mod metrics;
mod otlp;
mod queue;
mod remote;
mod sync;
mod terms;
#[cfg(test)]
mod testing;
mod ticker;

pub use self::access_log::{
    AccessLog, AccessLogFormat, AccessLogHandle, AccessLogTarget, AskedVariables, Escape, Value, Variable,
    var,
};
pub use self::batch::{
    BatchConfig, BatchCounts, BatchEntry, BatchProcessor, BatchSender, Batches, Delivered,
};
pub use self::file_sink::{FileSink, FileSinks};
pub use self::kafka::{KafkaBroker, KafkaConfig, KafkaError, KafkaTarget, SaslConfig, SaslMechanism};
pub use self::live::{ClientToday, Live, LiveFeed, LiveSeed, LiveTiles, LiveTotals, NameToday, Second};
pub use self::metrics::{
    ActiveLabels, CONTENT_TYPE, ConnectionGuard, DisabledLabels, Exposition, ExtraLabel, FamilyWriter, Kind,
    LlmActiveGuard, Metrics, MetricsConfig, MetricsError, Number, OTHER_MODEL, OVERFLOW, RequestGuard,
    ServerStats,
};
pub use self::otlp::{Attribute, AttributeValue, ExportError, Span, SpanExporter, SpanKind};
pub use self::queue::{Drain, RecordQueue, RecordSink};
pub use self::remote::{
    HttpAnswer, HttpTarget, HttpTargetConfig, HttpTargetError, MAX_DATAGRAM, RemoteError, TcpTarget,
    TcpTargetConfig, UdpTarget,
};
