//! Between values as callers see them and the text that is stored: which strings are secret, and where.

use std::collections::HashSet;

use serde_json::Value;

use crate::{DamageReason, StoreError, Vault};

/// Knows which fields of an item are secret.
///
/// Implemented above this crate, where schemas and plugins are known; any closure of this form is one.
pub trait SecretFields: Send + Sync + 'static {
    /// The JSON pointers (RFC 6901) of the secret fields of an item. All strings at and below them are
    /// encrypted. Pointers to nothing are fine. Called on writes only: what is encrypted shows by itself.
    fn secret_paths(&self, key: &str, value: &Value) -> Vec<String>;
}

impl<F> SecretFields for F
where
    F: Fn(&str, &Value) -> Vec<String> + Send + Sync + 'static,
{
    fn secret_paths(&self, key: &str, value: &Value) -> Vec<String> {
        self(key, value)
    }
}

/// Turns values into stored text and back.
pub(crate) struct Sealer {
    vault: Vault,
    fields: Box<dyn SecretFields>,
}

impl Sealer {
    pub(crate) fn new(vault: Vault, fields: impl SecretFields) -> Self {
        Self {
            vault,
            fields: Box::new(fields),
        }
    }

    /// Encrypts the secret strings, and those that would be taken for a ciphertext when they are read.
    pub(crate) fn seal(&self, key: &str, mut value: Value) -> Result<String, StoreError> {
        let secret: HashSet<String> = self.fields.secret_paths(key, &value).into_iter().collect();
        let sealed = Walk {
            secret: &secret,
            pointer: String::new(),
        }
        .strings(&mut value, false, &mut |pointer, is_secret, text| {
            if is_secret || Vault::is_sealed(text) {
                *text = self.vault.seal(key, pointer, text)?;
            }
            Ok(())
        });
        sealed.map_err(|source| StoreError::Encryption {
            key: key.to_owned(),
            source,
        })?;
        Ok(value.to_string())
    }

    /// Decrypts every ciphertext in a stored text.
    ///
    /// Goes by the ciphertexts, not by [`SecretFields`], so that a field stays readable when a later version
    /// or another set of plugins has other ideas about what is secret.
    pub(crate) fn open(&self, key: &str, text: &str) -> Result<Value, DamageReason> {
        let mut value = serde_json::from_str(text).map_err(|_| DamageReason::NotJson)?;
        if Vault::may_hold_sealed(text) {
            let nothing = HashSet::new();
            Walk {
                secret: &nothing,
                pointer: String::new(),
            }
            .strings(&mut value, false, &mut |pointer, _, text| {
                if Vault::is_sealed(text) {
                    let opened = self.vault.open(key, pointer, text);
                    *text = opened.map_err(|_| DamageReason::Secret {
                        pointer: pointer.to_owned(),
                    })?;
                }
                Ok(())
            })?;
        }
        Ok(value)
    }
}

/// A walk over all strings of a document, with the JSON pointer of each.
struct Walk<'a> {
    secret: &'a HashSet<String>,
    pointer: String,
}

impl Walk<'_> {
    fn strings<E>(
        &mut self,
        value: &mut Value,
        within_secret: bool,
        visit: &mut impl FnMut(&str, bool, &mut String) -> Result<(), E>,
    ) -> Result<(), E> {
        let within_secret = within_secret || self.secret.contains(&self.pointer);
        let length = self.pointer.len();
        match value {
            Value::String(text) => visit(&self.pointer, within_secret, text)?,
            Value::Array(elements) => {
                for (index, element) in elements.iter_mut().enumerate() {
                    self.pointer.push('/');
                    self.pointer.push_str(&index.to_string());
                    self.strings(element, within_secret, visit)?;
                    self.pointer.truncate(length);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    self.pointer.push('/');
                    push_escaped(&mut self.pointer, name);
                    self.strings(member, within_secret, visit)?;
                    self.pointer.truncate(length);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        Ok(())
    }
}

/// RFC 6901 §3: `~` is `~0` and `/` is `~1`.
fn push_escaped(pointer: &mut String, name: &str) {
    for character in name.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::SecretKey;

    fn sealer(paths: &[&str]) -> Sealer {
        let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
        let vault = Vault::new(&SecretKey::from_bytes([7; 32]));
        Sealer::new(vault, move |_: &str, _: &Value| paths.clone())
    }

    #[test]
    fn secret_strings_are_encrypted_and_nothing_else() {
        let value = json!({
            "name": "open", "number": 7, "none": null,
            "auth": { "header": { "Authorization": "hidden-1" }, "keys": ["hidden-2", "hidden-3"] },
            "a/b~c": "hidden-4",
        });
        let sealer = sealer(&["/auth", "/auth/keys", "/a~1b~0c", "/absent", "/number"]);
        let text = sealer.seal("/routes/1", value.clone()).unwrap();
        assert!(!text.contains("hidden") && text.contains("open"), "{text}");
        assert_eq!(text.matches("sluice:v1:").count(), 4);
        assert_eq!(sealer.open("/routes/1", &text).unwrap(), value);
    }

    #[test]
    fn reading_does_not_need_to_know_what_is_secret() {
        let value = json!({ "key": "hidden" });
        let text = sealer(&["/key"]).seal("/a", value.clone()).unwrap();
        assert_eq!(sealer(&[]).open("/a", &text).unwrap(), value);
    }

    #[test]
    fn a_text_that_looks_like_a_ciphertext_comes_back_as_it_was() {
        let value = json!({ "desc": "sluice:v1:not really" });
        let sealer = sealer(&[]);
        let text = sealer.seal("/a", value.clone()).unwrap();
        assert_eq!(sealer.open("/a", &text).unwrap(), value);
    }

    #[test]
    fn a_ciphertext_moved_to_another_item_or_field_is_damage() {
        let sealer = sealer(&["/x"]);
        let text = sealer.seal("/a", json!({ "x": "hidden" })).unwrap();
        assert_eq!(
            sealer.open("/b", &text),
            Err(DamageReason::Secret {
                pointer: "/x".to_owned()
            })
        );
        let moved = text.replace("\"x\"", "\"y\"");
        assert_eq!(
            sealer.open("/a", &moved),
            Err(DamageReason::Secret {
                pointer: "/y".to_owned()
            })
        );
        assert_eq!(sealer.open("/a", "{"), Err(DamageReason::NotJson));
    }

    #[test]
    fn plain_text_in_a_secret_field_is_read_as_it_is() {
        let text = json!({ "x": "plain" }).to_string();
        assert_eq!(
            sealer(&["/x"]).open("/a", &text).unwrap(),
            json!({ "x": "plain" })
        );
    }
}
