//! Budgets: reserve an estimate before the call, settle what was used after it.

use std::fmt;
use std::sync::Arc;

use crate::account::Account;
use crate::reservation::ReservationGuard;
use crate::shards::Sharded;
use crate::{AccountState, Clock, CounterKey, Period, Standing};

/// One limit on one thing: tokens of a consumer per day, money of a group per month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Which account it draws on. Name what is limited and for whom, not the limit: an edit of the limit or the
    /// period then keeps what was spent.
    pub key: CounterKey,
    /// The most that may be spent in a period.
    pub limit: u64,
    /// When it starts again.
    pub period: Period,
}

/// Why nothing was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// Spent and reserved amounts have reached the limit.
    #[error("the limit is reached: {} spent, {} reserved", .0.spent, .0.reserved)]
    Exhausted(Standing),
    /// The store is full of live accounts. What cannot be metered is not let through.
    #[error("too many accounts are metered at once")]
    Full,
}

/// All accounts of this process; a cheap handle.
///
/// **The rule.** A reservation is granted if spent and reserved amounts together are below the limit, and then
/// holds its whole estimate. So the request that crosses the limit is served, and a caller with nothing under way
/// is never locked out by an estimate that is too large. While every request uses at most what it holds, a period
/// ends below `limit + one request's usage`, whatever the concurrency: the last one admitted saw everybody else's
/// hold inside the limit. A request that outgrows its hold adds what it outgrew by; [`ReservationGuard::raise_to`]
/// shows that to the others while it happens.
///
/// **Time.** At the end of a period spent amounts are dropped, reservations stay and settle into the next. If the
/// clock goes back, the running period starts over at the new time, with its spending.
///
/// **Memory.** Accounts with nothing reserved are dropped when their period is over. A new account above the
/// capacity is refused and counted; none is ever evicted alive.
#[derive(Clone)]
pub struct Budgets {
    inner: Arc<Inner>,
}

struct Inner {
    accounts: Sharded<Account>,
    clock: Arc<dyn Clock>,
}

impl Budgets {
    /// A store for about `capacity` live accounts.
    #[must_use]
    pub fn new(capacity: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Arc::new(Inner {
                accounts: Sharded::new(capacity),
                clock,
            }),
        }
    }

    /// Holds `estimate` (at least 1) until the guard settles or is dropped.
    ///
    /// # Errors
    /// [`ReserveError::Exhausted`] at the limit, [`ReserveError::Full`] where the account finds no place.
    pub fn reserve(&self, budget: &Budget, estimate: u64) -> Result<ReservationGuard, ReserveError> {
        // A hold of nothing would let any number of requests in at once.
        let amount = estimate.max(1);
        let (admitted, standing) = self
            .change(budget, |account, now| {
                let admitted = account.reserve(budget.limit, amount);
                (admitted, account.standing(budget.limit, now))
            })
            .ok_or(ReserveError::Full)?;
        if admitted {
            Ok(ReservationGuard::new(self.clone(), *budget, amount, standing))
        } else {
            Err(ReserveError::Exhausted(standing))
        }
    }

    /// How a budget stands now. Does not open an account or a period.
    #[must_use]
    pub fn standing(&self, budget: &Budget) -> Standing {
        let now = self.now();
        self.inner
            .accounts
            .read(budget.key, |account| account.preview(budget, now))
            .unwrap_or_else(|| Account::open(budget.period, now).standing(budget.limit, now))
    }

    /// Forgets what was spent and starts the period over. Reservations under way stay.
    pub fn reset(&self, key: CounterKey) {
        let now = self.now();
        self.inner.accounts.remove_if(key, |account| {
            account.restart(now);
            !account.has_reservations()
        });
    }

    /// What is to be saved so that limits survive a restart: everything spent in running periods.
    #[must_use]
    pub fn snapshot(&self) -> Vec<AccountState> {
        let now = self.now();
        let mut states = Vec::new();
        self.inner
            .accounts
            .for_each(|key, account| states.extend(account.state(key, now)));
        states
    }

    /// Takes saved states in, and returns how many were still of use. States of ended periods are skipped, what was
    /// spent since the start of the process is kept.
    pub fn restore(&self, states: impl IntoIterator<Item = AccountState>) -> usize {
        let now = self.now();
        let still_running = states
            .into_iter()
            .filter(|state| now < state.period.end_after(state.start));
        still_running
            .filter(|state| {
                let budget = Budget {
                    key: state.key,
                    limit: 0,
                    period: state.period,
                };
                self.change(&budget, |account, _| account.restore(state))
                    .is_some()
            })
            .count()
    }

    /// How many accounts were refused because the store was full.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.inner.accounts.overflows()
    }

    /// Runs `with` on the account of `budget`, brought to the present. `None` where the store is full.
    pub(crate) fn change<R>(&self, budget: &Budget, with: impl FnOnce(&mut Account, u64) -> R) -> Option<R> {
        let now = self.now();
        let open = || Account::open(budget.period, now);
        self.inner.accounts.try_update(budget.key, now, open, |account| {
            account.roll(budget.period, now);
            with(account, now)
        })
    }

    fn now(&self) -> u64 {
        self.inner.clock.unix_millis()
    }
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets")
            .field("accounts", &self.inner.accounts.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
