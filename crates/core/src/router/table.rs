//! Routes by path.

use std::collections::{BTreeMap, HashMap};

use smallvec::SmallVec;

use super::pattern::{Key, PathPattern};
use super::prefix::PrefixMap;

/// One path of one route, by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) route: usize,
    pub(super) pattern: usize,
}

/// What is filed under one key, to be tried in this order. Most keys have one.
type Candidates = SmallVec<[Candidate; 1]>;

/// Candidates by path: exact ones by hash, the others by prefix.
#[derive(Debug)]
pub(super) struct PathTable {
    exact: HashMap<Box<str>, Candidates>,
    prefixes: PrefixMap<Candidates>,
}

/// A [`PathTable`] in the making.
#[derive(Default)]
pub(super) struct PathTableBuilder {
    exact: HashMap<Box<str>, Candidates>,
    prefixes: BTreeMap<Box<[u8]>, Candidates>,
}

impl PathTable {
    pub(super) fn builder() -> PathTableBuilder {
        PathTableBuilder::default()
    }

    /// Whoever might match `path`, in the order of compat §2.2: exact paths, then prefixes from the longest
    /// to the shortest.
    pub(super) fn candidates<'r>(&'r self, path: &str) -> impl Iterator<Item = Candidate> + use<'r> {
        let exact = self.exact.get(path);
        exact
            .into_iter()
            .chain(self.prefixes.matching(path.as_bytes()))
            .flatten()
            .copied()
    }
}

impl PathTableBuilder {
    /// Files a candidate behind those that are filed under the same key.
    pub(super) fn file(&mut self, pattern: &PathPattern, candidate: Candidate) {
        match pattern.key() {
            Key::Exact(path) => self.exact.entry(path.into()).or_default().push(candidate),
            Key::Prefix(prefix) => self
                .prefixes
                .entry(prefix.as_bytes().into())
                .or_default()
                .push(candidate),
        }
    }

    pub(super) fn build(self) -> PathTable {
        PathTable {
            exact: self.exact,
            prefixes: PrefixMap::new(self.prefixes),
        }
    }
}
