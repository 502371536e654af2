//! What can go wrong with the ledger as a whole. A failing write is no error: it is spilled, and shows in the
//! [statistics](crate::LedgerStats).

use std::io;
use std::path::PathBuf;

use sluice_sql::SqlError;

/// A failure of the ledger. The configuration has a file of its own and is never affected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The database file cannot be used. A damaged one is left as it is: the operator restores it, or moves it
    /// away and starts with an empty ledger.
    #[error("ledger: {0}")]
    Database(#[from] SqlError),
    /// The database is not a ledger, or was changed by a later version in a way that this one cannot work with.
    #[error("{} has ledger format {found}, this program knows format {known}", path.display())]
    Format {
        /// The database file.
        path: PathBuf,
        /// Its format; 0 for another kind of database.
        found: i64,
        /// The format that this program knows.
        known: i64,
    },
    /// The spill file cannot be used.
    #[error("ledger spill file {}: {source}", path.display())]
    Spill {
        /// The spill file.
        path: PathBuf,
        /// What the operating system said, or what is wrong with the content.
        source: io::Error,
    },
    /// Another ledger, of this process or another, uses the same spill file.
    #[error("ledger spill file {} is in use by another process", path.display())]
    InUse {
        /// The spill file.
        path: PathBuf,
    },
    /// The writer's thread cannot be started.
    #[error("ledger thread: {0}")]
    Thread(#[source] io::Error),
    /// The database is away for the moment; records are spilled and nothing can be read.
    #[error("the ledger database is not available at the moment")]
    Unavailable,
    /// The records were not stored before the deadline.
    #[error("the ledger did not store its records in time")]
    Timeout,
    /// The ledger has been closed.
    #[error("the ledger is closed")]
    Closed,
}
