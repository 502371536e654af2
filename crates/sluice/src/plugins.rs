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

    /// Adds a plugin. One of the same name takes the place of a shipped one.
    #[must_use]
    pub fn with(mut self, plugin: PluginDef) -> Self {
        if let Ok(plugins) = &mut self.0 {
            plugins.retain(|other| other.info.name != plugin.info.name);
            plugins.push(plugin);
        }
        self
    }

    pub(crate) fn into_definitions(self) -> Result<Vec<PluginDef>, SchemaCompileError> {
        self.0
    }
}
