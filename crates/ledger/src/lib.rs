//! Usage records in a database of their own: batched writes, spill, rollups, retention. Never blocks a request.

mod bulk;
mod config;
mod database;
mod detail;
mod error;
mod filter;
#[cfg(test)]
mod fixture;
mod insert;
mod ledger;
mod partition;
mod queue;
mod read;
mod retention;
mod rollup;
mod row;
mod seq;
mod series;
mod spill;
mod stats;
mod store;
mod usage;
mod writer;

pub use self::config::LedgerConfig;
pub use self::detail::{Detail, DetailAttempt};
pub use self::error::LedgerError;
pub use self::filter::Filter;
pub use self::ledger::{Ledger, LedgerHandle};
pub use self::read::{Entry, LedgerReader, RecordPage};
pub use self::rollup::Totals;
pub use self::seq::Seq;
pub use self::series::Series;
pub use self::stats::LedgerStats;
pub use self::usage::{Dimension, GroupBy, Period, UsageKey, UsageRow};
