//! What a caller of the store has to tell apart.

use std::io;
use std::path::PathBuf;

use sluice_sql::SqlError;

use crate::{CryptError, DamagedItem};

/// A failure of the configuration store. No text holds a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database file failed. A write that ends so was not acknowledged; as a rule it was not kept either.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A write expected another mod revision of this item. Nothing of its batch was kept.
    #[error("{key} has changed in the meantime")]
    Conflict {
        /// The item.
        key: String,
    },
    /// The item is there, but cannot be read.
    #[error(transparent)]
    Damaged(#[from] DamagedItem),
    /// A secret field could not be encrypted; nothing was written.
    #[error("a secret of {key} cannot be encrypted: {source}")]
    Encryption {
        /// The item.
        key: String,
        /// Why.
        source: CryptError,
    },
    /// The secrets of the database were encrypted with another key.
    #[error("the secret key is not the one that this database was made with")]
    WrongSecretKey,
    /// The database holds encrypted secrets, but the key file is gone.
    #[error("the secret key of this database is missing: {}", path.display())]
    SecretKeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The key file cannot be read or created, or holds no key.
    #[error("secret key file {}: {source}", path.display())]
    SecretKeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store has been closed.
    #[error("the configuration store is closed")]
    Closed,
}
