//! A key finds one caller (compat §1.7, "Duplicate auth key").

use serde_json::Value;

use super::CheckError;
use crate::catalogue::PluginCatalogue;
use crate::key::Key;
use crate::kind::Kind;
use crate::secret_ref::is_secret_reference;

/// What a consumer or credential is found by: a value of a plugin's key attribute.
///
/// The value may be a secret, so there is no `Debug`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuthKey<'a> {
    /// The plugin.
    pub plugin: &'a str,
    /// The value of its key attribute, decrypted.
    pub value: &'a str,
}

/// The keys of a consumer or credential, secret references left out: nobody knows whether two of them are
/// equal.
///
/// `value` holds its fields decrypted.
pub fn auth_keys<'a>(
    catalogue: &'a dyn PluginCatalogue,
    value: &'a Value,
) -> impl Iterator<Item = AuthKey<'a>> {
    let plugins = value
        .get("plugins")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    plugins.filter_map(move |(name, conf)| {
        let attribute = catalogue.get(name)?.auth_key_attribute?;
        let value = conf.get(attribute)?.as_str()?;
        (!is_secret_reference(value)).then_some(AuthKey { plugin: name, value })
    })
}

/// Whether `writer` may have a key that `owner` has: a consumer shares with itself and its credentials, a
/// credential only with itself.
pub fn may_share_auth_key(writer: &Key, owner: &Key) -> bool {
    writer == owner
        || (writer.kind() == Kind::Consumer
            && owner.as_credential().is_some_and(|(name, _)| name == writer.id()))
}

/// The refusal of a key that `owner` has.
pub fn duplicate_auth_key(plugin: &str, owner: &Key) -> CheckError {
    let place = match owner.as_credential() {
        Some((consumer, id)) => format!("credential: {id} of consumer: {consumer}"),
        None => format!("consumer: {}", owner.id()),
    };
    CheckError::refused(format!("duplicate key of plugin {plugin} found with {place}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Catalogue, PluginInfo};
    use serde_json::json;

    #[test]
    fn keys_are_the_key_attributes_of_auth_plugins() {
        let plugin = |name, attribute| PluginInfo::new(name, 1, json!({})).unwrap().as_auth(attribute);
        let plain = PluginInfo::new("cors", 1, json!({})).unwrap();
        let catalogue = Catalogue::new(
            vec![plugin("key-auth", "key"), plugin("basic-auth", "username"), plain],
            None,
        );
        let consumer = json!({"plugins": {
            "key-auth": {"key": "k"},
            "basic-auth": {"username": "$ENV://NAME", "password": "p"},
            "cors": {"key": "x"},
            "jwt-auth": {"key": "unknown plugin"},
        }});
        let keys: Vec<_> = auth_keys(&catalogue, &consumer)
            .map(|key| (key.plugin, key.value))
            .collect();
        assert_eq!(keys, [("key-auth", "k")]);
        assert_eq!(
            auth_keys(&catalogue, &json!({"plugins": {"key-auth": {"key": 1}}})).count(),
            0
        );
        assert_eq!(auth_keys(&catalogue, &json!({"username": "jack"})).count(), 0);
    }

    #[test]
    fn consumers_share_with_their_credentials_only() {
        let (jack, jane) = (Key::new(Kind::Consumer, "jack"), Key::new(Kind::Consumer, "jane"));
        let (a, b) = (Key::credential("jack", "a"), Key::credential("jack", "b"));
        assert!(may_share_auth_key(&jack, &jack));
        assert!(may_share_auth_key(&jack, &a));
        assert!(may_share_auth_key(&a, &a));
        assert!(!may_share_auth_key(&jack, &jane));
        assert!(!may_share_auth_key(&jane, &a));
        assert!(!may_share_auth_key(&a, &b));
        assert!(!may_share_auth_key(&a, &jack));
    }

    #[test]
    fn refusals_name_the_owner() {
        assert_eq!(
            duplicate_auth_key("key-auth", &Key::new(Kind::Consumer, "bob")).message,
            "duplicate key of plugin key-auth found with consumer: bob",
        );
        assert_eq!(
            duplicate_auth_key("key-auth", &Key::credential("alex", "cred-a")).message,
            "duplicate key of plugin key-auth found with credential: cred-a of consumer: alex",
        );
    }
}
