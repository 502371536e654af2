//! What a secret manager is to the rest of this crate.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

/// A document being read.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Result<Value, SecretReadError>> + Send + 'a>>;

/// A secret manager, as one `secrets` resource configures it.
pub trait SecretManager: Send + Sync + 'static {
    /// Reads a document: an object whose members are secrets, or a text that is one or holds such an object as JSON.
    fn read<'a>(&'a self, document: &'a str) -> Reading<'a>;
}

/// Makes secret managers out of `secrets` resources.
pub trait Connect: Send + Sync + 'static {
    /// The manager of that kind (`vault`, `aws`, `gcp`) with this configuration.
    ///
    /// # Errors
    /// Why there is none; without secrets.
    fn connect(&self, kind: &str, config: &Value) -> Result<Arc<dyn SecretManager>, String>;
}

/// Why a document was not read. The texts contain no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretReadError {
    /// It does not exist, says who should know.
    #[error("{0}")]
    Absent(String),
    /// Nobody knows: what was read before still counts.
    #[error("{0}")]
    Failed(String),
}

impl SecretReadError {
    pub(crate) fn failed(reason: impl ToString) -> Self {
        Self::Failed(reason.to_string())
    }
}
