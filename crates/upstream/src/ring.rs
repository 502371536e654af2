//! Consistent hashing.

use crc32fast::Hasher;

/// Points of a node per unit of reduced weight.
const POINTS_PER_WEIGHT: u64 = 160;
/// Most points of a ring (8 MB). Weights that want more are scaled down together.
const MAX_POINTS: u64 = 1 << 20;

/// A ring of hash points, laid out as nginx and APISIX lay it out (compat §8.2): the points of a node are a chain
/// of CRC-32 values over its id and the point before, with each `:` of the id read as NUL. So a key keeps its node
/// when traffic moves here from there.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Hash and member, sorted.
    points: Box<[(u32, u32)]>,
}

impl Ring {
    /// A ring of members with an id and a weight. Weight 0 gets no points unless all have 0.
    pub(crate) fn new(members: &[(&str, u32)]) -> Self {
        let mut points = Vec::new();
        for ((id, _), (member, count)) in members.iter().zip((0..).zip(point_counts(members))) {
            let mut base = Hasher::new();
            base.update(id.replace(':', "\0").as_bytes());
            let mut hash = 0_u32;
            for _ in 0..count {
                let mut hasher = base.clone();
                hasher.update(&hash.to_le_bytes());
                hash = hasher.finalize();
                points.push((hash, member));
            }
        }
        points.sort_unstable();
        Self {
            points: points.into_boxed_slice(),
        }
    }

    /// The members in the order in which `key` meets them, each as often as it has points.
    pub(crate) fn walk(&self, key: &str) -> impl Iterator<Item = usize> {
        let hash = crc32fast::hash(key.as_bytes());
        let start = self.points.partition_point(|(point, _)| *point < hash);
        let (before, after) = self.points.split_at(start);
        after.iter().chain(before).map(|(_, member)| *member as usize)
    }
}

/// How many points each member gets.
fn point_counts(members: &[(&str, u32)]) -> impl Iterator<Item = u64> {
    let divisor = members
        .iter()
        .fold(0, |divisor, (_, weight)| gcd(divisor, *weight));
    let reduced = move |weight: u32| weight.checked_div(divisor).map_or(1, u64::from);
    let total: u64 = members.iter().map(|(_, weight)| reduced(*weight)).sum();
    let fits = MAX_POINTS / POINTS_PER_WEIGHT;
    members.iter().map(move |(_, weight)| {
        let weight = reduced(*weight);
        let scaled = if total > fits && weight > 0 {
            (weight * fits / total).max(1)
        } else {
            weight
        };
        scaled * POINTS_PER_WEIGHT
    })
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(ring: &Ring, key: &str) -> usize {
        ring.walk(key).next().unwrap()
    }

    fn shares(members: &[(&str, u32)]) -> Vec<usize> {
        let ring = Ring::new(members);
        let mut picks = vec![0; members.len()];
        (0..10_000).for_each(|n| picks[first(&ring, &format!("key-{n}"))] += 1);
        picks
    }

    #[test]
    fn the_layout_is_that_of_nginx() {
        // Computed apart from this code, with zlib's crc32 after nginx's description of the layout.
        let ring = Ring::new(&[
            ("127.0.0.1:1980", 1),
            ("127.0.0.1:1981", 2),
            ("127.0.0.1:1982", 1),
        ]);
        let picks: Vec<_> = ["", "a", "jack", "tom", "10.0.0.7", "user-42"]
            .map(|key| first(&ring, key))
            .into();
        assert_eq!(picks, [2, 1, 1, 0, 1, 2]);
        assert_eq!(ring.points.len(), 640);
        assert_eq!(ring.points[0], (3619986, 2));
    }

    #[test]
    fn shares_follow_weights() {
        let picks = shares(&[("a:80", 10), ("b:80", 30)]);
        assert!((2_000..3_000).contains(&picks[0]), "{picks:?}");
        let picks = shares(&[("a:80", 5), ("b:80", 0)]);
        assert_eq!(picks, [10_000, 0]);
        let picks = shares(&[("a:80", 0), ("b:80", 0)]);
        assert!(picks.iter().all(|picks| *picks > 4_000), "{picks:?}");
    }

    #[test]
    fn enormous_weights_fit() {
        let ring = Ring::new(&[("a:80", u32::MAX), ("b:80", 1), ("c:80", u32::MAX - 1)]);
        assert!(ring.points.len() as u64 <= MAX_POINTS + POINTS_PER_WEIGHT * 3);
        assert!((0..3).all(|member| ring.walk("x").any(|walked| walked == member)));
    }

    #[test]
    fn an_empty_ring_has_no_walk() {
        assert_eq!(Ring::new(&[]).walk("x").count(), 0);
    }

    proptest! {
        /// A node that leaves takes only its own keys along.
        #[test]
        fn others_keep_their_keys(key in ".{0,20}") {
            let members = [("a:1", 1), ("b:1", 2), ("c:1", 1)];
            let all = first(&Ring::new(&members), &key);
            let without_c = first(&Ring::new(&members[..2]), &key);
            prop_assert!(all == without_c || all == 2);
            // Walking past it finds the same heir.
            let heir = Ring::new(&members).walk(&key).find(|member| *member != 2);
            prop_assert_eq!(heir, Some(without_c));
        }
    }
}
