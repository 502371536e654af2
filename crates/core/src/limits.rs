//! What plugins that limit callers tell of their limits, and what a request holds in them.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;

use sluice_limit::{Budgets, Concurrency, CounterKey, Estimates, ReservationGuard, SystemClock};

/// Accounts of limits that are kept at once.
const ACCOUNTS: usize = 1 << 20;
/// Pairs of caller and model whose usual size is known.
const SIZES: usize = 1 << 16;

/// The accounts of all limits that reserve and settle.
#[derive(Debug)]
pub struct CallerBudgets {
    /// What was spent.
    pub budgets: Budgets,
    /// How large requests usually are.
    pub estimates: Estimates,
    /// How many requests are under way.
    pub concurrency: Arc<Concurrency>,
    /// How many requests were refused.
    pub refusals: Refusals,
}

/// Counts refused requests by scope and name of the limit, of which there are a few dozen pairs.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeMap<(&'static str, &'static str), u64>>);

impl Refusals {
    /// Counts a request that a limit of this scope and name refused.
    pub fn count(&self, scope: &'static str, name: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((scope, name)).or_default() += 1;
    }

    /// All counts.
    #[must_use]
    pub fn counts(&self) -> Vec<((&'static str, &'static str), u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(limit, count)| (*limit, *count)).collect()
    }
}

impl Default for CallerBudgets {
    fn default() -> Self {
        Self {
            budgets: Budgets::new(ACCOUNTS, Arc::new(SystemClock)),
            estimates: Estimates::new(SIZES),
            concurrency: Arc::new(Concurrency::new(ACCOUNTS)),
            refusals: Refusals::default(),
        }
    }
}

/// Whose limits they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A consumer's.
    Client(&'a str),
    /// A consumer group's: its members share them.
    Group(&'a str),
    /// A route's: all its callers share them.
    Route(&'a str),
}

impl<'a> Subject<'a> {
    /// `client`, `group` or `route`.
    #[must_use]
    pub fn scope(self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Group(_) => "group",
            Self::Route(_) => "route",
        }
    }

    /// Name or id.
    #[must_use]
    pub fn name(self) -> &'a str {
        match self {
            Self::Client(name) | Self::Group(name) | Self::Route(name) => name,
        }
    }
}

/// How a limit stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitStanding {
    /// What it is called: `requests_per_minute`, ….
    pub name: &'static str,
    /// The models that it is for; all where there is none.
    pub model: Option<String>,
    /// `requests`, `tokens`, `micro_usd` or `concurrent`.
    pub unit: &'static str,
    /// The most.
    pub limit: u64,
    /// Spent for good.
    pub used: u64,
    /// Held by requests under way.
    pub reserved: u64,
    /// When it starts over, counted from now; `None` where it never does.
    pub reset_in: Option<Duration>,
}

/// The limits of a plugin on a client, group or route.
pub trait CallerLimits {
    /// How they stand for whom they are on.
    fn standings(&self, subject: Subject<'_>, budgets: &CallerBudgets) -> Vec<LimitStanding>;

    /// Starts a limit over. Returns whether there is one of that name.
    fn reset(&self, subject: Subject<'_>, name: &str, budgets: &CallerBudgets) -> bool;

    /// The plugin itself, for one of the same kind.
    fn as_any(&self) -> Option<&dyn Any>;
}

/// What one request holds in one limit.
#[derive(Debug)]
pub struct Hold {
    /// Counted back when the request is over.
    pub guard: ReservationGuard,
    /// What of its usage settles it.
    pub measure: Measure,
    /// How it grows while an answer streams.
    pub growth: Growth,
}

/// What a limit counts of an answer that is still streaming.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// What the request itself counts.
    pub base: u64,
    /// What a million tokens of the answer count.
    pub per_million: u64,
}

impl Growth {
    /// What is counted once so many tokens have come.
    fn with(self, output: u64) -> u64 {
        let more = u128::from(output) * u128::from(self.per_million) / 1_000_000;
        self.base.saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Requests.
    Requests,
    /// Tokens that go to the model, cached ones too.
    Input,
    /// Tokens that come from it.
    Output,
    /// Both.
    Tokens,
    /// Millionths of a dollar.
    Money,
}

/// A place among requests under way, given back when dropped.
#[derive(Debug)]
pub struct Place {
    concurrency: Arc<Concurrency>,
    key: CounterKey,
}

impl Place {
    /// A place that was taken by [`Concurrency::enter`].
    #[must_use]
    pub fn new(concurrency: Arc<Concurrency>, key: CounterKey) -> Self {
        Self { concurrency, key }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.concurrency.leave(self.key);
    }
}

/// Everything that a request holds in limits.
#[derive(Debug, Default)]
pub struct Holds {
    /// Reservations.
    pub reserved: Vec<Hold>,
    /// Places among requests under way.
    pub places: Vec<Place>,
    /// Where the size of the answer is learned.
    pub sizes: Vec<CounterKey>,
    /// The scopes whose limits on requests the request has met.
    pub met: SmallVec<[&'static str; 3]>,
    /// Whether the request has met all limits, and so counts as one.
    pub counts: bool,
    /// Tokens of the answer up to which reservations were raised.
    pub raised: u64,
}

/// Tokens after which the reservations of a stream are looked at again.
const RAISE_EVERY: u64 = 64;

impl Holds {
    /// Raises reservations that a stream has outgrown, so that other requests see what it uses while it runs. `output`
    /// is what of the answer has come so far, in tokens.
    pub fn raise(&mut self, output: u64) {
        if output < self.raised.saturating_add(RAISE_EVERY) {
            return;
        }
        self.raised = output;
        for hold in self
            .reserved
            .iter_mut()
            .filter(|hold| hold.growth.per_million > 0)
        {
            hold.guard.raise_to(hold.growth.with(output));
        }
    }
}
