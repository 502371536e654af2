//! Consumers, groups and credentials.

use std::sync::Arc;

use http::HeaderValue;
use serde_json::Value;
use sluice_record::Text;
use sluice_resource::{CheckScope, Key, PluginCatalogue};

use super::Compiler;
use super::plugins::is_disabled;
use crate::consumer::{Consumer, ConsumerGroup, Identity};

impl Compiler {
    pub(super) fn compile_group(&mut self, key: &Key) {
        let Some(value) = self.value(key) else { return self.consumers.remove_group(key.id()) };
        let done = self.compile_plugins(&self.owner(key), &value).map(|plugins| {
            let group = ConsumerGroup { uid: self.services.uids.next(), plugins: Arc::new(plugins) };
            self.consumers.put_group(Text::from(key.id()), group);
        });
        self.note(key, done);
    }

    pub(super) fn compile_consumer(&mut self, key: &Key) {
        let owner = self.owner(key);
        let Some(value) = self.value(key) else {
            self.forget_identities(&owner);
            return self.consumers.remove(key.id());
        };
        let done = self.build_consumer(key, &value).and_then(|consumer| {
            let identities = self.identities_of(key, key.id(), None, &value)?;
            self.replace_identities(owner, identities);
            self.consumers.put(consumer);
            Ok(())
        });
        self.note(key, done);
    }

    pub(super) fn compile_credential(&mut self, key: &Key) {
        let owner = self.owner(key);
        let Some(value) = self.value(key) else { return self.forget_identities(&owner) };
        let Some((username, id)) = key.as_credential() else { return };
        let done = self.identities_of(key, username, Some(id), &value).map(|found| self.replace_identities(owner, found));
        self.note(key, done);
    }

    fn build_consumer(&self, key: &Key, value: &Value) -> Result<Consumer, String> {
        let header = |text: &str| HeaderValue::from_str(text).map_err(|_| format!("{text:?} cannot be a header"));
        let plugins = self.compile_plugins(&self.owner(key), &without_auth(value, self))?;
        let custom_id = value.pointer("/labels/custom_id").and_then(Value::as_str);
        Ok(Consumer {
            uid: self.services.uids.next(),
            username: Text::from(key.id()),
            username_header: header(key.id())?,
            group_id: value.get("group_id").and_then(id_text),
            custom_id: custom_id.map(header).transpose()?,
            plugins: Arc::new(plugins),
        })
    }

    /// The ways in that a consumer or credential opens: one per auth plugin with an index member.
    fn identities_of(
        &self,
        key: &Key,
        username: &str,
        credential: Option<&str>,
        value: &Value,
    ) -> Result<Vec<(&'static str, Text, Identity)>, String> {
        let mut found = Vec::new();
        for (name, conf) in value.get("plugins").and_then(Value::as_object).into_iter().flatten() {
            let Some(info) = self.registry.catalogue().get(name) else { continue };
            let Some(member) = info.auth_key_attribute else { continue };
            if is_disabled(conf) {
                continue;
            }
            let conf = info
                .checked(conf, CheckScope::Consumer)
                .map_err(|e| format!("failed to check the configuration of plugin {name} err: {e}"))?;
            let Some(index) = conf.get(member).and_then(Value::as_str).map(Text::from) else { continue };
            let identity = Identity {
                username: Text::from(username),
                credential: credential.map(Text::from),
                order: self.stored.get(key).map_or(0, |stored| stored.created),
                conf: Arc::new(conf),
            };
            found.push((info.name, index, identity));
        }
        Ok(found)
    }

    fn replace_identities(&mut self, owner: Text, identities: Vec<(&'static str, Text, Identity)>) {
        self.forget_identities(&owner);
        let mut places = Vec::with_capacity(identities.len());
        for (plugin, index, identity) in identities {
            places.push((plugin, index.clone(), identity.username.clone(), identity.credential.clone()));
            self.consumers.add_identity(plugin, index, identity);
        }
        self.identities.insert(owner, places);
    }

    fn forget_identities(&mut self, owner: &Text) {
        for (plugin, index, username, credential) in self.identities.remove(owner).into_iter().flatten() {
            self.consumers.remove_identity(plugin, &index, &username, credential.as_deref());
        }
    }
}

/// The consumer less its auth plugins: those hold consumer configurations, which the plugins' main schemas refuse.
fn without_auth(value: &Value, compiler: &Compiler) -> Value {
    let catalogue = compiler.registry.catalogue();
    let plugins = value.get("plugins").and_then(Value::as_object).into_iter().flatten();
    let kept = plugins.filter(|(name, _)| catalogue.get(name).is_none_or(|info| !info.is_auth()));
    serde_json::json!({ "plugins": kept.map(|(k, v)| (k.clone(), v.clone())).collect::<serde_json::Map<_, _>>() })
}

/// An id as JSON holds it: text or a number.
pub(super) fn id_text(value: &Value) -> Option<Text> {
    match value {
        Value::String(text) => Some(Text::from(text.as_str())),
        Value::Number(number) => Some(Text::from(number.to_string())),
        _ => None,
    }
}

