//! Smooth weighted round robin.

use std::sync::{Mutex, PoisonError};

/// Positions of a weighted interleave: with weights 5, 1, 1 the order is a a b a c a a.
///
/// Each pick raises every eligible member by its weight, takes the highest, and lowers that one by the sum. Members
/// that are not eligible keep their position, so that one that comes back is neither flooded nor starved.
#[derive(Debug)]
pub(crate) struct RoundRobin {
    positions: Mutex<Box<[i64]>>,
}

impl RoundRobin {
    pub(crate) fn new(members: usize) -> Self {
        Self {
            positions: Mutex::new(vec![0; members].into_boxed_slice()),
        }
    }

    /// Picks among those to which `weight` gives a weight.
    pub(crate) fn pick(&self, weight: impl Fn(usize) -> Option<u32>) -> Option<usize> {
        let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut best, mut total) = (None, 0);
        for member in 0..positions.len() {
            let Some(weight) = weight(member).map(i64::from) else {
                continue;
            };
            positions[member] += weight;
            total += weight;
            if best.is_none_or(|best: usize| positions[member] > positions[best]) {
                best = Some(member);
            }
        }
        if let Some(best) = best {
            positions[best] -= total;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heavy_members_are_interleaved() {
        let round_robin = RoundRobin::new(3);
        let picks: String = (0..7)
            .filter_map(|_| round_robin.pick(|member| [5, 1, 1].get(member).copied()))
            .map(|member| char::from(b"abc"[member]))
            .collect();
        assert_eq!(picks, "aabacaa");
    }

    #[test]
    fn nobody_eligible() {
        assert_eq!(RoundRobin::new(2).pick(|_| None), None);
        assert_eq!(RoundRobin::new(0).pick(|_| Some(1)), None);
    }

    proptest! {
        /// Over one cycle everybody is picked as often as its weight says.
        #[test]
        fn shares_are_exact(weights in prop::collection::vec(1_u32..20, 1..8)) {
            let round_robin = RoundRobin::new(weights.len());
            let mut picks = vec![0; weights.len()];
            for _ in 0..weights.iter().sum() {
                let member = round_robin.pick(|member| Some(weights[member])).unwrap();
                picks[member] += 1;
            }
            prop_assert_eq!(picks, weights);
        }

        /// Members that come and go share what the others leave, and none runs away from its share.
        #[test]
        fn absence_does_not_pile_up(absent in prop::collection::vec(0_usize..3, 1..300)) {
            let round_robin = RoundRobin::new(3);
            for gone in absent {
                let picked = round_robin.pick(|member| (member != gone).then_some(2)).unwrap();
                prop_assert_ne!(picked, gone);
            }
            let mut picks = [0_i32; 3];
            for _ in 0..30 {
                picks[round_robin.pick(|_| Some(2)).unwrap()] += 1;
            }
            prop_assert!(picks.iter().all(|picks| (9..=11).contains(picks)), "{:?}", picks);
        }
    }
}
