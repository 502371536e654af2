//! Quantiles of what was measured.

use serde::{Deserialize, Serialize};

/// Measured times in nanoseconds. Every sample is kept, so quantiles are exact; a run has a few hundred thousand.
#[derive(Debug, Default)]
pub struct Samples(Vec<u64>);

/// Some quantiles of [`Samples`], in microseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Quantiles {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// The largest sample.
    pub max: f64,
}

impl Samples {
    /// Adds one sample.
    pub fn push(&mut self, nanos: u64) {
        self.0.push(nanos);
    }

    /// How many samples there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The quantiles (nearest rank), or `None` without a sample.
    pub fn quantiles(&mut self) -> Option<Quantiles> {
        self.0.sort_unstable();
        Some(Quantiles {
            p50: self.rank(0.50)?,
            p95: self.rank(0.95)?,
            p99: self.rank(0.99)?,
            max: self.rank(1.0)?,
        })
    }

    /// The sample at `share` of the sorted samples, in microseconds.
    fn rank(&self, share: f64) -> Option<f64> {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        Some(*self.0.get(rank.saturating_sub(1))? as f64 / 1_000.0)
    }
}

impl FromIterator<u64> for Samples {
    fn from_iter<T: IntoIterator<Item = u64>>(nanos: T) -> Self {
        Self(nanos.into_iter().collect())
    }
}

/// The middle of `values`, or the mean of the two in the middle; `None` without a value.
#[must_use]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        Some(upper)
    } else {
        Some(f64::midpoint(values[values.len() / 2 - 1], upper))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_nearest_rank() {
        let mut samples: Samples = (1..=1_000).rev().map(|us| us * 1_000).collect();
        let found = samples.quantiles().unwrap();
        assert_eq!(
            (found.p50, found.p95, found.p99, found.max),
            (500.0, 950.0, 990.0, 1_000.0)
        );
        assert!(Samples::default().quantiles().is_none());
    }

    #[test]
    fn one_sample_is_every_quantile() {
        let found = Samples::from_iter([7_000]).quantiles().unwrap();
        assert_eq!((found.p50, found.max), (7.0, 7.0));
    }

    #[test]
    fn median_of_odd_even_and_none() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
