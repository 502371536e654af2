//! Maps from label tuples, looked up by borrowed values without allocating.

use std::hash::{Hash, Hasher};

use foldhash::fast::RandomState;
use indexmap::{Equivalent, IndexMap};

/// From `N` label values to `V`: at most `max` tuples, and those that stand for the rest.
#[derive(Debug)]
pub(crate) struct Tuples<V, const N: usize> {
    // Looked up for every record: SipHash over this many short texts would cost more than all the counting. The hash is
    // seeded by chance, and there are never more than `max` tuples to collide with.
    map: IndexMap<Owned<N>, V, RandomState>,
    max: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Owned<const N: usize>([Box<str>; N]);

#[derive(PartialEq, Eq)]
struct Borrowed<'a, const N: usize>([&'a str; N]);

impl<const N: usize> Hash for Owned<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|value| value.hash(state));
    }
}

impl<const N: usize> Hash for Borrowed<'_, N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|value| value.hash(state));
    }
}

impl<const N: usize> Equivalent<Owned<N>> for Borrowed<'_, N> {
    fn equivalent(&self, key: &Owned<N>) -> bool {
        self.0.iter().zip(&key.0).all(|(a, b)| **a == **b)
    }
}

impl<V, const N: usize> Tuples<V, N> {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            map: IndexMap::default(),
            max,
        }
    }

    /// The value of `values`, made by `new` if there is none. When there is no room for it, that of `overflow`, and
    /// true.
    pub(crate) fn get<'o>(
        &mut self,
        values: [&str; N],
        overflow: impl FnOnce() -> [&'o str; N],
        new: impl FnOnce() -> V,
    ) -> (&mut V, bool) {
        let found = self.map.get_index_of(&Borrowed(values));
        let index = match found {
            Some(index) => index,
            None if self.is_full() => return (self.get_or_insert(overflow(), new), true),
            None => self.map.insert_full(Owned(values.map(Box::from)), new()).0,
        };
        (&mut self.map[index], false)
    }

    fn get_or_insert(&mut self, values: [&str; N], new: impl FnOnce() -> V) -> &mut V {
        let found = self.map.get_index_of(&Borrowed(values));
        let index = found.unwrap_or_else(|| self.map.insert_full(Owned(values.map(Box::from)), new()).0);
        &mut self.map[index]
    }

    pub(crate) fn contains(&self, values: [&str; N]) -> bool {
        self.map.contains_key(&Borrowed(values))
    }

    pub(crate) fn is_full(&self) -> bool {
        self.map.len() >= self.max
    }

    pub(crate) fn clear(&mut self) {
        self.map.clear();
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.map.retain(|_, value| keep(value));
    }

    /// All tuples with their values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[Box<str>; N], &V)> {
        self.map.iter().map(|(key, value)| (&key.0, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_what_they_say() {
        let mut tuples = Tuples::new(2);
        let mut add = |values| {
            let (value, overflowed) = tuples.get(values, || ["", ""], || 0);
            *value += 1;
            (*value, overflowed)
        };
        assert_eq!(add(["a", "bc"]), (1, false));
        assert_eq!(add(["ab", "c"]), (1, false));
        assert_eq!(add(["a", "bc"]), (2, false));
    }

    #[test]
    fn it_takes_no_more_than_it_may() {
        let mut tuples = Tuples::new(1);
        let mut add = |value| *tuples.get([value], || ["rest"], || value).0;
        assert_eq!(add("a"), "a");
        assert_eq!(add("b"), "b", "the overflow set is made by whoever comes first");
        assert_eq!(add("c"), "b");
        assert_eq!(add("a"), "a");
        tuples.retain(|value| *value == "a");
        assert_eq!(tuples.iter().count(), 1);
    }
}
