//! Admin keys of the configuration, and those that everybody knows.

use sha2::{Digest as _, Sha256};
use sluice_store::Role;
use subtle::ConstantTimeEq;

/// SHA-256 of a key.
pub(super) type Digest = [u8; 32];

/// The keys in APISIX's default configuration.
const PUBLISHED: [(&str, Role); 2] = [
    ("edd1c9f034335f136f87ad84b625c8f1", Role::Admin),
    ("4054f7cf07e344346cd3f287985e76a2", Role::Viewer),
];

/// An admin key of the configuration. Keeps its digest only.
#[derive(Clone)]
pub struct ConfiguredKey {
    name: String,
    digest: Digest,
    role: Role,
}

impl ConfiguredKey {
    /// A key, with a name for the log. `None` if the key is empty: it would let in whoever sends an empty one.
    pub fn new(name: &str, key: &str, role: Role) -> Option<Self> {
        (!key.is_empty()).then(|| Self {
            name: name.to_owned(),
            digest: digest(key),
            role,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// Whether this is the key with that digest, in constant time.
    pub(super) fn is(&self, digest: &Digest) -> bool {
        self.digest.ct_eq(digest).into()
    }
}

/// Leaves out the digest.
impl std::fmt::Debug for ConfiguredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfiguredKey")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

pub(super) fn digest(key: &str) -> Digest {
    Sha256::digest(key).into()
}

/// Whether a key stands in APISIX's published configuration. Such a key is refused unless the options allow it.
#[must_use]
pub fn is_published_key(key: &str) -> bool {
    published_role(key).is_some()
}

/// The role that a key has in APISIX's default configuration, if it is one of those.
pub(super) fn published_role(key: &str) -> Option<Role> {
    let found = PUBLISHED.iter().find(|(published, _)| *published == key)?;
    Some(found.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_digest_and_never_shown() {
        let key = ConfiguredKey::new("ci", "canary", Role::Viewer).unwrap();
        assert!(key.is(&digest("canary")));
        assert!(!key.is(&digest("canary2")));
        let shown = format!("{key:?}");
        assert!(
            shown.contains("ci") && !shown.contains("canary") && shown.len() < 60,
            "{shown}"
        );
        assert!(ConfiguredKey::new("ci", "", Role::Admin).is_none());
    }
}
