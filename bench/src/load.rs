//! The load generator: four ways to ask, one report.
//!
//! Any answer that is not whole and well-formed ends the run with an error: a figure taken from failed requests means
//! nothing.

mod caller;
mod closed;
mod flood;
mod paced;
mod rate;
mod report;
mod watch;

pub use self::caller::Call;
pub use self::closed::closed;
pub use self::flood::flood;
pub use self::paced::{Ramp, paced};
pub use self::rate::rate;
pub use self::report::Report;
pub use self::watch::{Span, Watch};
