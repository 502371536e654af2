use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::manual::ManualClock;
use crate::{SystemClock, Zone};

const MINUTE: Period = Period::Fixed(Duration::from_secs(60));
const DAY: u64 = 86_400_000;

fn bench() -> (Budgets, ManualClock) {
    let clock = ManualClock::at(20_000 * DAY);
    (Budgets::new(1_000, Arc::new(clock.clone())), clock)
}

fn budget(limit: u64, period: Period) -> Budget {
    Budget {
        key: CounterKey::new(&["budget"]),
        limit,
        period,
    }
}

/// (spent, reserved, remaining)
fn plain(standing: Standing) -> (u64, u64, u64) {
    (standing.spent, standing.reserved, standing.remaining)
}

#[test]
fn reserved_and_spent_are_told_apart() {
    let (budgets, _) = bench();
    let tokens = budget(100, MINUTE);
    let first = budgets.reserve(&tokens, 30).unwrap();
    let second = budgets.reserve(&tokens, 20).unwrap();
    assert_eq!(plain(second.standing()), (0, 50, 50));
    first.settle(12);
    assert_eq!(plain(budgets.standing(&tokens)), (12, 20, 68));
    drop(second);
    assert_eq!(plain(budgets.standing(&tokens)), (12, 0, 88));
}

#[test]
fn the_request_that_crosses_the_limit_is_served_and_the_next_refused() {
    let (budgets, _) = bench();
    let tokens = budget(100, MINUTE);
    budgets.reserve(&tokens, 40).unwrap().settle(99);
    let crossing = budgets.reserve(&tokens, 40).unwrap();
    let refused = budgets.reserve(&tokens, 1).unwrap_err();
    assert!(matches!(refused, ReserveError::Exhausted(standing) if plain(standing) == (99, 40, 0)));
    crossing.settle(40);
    assert!(budgets.reserve(&tokens, 1).is_err());
}

#[test]
fn an_over_large_estimate_does_not_lock_the_caller_out() {
    let (budgets, _) = bench();
    let tokens = budget(100, MINUTE);
    for _ in 0..9 {
        budgets.reserve(&tokens, u64::MAX).unwrap().settle(11);
    }
    assert_eq!(plain(budgets.standing(&tokens)), (99, 0, 1));
    assert!(budgets.reserve(&tokens, u64::MAX).is_ok());
}

#[test]
fn a_hold_of_nothing_counts_as_one() {
    let (budgets, _) = bench();
    let calls = budget(3, MINUTE);
    let guards: Vec<_> = (0..5).map(|_| budgets.reserve(&calls, 0)).collect();
    assert_eq!(guards.iter().filter(|guard| guard.is_ok()).count(), 3);
}

#[test]
fn a_stream_that_outgrows_its_hold_shows() {
    let (budgets, _) = bench();
    let tokens = budget(100, MINUTE);
    let mut stream = budgets.reserve(&tokens, 10).unwrap();
    stream.raise_to(5);
    assert_eq!(stream.held(), 10);
    stream.raise_to(100);
    assert!(budgets.reserve(&tokens, 1).is_err());
    stream.settle(101);
    assert_eq!(plain(budgets.standing(&tokens)), (101, 0, 0));
}

#[test]
fn a_panicking_holder_releases() {
    let (budgets, _) = bench();
    let tokens = budget(100, MINUTE);
    let holder = budgets.clone();
    let panicked = std::thread::spawn(move || {
        let _guard = holder.reserve(&tokens, 100).unwrap();
        panic!("the plugin died");
    });
    assert!(panicked.join().is_err());
    assert_eq!(plain(budgets.standing(&tokens)), (0, 0, 100));
}

#[test]
fn fixed_periods_open_at_the_first_reservation() {
    let (budgets, clock) = bench();
    let tokens = budget(100, MINUTE);
    assert_eq!(budgets.standing(&tokens).reset_in, Some(Duration::from_secs(60)));
    clock.advance(30_000);
    budgets.reserve(&tokens, 1).unwrap().settle(100);
    clock.advance(59_999);
    assert_eq!(budgets.standing(&tokens).reset_in, Some(Duration::from_millis(1)));
    assert!(budgets.reserve(&tokens, 1).is_err());
    clock.advance(1);
    assert_eq!(plain(budgets.standing(&tokens)), (0, 0, 100));
    assert!(budgets.reserve(&tokens, 1).is_ok());
}

#[test]
fn a_request_across_midnight_settles_into_the_new_day() {
    let (budgets, clock) = bench();
    let daily = budget(100, Period::Day { zone: Zone::utc() });
    clock.advance(DAY - 1);
    budgets.reserve(&daily, 1).unwrap().settle(60);
    let late = budgets.reserve(&daily, 30).unwrap();
    assert_eq!(plain(budgets.standing(&daily)), (60, 30, 10));
    clock.advance(1);
    assert_eq!(plain(budgets.standing(&daily)), (0, 30, 70));
    late.settle(25);
    assert_eq!(plain(budgets.standing(&daily)), (25, 0, 75));
}

