//! Whether a resource would compile, found out before it is stored.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sluice_record::Text;
use sluice_resource::{CheckScope, Key, Kind};

use super::plugins::plugins_of;
use super::{Compiler, CompilerOptions, Item, Source};
use crate::registry::Registry;
use crate::services::Services;

/// Compiles resources and throws the result away: nothing that serves is touched.
///
/// What a resource refers to plays no part. It may come later, so neither does a plugin or a `tls` whose secrets are
/// not there.
pub struct DryRun {
    registry: Arc<Registry>,
    services: Arc<Services>,
    options: CompilerOptions,
}

/// Why a resource does not compile. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DryRunError {
    /// One of its plugins: `failed to check the configuration of plugin … err: …`.
    #[error("{0}")]
    Plugin(String),
    /// Something else in it.
    #[error("{0}")]
    Resource(String),
}

impl DryRun {
    /// Runs with the plugins and services of a gateway.
    #[must_use]
    pub fn new(registry: Arc<Registry>, services: Arc<Services>, options: CompilerOptions) -> Self {
        Self {
            registry,
            services,
            options,
        }
    }

    /// Compiles a resource that its checks have let pass, beside this plugin metadata.
    ///
    /// # Errors
    /// When it does not compile.
    pub fn check(
        &self,
        key: &Key,
        value: &Value,
        metadata: &HashMap<String, Value>,
    ) -> Result<(), DryRunError> {
        let mut compiler = Compiler::new(self.registry.clone(), self.services.clone(), self.options.clone());
        compiler.is_dry_run = true;
        let owner = Text::from(format!("dry-run:{}{key}", self.options.prefix));
        let tried = self.without_what_is_missing(key, value, metadata);
        let item = Item {
            key,
            owner: &owner,
            value: &tried,
            created: 0,
        };
        compiler.know_metadata(&item, metadata);
        let outcome = compiler.try_out(&item);
        self.services.checkers.revert(&owner);
        outcome.map_err(|error| match error {
            DryRunError::Plugin(fault) => DryRunError::Plugin(compiler.without_secrets(&item, fault)),
            DryRunError::Resource(fault) => DryRunError::Resource(compiler.without_secrets(&item, fault)),
        })
    }

    fn without_what_is_missing<'a>(
        &self,
        key: &Key,
        value: &'a Value,
        metadata: &HashMap<String, Value>,
    ) -> Cow<'a, Value> {
        let lacks = |part: &Value| !self.services.secrets.resolve(part).unresolved.is_empty();
        let unusable_tls = |tls: &Value| lacks(tls) || tls.get("client_cert_id").is_some();
        let waits = |name: &str, conf: &Value| lacks(conf) || metadata.get(name).is_some_and(lacks);
        let mut tried = Cow::Borrowed(value);
        if plugins_of(value).any(|(name, conf)| waits(name, conf))
            && let Some(plugins) = tried.to_mut().get_mut("plugins").and_then(Value::as_object_mut)
        {
            plugins.retain(|name, conf| !waits(name, conf));
        }
        let upstream = match key.kind() {
            Kind::Upstream => "",
            _ => "/upstream",
        };
        if value
            .pointer(&format!("{upstream}/tls"))
            .is_some_and(unusable_tls)
            && let Some(upstream) = tried
                .to_mut()
                .pointer_mut(upstream)
                .and_then(Value::as_object_mut)
        {
            upstream.shift_remove("tls");
        }
        tried
    }
}

impl Compiler {
    fn know_metadata(&mut self, item: &Item<'_>, metadata: &HashMap<String, Value>) {
        for (name, _) in plugins_of(item.value) {
            let key = Key::new(Kind::PluginMetadata, name);
            if let Some(value) = metadata.get(name) {
                self.know_metadata_of(key, value);
            }
        }
    }

    fn know_metadata_of(&mut self, key: Key, value: &Value) {
        let owner = Text::from(key.to_string());
        let item = Item {
            key: &key,
            owner: &owner,
            value,
            created: 0,
        };
        let source = Source {
            value: Arc::new(value.clone()),
            created: 0,
        };
        self.sources.insert(key.clone(), source);
        if let Ok(Some(checked)) = self.checked_metadata(&item) {
            self.compiled.metadata.insert(key, checked);
        }
    }

    fn try_out(&mut self, item: &Item<'_>) -> Result<(), DryRunError> {
        match item.key.kind() {
            Kind::Route if item.value.get("status").and_then(Value::as_i64) == Some(0) => Ok(()),
            Kind::Route => {
                self.try_plugins(item)?;
                resource(self.compile_own_route(item))
            }
            Kind::Service => {
                self.try_plugins(item)?;
                resource(self.compile_service(item))
            }
            Kind::Upstream => resource(self.compile_upstream(item)),
            Kind::Consumer => {
                self.try_plugins(item)?;
                resource(self.compile_consumer(item))
            }
            Kind::ConsumerGroup | Kind::PluginConfig | Kind::GlobalRule => self.try_plugins(item),
            Kind::PluginMetadata if self.has_all_secrets(item) => self.try_metadata(item),
            Kind::Ssl if self.has_all_secrets(item) => resource(self.compile_ssl(item)),
            Kind::Provider if self.has_all_secrets(item) => resource(self.compile_provider(item)),
            // What a model says of providers is checked as a reference.
            Kind::Model
            | Kind::Provider
            | Kind::Ssl
            | Kind::Credential
            | Kind::PluginMetadata
            | Kind::Secret
            | Kind::Proto
            | Kind::StreamRoute => Ok(()),
        }
    }

    fn has_all_secrets(&self, item: &Item<'_>) -> bool {
        self.services.secrets.resolve(item.value).unresolved.is_empty()
    }

    fn try_plugins(&self, item: &Item<'_>) -> Result<(), DryRunError> {
        self.compile_plugins(item).map(drop).map_err(DryRunError::Plugin)
    }

    /// Metadata is used by configurations that stand elsewhere. The plugin's bare configuration stands for them, where
    /// there is such a thing.
    fn try_metadata(&mut self, item: &Item<'_>) -> Result<(), DryRunError> {
        let name = item.key.id();
        let bare = json!({});
        let holds =
            |(info, _): &(&sluice_resource::PluginInfo, _)| info.check(&bare, CheckScope::Main).is_ok();
        if self.registry.get(name).filter(holds).is_none() {
            return Ok(());
        }
        let key = Key::new(Kind::PluginConfig, name);
        let carrier = Item {
            key: &key,
            owner: item.owner,
            value: &json!({ "plugins": { name: bare } }),
            created: 0,
        };
        if self.compile_plugins(&carrier).is_err() {
            return Ok(());
        }
        self.know_metadata_of(item.key.clone(), item.value);
        self.try_plugins(&carrier)
    }
}

fn resource<T>(outcome: Result<T, String>) -> Result<(), DryRunError> {
    outcome.map(drop).map_err(DryRunError::Resource)
}
