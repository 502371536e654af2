//! Secrets: which fields the store encrypts, and what replies show of them.

use std::sync::Arc;

use serde_json::Value;
use sluice_resource::{Key, Kind, PluginCatalogue, SecretOrigin, secret_fields};
use sluice_store::{Keyring, SecretFields};

use crate::api::Api;

/// What stands in the place of a secret where nobody has shown a key.
const REDACTED: &str = "***";

/// The same for one that is another than before.
const CHANGED: &str = "*** (changed)";

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

    /// Keys that come in APISIX's ciphertext, as its write replies show them, in plain text (compat §1.11).
    pub(crate) fn decrypt_keys(&self, kind: Kind, value: &mut Value) {
        let keyring = &self.state.keyring;
        // Where private keys stand is a matter of the kind alone.
        for field in secret_fields(&*self.state.catalogue, &Key::new(kind, ""), value) {
            if let (SecretOrigin::PrivateKey, Some(place)) = (field.origin, value.pointer_mut(&field.pointer))
            {
                each_text(place, &|text| {
                    if !text.starts_with(PEM) {
                        *text = keyring.decrypt(text).into_owned();
                    }
                });
            }
        }
    }

    /// A resource as it is shown without a key: no secrets at all.
    pub(crate) fn redacted(&self, key: &Key, value: Value) -> Value {
        self.redacted_beside(key, value, None)
    }

    /// A resource without secrets, that says which of them are others than before.
    ///
    /// Some plugins keep secrets that they do not declare, since APISIX does not encrypt them: those are known by the
    /// names of their members.
    pub(crate) fn redacted_beside(&self, key: &Key, mut value: Value, before: Option<&Value>) -> Value {
        let plain = value.clone();
        for field in secret_fields(&*self.state.catalogue, key, &plain) {
            let before = before.map(|before| before.pointer(&field.pointer).unwrap_or(&Value::Null));
            if let (Some(place), Some(plain)) =
                (value.pointer_mut(&field.pointer), plain.pointer(&field.pointer))
            {
                mask(place, plain, before, true);
            }
        }
        mask(&mut value, &plain, before, false);
        value
    }
}

impl Api {
    /// Puts back what was shown masked and came back so: such a secret is to stay as it is.
    pub(crate) fn unmask(&self, key: &Key, value: &mut Value, before: &Value) {
        let shown = self.redacted(key, before.clone());
        unmask(value, &shown, before);
    }
}

fn unmask(value: &mut Value, shown: &Value, before: &Value) {
    match (value, shown, before) {
        (Value::String(text), Value::String(mask), Value::String(plain))
            if text == REDACTED && mask == REDACTED =>
        {
            text.clone_from(plain);
        }
        (Value::Object(members), Value::Object(shown), Value::Object(before)) => {
            for (name, member) in members {
                if let (Some(shown), Some(before)) = (shown.get(name), before.get(name)) {
                    unmask(member, shown, before);
                }
            }
        }
        (Value::Array(items), Value::Array(shown), Value::Array(before)) => {
            for ((item, shown), before) in items.iter_mut().zip(shown).zip(before) {
                unmask(item, shown, before);
            }
        }
        _ => {}
    }
}

/// Puts a mark in the place of every text that is secret: because what is around it is, or going by its name.
fn mask(place: &mut Value, plain: &Value, before: Option<&Value>, secret: bool) {
    match place {
        Value::String(text) if secret => {
            let changed = before.is_some_and(|before| before != plain);
            (if changed { CHANGED } else { REDACTED }).clone_into(text);
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let before = before.map(|before| before.get(index).unwrap_or(&Value::Null));
                mask(item, &plain[index], before, secret);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let before = before.map(|before| before.get(name).unwrap_or(&Value::Null));
                mask(member, &plain[name], before, secret || sounds_secret(name));
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn sounds_secret(name: &str) -> bool {
    const ENDS: [&str; 8] = [
        "authorization",
        "api-key",
        "apikey",
        "cookie",
        "password",
        "secret",
        "private-key",
        "token",
    ];
    let name = name.to_ascii_lowercase().replace('_', "-");
    name == "auth" || ENDS.iter().any(|end| name.ends_with(end))
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
