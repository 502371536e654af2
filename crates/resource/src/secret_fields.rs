//! Where the secrets of a resource stand (compat §1.11).

use serde_json::Value;

use crate::catalogue::{CheckScope, PluginCatalogue};
use crate::key::Key;
use crate::kind::Kind;

/// A secret member of a resource: a string, an array of strings or a map of strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretField {
    /// Where it stands, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// Whose secret it is.
    pub origin: SecretOrigin,
}

/// Whose secret a member is, which decides about APISIX's own encryption of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretOrigin {
    /// A plugin declares it ([`crate::PluginInfo::encrypted_fields`]): APISIX encrypts it.
    Plugin,
    /// A private key: APISIX encrypts it if it is PEM.
    PrivateKey,
    /// It opens a secret manager: APISIX leaves it as it is.
    Manager,
}

/// The secret members that a resource has, secret references included.
///
/// ```
/// use serde_json::json;
/// use sluice_resource::{Catalogue, Key, Kind, PluginInfo, secret_fields};
///
/// let plugin = PluginInfo::new("ai-proxy-multi", 1041, json!({}))?
///     .with_encrypted_fields(&["instances.auth.header"]);
/// let catalogue = Catalogue::new(vec![plugin], None);
/// let route = json!({"plugins": {"ai-proxy-multi": {"instances": [{"name": "a", "auth": {"header": {"x": "y"}}}]}}});
/// let found = secret_fields(&catalogue, &Key::new(Kind::Route, "1"), &route);
/// assert_eq!(found[0].pointer, "/plugins/ai-proxy-multi/instances/0/auth/header");
/// # Ok::<(), sluice_resource::SchemaCompileError>(())
/// ```
pub fn secret_fields(catalogue: &dyn PluginCatalogue, key: &Key, value: &Value) -> Vec<SecretField> {
    let mut found = Vec::new();
    let scope = match key.kind() {
        Kind::Consumer | Kind::Credential => CheckScope::Consumer,
        _ => CheckScope::Main,
    };
    let plugins = value.get("plugins").and_then(Value::as_object);
    for (name, conf) in plugins.into_iter().flatten() {
        let fields = catalogue
            .get(name)
            .map_or(&[][..], |plugin| plugin.encrypted_fields(scope));
        for field in fields {
            let path: Vec<&str> = field.split('.').collect();
            let mut walk = Walk {
                origin: SecretOrigin::Plugin,
                pointer: format!("/plugins/{}", escaped(name)),
                found: &mut found,
            };
            walk.descend(conf, &path);
        }
    }
    for (path, origin) in own_fields(key) {
        let mut walk = Walk {
            origin: *origin,
            pointer: String::new(),
            found: &mut found,
        };
        walk.descend(value, path);
    }
    found
}

type OwnField = (&'static [&'static str], SecretOrigin);

/// The secrets of a kind itself.
fn own_fields(key: &Key) -> &'static [OwnField] {
    use SecretOrigin::{Manager, Plugin, PrivateKey};

    match (key.kind(), key.parent()) {
        (Kind::Ssl, _) => &[(&["key"], PrivateKey), (&["keys"], PrivateKey)],
        (Kind::Upstream, _) => &[(&["tls", "client_key"], PrivateKey)],
        (Kind::Route | Kind::Service | Kind::StreamRoute, _) => {
            &[(&["upstream", "tls", "client_key"], PrivateKey)]
        }
        (Kind::Provider, _) => &[
            (&["auth", "api_key"], Plugin),
            (&["auth", "header"], Plugin),
            (&["auth", "query"], Plugin),
            (&["auth", "gcp", "service_account_json"], Plugin),
            (&["auth", "aws", "secret_access_key"], Plugin),
            (&["auth", "aws", "session_token"], Plugin),
            (&["headers"], Plugin),
        ],
        (Kind::Secret, Some("vault")) => &[(&["token"], Manager)],
        (Kind::Secret, Some("aws")) => &[(&["secret_access_key"], Manager), (&["session_token"], Manager)],
        (Kind::Secret, Some("gcp")) => &[(&["auth_config", "private_key"], Manager)],
        _ => &[],
    }
}

/// A walk down a path; arrays on the way are iterated.
struct Walk<'a> {
    origin: SecretOrigin,
    pointer: String,
    found: &'a mut Vec<SecretField>,
}

impl Walk<'_> {
    fn descend(&mut self, value: &Value, path: &[&str]) {
        let length = self.pointer.len();
        match (path, value) {
            ([], _) => self.found.push(SecretField {
                pointer: self.pointer.clone(),
                origin: self.origin,
            }),
            (_, Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.pointer.push_str(&format!("/{index}"));
                    self.descend(item, path);
                    self.pointer.truncate(length);
                }
            }
            ([name, rest @ ..], Value::Object(members)) => {
                if let Some(member) = members.get(*name) {
                    self.pointer.push_str(&format!("/{}", escaped(name)));
                    self.descend(member, rest);
                    self.pointer.truncate(length);
                }
            }
            _ => {}
        }
    }
}

