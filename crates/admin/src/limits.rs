//! How limits stand: asked of whoever keeps them.

use serde_json::Value;
use sluice_core::LimitStanding;

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

    /// Starts a limit of a client over. Returns whether it has one of that name.
    fn reset(&self, client: &str, name: &str) -> bool;
}
