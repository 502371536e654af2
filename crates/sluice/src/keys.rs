//! Whose the keys of clients are, for whoever signs in with one.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
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
        if identity.conf.get("active") == Some(&false.into()) || has_expired(&identity.conf) {
            return None;
        }
        Some(Holder {
            consumer: consumer.username.to_string(),
            credential: identity.credential.as_ref().map(ToString::to_string),
        })
    }
}

fn has_expired(conf: &Value) -> bool {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let expires_at = conf.get("expires_at").and_then(Value::as_u64);
    expires_at.is_some_and(|at| since_epoch.as_millis() >= u128::from(at))
}
