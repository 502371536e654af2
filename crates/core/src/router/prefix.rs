//! A map that finds every key that a text starts with: a radix tree.

use std::collections::{BTreeMap, VecDeque};
use std::iter::successors;
use std::ops::Range;

/// Values by key, looked up by texts that start with the key.
#[derive(Debug)]
pub(super) struct PrefixMap<V> {
    /// The root first, then level by level, so that the levels that every look-up reads lie together and
    /// the children of a node are a range.
    nodes: Box<[Node<V>]>,
    /// For each node the byte that leads to it from its parent.
    edges: Box<[u8]>,
}

#[derive(Debug)]
struct Node<V> {
    /// What follows the edge.
    label: Box<[u8]>,
    children: Range<usize>,
    /// There if the way to this node is a key.
    value: Option<V>,
    /// The nearest node above that has a value.
    shorter: Option<usize>,
}

/// Keys that share their first `depth` bytes and become one node.
struct Pending {
    keys: Range<usize>,
    depth: usize,
    shorter: Option<usize>,
}

impl<V> PrefixMap<V> {
    pub(super) fn new(map: BTreeMap<Box<[u8]>, V>) -> Self {
        let (keys, mut values): (Vec<Box<[u8]>>, Vec<Option<V>>) =
            map.into_iter().map(|(key, value)| (key, Some(value))).unzip();
        let mut nodes = Vec::with_capacity(keys.len() + 1);
        let mut edges = vec![0];
        let root = (!keys.is_empty()).then_some(Pending {
            keys: 0..keys.len(),
            depth: 0,
            shorter: None,
        });
        let mut queue = VecDeque::from_iter(root);
        while let Some(Pending {
            keys: range,
            depth,
            shorter,
        }) = queue.pop_front()
        {
            let group = &keys[range.clone()];
            let label = common_prefix(group, depth);
            let depth = depth + label.len();
            // Sorted: the key that ends here, if there is one, comes first.
            let ends_here = group.first().is_some_and(|key| key.len() == depth);
            let value = if ends_here {
                values[range.start].take()
            } else {
                None
            };
            let shorter_below = if ends_here { Some(nodes.len()) } else { shorter };
            let first_child = edges.len();
            let mut start = range.start + usize::from(ends_here);
            for child in keys[start..range.end].chunk_by(|left, right| left[depth] == right[depth]) {
                edges.push(child[0][depth]);
                let keys = start..start + child.len();
                start = keys.end;
                queue.push_back(Pending {
                    keys,
                    depth: depth + 1,
                    shorter: shorter_below,
                });
            }
            nodes.push(Node {
                label: label.into(),
                children: first_child..edges.len(),
                value,
                shorter,
            });
        }
        Self {
            nodes: nodes.into(),
            edges: edges.into(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The values of all keys that `text` starts with, longest key first.
    pub(super) fn matching<'r>(&'r self, text: &[u8]) -> impl Iterator<Item = &'r V> + use<'r, V> {
        successors(self.longest(text), |node| {
            node.shorter.map(|index| &self.nodes[index])
        })
        .filter_map(|node| node.value.as_ref())
    }

    /// The node of the longest key.
    fn longest(&self, text: &[u8]) -> Option<&Node<V>> {
        let mut longest = None;
        let mut node = self.nodes.first()?;
        let mut rest = text;
        loop {
            let Some(after) = rest.strip_prefix(&*node.label) else {
                return longest;
            };
            if node.value.is_some() {
                longest = Some(node);
            }
            let Some((first, after)) = after.split_first() else {
                return longest;
            };
            let children = &self.edges[node.children.clone()];
            let Some(position) = children.iter().position(|edge| edge == first) else {
                return longest;
            };
            node = &self.nodes[node.children.start + position];
            rest = after;
        }
    }
}

/// The bytes from `depth` on that all of the sorted keys have in common.
fn common_prefix(keys: &[Box<[u8]>], depth: usize) -> &[u8] {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
        return &[];
    };
    let length = first[depth..]
        .iter()
        .zip(&last[depth..])
        .take_while(|(left, right)| left == right)
        .count();
    &first[depth..depth + length]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(keys: &[String]) -> PrefixMap<String> {
        PrefixMap::new(
            keys.iter()
                .map(|key| (key.as_bytes().into(), key.clone()))
                .collect(),
        )
    }

    #[test]
    fn longest_first() {
        let map = map(&[
            "".into(),
            "/a".into(),
            "/a/b".into(),
            "/a/b/c/d".into(),
            "/ab".into(),
            "/b".into(),
        ]);
        let found = |text: &str| {
            map.matching(text.as_bytes())
                .map(String::as_str)
                .collect::<Vec<_>>()
        };
        assert_eq!(found("/a/b/c/x"), ["/a/b", "/a", ""]);
        assert_eq!(found("/a/b"), ["/a/b", "/a", ""]);
        assert_eq!(found("/abc"), ["/ab", "/a", ""]);
        assert_eq!(found("/c"), [""]);
        assert_eq!(found(""), [""]);
    }

    #[test]
    fn nothing_in_nothing() {
        assert!(map(&[]).matching(b"/a").next().is_none());
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_a_scan(keys in proptest::collection::vec("[ab/]{0,5}", 0..12), text in "[ab/]{0,8}") {
            let mut expected: Vec<&String> = keys.iter().filter(|key| text.starts_with(*key)).collect();
            expected.sort_by_key(|key| std::cmp::Reverse(key.len()));
            expected.dedup();
            let map = map(&keys);
            proptest::prop_assert_eq!(map.matching(text.as_bytes()).collect::<Vec<_>>(), expected);
        }
    }
}
