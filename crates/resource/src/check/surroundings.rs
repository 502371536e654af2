//! Checks of a plugin's configuration that need to know what else is stored: the plugin's metadata, and other
//! configurations that share something with it.

use serde_json::{Map, Value};

use super::plugins::{failed, is_disabled, plugins_of};
use super::{CheckError, Checker, Result, Target};
use crate::catalogue::{CheckScope, PluginInfo};
use crate::kind::Kind;

/// The kinds whose resources carry plugins: where configurations that share a group are looked for.
pub const PLUGIN_KINDS: [Kind; 6] = [
    Kind::Route,
    Kind::Service,
    Kind::PluginConfig,
    Kind::GlobalRule,
    Kind::ConsumerGroup,
    Kind::Consumer,
];

impl Checker {
    /// The plugins of a resource whose configurations depend on their metadata. To be given to
    /// [`Checker::check_against_metadata`].
    pub fn depends_on_metadata(&self, value: &Value) -> Vec<String> {
        self.enabled_plugins(value)
            .filter(|(plugin, _)| plugin.depends_on_metadata())
            .map(|(plugin, _)| plugin.name.to_owned())
            .collect()
    }

    /// Checks a plugin of a resource together with its metadata.
    ///
    /// # Errors
    ///
    /// What the plugin says.
    pub fn check_against_metadata(
        &self,
        target: &Target<'_>,
        value: &Value,
        plugin: &str,
        metadata: Option<&Value>,
    ) -> Result {
        let mut found = self.enabled_plugins(value);
        let Some((plugin, conf)) = found.find(|(own, _)| own.name == plugin) else {
            return Ok(());
        };
        plugin
            .check_with_metadata(conf, metadata)
            .map_err(|fault| refusal(target, plugin, &fault))
    }

    /// Whether a plugin of the resource shares a group, so that [`Checker::check_groups`] has something to compare.
    pub fn has_groups(&self, value: &Value) -> bool {
        self.groups_of(value).next().is_some()
    }

    /// Checks that configurations of one group are equal (compat §6.3).
    ///
    /// # Errors
    ///
    /// `group conf mismatched`.
    pub fn check_groups(&self, target: &Target<'_>, value: &Value, other: &Value) -> Result {
        for (plugin, group, own) in self.groups_of(value) {
            let mut others = self.groups_of(other);
            let differs = others
                .find(|(other, same, _)| other.name == plugin.name && *same == group)
                .is_some_and(|(_, _, theirs)| settings(plugin, own) != settings(plugin, theirs));
            if differs {
                return Err(refusal(target, plugin, "group conf mismatched"));
            }
        }
        Ok(())
    }

    fn groups_of<'a>(
        &'a self,
        value: &'a Value,
    ) -> impl Iterator<Item = (&'a PluginInfo, &'a str, &'a Value)> {
        self.enabled_plugins(value).filter_map(|(plugin, conf)| {
            let group = conf.get(plugin.group_member?)?.as_str()?;
            Some((plugin, group, conf))
        })
    }

    fn enabled_plugins<'a>(&'a self, value: &'a Value) -> impl Iterator<Item = (&'a PluginInfo, &'a Value)> {
        plugins_of(value)
            .filter(|(_, conf)| !is_disabled(conf))
            .filter_map(|(name, conf)| Some((self.catalogue.get(name)?, conf)))
    }
}

/// What counts of a configuration: the members of its schema, defaults included.
fn settings(plugin: &PluginInfo, conf: &Value) -> Option<Map<String, Value>> {
    let Ok(Value::Object(mut filled)) = plugin.checked(conf, CheckScope::Main) else {
        return None;
    };
    let known = plugin.schema.source().get("properties");
    filled.retain(|name, _| name != "_meta" && known.is_some_and(|known| known.get(name).is_some()));
    Some(filled)
}

fn refusal(target: &Target<'_>, plugin: &PluginInfo, fault: &str) -> CheckError {
    let message = failed(plugin, fault);
    CheckError::refused(match target.kind {
        Kind::Consumer | Kind::Credential => format!("invalid plugins configuration: {message}"),
        _ => message,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::check::UnknownPlugins;
    use crate::schemas::Schemas;

    fn checker() -> Checker {
        let schema = json!({
            "type": "object",
            "properties": {
                "count": {"type": "integer"}, "window": {"type": "integer", "default": 60}, "group": {"type": "string"},
            },
        });
        let grouped = PluginInfo::new("limit", 1, schema)
            .unwrap()
            .with_group_member("group");
        let logger = PluginInfo::new("logger", 2, json!({"type": "object"}))
            .unwrap()
            .with_metadata_check(|conf, metadata| {
                let has = |holder: &Value| holder.get("path").is_some();
                if has(conf) || metadata.is_some_and(has) {
                    return Ok(());
                }
                Err("no path".to_owned())
            });
        Checker::new(
            Arc::new(Schemas::compile().unwrap()),
            Arc::new(Catalogue::new(vec![grouped, logger], None)),
            UnknownPlugins::Refuse,
        )
    }

    #[test]
    fn a_group_has_one_configuration() {
        let checker = checker();
        let with = |conf: Value| json!({"plugins": {"limit": conf}});
        let own = with(json!({"count": 1, "group": "g"}));
        assert!(checker.has_groups(&own) && !checker.has_groups(&with(json!({"count": 1}))));
        let check = |kind, other: Value| checker.check_groups(&Target::new(kind, None), &own, &with(other));
        for equal in [
            json!({"count": 1, "group": "g"}),
            json!({"count": 1, "group": "g", "window": 60, "_meta": {"priority": 7}, "unknown": 1}),
            json!({"count": 2, "group": "other"}),
            json!({"count": 2}),
            json!({"count": 2, "group": "g", "_meta": {"disable": true}}),
        ] {
            assert_eq!(check(Kind::Route, equal.clone()), Ok(()), "{equal}");
        }
        let message = "failed to check the configuration of plugin limit err: group conf mismatched";
        let different = json!({"count": 2, "group": "g"});
        assert_eq!(
            check(Kind::Route, different.clone()).unwrap_err().message,
            message
        );
        assert_eq!(
            check(Kind::Consumer, different).unwrap_err().message,
            format!("invalid plugins configuration: {message}")
        );
    }

    #[test]
    fn metadata_may_have_what_is_missing() {
        let checker = checker();
        let target = Target::new(Kind::Route, None);
        let route = json!({"plugins": {"logger": {}, "limit": {}}});
        assert_eq!(checker.depends_on_metadata(&route), ["logger"]);
        let check =
            |metadata: Option<&Value>| checker.check_against_metadata(&target, &route, "logger", metadata);
        assert_eq!(
            check(None).unwrap_err().message,
            "failed to check the configuration of plugin logger err: no path"
        );
        assert!(check(Some(&json!({}))).is_err());
        assert_eq!(check(Some(&json!({"path": "/a"}))), Ok(()));
    }
}
