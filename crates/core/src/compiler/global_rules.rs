//! Global rules, united to one set of plugins.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_resource::Kind;

use super::{Compiler, Dirty};
use crate::pipeline::{Pipeline, PluginSet};

impl Compiler {
    pub(super) fn compile_global_rules(&mut self, dirty: &Dirty) {
        let changed = self.compile_kind(
            Kind::GlobalRule,
            dirty,
            |c| &mut c.global_rules,
            |this, item| this.compile_plugins(item).map(Some),
        );
        if !changed.is_empty() {
            self.global = Arc::new(Pipeline::new(united(self.compiled.global_rules.values())));
        }
    }
}

/// All rules in one set; a plugin that two of them name is dropped from both (compat §3.1).
fn united<'a>(rules: impl Iterator<Item = &'a PluginSet>) -> PluginSet {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let mut united = PluginSet::default();
    for rule in rules {
        united.overlay(rule);
        rule.names().for_each(|name| *times.entry(name).or_default() += 1);
    }
    for (name, _) in times.into_iter().filter(|(_, times)| *times > 1) {
        tracing::error!(
            plugin = name,
            "plugin stands in more than one global rule and is ignored"
        );
        united.remove(name);
    }
    united
}
