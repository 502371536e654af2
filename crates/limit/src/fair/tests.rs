use proptest::prelude::*;

use super::*;

fn queue(slots: usize) -> FairQueue {
    FairQueue::new(FairLimits {
        slots,
        waiting: 1000,
        waiting_per_key: 100,
    })
}

fn of(key: &str, tokens: u64) -> FairRequest<'_> {
    FairRequest {
        key,
        weight: 1,
        tokens,
    }
}

fn waits(entry: Result<Entry, QueueFull>) -> (Ticket, usize) {
    match entry {
        Ok(Entry::Waits { ticket, position }) => (ticket, position),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_comes_to_a_free_slot_runs_and_others_wait_their_turn() {
    let mut queue = queue(1);
    let Ok(Entry::Runs(first)) = queue.enter(of("a", 10)) else {
        panic!("a slot is free")
    };
    let (second, position) = waits(queue.enter(of("a", 10)));
    assert_eq!(position, 1);
    // Who used nothing comes before who did.
    let (third, position) = waits(queue.enter(of("b", 10)));
    assert_eq!((position, queue.position(second)), (1, Some(2)));
    assert_eq!(queue.end(first, Some(10)), [third]);
    assert!(queue.end(first, Some(10)).is_empty(), "ended once");
    assert_eq!(queue.end(third, None), [second]);
    assert!(queue.end(second, Some(1)).is_empty());
    assert_eq!((queue.running(), queue.waiting()), (0, 0));
}

#[test]
fn who_leaves_makes_place_in_the_line() {
    let mut queue = queue(1);
    queue.enter(of("a", 1)).unwrap();
    let (second, _) = waits(queue.enter(of("b", 1)));
    let (third, _) = waits(queue.enter(of("c", 1)));
    assert_eq!(queue.position(third), Some(2));
    assert!(queue.end(second, None).is_empty());
    assert_eq!((queue.position(third), queue.waiting()), (Some(1), 1));
}

#[test]
fn bounds_hold_for_all_and_for_each() {
    let mut queue = FairQueue::new(FairLimits {
        slots: 1,
        waiting: 3,
        waiting_per_key: 2,
    });
    for _ in 0..3 {
        queue.enter(of("a", 1)).unwrap();
    }
    assert_eq!(queue.enter(of("a", 1)), Err(QueueFull::Key));
    queue.enter(of("b", 1)).unwrap();
    assert_eq!(queue.enter(of("c", 1)), Err(QueueFull::All));
}

#[test]
fn more_slots_let_those_on_who_wait() {
    let mut queue = queue(1);
    queue.enter(of("a", 1)).unwrap();
    let (second, _) = waits(queue.enter(of("b", 1)));
    let limits = FairLimits {
        slots: 2,
        ..queue.limits()
    };
    assert_eq!(queue.set_limits(limits), [second]);
    let shown: Vec<_> = queue
        .view()
        .into_iter()
        .map(|key| (key.key, key.running))
        .collect();
    assert_eq!(shown, [("a".to_owned(), 1), ("b".to_owned(), 1)]);
}

/// Runs a closed loop, in which every key always has `DEPTH` requests here, and tells what each used.
fn simulate(weights: &[u32], sizes: &[u64], slots: usize, rounds: usize, estimate: u64) -> Vec<u64> {
    const DEPTH: usize = 3;
    let mut queue = queue(slots);
    let names: Vec<_> = (0..weights.len()).map(|index| format!("k{index}")).collect();
    let mut used = vec![0; weights.len()];
    let mut owners = HashMap::new();
    // Those that run, by the time they end.
    let mut running = BTreeSet::new();
    let mut time = 0;
    let mut coming: VecDeque<usize> = (0..weights.len()).flat_map(|index| [index; DEPTH]).collect();
    for _ in 0..rounds {
        while let Some(index) = coming.pop_front() {
            let request = FairRequest {
                key: &names[index],
                weight: weights[index],
                tokens: estimate,
            };
            let entry = queue.enter(request).unwrap();
            let (Entry::Runs(ticket) | Entry::Waits { ticket, .. }) = entry;
            owners.insert(ticket, index);
            if matches!(entry, Entry::Runs(_)) {
                running.insert((time + sizes[index], ticket));
            }
        }
        let (ends, ticket) = running.pop_first().unwrap();
        time = ends;
        let index = owners[&ticket];
        used[index] += sizes[index];
        for begun in queue.end(ticket, Some(sizes[index])) {
            running.insert((time + sizes[owners[&begun]], begun));
        }
        assert!(queue.running() <= slots);
        coming.push_back(index);
    }
    used
}

#[test]
fn heavy_and_light_requests_get_the_same_tokens() {
    let used = simulate(&[1, 1, 1], &[1000, 50, 10], 2, 4000, 100);
    let fair = used.iter().sum::<u64>() / 3;
    for tokens in &used {
        assert!(tokens.abs_diff(fair) * 10 <= fair, "{used:?}");
    }
}

#[test]
fn shares_are_those_of_the_weights() {
    let used = simulate(&[1, 2, 4], &[30, 50, 20], 2, 4000, 100);
    let fair = used.iter().sum::<u64>() / 7;
    for (tokens, weight) in used.iter().zip([1, 2, 4]) {
        let fair = fair * weight;
        assert!(tokens.abs_diff(fair) * 10 <= fair, "{used:?}");
    }
}

#[test]
fn who_was_away_cannot_save_up() {
    let mut queue = queue(1);
    let Ok(Entry::Runs(mut running)) = queue.enter(of("a", 10)) else {
        panic!("a slot is free")
    };
    for _ in 0..100 {
        let (next, _) = waits(queue.enter(of("a", 10)));
        assert_eq!(queue.end(running, Some(10)), [next]);
        running = next;
    }
    // Two of `late` and two of `a`: they take turns.
    let (late, _) = waits(queue.enter(of("late", 10)));
    waits(queue.enter(of("late", 10)));
    let (own, _) = waits(queue.enter(of("a", 10)));
    assert_eq!(queue.end(running, Some(10)), [late]);
    assert_eq!(queue.position(own), Some(1));
}

proptest! {
    #[test]
    fn never_more_than_the_slots_run_and_all_that_wait_begin(
        slots in 1_usize..4,
        steps in proptest::collection::vec((0_u8..4, 0_usize..5, 0_u64..500), 1..200),
    ) {
        let mut queue = queue(slots);
        let mut here: Vec<Ticket> = Vec::new();
        let names = ["a", "b", "c", "d", "e"];
        for (what, which, tokens) in steps {
            if what < 2 {
                let request = FairRequest { key: names[which], weight: 1 + u32::try_from(which).unwrap(), tokens };
                if let Ok(Entry::Runs(ticket) | Entry::Waits { ticket, .. }) = queue.enter(request) {
                    here.push(ticket);
                }
            } else if !here.is_empty() {
                let ticket = here.swap_remove(which % here.len());
                queue.end(ticket, (what == 2).then_some(tokens));
            }
            prop_assert!(queue.running() <= slots);
            prop_assert_eq!(queue.running() + queue.waiting(), here.len());
            prop_assert!(queue.waiting() == 0 || queue.running() == slots, "no slot idles while somebody waits");
            let mut positions: Vec<_> = here.iter().filter_map(|ticket| queue.position(*ticket)).collect();
            positions.sort_unstable();
            prop_assert_eq!(positions, (1..=queue.waiting()).collect::<Vec<_>>());
        }
        // Whoever waits begins when others end, and everybody goes.
        while let Some(ticket) = here.iter().copied().find(|ticket| queue.position(*ticket).is_none()) {
            here.retain(|known| *known != ticket);
            queue.end(ticket, Some(7));
        }
        prop_assert_eq!((here.len(), queue.running(), queue.waiting()), (0, 0, 0));
    }
}
