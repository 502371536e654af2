use proptest::prelude::*;

use super::*;

fn balancer(algorithm: Algorithm, nodes: &[(u32, i32)]) -> Arc<Balancer> {
    let nodes = nodes
        .iter()
        .enumerate()
        .map(|(n, (weight, priority))| Node {
            priority: *priority,
            ..Node::new(format!("10.0.0.{n}:80"), *weight)
        })
        .collect();
    Arc::new(Balancer::new(BalancerConfig { algorithm, nodes }))
}

fn pick(balancer: &Balancer) -> Option<usize> {
    balancer.pick(&PickContext {
        hash_key: None,
        tried: &Tried::default(),
    })
}

fn pick_with(balancer: &Balancer, tried: &[usize], health: &dyn Health) -> Option<usize> {
    let mut marks = Tried::default();
    tried.iter().for_each(|node| marks.insert(*node));
    balancer.pick_healthy(
        &PickContext {
            hash_key: Some("jack"),
            tried: &marks,
        },
        health,
    )
}

const ALL: [Algorithm; 4] = [
    Algorithm::RoundRobin,
    Algorithm::ConsistentHash,
    Algorithm::LeastConn,
    Algorithm::Ewma,
];

#[test]
fn no_nodes_no_pick() {
    for algorithm in ALL {
        assert_eq!(pick(&balancer(algorithm, &[])), None);
    }
}

#[test]
fn round_robin_interleaves_by_weight() {
    let balancer = balancer(Algorithm::RoundRobin, &[(2, 0), (1, 0)]);
    let picks: Vec<_> = (0..6).filter_map(|_| pick(&balancer)).collect();
    assert_eq!(picks, [0, 1, 0, 0, 1, 0]);
}

#[test]
fn lower_levels_wait_until_the_higher_is_used_up() {
    for algorithm in ALL {
        let balancer = balancer(algorithm, &[(1, -1), (1, 5), (1, 0), (1, 5)]);
        let mut tried = Vec::new();
        while let Some(node) = pick_with(&balancer, &tried, &AllHealthy) {
            tried.push(node);
        }
        tried[..2].sort_unstable();
        assert_eq!(tried, [1, 3, 2, 0], "{algorithm:?}");
    }
}

#[test]
fn unhealthy_levels_are_passed_over() {
    for algorithm in ALL {
        let balancer = balancer(algorithm, &[(1, 1), (1, 1), (1, 0)]);
        assert_eq!(pick_with(&balancer, &[], &|node: usize| node != 0), Some(1));
        assert_eq!(pick_with(&balancer, &[1], &|node: usize| node != 0), Some(2));
        assert_eq!(pick_with(&balancer, &[1, 2], &|node: usize| node != 0), None);
        assert_eq!(pick_with(&balancer, &[], &|node: usize| node == 2), Some(2));
    }
}

#[test]
fn with_nobody_healthy_everybody_is_used() {
    for algorithm in ALL {
        let balancer = balancer(algorithm, &[(1, 1), (1, 0)]);
        assert_eq!(pick_with(&balancer, &[], &|_: usize| false), Some(0));
        assert_eq!(pick_with(&balancer, &[0], &|_: usize| false), Some(1));
        assert_eq!(pick_with(&balancer, &[0, 1], &|_: usize| false), None);
    }
}

#[test]
fn weight_zero_takes_part_only_where_all_have_it() {
    for algorithm in ALL {
        let balancer = balancer(algorithm, &[(0, 0), (3, 0)]);
        for _ in 0..20 {
            assert_eq!(pick_with(&balancer, &[], &AllHealthy), Some(1), "{algorithm:?}");
        }
        // Not even as the last resort of a retry …
        assert_eq!(pick_with(&balancer, &[1], &AllHealthy), None, "{algorithm:?}");
        // … but in place of the others when they are down.
        assert_eq!(
            pick_with(&balancer, &[], &|node: usize| node == 0),
            Some(0),
            "{algorithm:?}"
        );
    }
    for algorithm in ALL {
        let balancer = balancer(algorithm, &[(0, 0), (0, 0)]);
        assert!(
            pick_with(&balancer, &[0], &AllHealthy) == Some(1)
                && pick_with(&balancer, &[1], &AllHealthy) == Some(0)
        );
    }
}

#[test]
fn a_key_stays_with_its_node_and_moves_on_when_tried() {
    let balancer = balancer(Algorithm::ConsistentHash, &[(1, 0), (1, 0), (1, 0)]);
    let home = pick_with(&balancer, &[], &AllHealthy).unwrap();
    assert_eq!(pick_with(&balancer, &[], &AllHealthy), Some(home));
    let next = pick_with(&balancer, &[home], &AllHealthy).unwrap();
    assert_ne!(next, home);
    // A node that is down is skipped the same way.
    assert_eq!(pick_with(&balancer, &[], &|node: usize| node != home), Some(next));
}

