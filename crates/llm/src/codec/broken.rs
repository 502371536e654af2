//! Errors of streams that break.

use crate::error::{ErrorKind, PublicError};

/// The stream ended before the answer was complete.
pub(super) fn cut() -> PublicError {
    PublicError::new(
        ErrorKind::Upstream,
        "the provider's stream ended before the answer was complete",
    )
    .with_code("upstream_cut")
}

/// The stream says what cannot be read.
pub(super) fn unreadable() -> PublicError {
    PublicError::new(ErrorKind::Upstream, "the provider's stream cannot be read")
        .with_code("upstream_unreadable")
}
