//! Counters, windows, reservations and budgets, in process or in Redis.
//!
//! Two ways to hold a limit:
//!
//! * **count afterwards**: a [`Meter`] over [`LocalCounters`] or [`RedisCounters`]. What the limit plugins of APISIX
//!   do: look at the counter, let the request through, charge it later (or take at once).
//! * **reserve, then settle**: [`Budgets`]. What our own limits do: an estimate is held before the call and
//!   replaced by the actual usage after it. [`Estimates`] sizes the hold by what was observed.
//!
//! Beside them stand fair queues ([`Queues`]): so many requests run at once, the others wait, and callers share what is
//! used by their weights.
//!
//! Amounts are plain `u64`: tokens, requests or micro-USD alike. The crate stands above `redis` and knows neither
//! HTTP nor plugins. Counters of the process never read a clock by themselves: they take an `Instant`, budgets a
//! [`Clock`]; counters in Redis go by its clock.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use sluice_limit::{Budget, Budgets, CounterKey, Period, ReserveError, SystemClock};
//!
//! let budgets = Budgets::new(10_000, Arc::new(SystemClock));
//! let budget = Budget {
//!     key: CounterKey::new(&["consumer/ann", "tokens per minute"]),
//!     limit: 1_000,
//!     period: Period::Fixed(Duration::from_secs(60)),
//! };
//!
//! let call = budgets.reserve(&budget, 1_200)?;            // the request that crosses the limit is let in …
//! assert!(budgets.reserve(&budget, 10).is_err());         // … and nobody else while it runs
//! call.settle(300);                                       // it used less than was held
//! assert_eq!(budgets.standing(&budget).remaining, 700);
//! # Ok::<(), ReserveError>(())
//! ```

mod account;
mod bucket;
mod budget;
mod clock;
mod concurrency;
mod counter;
mod decision;
mod delayed;
mod estimate;
mod fair;
mod key;
mod local;
mod meter;
mod period;
mod place;
mod queues;
mod redis;
mod reservation;
mod shards;
mod sliding;
mod ticks;
mod windows;
mod zone;

pub use self::account::{AccountState, Standing};
pub use self::bucket::{Leak, LeakyBuckets};
pub use self::budget::{Budget, Budgets, ReserveError};
pub use self::clock::{Clock, SystemClock};
pub use self::concurrency::{Concurrency, TooManyKeys};
pub use self::counter::{Counter, CounterNames};
pub use self::decision::Decision;
pub use self::estimate::Estimates;
pub use self::fair::{Entry, FairLimits, FairQueue, FairRequest, KeyView, QueueFull, Ticket};
pub use self::key::{CounterKey, ParseKeyError};
pub use self::local::LocalCounters;
pub use self::meter::{Meter, MeterError, WindowKind};
pub use self::period::Period;
pub use self::place::{PlaceGuard, UnitDelay};
pub use self::queues::{Queue, QueueView, Queues, TooLate, Turn};
pub use self::redis::RedisCounters;
pub use self::reservation::ReservationGuard;
pub use self::sliding::SlidingCounters;
pub use self::windows::{WindowCounters, WindowState};
pub use self::zone::{UnknownZone, Zone};
