//! The plugins that a gateway knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_resource::Catalogue;

use crate::plugin::{CompileFn, PluginDef};

/// The plugins of a gateway: what the binary was built with, less what the configuration leaves out.
pub struct Registry {
    catalogue: Arc<Catalogue>,
    compile: BTreeMap<&'static str, CompileFn>,
}

impl Registry {
    /// A registry of the given plugins. With `enabled`, plugins that it does not name do not exist.
    #[must_use]
    pub fn new(plugins: Vec<PluginDef>, enabled: Option<&[String]>) -> Self {
        let compile = plugins.iter().map(|def| (def.info.name, def.compile)).collect();
        let catalogue = Catalogue::new(plugins.into_iter().map(|def| def.info).collect(), enabled);
        Self { catalogue: Arc::new(catalogue), compile }
    }

    /// Names, priorities and schemas, for those who only look.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    pub(crate) fn compiler_of(&self, name: &str) -> Option<CompileFn> {
        self.compile.get(name).copied()
    }
}
