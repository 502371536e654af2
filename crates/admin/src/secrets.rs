//! Secrets: which fields the store encrypts, and what replies show of them.

use std::sync::Arc;

use serde_json::Value;
use sluice_resource::{Key, PluginCatalogue, SecretOrigin, secret_fields};
use sluice_store::{Keyring, SecretFields};

use crate::api::Api;

/// What stands in the place of a secret where nobody has shown a key.
const REDACTED: &str = "***";

/// How the PEM form of a key begins; APISIX encrypts only what begins so.
const PEM: &str = "---";

/// Tells the store which fields are secret: what plugins declare, private keys, and what opens secret managers.
pub struct SecretPaths {
    catalogue: Arc<dyn PluginCatalogue>,
}

impl SecretPaths {
    /// Goes by the plugins of this catalogue.
    pub fn new(catalogue: Arc<dyn PluginCatalogue>) -> Self {
        Self { catalogue }
    }
}

impl SecretFields for SecretPaths {
    fn secret_paths(&self, key: &str, value: &Value) -> Vec<String> {
        let Some(key) = Key::parse(key) else {
            return Vec::new();
        };
        let fields = secret_fields(&*self.catalogue, &key, value);
        fields.into_iter().map(|field| field.pointer).collect()
    }
}

impl Api {
    /// A resource as write replies show it: secrets in APISIX's ciphertext (compat §1.11).
    pub(crate) fn encrypted(&self, key: &Key, mut value: Value) -> Value {
        let keyring = &self.state.keyring;
        for field in secret_fields(&*self.state.catalogue, key, &value) {
            let Some(place) = value.pointer_mut(&field.pointer) else {
                continue;
            };
            match field.origin {
                SecretOrigin::Plugin => each_text(place, &|text| encrypt(keyring, text)),
                SecretOrigin::PrivateKey => each_text(place, &|text| {
                    if text.starts_with(PEM) {
                        encrypt(keyring, text);
                    }
                }),
                SecretOrigin::Manager => {}
            }
        }
        value
    }

    /// A resource as it is shown without a key: no secrets at all.
    pub(crate) fn redacted(&self, key: &Key, mut value: Value) -> Value {
        for field in secret_fields(&*self.state.catalogue, key, &value) {
            if let Some(place) = value.pointer_mut(&field.pointer) {
                each_text_below(place, &|text| REDACTED.clone_into(text));
            }
        }
        value
    }
}

fn encrypt(keyring: &Keyring, text: &mut String) {
    *text = keyring.encrypt(text).into_owned();
}

/// What APISIX takes for a leaf: a string, an array of strings or a map of strings.
fn each_text(value: &mut Value, change: &dyn Fn(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| if_text(item, change)),
        Value::Object(members) => members.values_mut().for_each(|member| if_text(member, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn if_text(value: &mut Value, change: &dyn Fn(&mut String)) {
    if let Value::String(text) = value {
        change(text);
    }
}

fn each_text_below(value: &mut Value, change: &dyn Fn(&mut String)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each_text_below(item, change)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|member| each_text_below(member, change)),
        other => if_text(other, change),
    }
}
