//! What can go wrong with a SQLite file, by what an operator can do about it.

use std::io;
use std::path::{Path, PathBuf};

use sqlx::migrate::{MigrateError, Migrator};

/// A failure of one SQLite file. Texts hold the path and SQLite's message, never a bound value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// The content is not (or no longer) a sound SQLite database: restore it from a backup.
    #[error("{} is damaged or not a SQLite database: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        detail: String,
    },
    /// The file cannot be opened, read or written: a missing folder, a mode, a mount, a failing disk.
    #[error("{} cannot be accessed: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system or SQLite said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody else held the lock for longer than the busy timeout. Trying again may help.
    #[error("{} is locked by another process or a long transaction", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full. Nothing of the failed transaction was kept.
    #[error("no space left on the disk of {}", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The file system has no shared memory for the write-ahead log (a network mount, as a rule).
    #[error("{} is on a file system without support for a write-ahead log", path.display())]
    NoWal {
        /// The file.
        path: PathBuf,
    },
    /// A later version of the program has changed the schema.
    #[error("{} was written by a later version of this program (schema {version})", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The first schema version that this program does not know.
        version: i64,
    },
    /// The schema in the file is not one of this program, or cannot be brought up to date.
    #[error("the schema of {} does not fit: {source}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: MigrateError,
    },
    /// A statement failed for a reason of its own, such as a constraint.
    #[error("query on {} failed: {source}", path.display())]
    Query {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: sqlx::Error,
    },
}

impl SqlError {
    /// Sorts a failure of the driver by SQLite's primary result code.
    pub(crate) fn from_driver(path: &Path, error: sqlx::Error) -> Self {
        let path = path.to_owned();
        match primary_code(&error) {
            Some(code::CORRUPT | code::NOT_A_DATABASE) => Self::Damaged {
                path,
                detail: message(&error),
            },
            Some(code::BUSY | code::LOCKED) => Self::Locked { path },
            Some(code::FULL) => Self::DiskFull { path },
            Some(code::PERM | code::READ_ONLY | code::IO | code::CANNOT_OPEN | code::AUTH) => {
                Self::Unreadable {
                    path,
                    source: error.into(),
                }
            }
            _ => match error {
                sqlx::Error::PoolTimedOut => Self::Locked { path },
                sqlx::Error::Io(source) => Self::from_io(&path, source),
                source => Self::Query { path, source },
            },
        }
    }

    pub(crate) fn from_io(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Unreadable {
                path,
                source: error.into(),
            },
        }
    }

    pub(crate) fn from_migration(path: &Path, error: MigrateError, migrator: &Migrator) -> Self {
        let newest = migrator
            .iter()
            .map(|migration| migration.version)
            .max()
            .unwrap_or(0);
        match error {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
                Self::from_driver(path, source)
            }
            MigrateError::VersionMissing(version) if version > newest => Self::NewerSchema {
                path: path.to_owned(),
                version,
            },
            source => Self::Schema {
                path: path.to_owned(),
                source,
            },
        }
    }
}

/// SQLite's primary result codes (<https://sqlite.org/rescode.html>).
mod code {
    pub(super) const PERM: u32 = 3;
    pub(super) const BUSY: u32 = 5;
    pub(super) const LOCKED: u32 = 6;
    pub(super) const READ_ONLY: u32 = 8;
    pub(super) const IO: u32 = 10;
    pub(super) const CORRUPT: u32 = 11;
    pub(super) const FULL: u32 = 13;
    pub(super) const CANNOT_OPEN: u32 = 14;
    pub(super) const AUTH: u32 = 23;
    pub(super) const NOT_A_DATABASE: u32 = 26;
}

/// The driver hands out extended codes, whose low byte is the primary one.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let extended: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

fn message(error: &sqlx::Error) -> String {
    error
        .as_database_error()
        .map_or_else(|| error.to_string(), |database| database.message().to_owned())
}
