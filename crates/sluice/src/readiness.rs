//! Whether the gateway should get traffic, from its start to its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use sluice_admin::Health;

/// What tells how the parts of a running gateway are doing.
type Parts = Box<dyn Fn() -> Health + Send + Sync>;

/// Knows why the gateway should get no traffic. Cheap to clone; all clones share what they know.
#[derive(Clone, Default)]
pub(crate) struct Readiness(Arc<State>);

#[derive(Default)]
struct State {
    parts: OnceLock<Parts>,
    stopping: AtomicBool,
}

impl Readiness {
    /// The configuration is in force, and from here on these parts count.
    pub(crate) fn loaded(&self, parts: Parts) {
        // A second call could only come from a second start.
        let _ = self.0.parts.set(parts);
    }

    /// Tells load balancers to send nothing more.
    pub(crate) fn stopping(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// How the gateway is doing.
    pub(crate) fn health(&self) -> Health {
        let Some(parts) = self.0.parts.get() else {
            return Health {
                unready: Some("the configuration is not loaded yet".to_owned()),
                ..Health::ready()
            };
        };
        let health = parts();
        match self.0.stopping.load(Ordering::Relaxed) {
            true => Health {
                unready: Some("the gateway is stopping".to_owned()),
                ..health
            },
            false => health,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_ready_between_loading_and_stopping() {
        let readiness = Readiness::default();
        let why = || readiness.health().unready;
        assert_eq!(why().as_deref(), Some("the configuration is not loaded yet"));
        readiness.loaded(Box::new(Health::ready));
        assert_eq!(why(), None);
        readiness.stopping();
        assert_eq!(why().as_deref(), Some("the gateway is stopping"));
    }
}
