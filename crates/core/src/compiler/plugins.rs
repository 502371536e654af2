//! Plugin sets and plugin metadata.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};
use sluice_resource::{CheckScope, Expr, Key, Kind, PluginInfo};

use super::{Compiler, Dirty, Item};
use crate::pipeline::{PluginEntry, PluginSet};
use crate::plugin::{CompileEnv, CompileFn};
use crate::vars::look_into_body;

/// Plugins of which the route's own instance replaces the global rule's (compat §3.1).
const PREFER_ROUTE: [&str; 1] = ["prometheus"];

/// Plugins whose `profile` says how the routes that carry them answer (DESIGN §4).
const CHOOSE_PROFILE: [&str; 2] = ["ai-proxy", "ai-proxy-multi"];

/// Plugins whose routes answer natively (DESIGN §4).
const ALWAYS_NATIVE: [&str; 1] = ["ai-router"];

impl Compiler {
    /// The plugins of a resource. Unknown ones are skipped, as every reader of a shared store must (compat §9.1), and
    /// so are the auth plugins of a consumer, whose configuration there is one of the consumer, not of the plugin.
    pub(super) fn compile_plugins(&self, item: &Item<'_>) -> Result<PluginSet, String> {
        let mut set = PluginSet::default();
        for (name, conf) in plugins_of(item.value) {
            let Some((info, compile)) = self.registry.get(name) else {
                continue;
            };
            let elsewhere = match item.key.kind() {
                Kind::GlobalRule => false,
                Kind::Consumer => info.is_auth() || info.is_global(),
                _ => info.is_global(),
            };
            if elsewhere {
                continue;
            }
            if is_disabled(conf) {
                set.put_disabled(info.name);
                continue;
            }
            let entry = self
                .compile_plugin(item, info, compile, conf)
                .map_err(|e| bad_plugin(name, &e))?;
            set.put(Arc::new(entry));
        }
        Ok(set)
    }

    fn compile_plugin(
        &self,
        item: &Item<'_>,
        info: &PluginInfo,
        compile: CompileFn,
        conf: &Value,
    ) -> Result<PluginEntry, String> {
        let full = info.checked(conf, CheckScope::Main)?;
        let metadata = self
            .compiled
            .metadata
            .get(&Key::new(Kind::PluginMetadata, info.name));
        let env = CompileEnv {
            owner: item.owner,
            metadata,
            services: &self.services,
            is_dry_run: self.is_dry_run,
        };
        let resolved = self.services.secrets.resolve(&full).value;
        let plugin = compile(&resolved, &env).map_err(|e| e.to_string())?;
        let meta = conf.get("_meta").unwrap_or(&Value::Null);
        let filter = meta
            .get("filter")
            .map(Expr::parse)
            .transpose()
            .map_err(|e| e.to_string())?;
        Ok(PluginEntry {
            name: info.name,
            priority: meta
                .get("priority")
                .and_then(Value::as_i64)
                .unwrap_or(i64::from(info.priority)),
            is_auth: info.is_auth(),
            prefers_route: PREFER_ROUTE.contains(&info.name),
            native: ALWAYS_NATIVE.contains(&info.name)
                || CHOOSE_PROFILE.contains(&info.name)
                    && full.get("profile").and_then(Value::as_str) == Some("native"),
            filter_reads_body: filter.as_ref().is_some_and(look_into_body),
            filter,
            error_response: meta.get("error_response").cloned(),
            plugin,
        })
    }

    /// Checks plugin metadata. What carries a plugin whose metadata changed is to be compiled again.
    pub(super) fn compile_metadata(&mut self, dirty: &mut Dirty) {
        let changed = self.compile_kind(
            Kind::PluginMetadata,
            dirty,
            |c| &mut c.metadata,
            Self::checked_metadata,
        );
        if changed.is_empty() {
            return;
        }
        let names: BTreeSet<&str> = changed.iter().map(Key::id).collect();
        let is_meant = |name: &str| names.contains(name);
        for (key, source) in &self.sources {
            if self.carries(key, &source.value, is_meant) {
                dirty.add(key.clone());
            }
        }
        self.compile_builtin_again(is_meant);
    }

    /// Metadata with defaults filled in and references resolved, without its `id`, which no schema knows. `None` for an unknown plugin.
    pub(super) fn checked_metadata(&self, item: &Item<'_>) -> Result<Option<Value>, String> {
        let Some((info, _)) = self.registry.get(item.key.id()) else {
            return Ok(None);
        };
        let mut metadata = item.value.clone();
        if let Some(members) = metadata.as_object_mut() {
            members.shift_remove("id");
        }
        let checked = info.checked(&metadata, CheckScope::Metadata)?;
        Ok(Some(self.services.secrets.resolve(&checked).value.into_owned()))
    }

    /// Whether compiling the resource means to compile a plugin whose name `is_meant`.
    pub(super) fn carries(&self, key: &Key, resource: &Value, is_meant: impl Fn(&str) -> bool) -> bool {
        let of_caller = matches!(key.kind(), Kind::Consumer | Kind::Credential);
        plugins_of(resource)
            .filter_map(|(name, _)| self.registry.get(name))
            .any(|(info, _)| !(of_caller && info.is_auth()) && is_meant(info.name))
    }
}

/// The plugins of a resource as stored.
pub(super) fn plugins_of(resource: &Value) -> impl Iterator<Item = (&String, &Value)> {
    resource
        .get("plugins")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::iter)
}

/// `_meta.disable`: the plugin does not run, and its configuration need not hold (compat §3.2).
pub(super) fn is_disabled(conf: &Value) -> bool {
    conf.pointer("/_meta/disable").and_then(Value::as_bool) == Some(true)
}

pub(super) fn bad_plugin(name: &str, error: &str) -> String {
    format!("failed to check the configuration of plugin {name} err: {error}")
}
