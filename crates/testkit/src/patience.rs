//! Waiting for what must happen.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long a test waits for something before it fails. Long, since it only shows when something is broken, and test
/// machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Time between two looks of [`eventually`].
const INTERVAL: Duration = Duration::from_millis(5);

/// The future's output.
///
/// # Panics
/// When it does not come within [`PATIENCE`]; the message names `what` was waited for.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}

/// Calls `look` until it finds something: for effects that nobody announces.
///
/// # Panics
/// When it does not come within [`PATIENCE`]; the message names `what` was waited for.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain for {what}"
        );
        tokio::time::sleep(INTERVAL).await;
    }
}
