//! What a caller may choose about a SQLite file.

use std::path::PathBuf;
use std::time::Duration;

/// How to open one SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The file. Created with mode 0600 when it is absent; its folder must exist.
    pub path: PathBuf,
    /// When a commit counts as done.
    pub durability: Durability,
    /// How much of the file is checked before it is used.
    pub integrity: IntegrityCheck,
    /// How long a statement waits for a lock that another process holds.
    pub busy_timeout: Duration,
    /// Most reading connections at a time; each costs a thread while it is open. At least one.
    pub readers: u32,
    /// Page cache of each connection, in KiB.
    pub cache_kib: u32,
}

impl SqliteOptions {
    /// Options for a small file that must not lose an acknowledged write: full durability, checked at open,
    /// 5 s busy timeout, 2 readers, 1 MiB of page cache per connection.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            durability: Durability::Full,
            integrity: IntegrityCheck::Quick,
            busy_timeout: Duration::from_secs(5),
            readers: 2,
            cache_kib: 1024,
        }
    }
}

/// When a commit counts as done. Either way the file stays consistent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Synced to disk: survives `kill -9` and loss of power.
    Full,
    /// Handed to the operating system: survives `kill -9`; loss of power may undo the latest commits.
    Normal,
}

/// How much of a file is checked when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntegrityCheck {
    /// Every page (`PRAGMA quick_check`): time grows with the file, for files of some 100 MB at most.
    Quick,
    /// The header and the schema only; damage elsewhere shows when a query meets it.
    Schema,
}
