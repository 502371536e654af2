//! Whose the keys of clients are, for whoever signs in with one.

use std::sync::Arc;

use sluice_admin::{Holder, Holders};
use sluice_core::SnapshotCell;

/// Looks keys up as `key-auth` does.
pub(crate) struct Keys(pub(crate) Arc<SnapshotCell>);

impl Holders for Keys {
    fn holder(&self, key: &str) -> Option<Holder> {
        let snapshot = self.0.load();
        let consumers = &snapshot.consumers;
        let (consumer, identity) = consumers
            .find("key-auth", key)
            .or_else(|| consumers.find("ai-key", &sluice_wire::sha256_hex(key.as_bytes())))?;
        if identity.conf.get("active") == Some(&false.into()) {
            return None;
        }
        Some(Holder {
            consumer: consumer.username.to_string(),
            credential: identity.credential.as_ref().map(ToString::to_string),
        })
    }
}
