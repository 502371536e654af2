//! Histograms over whole units: sums stay exact.

use super::MetricsError;
use super::exposition::{FamilyWriter, Number};

/// Upper bounds of a family's buckets.
#[derive(Debug)]
pub(crate) struct Buckets {
    /// In the smallest unit, ascending.
    bounds: Box<[u64]>,
    /// As printed in `le`.
    labels: Box<[String]>,
    /// Decimals of the printed unit that the smallest unit stands for: 3 when microseconds print as milliseconds.
    decimals: u8,
}

impl Buckets {
    /// Buckets whose bounds are given in the printed unit.
    ///
    /// # Errors
    /// When `bounds` is empty, not ascending, negative or not finite; `name` says whose they are.
    pub(crate) fn new(name: &'static str, bounds: &[f64], decimals: u8) -> Result<Self, MetricsError> {
        let scale = 10_f64.powi(decimals.into());
        let usable = |bound: &f64| bound.is_finite() && *bound >= 0.0;
        if bounds.is_empty() || !bounds.iter().all(usable) || !bounds.is_sorted_by(|a, b| a < b) {
            return Err(MetricsError::Buckets { name });
        }
        Ok(Self {
            // Saturating: a bound past every number that can be observed.
            bounds: bounds
                .iter()
                .map(|bound| (bound * scale).round() as u64)
                .collect(),
            labels: bounds.iter().map(f64::to_string).collect(),
            decimals,
        })
    }

    /// A histogram of these buckets without observations.
    pub(crate) fn empty(&self) -> Histogram {
        Histogram {
            counts: vec![0; self.bounds.len() + 1].into(),
            sum: 0,
        }
    }

    /// Counts `value`, in the smallest unit.
    pub(crate) fn observe(&self, histogram: &mut Histogram, value: u64) {
        let bucket = self
            .bounds
            .iter()
            .position(|bound| value <= *bound)
            .unwrap_or(self.bounds.len());
        histogram.counts[bucket] += 1;
        histogram.sum = histogram.sum.saturating_add(value);
    }

    /// Writes the lines of one series.
    pub(crate) fn write(&self, histogram: &Histogram, labels: &str, out: &mut FamilyWriter<'_>) {
        let mut count = 0_u64;
        let bounds = self.labels.iter().map(String::as_str).chain(["+Inf"]);
        for (le, in_bucket) in bounds.zip(&histogram.counts) {
            count += in_bucket;
            out.line("_bucket", labels, Some(le), count.into());
        }
        out.line(
            "_sum",
            labels,
            None,
            Number::Fixed {
                units: histogram.sum,
                decimals: self.decimals,
            },
        );
        out.line("_count", labels, None, count.into());
    }
}

/// Observations of one series.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// Per bucket, not summed up; the last one is `+Inf`.
    counts: Box<[u64]>,
    /// In the smallest unit.
    sum: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Exposition, Kind};

    #[test]
    fn lines_are_cumulative_and_the_sum_exact() {
        let buckets = Buckets::new("b", &[0.5, 1.0, 20.0], 3).unwrap();
        let mut histogram = buckets.empty();
        for micros in [500, 501, 1_000, 30_000, 20_000] {
            buckets.observe(&mut histogram, micros);
        }
        let mut out = Exposition::new("");
        buckets.write(&histogram, "a=\"b\"", &mut out.family("h", Kind::Histogram, "H."));
        assert_eq!(
            out.finish(),
            "# HELP h H.\n# TYPE h histogram\n\
             h_bucket{a=\"b\",le=\"0.5\"} 1\nh_bucket{a=\"b\",le=\"1\"} 3\nh_bucket{a=\"b\",le=\"20\"} 4\n\
             h_bucket{a=\"b\",le=\"+Inf\"} 5\nh_sum{a=\"b\"} 52.001\nh_count{a=\"b\"} 5\n"
        );
    }

    #[test]
    fn without_labels_le_stands_alone() {
        let buckets = Buckets::new("b", &[1.0], 0).unwrap();
        let mut out = Exposition::new("");
        buckets.write(&buckets.empty(), "", &mut out.family("h", Kind::Histogram, "H."));
        assert!(
            out.finish()
                .contains("h_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 0\nh_sum 0\nh_count 0\n")
        );
    }

    #[test]
    fn bad_bounds_are_refused() {
        for bounds in [
            &[][..],
            &[1.0, 1.0],
            &[2.0, 1.0],
            &[-1.0],
            &[f64::NAN],
            &[f64::INFINITY],
        ] {
            assert!(Buckets::new("b", bounds, 0).is_err(), "{bounds:?}");
        }
    }
}