/// RFC 6901 §3: `~` is `~0` and `/` is `~1`.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Catalogue, PluginInfo};
    use serde_json::json;

    fn catalogue() -> Catalogue {
        let plugin = |name| PluginInfo::new(name, 1, json!({})).unwrap();
        let plugins = vec![
            plugin("key-auth").as_auth("key").with_encrypted_fields(&["key"]),
            plugin("jwt-auth")
                .with_encrypted_fields(&["main"])
                .with_consumer_encrypted_fields(&["secret"]),
            plugin("ai-proxy-multi")
                .with_encrypted_fields(&["instances.auth.header", "instances.auth.query"]),
            plugin("a/b~c").with_encrypted_fields(&["x"]),
            plugin("cors"),
        ];
        Catalogue::new(plugins, None)
    }

    #[track_caller]
    fn pointers(key: &Key, value: Value) -> Vec<String> {
        let found = secret_fields(&catalogue(), key, &value);
        for field in &found {
            assert!(
                value.pointer(&field.pointer).is_some(),
                "{} leads nowhere",
                field.pointer
            );
        }
        found.into_iter().map(|field| field.pointer).collect()
    }

    #[test]
    fn plugins_declare_theirs_and_arrays_on_the_way_are_walked() {
        let plugins = json!({"plugins": {
            "key-auth": {"key": "k"},
            "jwt-auth": {"main": "m", "secret": "s"},
            "ai-proxy-multi": {"instances": [
                {"auth": {"header": {"Authorization": "a"}}},
                {"auth": {}},
                {"auth": {"header": {"x": "b"}, "query": {"key": "c"}}},
                "odd",
            ]},
            "a/b~c": {"x": ["y"]},
            "cors": {"key": "open"},
            "unknown": {"key": "open"},
        }});
        let multi = [
            "/plugins/ai-proxy-multi/instances/0/auth/header",
            "/plugins/ai-proxy-multi/instances/2/auth/header",
            "/plugins/ai-proxy-multi/instances/2/auth/query",
            "/plugins/a~1b~0c/x",
        ];
        let with =
            |own: [&str; 2]| -> Vec<String> { own.iter().chain(&multi).map(ToString::to_string).collect() };
        let main = with(["/plugins/key-auth/key", "/plugins/jwt-auth/main"]);
        let consumer = with(["/plugins/key-auth/key", "/plugins/jwt-auth/secret"]);
        assert_eq!(pointers(&Key::new(Kind::Route, "1"), plugins.clone()), main);
        assert_eq!(pointers(&Key::new(Kind::GlobalRule, "1"), plugins.clone()), main);
        assert_eq!(
            pointers(&Key::new(Kind::Consumer, "jack"), plugins.clone()),
            consumer
        );
        assert_eq!(pointers(&Key::credential("jack", "1"), plugins), consumer);
    }

    #[test]
    fn kinds_have_secrets_of_their_own() {
        let tls = json!({"tls": {"client_key": "k", "client_cert": "c"}});
        assert_eq!(
            pointers(&Key::new(Kind::Upstream, "1"), tls.clone()),
            ["/tls/client_key"]
        );
        let inline = json!({"upstream": tls});
        for kind in [Kind::Route, Kind::Service, Kind::StreamRoute] {
            assert_eq!(
                pointers(&Key::new(kind, "1"), inline.clone()),
                ["/upstream/tls/client_key"]
            );
        }
        let ssl = json!({"cert": "c", "key": "k", "certs": ["c"], "keys": ["a", "b"]});
        assert_eq!(pointers(&Key::new(Kind::Ssl, "1"), ssl), ["/key", "/keys"]);
        let aws = json!({"access_key_id": "i", "secret_access_key": "s", "session_token": "t"});
        assert_eq!(
            pointers(&Key::secret("aws", "1"), aws),
            ["/secret_access_key", "/session_token"]
        );
        assert_eq!(
            pointers(&Key::secret("vault", "1"), json!({"token": "t"})),
            ["/token"]
        );
        let provider = json!({"type": "x", "auth": {"api_key": "k", "aws": {"access_key_id": "i", "secret_access_key": "s"}}});
        assert_eq!(
            pointers(&Key::new(Kind::Provider, "p"), provider),
            ["/auth/api_key", "/auth/aws/secret_access_key"]
        );
        let gcp = json!({"auth_config": {"private_key": "k"}});
        assert_eq!(
            pointers(&Key::secret("gcp", "1"), gcp),
            ["/auth_config/private_key"]
        );
    }

    #[test]
    fn values_of_any_shape_are_walked_without_harm() {
        for value in [
            json!(null),
            json!([]),
            json!({"plugins": []}),
            json!({"plugins": {"key-auth": null, "ai-proxy-multi": {"instances": 7}}}),
            json!({"upstream": null, "tls": "x"}),
        ] {
            for kind in Kind::ALL {
                assert!(pointers(&Key::new(kind, "1"), value.clone()).is_empty());
            }
        }
    }
}
