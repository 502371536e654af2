//! Whether every request of a load is in the access log: what is not written down costs nothing.

use anyhow::Result;

use super::figure::{Figure, Goal, PerSide};
use super::side::Side;
use crate::clock::{self, Alarm, MILLISECOND, SECOND};

/// How long lines may be held back before they are written.
const FLUSH: u64 = 10 * SECOND;
/// Pause between two looks.
const LOOK: u64 = 100 * MILLISECOND;

/// The lines that the logs of some sides had before a load.
#[derive(Debug)]
pub(super) struct Logs(Vec<u64>);

impl Logs {
    /// Counts the lines so far.
    pub(super) fn count(sides: &[Side]) -> Self {
        Self(sides.iter().map(Side::logged).collect())
    }

    /// The share of `sent` requests that has got into each log since.
    pub(super) async fn share(&self, sides: &[Side], sent: u64) -> Result<Figure> {
        let alarm = Alarm::new()?;
        let deadline = clock::now() + FLUSH;
        let mut shares = PerSide::new();
        for (side, before) in sides.iter().zip(&self.0) {
            let mut lines = side.logged() - before;
            while lines < sent && clock::now() < deadline {
                alarm.until(clock::now() + LOOK).await?;
                lines = side.logged() - before;
            }
            shares.push(side.who, 100.0 * lines as f64 / sent as f64);
        }
        Ok(Figure::new("requests in the access log", "%", shares).aim(Goal::AtLeast(100.0)))
    }
}
