//! Which nodes a request has tried.

use smallvec::SmallVec;

const BITS: usize = u64::BITS as usize;

/// The nodes that one request has tried or skipped. Allocates only above 128 nodes.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    words: SmallVec<[u64; 2]>,
}

impl Tried {
    /// Leaves a node out of the request's further picks.
    pub fn insert(&mut self, node: usize) {
        let word = node / BITS;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (node % BITS);
    }

    /// Whether a node was marked.
    #[must_use]
    pub fn contains(&self, node: usize) -> bool {
        self.words
            .get(node / BITS)
            .is_some_and(|word| word & (1 << (node % BITS)) != 0)
    }

    /// How many nodes were marked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stay_apart() {
        let mut tried = Tried::default();
        assert!(tried.is_empty());
        for node in [0, 63, 64, 300, 300] {
            tried.insert(node);
        }
        let marked: Vec<_> = (0..400).filter(|node| tried.contains(*node)).collect();
        assert_eq!(marked, [0, 63, 64, 300]);
        assert_eq!(tried.len(), 4);
        assert!(!tried.is_empty());
    }
}
