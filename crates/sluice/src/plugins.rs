//! The plugins that a binary is built with.

use sluice_core::PluginDef;
use sluice_resource::SchemaCompileError;

/// The plugins of a gateway.
pub struct Plugins(Result<Vec<PluginDef>, SchemaCompileError>);

impl Plugins {
    /// The plugins that come with Sluice.
    #[must_use]
    pub fn shipped() -> Self {
        Self(sluice_plugins::all())
    }

    /// Adds a plugin. One of the same name takes the place of a shipped one. A schema that does not compile keeps the
    /// gateway from starting.
    #[must_use]
    pub fn with(self, plugin: Result<PluginDef, SchemaCompileError>) -> Self {
        Self(self.0.and_then(|mut plugins| {
            let plugin = plugin?;
            plugins.retain(|other| other.info.name != plugin.info.name);
            plugins.push(plugin);
            Ok(plugins)
        }))
    }

    pub(crate) fn into_definitions(self) -> Result<Vec<PluginDef>, SchemaCompileError> {
        self.0
    }
}
