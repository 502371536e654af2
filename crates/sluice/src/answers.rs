//! The answers kept in process, for operators.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use sluice_admin::{CachedAnswers, HeldAnswers};
use sluice_cache::HeldAnswer;
use sluice_core::Services;

/// Looks into the store of `ai-cache`.
pub(crate) struct LocalAnswers(pub(crate) Arc<Services>);

impl CachedAnswers for LocalAnswers {
    fn held(&self, most: usize) -> HeldAnswers {
        let now = Instant::now();
        let held = self.0.answers.held(most, now);
        let unix_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let item = |answer: HeldAnswer| {
            json!({
                "key": answer.key,
                "kind": if answer.by_likeness { "semantic" } else { "exact" },
                "format": answer.format.name(),
                "bytes": answer.bytes,
                "created_at": answer.created_at.saturating_mul(1000),
                "expires_at": u64::try_from(unix_ms + answer.expires_in.as_millis()).unwrap_or(u64::MAX),
            })
        };
        HeldAnswers {
            entries: held.entries,
            bytes: held.bytes,
            items: held.latest.into_iter().map(item).collect(),
        }
    }

    fn clear(&self) -> usize {
        self.0.answers.clear()
    }
}
