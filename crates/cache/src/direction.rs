//! Directions of texts, and how close two of them are.

use std::sync::Arc;

/// Sums that are built side by side, so that the compiler can use vector instructions.
const LANES: usize = 8;

/// A vector of length 1: what an embedding means.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction(Arc<[f32]>);

impl Direction {
    /// The direction of a vector; `None` when it has none, because it is empty, zero, or not of finite length.
    #[must_use]
    pub fn of(mut vector: Vec<f32>) -> Option<Self> {
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length == 0.0 || !length.is_finite() {
            return None;
        }
        vector.iter_mut().for_each(|x| *x /= length);
        Some(Self(vector.into()))
    }

    /// Its components.
    #[must_use]
    pub fn components(&self) -> &[f32] {
        &self.0
    }

    /// The cosine of the angle between two directions: 1 when they are the same. `None` when they have not the same
    /// number of components.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> Option<f32> {
        if self.0.len() != other.0.len() {
            return None;
        }
        let (ours, our_rest) = self.0.as_chunks::<LANES>();
        let (theirs, their_rest) = other.0.as_chunks::<LANES>();
        let mut sums = [0.0_f32; LANES];
        for (a, b) in ours.iter().zip(theirs) {
            for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                *sum += a * b;
            }
        }
        let rest: f32 = our_rest.iter().zip(their_rest).map(|(a, b)| a * b).sum();
        Some(sums.iter().sum::<f32>() + rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direction(components: &[f32]) -> Direction {
        Direction::of(components.to_vec()).unwrap()
    }

    #[test]
    fn directions_have_length_one() {
        assert_eq!(direction(&[3.0, 4.0]).components(), [0.6, 0.8]);
        for nothing in [&[][..], &[0.0, 0.0], &[f32::NAN], &[f32::MAX, f32::MAX]] {
            assert_eq!(Direction::of(nothing.to_vec()), None, "{nothing:?}");
        }
    }

    #[test]
    fn cosines() {
        let close = |a: Option<f32>, b: f32| (a.unwrap() - b).abs() < 1e-6;
        let long: Vec<f32> = (1..=19).map(|n| n as f32).collect();
        assert!(close(direction(&long).cosine(&direction(&long)), 1.0));
        assert!(close(direction(&[1.0, 0.0]).cosine(&direction(&[0.0, 2.0])), 0.0));
        assert!(close(
            direction(&[1.0, 0.0]).cosine(&direction(&[-1.0, 0.0])),
            -1.0
        ));
        assert_eq!(direction(&[1.0]).cosine(&direction(&[1.0, 0.0])), None);
    }
}
