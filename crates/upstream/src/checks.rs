//! Health checks (compat §8.4): who is asked what, what counts, and the checkers in use.

mod checker;
mod config;
mod nodes;
mod probe;
mod registry;
mod report;
mod tally;
#[cfg(test)]
mod tests;

pub use self::checker::{Checker, Target};
pub use self::config::{
    ActiveChecks, ActiveHealthy, ActiveUnhealthy, CheckType, ChecksConfig, PassiveChecks, PassiveHealthy,
    PassiveUnhealthy,
};
pub use self::nodes::AddressHealth;
pub use self::registry::{CheckerConfig, Checkers};
pub use self::report::{CheckedNode, CheckerReport, Counter};
pub use self::tally::{Outcome, Status};
