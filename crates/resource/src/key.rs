//! The name of a resource in the store (compat §9.1).

use std::fmt;
use std::sync::Arc;

use crate::kind::{IdRule, Kind};

const CREDENTIALS: &str = "credentials";

/// Kind and id of a resource: its name across the store, the snapshot and the Admin API. Cheap to clone.
///
/// `Display` gives the path in the store without the store's prefix, [`Key::parse`] reads it back.
///
/// ```
/// use sluice_resource::{Key, Kind};
///
/// let key = Key::credential("jack", "c1");
/// assert_eq!(key.to_string(), "/consumers/jack/credentials/c1");
/// assert_eq!(Key::parse("/consumers/jack/credentials/c1"), Some(key));
/// assert_eq!(Key::new(Kind::Route, "1").to_string(), "/routes/1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    kind: Kind,
    id: Arc<str>,
}

impl Key {
    /// A key of parts that are known to fit. Ids from outside go through [`Key::parse`] or [`crate::Target`],
    /// which refuse those that would name a resource of another kind.
    ///
    /// The id is what follows the directory: `jack/credentials/c1` for a credential, `vault/1` for a secret.
    pub fn new(kind: Kind, id: &str) -> Self {
        Self { kind, id: id.into() }
    }

    /// The key of a credential.
    pub fn credential(consumer: &str, id: &str) -> Self {
        Self {
            kind: Kind::Credential,
            id: format!("{consumer}/{CREDENTIALS}/{id}").into(),
        }
    }

    /// The key of a secret.
    pub fn secret(manager: &str, id: &str) -> Self {
        Self {
            kind: Kind::Secret,
            id: format!("{manager}/{id}").into(),
        }
    }

    /// Reads a path of the store, without the store's prefix. `None` for what is no resource: placeholders of
    /// directories (`/routes/`), `/plugins`, `/gen_id`, paths deeper than the kind has them.
    pub fn parse(path: &str) -> Option<Self> {
        let (directory, id) = path.strip_prefix('/')?.split_once('/')?;
        let parts: Vec<&str> = id.split('/').collect();
        if parts.contains(&"") {
            return None;
        }
        let kind = Kind::from_segment(directory)?;
        match (kind.info().id_rule, &*parts) {
            (IdRule::Username, [_, CREDENTIALS, _]) => Some(Self::new(Kind::Credential, id)),
            (IdRule::OfManager, [_, _]) => Some(Self::new(kind, id)),
            (IdRule::OfManager, _) => None,
            (_, [_]) => Some(Self::new(kind, id)),
            _ => None,
        }
    }

    /// What kind of resource this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What follows the directory in the store: unique among resources of the kind.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The last part of [`Key::id`]: what a credential or a secret is called below its consumer or manager,
    /// and the id itself for every other kind.
    pub fn own_id(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or_default()
    }

    /// The consumer of a credential, the manager of a secret.
    pub fn parent(&self) -> Option<&str> {
        self.id.split_once('/').map(|(parent, _)| parent)
    }

    /// Consumer and own id, if this is a credential.
    pub fn as_credential(&self) -> Option<(&str, &str)> {
        (self.kind == Kind::Credential).then(|| Some((self.parent()?, self.own_id())))?
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.kind.info().directory, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_back() {
        let plain = Kind::collections()
            .filter(|kind| *kind != Kind::Secret)
            .map(|kind| Key::new(kind, "a.b_c-1"));
        let nested = [Key::secret("vault", "1"), Key::credential("jack", "c1")];
        for key in plain.chain(nested) {
            assert_eq!(Key::parse(&key.to_string()), Some(key));
        }
    }

    #[test]
    fn parts_of_nested_keys() {
        let credential = Key::credential("jack", "c1");
        assert_eq!(credential.id(), "jack/credentials/c1");
        assert_eq!(credential.as_credential(), Some(("jack", "c1")));
        let secret = Key::secret("vault", "1");
        assert_eq!(
            (secret.id(), secret.parent(), secret.own_id()),
            ("vault/1", Some("vault"), "1")
        );
        assert_eq!(secret.as_credential(), None);
        let route = Key::new(Kind::Route, "1");
        assert_eq!((route.parent(), route.own_id()), (None, "1"));
    }

    #[test]
    fn what_is_no_resource_is_no_key() {
        for path in [
            "/routes/",
            "/routes",
            "routes/1",
            "/routes/1/2",
            "/routes//1",
            "/plugins",
            "/plugins/1",
            "/gen_id",
            "/credentials/1",
            "/consumers/jack/credentials/",
            "/consumers/jack/credentials/a/b",
            "/consumers/jack/keys/1",
            "/services/1/graphql_cost_decorations/2",
            "/secrets/vault",
            "/secrets/vault/1/2",
            "",
        ] {
            assert_eq!(Key::parse(path), None, "{path}");
        }
    }
}
