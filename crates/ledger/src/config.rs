//! What an operator may choose about the ledger.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sluice_sql::{Durability, IntegrityCheck, SqliteOptions};

/// Page cache of each connection. Appending touches few pages, so more would not help the writer.
const CACHE_KIB: u32 = 4096;

/// Reports read beside each other; each connection costs a thread while it is open.
const READERS: u32 = 2;

/// Where the ledger is, how much it may hold back, and how long it keeps what it has.
#[derive(Debug, Clone)]
pub struct LedgerConfig {
    /// The database file. Its folder must exist.
    pub path: PathBuf,
    /// The file that takes records while the database cannot. Must not be shared between ledgers.
    pub spill_path: PathBuf,
    /// Size at which the spill file counts as full, in bytes.
    pub max_spill_bytes: u64,
    /// Most records that wait in memory; further ones are dropped and counted.
    pub capacity: usize,
    /// Longest time that a record waits for others to share its transaction.
    pub flush_interval: Duration,
    /// How long a write waits for a lock of another process before the batch is spilled.
    pub busy_timeout: Duration,
    /// Days that records are kept, the current one not counted.
    pub record_days: u32,
    /// Days that rollups are kept; never less than `record_days`, because they are the index of the records.
    pub rollup_days: u32,
    /// Days that payloads are kept, the current one not counted.
    pub payload_days: u32,
    /// Most bytes of payloads that are kept of one day; what comes then is not kept.
    pub max_payload_bytes: u64,
}

impl LedgerConfig {
    /// The defaults for a database file: spill file of at most 1 GiB beside it, 32,768 records in memory, batches
    /// every 250 ms, 100 ms busy timeout, records for 30 days, rollups for 400, payloads for 7 and 4 GiB of them a day.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            spill_path: path.with_extension("spill"),
            path,
            max_spill_bytes: 1 << 30,
            capacity: 32_768,
            flush_interval: Duration::from_millis(250),
            busy_timeout: Duration::from_millis(100),
            record_days: 30,
            rollup_days: 400,
            payload_days: 7,
            max_payload_bytes: 4 << 30,
        }
    }

    pub(crate) fn sqlite(&self) -> SqliteOptions {
        SqliteOptions {
            durability: Durability::Normal,
            integrity: IntegrityCheck::Schema,
            busy_timeout: self.busy_timeout,
            readers: READERS,
            cache_kib: CACHE_KIB,
            ..SqliteOptions::new(Path::new(&self.path))
        }
    }
}
