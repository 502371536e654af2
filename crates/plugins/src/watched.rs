//! How the targets of `ai-proxy` and `ai-proxy-multi` are doing, for those who look on. Nothing is decided by it.

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use sluice_core::{Context, Retry, Services};
use sluice_exchange::{Attempt, Target};
use sluice_upstream::{OWN_TARGETS, TargetState};

/// A target that is watched. All that have its name and its address share its state; one within the gateway has none.
pub(crate) struct Watched(Option<Arc<TargetState>>);

impl Watched {
    pub(crate) fn new(target: &Target, services: &Services) -> Self {
        let state = target.endpoint().map(|(host, port)| {
            let key = format!("{OWN_TARGETS}{}/{host}:{port}", target.picked(0, "").name);
            services.targets.state(&key)
        });
        Self(state)
    }

    /// Takes in what an attempt came to. What a credential or a request lacks says nothing of the target.
    pub(crate) fn note(&self, cx: &Context, attempt: &Attempt, began: Instant) {
        let Some(state) = &self.0 else { return };
        let now = Instant::now();
        match attempt {
            Attempt::Answered(reply) if reply.status.as_u16() < 400 => {
                let stream = cx.ai.as_deref().is_some_and(|ai| ai.stream);
                state.answered(stream, now.saturating_duration_since(began), now);
            }
            Attempt::Answered(reply) if is_trouble(reply.status) => {
                state.failed(now);
            }
            Attempt::Failed(failure) if failure.retry != Retry::Never && !is_refusal(failure.code) => {
                state.failed(now);
            }
            _ => {}
        }
    }
}

fn is_trouble(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 429)
}

/// Whether a failure is about who asks, not about who is asked.
fn is_refusal(code: &str) -> bool {
    matches!(
        code,
        "upstream_auth" | "upstream_billing" | "unsupported_protocol" | "not_convertible"
    )
}