#[test]
fn a_day_of_25_hours_has_one_budget() {
    let clock = ManualClock::at(0);
    let budgets = Budgets::new(1_000, Arc::new(clock.clone()));
    let zone = Zone::named("Europe/Berlin").unwrap();
    let daily = budget(100, Period::Day { zone });
    let hour = 3_600_000;
    // 2026-10-25, 0:00 in Berlin, where summer time ends at 3:00.
    clock.set(1_792_879_200_000);
    budgets.reserve(&daily, 1).unwrap().settle(60);
    clock.advance(24 * hour);
    let standing = budgets.standing(&daily);
    assert_eq!(
        (standing.spent, standing.reset_in),
        (60, Some(Duration::from_millis(hour)))
    );
    clock.advance(hour);
    assert_eq!(budgets.standing(&daily).spent, 0);
    // A copy of what was spent goes through a restart with its zone.
    budgets.reserve(&daily, 1).unwrap().settle(7);
    let saved = serde_json::to_string(&budgets.snapshot()).unwrap();
    let later = Budgets::new(1_000, Arc::new(clock));
    assert_eq!(
        later.restore(serde_json::from_str::<Vec<AccountState>>(&saved).unwrap()),
        1
    );
    assert_eq!(later.standing(&daily).spent, 7);
}

#[test]
fn a_total_budget_never_comes_back() {
    let (budgets, clock) = bench();
    let total = budget(10, Period::Total);
    budgets.reserve(&total, 1).unwrap().settle(10);
    clock.advance(1_000 * 365 * DAY);
    assert_eq!(budgets.standing(&total).reset_in, None);
    assert!(budgets.reserve(&total, 1).is_err());
}

#[test]
fn an_edited_limit_or_period_keeps_what_was_spent() {
    let (budgets, clock) = bench();
    budgets.reserve(&budget(100, MINUTE), 1).unwrap().settle(50);
    clock.advance(30_000);
    let hourly = budget(40, Period::Fixed(Duration::from_secs(3_600)));
    assert!(budgets.reserve(&hourly, 1).is_err());
    assert_eq!(
        budgets.standing(&hourly).reset_in,
        Some(Duration::from_secs(3_570))
    );
    // Ten seconds are over already.
    assert!(
        budgets
            .reserve(&budget(40, Period::Fixed(Duration::from_secs(10))), 1)
            .is_ok()
    );
}

#[test]
fn a_clock_that_goes_back_neither_refunds_nor_locks_for_ever() {
    let (budgets, clock) = bench();
    let tokens = budget(100, MINUTE);
    clock.set(30_000 * DAY);
    budgets.reserve(&tokens, 1).unwrap().settle(100);
    clock.set(20_000 * DAY);
    assert!(budgets.reserve(&tokens, 1).is_err());
    clock.advance(60_000);
    assert!(budgets.reserve(&tokens, 1).is_ok());
}

#[test]
fn a_reset_keeps_reservations() {
    let (budgets, _) = bench();
    let tokens = budget(100, MINUTE);
    let under_way = budgets.reserve(&tokens, 30).unwrap();
    budgets.reserve(&tokens, 1).unwrap().settle(60);
    budgets.reset(tokens.key);
    assert_eq!(plain(budgets.standing(&tokens)), (0, 30, 70));
    under_way.settle(5);
    budgets.reset(tokens.key);
    assert_eq!(plain(budgets.standing(&tokens)), (0, 0, 100));
}

#[test]
fn spending_survives_a_restart() {
    let (before, clock) = bench();
    let daily = budget(100, Period::Day { zone: Zone::utc() });
    let minute = Budget {
        key: CounterKey::new(&["other"]),
        ..budget(100, MINUTE)
    };
    before.reserve(&daily, 1).unwrap().settle(70);
    before.reserve(&minute, 1).unwrap().settle(70);
    let _lost_with_the_process = before.reserve(&daily, 20).unwrap();
    let saved = serde_json::to_string(&before.snapshot()).unwrap();

    clock.advance(60_000);
    let after = Budgets::new(1_000, Arc::new(clock.clone()));
    after.reserve(&daily, 1).unwrap().settle(5);
    let states: Vec<AccountState> = serde_json::from_str(&saved).unwrap();
    assert_eq!(after.restore(states), 1);
    assert_eq!(plain(after.standing(&daily)), (75, 0, 25));
    assert_eq!(plain(after.standing(&minute)), (0, 0, 100));
    clock.advance(DAY);
    assert_eq!(after.snapshot(), []);
}

