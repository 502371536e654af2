//! How limits stand: asked of whoever keeps them.

use serde_json::Value;
use sluice_core::{LimitStanding, Subject};

/// Knows the limits that are in force.
pub trait LimitStandings: Send + Sync {
    /// How the limits of a client stand, with the scope (`client` or `group`) and whose they are.
    fn of_client(&self, client: &str) -> Vec<(&'static str, String, LimitStanding)>;

    /// How the limits of a consumer group stand.
    fn of_group(&self, group: &str) -> Vec<LimitStanding>;

    /// The queues before busy upstreams, as JSON: who runs and who waits.
    fn queues(&self) -> Vec<Value> {
        Vec::new()
    }

    /// How the limits of all routes stand that have some, with the route's id.
    fn of_routes(&self) -> Vec<(String, LimitStanding)>;

    /// Starts a limit over. Returns whether there is one of that name on whom it is meant.
    fn reset(&self, subject: Subject<'_>, name: &str) -> bool;
}
