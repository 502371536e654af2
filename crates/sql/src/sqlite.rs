//! One open SQLite file: a writing connection and a few reading ones.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Transaction};

use crate::{Durability, IntegrityCheck, SqlError, SqliteOptions, file};

/// A transaction on a [`Sqlite`]. Dropped without a commit, it rolls back.
pub type SqliteTransaction = Transaction<'static, sqlx::Sqlite>;

/// Idle readers are closed after this: each holds a thread and a page cache.
const READER_IDLE: Duration = Duration::from_secs(60);

/// Pause between attempts to open a file that another process is just creating.
const LOCK_RETRY: Duration = Duration::from_millis(10);

/// The log file is cut back to this after a checkpoint, however large one transaction made it.
const WAL_SIZE_LIMIT: &str = "16777216";

/// An open SQLite file. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Sqlite {
    path: Arc<Path>,
    writer: SqlitePool,
    reader: SqlitePool,
}

impl Sqlite {
    /// Opens the file, creating an empty database when it is absent or empty.
    ///
    /// # Errors
    /// [`SqlError::Damaged`], [`SqlError::Unreadable`], [`SqlError::Locked`], [`SqlError::DiskFull`] or
    /// [`SqlError::NoWal`]. A damaged file is left as it is.
    pub async fn open(options: &SqliteOptions) -> Result<Self, SqlError> {
        // Absolute, because SQLite takes a path that begins with `file:` for a URI.
        let path: Arc<Path> = std::path::absolute(&options.path)
            .map_err(|error| SqlError::from_io(&options.path, error))?
            .into();
        file::prepare(&path)
            .await
            .map_err(|error| SqlError::from_io(&path, error))?;

        let common = connect_options(options, &path);
        let reader = pool(options.readers.max(1))
            .idle_timeout(READER_IDLE)
            .connect_lazy_with(common.clone().pragma("query_only", "ON"));
        let writer = connect_writer(options, &path, writer_options(common, options.durability)).await?;

        let db = Self { path, writer, reader };
        db.check(options.integrity).await?;
        Ok(db)
    }

    /// Brings the schema up to date, all pending migrations in one transaction, one process at a time.
    ///
    /// # Errors
    /// [`SqlError::NewerSchema`], [`SqlError::Schema`], or what the statements themselves meet.
    pub async fn migrate(&self, migrator: &Migrator) -> Result<(), SqlError> {
        let mut tx = self.begin_write().await?;
        // Not `Migrator::run`: the compiler cannot see that its future is `Send`.
        migrator
            .run_direct(None, &mut *tx, false)
            .await
            .map_err(|error| SqlError::from_migration(&self.path, error, migrator))?;
        tx.commit().await.map_err(|error| self.error(error))
    }

    /// Begins a transaction that holds SQLite's write lock from the start (`BEGIN IMMEDIATE`), so that what
    /// it reads cannot change before it writes.
    ///
    /// # Errors
    /// [`SqlError::Locked`] when another process keeps the lock for longer than the busy timeout.
    pub async fn begin_write(&self) -> Result<SqliteTransaction, SqlError> {
        self.writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|error| self.error(error))
    }

    /// Begins a transaction whose reads all see the same committed state, and never wait for a writer.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn begin_read(&self) -> Result<SqliteTransaction, SqlError> {
        self.reader.begin().await.map_err(|error| self.error(error))
    }

    /// The reading connections. A write through them is refused.
    pub fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    /// The writing connection, for single statements; several belong into [`Sqlite::begin_write`].
    pub fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// The file, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says what a failure of a statement on this file means.
    pub fn error(&self, error: sqlx::Error) -> SqlError {
        SqlError::from_driver(&self.path, error)
    }

    /// Closes all connections; the last one folds the log back into the file. Later calls fail.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    async fn check(&self, integrity: IntegrityCheck) -> Result<(), SqlError> {
        let mode: String = self.scalar("PRAGMA journal_mode").await?;
        if !mode.eq_ignore_ascii_case("wal") {
            return Err(SqlError::NoWal {
                path: self.path.to_path_buf(),
            });
        }
        match integrity {
            IntegrityCheck::Schema => self
                .scalar::<i64>("SELECT count(*) FROM sqlite_schema")
                .await
                .map(drop),
            IntegrityCheck::Quick => match self.scalar::<String>("PRAGMA quick_check(1)").await? {
                verdict if verdict == "ok" => Ok(()),
                detail => Err(SqlError::Damaged {
                    path: self.path.to_path_buf(),
                    // SQLite reports one finding per line.
                    detail: detail.lines().collect::<Vec<_>>().join(" "),
                }),
            },
        }
    }

    async fn scalar<T>(&self, sql: &'static str) -> Result<T, SqlError>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + Unpin,
    {
        sqlx::query_scalar(sql)
            .fetch_one(&self.writer)
            .await
            .map_err(|error| self.error(error))
    }
}

fn connect_options(options: &SqliteOptions, path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(options.busy_timeout)
        .foreign_keys(true)
        .pragma("cache_size", format!("-{}", options.cache_kib))
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

fn writer_options(common: SqliteConnectOptions, durability: Durability) -> SqliteConnectOptions {
    let common = common
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("journal_size_limit", WAL_SIZE_LIMIT);
    match durability {
        // macOS keeps a plain fsync in the drive's cache; elsewhere these two pragmas do nothing.
        Durability::Full => common
            .synchronous(SqliteSynchronous::Full)
            .pragma("fullfsync", "ON")
            .pragma("checkpoint_fullfsync", "ON"),
        Durability::Normal => common.synchronous(SqliteSynchronous::Normal),
    }
}

/// The change of a fresh file to the write-ahead log needs an exclusive lock that SQLite's busy timeout does
/// not wait for, so two processes that create the file together have to take turns here.
async fn connect_writer(
    options: &SqliteOptions,
    path: &Path,
    connect: SqliteConnectOptions,
) -> Result<SqlitePool, SqlError> {
    let deadline = Instant::now() + options.busy_timeout;
    loop {
        let writer = pool(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_with(connect.clone())
            .await;
        match writer.map_err(|error| SqlError::from_driver(path, error)) {
            Err(SqlError::Locked { .. }) if Instant::now() < deadline => tokio::time::sleep(LOCK_RETRY).await,
            result => return result,
        }
    }
}

/// SQLite ends a transaction by itself on some failures (disk full, I/O). The driver then goes on counting
/// it as open, and the connection can begin no other: such a connection is replaced when it is next asked for.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .before_acquire(|connection, _| {
            Box::pin(async move {
                // A rollback may be under way; the ping waits behind it.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
}

#[cfg(test)]
mod tests;
