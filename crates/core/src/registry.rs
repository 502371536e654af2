//! The plugins that a gateway knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_resource::{Catalogue, PluginCatalogue, PluginInfo};

use crate::models::ModelsDef;
use crate::plugin::{CompileFn, PluginDef};

/// The plugins of a gateway: what the binary was built with, less what the configuration leaves out.
pub struct Registry {
    catalogue: Arc<Catalogue>,
    compile: BTreeMap<&'static str, CompileFn>,
    models: Option<ModelsDef>,
}

impl Registry {
    /// A registry of the given plugins; of two with one name the first counts. With `enabled`, plugins that it does
    /// not name do not exist.
    #[must_use]
    pub fn new(plugins: Vec<PluginDef>, enabled: Option<&[String]>) -> Self {
        let compile = plugins
            .iter()
            .rev()
            .map(|def| (def.info.name, def.compile))
            .collect();
        let catalogue = Catalogue::new(plugins.into_iter().map(|def| def.info).collect(), enabled);
        Self {
            catalogue: Arc::new(catalogue),
            compile,
            models: None,
        }
    }

    /// Gives the resources of the model registry their meaning; without it they have none. To be called before anybody
    /// holds the catalogue.
    #[must_use]
    pub fn with_models(mut self, models: ModelsDef) -> Self {
        if let Some(catalogue) = Arc::get_mut(&mut self.catalogue) {
            catalogue.set_resource_check(models.check);
        }
        self.models = Some(models);
        self
    }

    pub(crate) fn models(&self) -> Option<&ModelsDef> {
        self.models.as_ref()
    }

    /// Names, priorities and schemas, for those who only look.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// What is known of a plugin, and how it is compiled.
    pub(crate) fn get(&self, name: &str) -> Option<(&PluginInfo, CompileFn)> {
        Some((self.catalogue.get(name)?, *self.compile.get(name)?))
    }
}
