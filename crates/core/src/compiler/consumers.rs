//! Consumers, groups and credentials.

use std::sync::Arc;

use http::HeaderValue;
use serde_json::Value;
use sluice_record::Text;
use sluice_resource::{CheckScope, Key, Kind};

use super::plugins::{bad_plugin, is_disabled, plugins_of};
use super::{Compiler, Dirty, Item, Outcome, key_of};
use crate::consumer::{Consumer, ConsumerGroup, Identity};

/// An identity, the plugin that knows it and the key under which it does.
type Found = (&'static str, Text, Identity);

impl Compiler {
    /// Compiles the groups, consumers and credentials that are dirty.
    pub(super) fn compile_callers(&mut self, dirty: &Dirty) {
        for key in dirty.of(Kind::ConsumerGroup) {
            match self.attempt(key, Self::compile_group) {
                Outcome::Gone => self.consumers.remove_group(key.id()),
                Outcome::Ready(group) => self.consumers.put_group(Text::from(key.id()), group),
                Outcome::Invalid => {}
            }
        }
        for key in dirty.of(Kind::Consumer) {
            match self.attempt(key, |this, item| {
                Ok((this.compile_consumer(item)?, this.identities_of(item)?))
            }) {
                Outcome::Gone => {
                    self.replace_identities(key, Vec::new());
                    self.consumers.remove(key.id());
                }
                Outcome::Ready((consumer, identities)) => {
                    self.replace_identities(key, identities);
                    if let Some(consumer) = consumer {
                        self.consumers.put(consumer);
                    }
                }
                Outcome::Invalid => {}
            }
        }
        for key in dirty.of(Kind::Credential) {
            match self.attempt(key, Self::identities_of) {
                Outcome::Gone => self.replace_identities(key, Vec::new()),
                Outcome::Ready(identities) => self.replace_identities(key, identities),
                Outcome::Invalid => {}
            }
        }
    }

    fn compile_group(&self, item: &Item<'_>) -> Result<ConsumerGroup, String> {
        let plugins = Arc::new(self.compile_plugins(item)?);
        Ok(ConsumerGroup {
            uid: self.services.uids.next(),
            plugins,
        })
    }

    /// The consumer; `None` while its plugins wait for secrets and it has no earlier form.
    pub(super) fn compile_consumer(&self, item: &Item<'_>) -> Result<Option<Consumer>, String> {
        // Only control characters are refused: what is no ASCII goes out as the bytes that it is.
        let header = |name: &str, text: &str| {
            let value = HeaderValue::from_bytes(text.as_bytes());
            value.map_err(|_| format!("{name} {text:?} cannot be sent as a header"))
        };
        let username = item.key.id();
        let custom_id = item.value.pointer("/labels/custom_id").and_then(Value::as_str);
        let plugins = match (self.waits(item.key), self.consumers.get(username)) {
            (false, _) => Arc::new(self.compile_plugins(item)?),
            (true, Some(before)) => before.plugins.clone(),
            (true, None) => return Ok(None),
        };
        Ok(Some(Consumer {
            uid: self.services.uids.next(),
            username: Text::from(username),
            username_header: header("username", username)?,
            group_id: key_of(Kind::ConsumerGroup, item.value.get("group_id")).map(|key| Text::from(key.id())),
            custom_id: custom_id
                .map(|custom_id| header("labels.custom_id", custom_id))
                .transpose()?,
            plugins,
        }))
    }

    /// The ways in that a consumer or credential opens: one per auth plugin that finds consumers by a key. One that
    /// refers to a secret which is not there opens none (compat §1.11).
    fn identities_of(&self, item: &Item<'_>) -> Result<Vec<Found>, String> {
        let (username, credential) = match item.key.as_credential() {
            Some((username, credential)) => (username, Some(credential)),
            None => (item.key.id(), None),
        };
        let mut found = Vec::new();
        for (name, conf) in plugins_of(item.value) {
            let Some((info, _)) = self.registry.get(name) else {
                continue;
            };
            let Some(member) = info.auth_key_attribute else {
                continue;
            };
            if is_disabled(conf) {
                continue;
            }
            let conf = info
                .checked(conf, CheckScope::Consumer)
                .map_err(|e| bad_plugin(name, &e))?;
            let resolution = self.services.secrets.resolve(&conf);
            if !resolution.unresolved.is_empty() {
                continue;
            }
            let conf = resolution.value.into_owned();
            let Some(index) = conf.get(member).and_then(Value::as_str).map(Text::from) else {
                continue;
            };
            let identity = Identity {
                username: Text::from(username),
                credential: credential.map(Text::from),
                order: item.created,
                conf: Arc::new(conf),
            };
            found.push((info.name, index, identity));
        }
        Ok(found)
    }

    fn replace_identities(&mut self, key: &Key, identities: Vec<Found>) {
        let (username, credential) = match key.as_credential() {
            Some((username, credential)) => (username, Some(credential)),
            None => (key.id(), None),
        };
        for (plugin, index) in self.identities.remove(key).into_iter().flatten() {
            self.consumers
                .remove_identity(plugin, &index, username, credential);
        }
        let mut places = Vec::with_capacity(identities.len());
        for (plugin, index, identity) in identities {
            places.push((plugin, index.clone()));
            self.consumers.add_identity(plugin, index, identity);
        }
        if !places.is_empty() {
            self.identities.insert(key.clone(), places);
        }
    }
}
