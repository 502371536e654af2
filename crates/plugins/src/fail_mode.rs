//! `fail_mode`: what guards do with requests that are not theirs to judge (compat §4.1.5).

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{Failure, Verdict};

/// What to do with a request that a guard cannot judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FailMode {
    /// Let it pass.
    #[default]
    Skip,
    /// Let it pass and say so in the log.
    Warn,
    /// Refuse it.
    Error,
}

impl FailMode {
    /// Its place in a plugin's schema.
    pub(crate) fn schema() -> Value {
        json!({ "type": "string", "enum": ["skip", "warn", "error"], "default": "skip" })
    }

    /// Whether an answer that `plugin` cannot judge is withheld.
    pub(crate) fn refuses(self, plugin: &'static str, reason: &str) -> bool {
        if self == Self::Warn {
            tracing::warn!(plugin, reason, "answer passes unjudged");
        }
        self == Self::Error
    }

    /// What becomes of a request that `plugin` cannot judge for the reason given.
    pub(crate) fn verdict(
        self,
        plugin: &'static str,
        reason: &str,
        failure: impl FnOnce(&str) -> Failure,
    ) -> Verdict {
        match self {
            Self::Skip => Verdict::Continue,
            Self::Warn => {
                tracing::warn!(plugin, reason, "request passes unjudged");
                Verdict::Continue
            }
            Self::Error => failure(reason).into(),
        }
    }
}
