//! SQLite files, opened the one way that the gateway relies on.
//!
//! Stands at the bottom, below `store` and `ledger`. It decides pragmas, pools, file modes and what a
//! failure means; tables and queries belong to the crates above, which embed their own migrations.
//!
//! One connection writes and a few read: SQLite has a single writer anyway, and a queue in this process
//! is fairer and cheaper than its busy loop. Other processes may use the file at the same time.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! use sluice_sql::{Sqlite, SqliteOptions};
//!
//! let db = Sqlite::open(&SqliteOptions::new(folder.path().join("sluice.db"))).await?;
//! let mut tx = db.begin_write().await?;
//! sqlx::query("CREATE TABLE note (text TEXT)").execute(&mut *tx).await?;
//! sqlx::query("INSERT INTO note VALUES (?)").bind("kept").execute(&mut *tx).await?;
//! tx.commit().await?; // on disk from here on
//!
//! let text: String = sqlx::query_scalar("SELECT text FROM note").fetch_one(db.reader()).await?;
//! assert_eq!(text, "kept");
//! # Ok(())
//! # }
//! ```

mod error;
mod file;
mod foreign;
mod options;
mod sqlite;

pub use error::SqlError;
pub use foreign::{Cell, Columns, foreign_table};
pub use options::{Durability, IntegrityCheck, SqliteOptions};
pub use sqlite::{Sqlite, SqliteTransaction};
