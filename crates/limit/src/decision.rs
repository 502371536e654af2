//! What a counter answers.

use std::time::Duration;

/// The answer of a counter to one look or one take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request may pass. For a look: whether anything is left of the limit.
    pub admitted: bool,
    /// What is counted in the window, this take included if it was admitted.
    pub consumed: u64,
    /// What is left of the limit after this; 0 when refused.
    pub remaining: u64,
    /// When it makes sense to look again; each store says how it counts it.
    pub reset_in: Duration,
}

impl Decision {
    pub(crate) fn new(admitted: bool, consumed: u64, limit: u64, reset_in: Duration) -> Self {
        let remaining = if admitted {
            limit.saturating_sub(consumed)
        } else {
            0
        };
        Self {
            admitted,
            consumed,
            remaining,
            reset_in,
        }
    }
}