#[test]
fn least_conn_counts_what_is_under_way() {
    let balancer = balancer(Algorithm::LeastConn, &[(1, 0), (2, 0)]);
    let mut guards = Vec::new();
    for _ in 0..6 {
        let node = pick(&balancer).unwrap();
        guards.push(balancer.begin(node).unwrap());
    }
    assert_eq!((balancer.in_flight(0), balancer.in_flight(1)), (2, 4));
    guards.retain(|guard| guard.node == 0);
    assert_eq!((balancer.in_flight(0), balancer.in_flight(1)), (2, 0));
    assert_eq!(pick(&balancer), Some(1));
    drop(guards);
    assert_eq!(balancer.in_flight(0), 0);
}

#[test]
fn idle_nodes_take_turns_under_least_conn() {
    let balancer = balancer(Algorithm::LeastConn, &[(1, 0); 3]);
    let mut picks: Vec<_> = (0..3).filter_map(|_| pick(&balancer)).collect();
    picks.sort_unstable();
    assert_eq!(picks, [0, 1, 2]);
}

#[test]
fn ewma_prefers_the_faster() {
    let balancer = balancer(Algorithm::Ewma, &[(1, 0), (1, 0)]);
    let now = Instant::now();
    balancer.observe(0, Duration::from_secs(900), now);
    assert!((0..20).all(|_| pick(&balancer) == Some(1)));
    balancer.observe(1, Duration::from_secs(9_000), now);
    assert!((0..20).all(|_| pick(&balancer) == Some(0)));
}

#[test]
fn ewma_learns_from_answers_and_not_from_failures() {
    let balancer = balancer(Algorithm::Ewma, &[(1, 0), (1, 0)]);
    let now = Instant::now();
    balancer.observe(1, Duration::from_secs(5), now);
    let mut slow = balancer.begin(0).unwrap();
    slow.started = now.checked_sub(Duration::from_secs(900));
    drop(slow);
    assert!(
        (0..20).all(|_| pick(&balancer) == Some(0)),
        "a failure says nothing"
    );
    let mut slow = balancer.begin(0).unwrap();
    slow.started = now.checked_sub(Duration::from_secs(900));
    slow.answered();
    drop(slow);
    assert!((0..20).all(|_| pick(&balancer) == Some(1)));
}

#[test]
fn traffic_is_counted_only_where_it_matters() {
    for algorithm in ALL {
        let counted = balancer(algorithm, &[(1, 0)]).begin(0).is_some();
        let matters = matches!(algorithm, Algorithm::LeastConn | Algorithm::Ewma);
        assert_eq!(counted, matters, "{algorithm:?}");
    }
}

#[test]
fn ewma_meets_every_node() {
    let balancer = balancer(Algorithm::Ewma, &[(1, 0); 5]);
    let mut met = [false; 5];
    (0..1_000)
        .filter_map(|_| pick(&balancer))
        .for_each(|node| met[node] = true);
    assert_eq!(met, [true; 5]);
}

#[test]
fn indexes_of_nobody_are_harmless() {
    let balancer = balancer(Algorithm::Ewma, &[(1, 0)]);
    balancer.observe(7, Duration::from_secs(1), Instant::now());
    assert!(balancer.begin(7).is_none());
    assert_eq!(balancer.in_flight(7), 0);
}

fn any_algorithm() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(ALL.to_vec())
}

proptest! {
    /// Retrying until nobody is left meets every node that may be picked once, by falling priority.
    #[test]
    fn retries_exhaust_the_nodes_in_order(
        algorithm in any_algorithm(),
        nodes in prop::collection::vec((1_u32..9, -2_i32..3), 0..90),
        up in prop::collection::vec(any::<bool>(), 90),
    ) {
        let balancer = balancer(algorithm, &nodes);
        let anybody = nodes.iter().zip(&up).any(|(_, up)| *up);
        let healthy = |node: usize| up[node];
        let mut tried = Vec::new();
        while let Some(node) = pick_with(&balancer, &tried, &healthy) {
            prop_assert!(!tried.contains(&node));
            prop_assert!(up[node] || !anybody);
            tried.push(node);
        }
        let expected = (0..nodes.len()).filter(|node| up[*node] || !anybody).count();
        prop_assert_eq!(tried.len(), expected);
        prop_assert!(tried.windows(2).all(|pair| nodes[pair[0]].1 >= nodes[pair[1]].1));
    }
}