#[test]
fn a_full_store_refuses_new_accounts_and_counts_them() {
    let (_, clock) = bench();
    let budgets = Budgets::new(1, Arc::new(clock.clone()));
    let named = |n: u32| Budget {
        key: CounterKey::new(&[&n.to_string()]),
        ..budget(10, MINUTE)
    };
    let refused = |n: &u32| {
        matches!(
            budgets.reserve(&named(*n), 1).map(|guard| guard.settle(1)),
            Err(ReserveError::Full)
        )
    };
    let refusals = (0..1_000).filter(refused).count();
    assert!(refusals > 0);
    assert_eq!(budgets.overflows(), refusals as u64);
    clock.advance(60_000);
    assert!(budgets.reserve(&named(5_000), 1).is_ok());
}

/// What a thread does in the tests below: how much it holds, how much it uses, whether it settles.
type Call = (u64, u64, bool);

/// Runs the calls of every thread against one budget, and returns what was spent by admitted calls.
fn race(limit: u64, threads: &[Vec<Call>]) -> (Standing, u64) {
    let budgets = Budgets::new(100, Arc::new(SystemClock));
    let tokens = budget(limit, Period::Total);
    let settled = AtomicU64::new(0);
    let (store, sum) = (&budgets, &settled);
    std::thread::scope(|scope| {
        for calls in threads {
            scope.spawn(move || {
                for (estimate, used, settles) in calls {
                    let Ok(guard) = store.reserve(&tokens, *estimate) else {
                        continue;
                    };
                    std::thread::yield_now();
                    if *settles {
                        sum.fetch_add(*used, Ordering::SeqCst);
                        guard.settle(*used);
                    }
                }
            });
        }
    });
    (budgets.standing(&tokens), settled.into_inner())
}

fn calls() -> impl Strategy<Value = Vec<Vec<Call>>> {
    let call = (0_u64..60, 0_u64..60, prop::bool::weighted(0.9));
    prop::collection::vec(prop::collection::vec(call, 1..40), 2..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Requests that use at most what they hold pass the limit by less than one request.
    #[test]
    fn never_over_the_limit_by_more_than_one_request(limit in 1_u64..500, mut threads in calls()) {
        threads.iter_mut().flatten().for_each(|call| call.1 = call.1.min(call.0));
        let largest = threads.iter().flatten().map(|call| call.1).max().unwrap_or(0);
        let (standing, settled) = race(limit, &threads);
        prop_assert!(standing.spent < limit + largest.max(1));
        prop_assert_eq!((standing.spent, standing.reserved), (settled, 0));
    }

    /// Requests that outgrow their hold add just what they outgrew it by.
    #[test]
    fn an_outgrown_hold_adds_its_excess(limit in 1_u64..500, threads in calls()) {
        let all = || threads.iter().flatten();
        let largest = all().map(|call| call.1).max().unwrap_or(0);
        let excess: u64 = all().map(|(held, used, _)| used.saturating_sub((*held).max(1))).sum();
        let (standing, settled) = race(limit, &threads);
        prop_assert!(standing.spent < limit + largest.max(1) + excess);
        prop_assert_eq!((standing.spent, standing.reserved), (settled, 0));
    }

    /// One thread after the other: the budget is used up to the limit, whatever the estimates.
    #[test]
    fn estimates_do_not_keep_a_lone_caller_from_the_limit(
        limit in 1_u64..500,
        estimates in prop::collection::vec(0_u64..u64::MAX, 600),
    ) {
        let (standing, _) = race(limit, &[estimates.into_iter().map(|estimate| (estimate, 1, true)).collect()]);
        prop_assert_eq!(standing.spent, limit);
    }

    /// Any order of reservations, raises, settlements and drops: holds stay inside the limit but for one.
    #[test]
    fn holds_stay_inside_the_limit_but_for_one(
        limit in 1_u64..200,
        steps in prop::collection::vec((0_u8..4, 0_u64..80, any::<prop::sample::Index>()), 1..200),
    ) {
        let (budgets, _) = bench();
        let tokens = budget(limit, Period::Total);
        let mut open: Vec<ReservationGuard> = Vec::new();
        let mut spent = 0;
        for (step, amount, which) in steps {
            match step {
                0 | 1 => {
                    let before = budgets.standing(&tokens);
                    match budgets.reserve(&tokens, amount) {
                        Ok(guard) => {
                            prop_assert!(before.spent + before.reserved < limit);
                            open.push(guard);
                        }
                        Err(_) => prop_assert!(before.spent + before.reserved >= limit),
                    }
                }
                2 if !open.is_empty() => {
                    let guard = open.swap_remove(which.index(open.len()));
                    spent += amount;
                    guard.settle(amount);
                }
                3 if !open.is_empty() => drop(open.swap_remove(which.index(open.len()))),
                _ => {}
            }
            let standing = budgets.standing(&tokens);
            prop_assert_eq!(standing.spent, spent);
            prop_assert_eq!(standing.reserved, open.iter().map(ReservationGuard::held).sum::<u64>());
        }
    }
}
