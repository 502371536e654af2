//! The model registry: providers and models.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use sluice_record::Text;
use sluice_resource::{Glob, Key, Kind};

use super::{Compiler, Dirty, Item, key_of};
use crate::models::{Model, ModelInfo, ModelProvider};
use crate::plugin::CompileEnv;

impl Compiler {
    /// Compiles the providers and models that are dirty, and the models that name a provider that changed.
    pub(super) fn compile_models(&mut self, dirty: &mut Dirty) {
        let changed = self.compile_kind(
            Kind::Provider,
            dirty,
            |c| &mut c.providers,
            Self::compile_provider,
        );
        for key in &changed {
            match self.compiled.providers.get(key) {
                Some(provider) => self.models.put_provider(provider.clone()),
                None => self.models.remove_provider(key.id()),
            }
        }
        if !changed.is_empty() {
            let concerned = self.sources.iter().filter(|(key, source)| {
                key.kind() == Kind::Model
                    && providers_of(&source.value).any(|provider| changed.contains(&provider))
            });
            concerned.for_each(|(key, _)| dirty.add(key.clone()));
        }
        let changed = self.compile_kind(Kind::Model, dirty, |c| &mut c.models, Self::compile_model);
        for key in changed {
            match self.compiled.models.get(&key) {
                Some(model) => self.models.put(model.clone()),
                None => self.models.remove(key.id()),
            }
        }
    }

    pub(super) fn compile_provider(&self, item: &Item<'_>) -> Result<Option<Arc<ModelProvider>>, String> {
        let Some(def) = self.registry.models() else {
            return Ok(None);
        };
        let conf = self.services.secrets.resolve(item.value).value.into_owned();
        (def.check)(Kind::Provider, item.value)?;
        (def.compile_provider)(&conf, &self.env_of(item)).map_err(|error| error.to_string())?;
        Ok(Some(Arc::new(ModelProvider {
            id: Text::from(item.key.id()),
            conf: Arc::new(conf),
        })))
    }

    fn compile_model(&self, item: &Item<'_>) -> Result<Option<Arc<Model>>, String> {
        let Some(def) = self.registry.models() else {
            return Ok(None);
        };
        (def.check)(Kind::Model, item.value)?;
        let route = (def.compile_model)(item.value, self.models.providers(), &self.env_of(item))
            .map_err(|error| error.to_string())?;
        let info = item.value.get("metadata").map(ModelInfo::deserialize);
        let name = item
            .value
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or(item.key.id());
        Ok(Some(Arc::new(Model {
            id: Text::from(item.key.id()),
            name: Text::from(name),
            glob: Glob::new(name),
            info: info
                .transpose()
                .map_err(|error| error.to_string())?
                .unwrap_or_default(),
            created: item
                .value
                .get("create_time")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
            route,
        })))
    }

    fn env_of<'a>(&'a self, item: &'a Item<'_>) -> CompileEnv<'a> {
        CompileEnv {
            owner: item.owner,
            metadata: None,
            services: &self.services,
            is_dry_run: self.is_dry_run,
        }
    }
}

/// The providers that a model names.
fn providers_of(model: &Value) -> impl Iterator<Item = Key> {
    let targets = model.get("targets").and_then(Value::as_array);
    targets
        .into_iter()
        .flatten()
        .filter_map(|target| key_of(Kind::Provider, target.get("provider")))
}
