//! Plugin sets and global rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use sluice_record::Text;
use sluice_resource::{CheckScope, Expr, Key, Kind, PluginCatalogue, PluginInfo};

use super::{Compiler, Dirty};
use crate::pipeline::{Pipeline, PluginEntry, PluginSet};
use crate::plugin::CompileEnv;

impl Compiler {
    /// The plugins of a resource. Unknown ones are skipped, as every reader of a shared store must (compat §9.1).
    pub(super) fn compile_plugins(&self, owner: &Text, resource: &Value) -> Result<PluginSet, String> {
        let mut set = PluginSet::default();
        for (name, conf) in resource.get("plugins").and_then(Value::as_object).into_iter().flatten() {
            if let Some(info) = self.registry.catalogue().get(name)
                && !is_disabled(conf)
            {
                let entry = self
                    .compile_plugin(owner, info, conf)
                    .map_err(|e| format!("failed to check the configuration of plugin {name} err: {e}"))?;
                set.put(Arc::new(entry));
            }
        }
        Ok(set)
    }

    fn compile_plugin(&self, owner: &Text, info: &PluginInfo, conf: &Value) -> Result<PluginEntry, String> {
        let full = info.checked(conf, CheckScope::Main)?;
        let metadata = self.stored.get(&Key::new(Kind::PluginMetadata, info.name)).map(|stored| &*stored.value);
        let env = CompileEnv { owner, metadata, services: &self.services };
        let compile = self.registry.compiler_of(info.name).ok_or("plugin is not built in")?;
        let plugin = compile(&full, &env).map_err(|e| e.to_string())?;
        let meta = conf.get("_meta").unwrap_or(&Value::Null);
        let filter = meta.get("filter").map(Expr::parse).transpose().map_err(|e| e.to_string())?;
        Ok(PluginEntry {
            name: info.name,
            priority: meta.get("priority").and_then(Value::as_i64).unwrap_or(i64::from(info.priority)),
            is_auth: info.is_auth(),
            prefers_route: info.name == "prometheus",
            filter,
            error_response: meta.get("error_response").cloned(),
            plugin,
        })
    }

    /// Global rules are one set; a plugin that two rules name is dropped from both (compat §3.1).
    pub(super) fn compile_global_rules(&mut self, dirty: &Dirty) {
        for key in dirty.of(Kind::GlobalRule) {
            let compiled = self.value(&key).map(|value| self.compile_plugins(&self.owner(&key), &value));
            let done = super::settle(&mut self.global_rules, Text::from(key.id()), compiled);
            self.note(&key, done);
        }
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        let mut united = PluginSet::default();
        for rule in self.global_rules.values() {
            for entry in rule.iter() {
                *times.entry(entry.name).or_default() += 1;
                united.put(entry.clone());
            }
        }
        for (name, _) in times.into_iter().filter(|(_, times)| *times > 1) {
            tracing::error!(plugin = name, "plugin stands in more than one global rule and is ignored");
            united.remove(name);
        }
        self.global = Arc::new(Pipeline::new(united));
    }
}

/// `_meta.disable`: the plugin does not run, and its configuration need not hold (compat §3.2).
pub(super) fn is_disabled(conf: &Value) -> bool {
    conf.pointer("/_meta/disable").and_then(Value::as_bool) == Some(true)
}
