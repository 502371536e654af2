//! The hold of one request on one budget.

use crate::{Budget, Budgets, Standing};

/// An amount held in a [`Budget`]. [`settle`](Self::settle) replaces it by what was used; dropped unsettled, it is
/// released and nothing is spent.
#[derive(Debug)]
#[must_use = "dropping the guard releases the reservation"]
pub struct ReservationGuard {
    budgets: Budgets,
    budget: Budget,
    held: u64,
    standing: Standing,
    settled: bool,
}

impl ReservationGuard {
    pub(crate) fn new(budgets: Budgets, budget: Budget, held: u64, standing: Standing) -> Self {
        Self {
            budgets,
            budget,
            held,
            standing,
            settled: false,
        }
    }

    /// The budget that it draws on.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// How the budget stood right after this reservation, which is in it.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// What is held.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held
    }

    /// Holds at least `observed`: what a stream has used so far. Never refused, since it is used already; never
    /// lowers the hold.
    pub fn raise_to(&mut self, observed: u64) {
        let more = observed.saturating_sub(self.held);
        if more > 0
            && self
                .budgets
                .change(&self.budget, |account, _| account.hold(more))
                .is_some()
        {
            self.held = observed;
        }
    }

    /// Replaces the hold by what was used, in the period that runs now.
    pub fn settle(mut self, used: u64) {
        self.close(used);
    }

    fn close(&mut self, used: u64) {
        self.settled = true;
        // An account with a hold is never dropped, so there always is one to change.
        self.budgets
            .change(&self.budget, |account, _| account.settle(self.held, used));
    }
}

impl Drop for ReservationGuard {
    fn drop(&mut self) {
        if !self.settled {
            self.close(0);
        }
    }
}
