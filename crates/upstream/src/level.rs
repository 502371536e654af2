//! One level of priority.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::balancer::{PickContext, Traffic};
use crate::ring::Ring;
use crate::round_robin::RoundRobin;
use crate::{Algorithm, Health, Node};

/// The nodes of one priority, and how to choose among them.
#[derive(Debug)]
pub(crate) struct Level {
    members: Box<[Member]>,
    picker: Picker,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    /// Index in the balancer's list.
    node: usize,
    weight: u32,
}

#[derive(Debug)]
enum Picker {
    RoundRobin(RoundRobin),
    ConsistentHash(Ring),
    /// Where the next scan starts, so that ties go around.
    LeastConn(AtomicUsize),
    Ewma,
}

impl Level {
    /// The level of the given indexes into `nodes`.
    pub(crate) fn new(algorithm: Algorithm, nodes: &[Node], indexes: &[usize]) -> Self {
        let members = indexes
            .iter()
            .map(|node| Member {
                node: *node,
                weight: nodes[*node].weight,
            })
            .collect();
        let picker = match algorithm {
            Algorithm::RoundRobin => Picker::RoundRobin(RoundRobin::new(indexes.len())),
            Algorithm::ConsistentHash => {
                let ids: Vec<_> = indexes
                    .iter()
                    .map(|node| (&*nodes[*node].id, nodes[*node].weight))
                    .collect();
                Picker::ConsistentHash(Ring::new(&ids))
            }
            Algorithm::LeastConn => Picker::LeastConn(AtomicUsize::new(0)),
            Algorithm::Ewma => Picker::Ewma,
        };
        Self { members, picker }
    }

    /// Picks an untried healthy node of this level; its index in the balancer's list.
    pub(crate) fn pick(
        &self,
        cx: &PickContext<'_>,
        health: &dyn Health,
        traffic: &[Traffic],
    ) -> Option<usize> {
        let healthy = |member: &Member| health.healthy(member.node);
        let weighty = self
            .members
            .iter()
            .any(|member| member.weight > 0 && healthy(member));
        // The weight of an eligible member: the configured one, or 1 for all where nobody healthy has any.
        let weight = |member: usize| {
            let member = &self.members[member];
            let weight = if weighty { member.weight } else { 1 };
            (weight > 0 && !cx.tried.contains(member.node) && healthy(member)).then_some(weight)
        };
        let member = match &self.picker {
            Picker::RoundRobin(round_robin) => round_robin.pick(weight),
            Picker::ConsistentHash(ring) => self.hashed(ring, cx.hash_key.unwrap_or_default(), weight),
            Picker::LeastConn(start) => {
                self.least_busy(start.fetch_add(1, Ordering::Relaxed), traffic, weight)
            }
            Picker::Ewma => self.faster_of_two(traffic, weight),
        };
        member.map(|member| self.members[member].node)
    }

    pub(crate) fn any_healthy(&self, health: &dyn Health) -> bool {
        self.members.iter().any(|member| health.healthy(member.node))
    }

    fn hashed(&self, ring: &Ring, key: &str, weight: impl Fn(usize) -> Option<u32>) -> Option<usize> {
        // Without this a walk for nobody would go round the whole ring; it also serves weightless members, which
        // have no points beside others that do.
        let anybody = (0..self.members.len()).find(|member| weight(*member).is_some())?;
        ring.walk(key)
            .find(|member| weight(*member).is_some())
            .or(Some(anybody))
    }

    /// The lowest (active + 1) / weight.
    fn least_busy(
        &self,
        start: usize,
        traffic: &[Traffic],
        weight: impl Fn(usize) -> Option<u32>,
    ) -> Option<usize> {
        let count = self.members.len();
        let mut best: Option<(usize, u64, u64)> = None;
        for member in (0..count).map(|step| (start % count + step) % count) {
            let Some(weight) = weight(member).map(u64::from) else {
                continue;
            };
            let load = traffic[self.members[member].node].active() + 1;
            // a/b < c/d as a*d < c*b: exact, and no division.
            let less_busy = |(_, best_load, best_weight)| load * best_weight < best_load * weight;
            if best.is_none_or(less_busy) {
                best = Some((member, load, weight));
            }
        }
        best.map(|(member, ..)| member)
    }

    fn faster_of_two(&self, traffic: &[Traffic], weight: impl Fn(usize) -> Option<u32>) -> Option<usize> {
        let eligible = || (0..self.members.len()).filter(|member| weight(*member).is_some());
        let count = eligible().count();
        if count < 2 {
            return eligible().next();
        }
        let first = rand::random_range(0..count);
        let other = (first + rand::random_range(1..count)) % count;
        let now = Instant::now();
        let score = |member: &usize| traffic[self.members[*member].node].latency.score(now);
        // Health may have changed between counting and looking, so either may be missing.
        let pair = [eligible().nth(first), eligible().nth(other)];
        pair.into_iter()
            .flatten()
            .min_by(|a, b| score(a).total_cmp(&score(b)))
    }
}
