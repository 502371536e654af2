//! Usage records in a database of their own: every finished request becomes a row, and part of the sums of its hour.
//!
//! Stands above `record` and `sql`, beside `store`, `limit`, `observe` and `upstream`, of which it knows nothing. It
//! prices nothing, limits nothing, and keeps no bodies.
//!
//! Records go through a bounded queue to one thread, which writes them in batches. What may be lost:
//!
//! * `kill -9`: at most the records of the last 500 ms, as long as the disk answers in time;
//! * loss of power: the latest batches as well, since a commit is not synced;
//! * a database that is locked, moved away or cannot be written: nothing. Batches go to a spill file, are synced there,
//!   and are replayed in order, each once, when the database is back;
//! * both unusable, as with a full disk: what the queue has no room for. It is counted, and
//!   [`LedgerStats::degraded`] is true meanwhile.
//!
//! A damaged database is refused when the ledger is opened, and left as it is.
//!
//! ```
//! use std::time::Duration;
//!
//! use sluice_ledger::{Dimension, Filter, GroupBy, Ledger, LedgerConfig, Period};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let records = Vec::new();
//! let ledger = Ledger::open(LedgerConfig::new(folder.path().join("ledger.db"))).await?;
//! ledger.handle().submit(&records); // never waits
//! ledger.handle().flush(Duration::from_secs(5)).await?;
//!
//! let reader = ledger.reader();
//! let failures = Filter { status: Some(500..=599), ..Filter::default() };
//! let page = reader.records(&failures, None, 50).await?;
//! let by_model = GroupBy { period: Period::Day, dimension: Some(Dimension::Model) };
//! let usage = reader.usage(&Filter::default(), by_model, None, 100).await?;
//! # assert!(page.records.is_empty() && usage.is_empty());
//!
//! ledger.close(Duration::from_secs(5)).await?;
//! # Ok(())
//! # }
//! ```

mod bulk;
mod config;
mod database;
mod detail;
mod error;
mod filter;
#[cfg(test)]
mod fixture;
mod import;
mod insert;
mod latency;
mod ledger;
mod partition;
mod payload;
mod queue;
mod read;
mod retention;
mod rollup;
mod row;
mod scan;
mod seq;
mod series;
mod spill;
mod stats;
mod store;
mod usage;
mod writer;

pub use self::config::LedgerConfig;
pub use self::detail::{Detail, DetailAttempt, DetailGuardHit, DetailPrice};
pub use self::error::LedgerError;
pub use self::filter::{CacheFilter, Filter};
pub use self::import::LedgerImport;
pub use self::latency::Latency;
pub use self::ledger::{Ledger, LedgerHandle};
pub use self::read::{Entry, LedgerReader, RecordPage};
pub use self::rollup::{CacheTotals, Totals};
pub use self::seq::Seq;
pub use self::series::Series;
pub use self::stats::LedgerStats;
pub use self::usage::{Dimension, GroupBy, Period, UsageKey, UsageRow};
