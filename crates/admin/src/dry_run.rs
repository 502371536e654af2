//! What holds its schema must compile, too: a write that could never be in force is refused.

use std::collections::HashMap;

use serde_json::Value;
use sluice_core::DryRunError;
use sluice_resource::{CheckError, Key, Kind, Target};

use crate::api::Api;
use crate::bulk::Metadata;
use crate::reply::Refusal;

/// Compiles a resource beside this plugin metadata, without putting it in force.
pub type DryRunHook =
    Box<dyn Fn(&Key, &Value, &HashMap<String, Value>) -> Result<(), DryRunError> + Send + Sync>;

impl Api {
    /// Whether a resource of a write compiles.
    pub(crate) async fn dry_run(&self, target: &Target<'_>, value: &Value) -> Result<(), Refusal> {
        let metadata = match value.get("plugins") {
            Some(_) => self.stored_metadata().await?,
            None => Metadata::new(),
        };
        Ok(self.dry_run_beside(target, value, &metadata)?)
    }

    /// The same, beside metadata that is at hand.
    pub(crate) fn dry_run_beside(
        &self,
        target: &Target<'_>,
        value: &Value,
        metadata: &Metadata,
    ) -> Result<(), CheckError> {
        // Whether it compiles does not depend on its id, which a POST does not have yet.
        let key = target
            .key(value)
            .unwrap_or_else(|_| Key::new(target.kind, "unnamed"));
        (self.state.dry_run)(&key, value, metadata).map_err(|error| match (error, target.kind) {
            (DryRunError::Plugin(fault), Kind::Consumer | Kind::Credential) => {
                CheckError::refused(format!("invalid plugins configuration: {fault}"))
            }
            (DryRunError::Plugin(fault), _) => CheckError::refused(fault),
            (DryRunError::Resource(fault), _) => CheckError::invalid(fault),
        })
    }
}
