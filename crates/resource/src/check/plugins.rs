//! The `plugins` member of a resource.

use serde_json::Value;

use super::{CheckError, Checker, Result, UnknownPlugins};
use crate::catalogue::{CheckScope, PluginInfo};
use crate::expr::{Expr, ExprError};

pub(super) fn bad_expression(error: &ExprError) -> String {
    format!("failed to validate the 'vars' expression: {error}")
}

impl Checker {
    /// The plugins of a consumer or credential.
    pub(super) fn check_caller_plugins(&self, value: &Value) -> Result {
        self.check_plugins(value, CheckScope::Consumer)
            .map_err(|fault| CheckError::refused(format!("invalid plugins configuration: {fault}")))
    }

    pub(super) fn check_auth_plugins_only(&self, credential: &Value) -> Result {
        let others = plugins_of(credential)
            .filter_map(|(name, _)| self.catalogue.get(name))
            .any(|plugin| !plugin.is_auth());
        if others {
            return Err(CheckError::refused(
                "only supports auth type plugins in consumer credential",
            ));
        }
        Ok(())
    }

    /// Every plugin in turn; the error is the message without a prefix.
    pub(super) fn check_plugins(&self, value: &Value, scope: CheckScope) -> std::result::Result<(), String> {
        for (name, conf) in plugins_of(value) {
            if !conf.is_object() && !conf.is_array() {
                return Err(format!("invalid plugin conf {conf} for plugin [{name}]"));
            }
            match self.catalogue.get(name) {
                Some(plugin) => self.check_plugin(plugin, conf, scope)?,
                None if self.unknown_plugins == UnknownPlugins::Refuse => {
                    return Err(format!("unknown plugin [{name}]"));
                }
                None => {}
            }
        }
        Ok(())
    }

    fn check_plugin(
        &self,
        plugin: &PluginInfo,
        conf: &Value,
        scope: CheckScope,
    ) -> std::result::Result<(), String> {
        // A plugin that does not run need not hold (compat §3.2).
        if is_disabled(conf) {
            return Ok(());
        }
        plugin
            .check(conf, scope)
            .and_then(|()| plugin.check_command(conf, &self.commands))
            .map_err(|fault| failed(plugin, &fault))?;
        match meta(conf, "filter") {
            Some(filter) => Expr::parse(filter)
                .map(drop)
                .map_err(|error| bad_expression(&error)),
            None => Ok(()),
        }
    }
}

/// How the Admin API words that a plugin rejects its configuration.
pub(super) fn failed(plugin: &PluginInfo, fault: &str) -> String {
    format!(
        "failed to check the configuration of plugin {} err: {fault}",
        plugin.name
    )
}

pub(super) fn is_disabled(conf: &Value) -> bool {
    meta(conf, "disable") == Some(&Value::Bool(true))
}

pub(super) fn plugins_of(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value
        .get("plugins")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn meta<'a>(conf: &'a Value, member: &str) -> Option<&'a Value> {
    conf.get("_meta")?.get(member)
}
