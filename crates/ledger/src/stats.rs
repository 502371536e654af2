//! What the ledger has done so far.

/// Counters since the ledger was opened, and its state.
///
/// Every submitted record is in exactly one of `queue_len`, `written`, `spilled` and `dropped`; `replayed` counts
/// spilled ones that have reached the database, also those of an earlier run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerStats {
    /// Records that went straight into the database.
    pub written: u64,
    /// Records that went into the spill file.
    pub spilled: u64,
    /// Records that went from the spill file into the database.
    pub replayed: u64,
    /// Records that are lost: neither database nor spill file could take them and the queue was full, or the ledger
    /// was closed.
    pub dropped: u64,
    /// Records in the spill file.
    pub spill_len: u64,
    /// Records in memory.
    pub queue_len: u64,
    /// Whether neither the database nor the spill file takes records, or the writer has died. Until that changes,
    /// records wait in memory and then are dropped.
    pub degraded: bool,
}

/// The writer's part of the statistics.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) written: u64,
    pub(crate) spilled: u64,
    pub(crate) replayed: u64,
    pub(crate) dropped: u64,
    pub(crate) spill_len: u64,
    pub(crate) degraded: bool,
    /// Accepted records that are no longer in memory.
    pub(crate) settled: u64,
    /// The last flush that has been answered.
    pub(crate) flushed: u64,
}
