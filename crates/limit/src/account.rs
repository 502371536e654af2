//! What one budget has spent and holds, and the arithmetic on it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::shards::Evict;
use crate::{Budget, CounterKey, Period};

/// How a budget stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Settled usage of the running period.
    pub spent: u64,
    /// Held by requests that are not settled yet.
    pub reserved: u64,
    /// What is left of the limit beside both.
    pub remaining: u64,
    /// Until the period ends; `None` where it never does.
    pub reset_in: Option<Duration>,
}

/// The saved state of one budget. Reservations are not saved: their requests end with the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    /// Which budget.
    pub key: CounterKey,
    /// Its period when it was last touched.
    pub period: Period,
    /// When the running period was first touched, in milliseconds since the Unix epoch.
    pub start: u64,
    /// Settled usage of that period.
    pub spent: u64,
}

/// One budget's numbers. `spent` belongs to the period `start..end`; `reserved` crosses its end, so that a request
/// that is under way at the turn of the period is charged to the period in which it settles.
#[derive(Debug)]
pub(crate) struct Account {
    period: Period,
    start: u64,
    end: u64,
    spent: u64,
    reserved: u64,
}

impl Account {
    pub(crate) fn open(period: Period, now: u64) -> Self {
        Self {
            period,
            start: now,
            end: period.end_after(now),
            spent: 0,
            reserved: 0,
        }
    }

    /// Brings the account to `now` and to `period`, which an edit may have changed.
    pub(crate) fn roll(&mut self, period: Period, now: u64) {
        if now < self.start {
            // The clock went back. Starting over here bounds the wait to one period and gives nothing away.
            self.start = now;
            self.end = period.end_after(now);
        } else if self.period != period {
            self.end = period.end_after(self.start);
        }
        self.period = period;
        if now >= self.end {
            self.restart(now);
        }
    }

    /// Begins a period with nothing spent.
    pub(crate) fn restart(&mut self, now: u64) {
        self.start = now;
        self.end = self.period.end_after(now);
        self.spent = 0;
    }

    /// Holds `amount` if there is any room at all, however small.
    pub(crate) fn reserve(&mut self, limit: u64, amount: u64) -> bool {
        let admitted = self.spent.saturating_add(self.reserved) < limit;
        if admitted {
            self.hold(amount);
        }
        admitted
    }

    pub(crate) fn hold(&mut self, amount: u64) {
        self.reserved = self.reserved.saturating_add(amount);
    }

    /// Replaces `held` by what was used.
    pub(crate) fn settle(&mut self, held: u64, used: u64) {
        self.reserved = self.reserved.saturating_sub(held);
        self.spent = self.spent.saturating_add(used);
    }

    pub(crate) fn standing(&self, limit: u64, now: u64) -> Standing {
        let taken = self.spent.saturating_add(self.reserved);
        let reset_in = (self.end != u64::MAX).then(|| Duration::from_millis(self.end.saturating_sub(now)));
        Standing {
            spent: self.spent,
            reserved: self.reserved,
            remaining: limit.saturating_sub(taken),
            reset_in,
        }
    }

    /// How the budget would stand at `now`, without changing the account.
    pub(crate) fn preview(&self, budget: &Budget, now: u64) -> Standing {
        let mut account = Self { ..*self };
        account.roll(budget.period, now);
        account.standing(budget.limit, now)
    }

    pub(crate) fn has_reservations(&self) -> bool {
        self.reserved > 0
    }

    /// The state to save; `None` where there is nothing worth saving at `now`.
    pub(crate) fn state(&self, key: CounterKey, now: u64) -> Option<AccountState> {
        let worth_saving = self.spent > 0 && now < self.end;
        worth_saving.then_some(AccountState {
            key,
            period: self.period,
            start: self.start,
            spent: self.spent,
        })
    }

    /// Adds saved usage of the running period.
    pub(crate) fn restore(&mut self, state: &AccountState) {
        if state.start < self.start {
            self.start = state.start;
            self.end = self.period.end_after(state.start);
        }
        self.spent = self.spent.saturating_add(state.spent);
    }
}

impl Evict for Account {
    fn expired(&self, now: u64) -> bool {
        self.reserved == 0 && (self.spent == 0 || now >= self.end)
    }

    fn loss(&self) -> u64 {
        self.spent.saturating_add(self.reserved)
    }
}
