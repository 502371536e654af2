//! Smooth weighted turns over weights that move.

use std::sync::{Mutex, PoisonError};

/// What each member has in hand.
#[derive(Debug)]
pub(super) struct Turns(Mutex<Vec<f64>>);

impl Turns {
    pub(super) fn new(members: usize) -> Self {
        Self(Mutex::new(vec![0.0; members]))
    }

    /// Whose turn it is among members with a weight: over time everybody gets its share, as evenly spread as can
    /// be.
    pub(super) fn next(&self, weights: &[(usize, f64)]) -> Option<usize> {
        let mut in_hand = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let mut best: Option<(usize, f64)> = None;
        for (member, weight) in weights {
            let held = in_hand.get_mut(*member)?;
            *held += weight;
            if best.is_none_or(|(_, most)| *held > most) {
                best = Some((*member, *held));
            }
        }
        let (member, _) = best?;
        if let Some(held) = in_hand.get_mut(member) {
            *held -= total;
        }
        Some(member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_weights() {
        let turns = Turns::new(3);
        let weights = [(0, 5.0), (2, 1.0)];
        let picks: Vec<_> = (0..6).filter_map(|_| turns.next(&weights)).collect();
        assert_eq!(picks.iter().filter(|pick| **pick == 2).count(), 1);
        assert_eq!(picks.len(), 6);
        assert_eq!(turns.next(&[]), None);
    }
}
