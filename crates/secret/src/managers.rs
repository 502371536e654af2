//! The secret managers that there are.

use std::sync::Arc;

use serde_json::Value;
use sluice_net::{Origins, Pool};

use crate::aws::AwsSecrets;
use crate::gcp::GcpSecrets;
use crate::http::Http;
use crate::manager::{Connect, SecretManager};
use crate::vault::Vault;

/// Vault, AWS Secrets Manager and Google Secret Manager, over HTTP.
pub struct HttpManagers(Arc<Http>);

impl HttpManagers {
    /// Managers that are reached over these connections.
    #[must_use]
    pub fn new(pool: Pool, origins: Origins) -> Self {
        Self(Arc::new(Http { pool, origins }))
    }
}

impl Connect for HttpManagers {
    fn connect(&self, kind: &str, config: &Value) -> Result<Arc<dyn SecretManager>, String> {
        Ok(match kind {
            "vault" => Arc::new(Vault::new(&self.0, config)?),
            "aws" => Arc::new(AwsSecrets::new(&self.0, config)?),
            "gcp" => Arc::new(GcpSecrets::new(&self.0, config)?),
            other => return Err(format!("there is no secret manager of kind `{other}`")),
        })
    }
}
