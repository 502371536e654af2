//! What happens right now, summed in memory: for those who look on.
//!
//! A [`RecordSink`] adds up what every record says; readers take what they want when they want it, so that nobody has a
//! queue and a slow reader misses intermediate states, never the last one.

mod clients;
mod seconds;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use sluice_record::{CacheOutcome, Cost, Ended, Record};

pub use self::clients::{ClientToday, NameToday};
use self::clients::{Clients, Names};
pub use self::seconds::Second;
use self::seconds::Seconds;
use crate::queue::RecordSink;
use crate::sync::lock;

/// Records of the feed.
const FEED: usize = 20;

/// For how long a key counts as active.
const ACTIVE_MS: i64 = 300_000;

const DAY_MS: i64 = 86_400_000;

/// Sums over the running day (UTC), the latest seconds, and the latest records.
#[derive(Debug, Default)]
pub struct Live(Mutex<State>);

/// What a number of requests used and cost. Errors, tokens and cost are what the ledger means by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveTotals {
    /// Requests.
    pub requests: i64,
    /// Requests with a status of 400 or more, or whose answer broke off for another reason than that the client left.
    pub errors: i64,
    /// Input tokens of all kinds.
    pub input_tokens: i64,
    /// Output tokens of all kinds.
    pub output_tokens: i64,
    /// Input tokens that a provider's cache had.
    pub cache_read_tokens: i64,
    /// Cost of the priced requests, in millionths of a US dollar.
    pub cost_micros: i64,
    /// Requests that used tokens of a model without a price.
    pub unpriced: i64,
    /// Requests that a cache of answers answered.
    pub cache_hits: i64,
}

impl LiveTotals {
    /// What one request adds.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let ai = record.ai.as_deref();
        let usage = ai.map(|ai| ai.usage).unwrap_or_default();
        let cost = match ai.map(|ai| ai.cost) {
            Some(Cost::MicroUsd(micros)) => Some(micros),
            Some(Cost::Unpriced) | None => None,
        };
        let broke_off = !matches!(record.ended, Ended::Complete | Ended::ClientGone);
        let hit = record
            .cache
            .is_some_and(|cache| matches!(cache.outcome, CacheOutcome::Exact | CacheOutcome::Semantic));
        Self {
            requests: 1,
            errors: (record.status >= 400 || broke_off).into(),
            input_tokens: integer(usage.total_input()),
            output_tokens: integer(usage.total_output()),
            cache_read_tokens: integer(usage.cache_read),
            cost_micros: cost.unwrap_or(0),
            unpriced: (cost.is_none() && !usage.is_empty()).into(),
            cache_hits: hit.into(),
        }
    }

    /// Tokens of all kinds.
    #[must_use]
    pub fn tokens(&self) -> i64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    fn add(&mut self, other: &Self) {
        let add = |sum: &mut i64, more: i64| *sum = sum.saturating_add(more);
        add(&mut self.requests, other.requests);
        add(&mut self.errors, other.errors);
        add(&mut self.input_tokens, other.input_tokens);
        add(&mut self.output_tokens, other.output_tokens);
        add(&mut self.cache_read_tokens, other.cache_read_tokens);
        add(&mut self.cost_micros, other.cost_micros);
        add(&mut self.unpriced, other.unpriced);
        add(&mut self.cache_hits, other.cache_hits);
    }
}

fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What was before this process: the day so far, and who was seen when.
#[derive(Clone, Debug, Default)]
pub struct LiveSeed {
    /// The day so far.
    pub today: LiveTotals,
    /// The same by consumer.
    pub clients: Vec<(String, LiveTotals)>,
    /// The same by instance.
    pub instances: Vec<(String, LiveTotals)>,
    /// Consumer, its credential if it used one, and when it was seen last, in unix milliseconds.
    pub seen: Vec<(String, Option<String>, i64)>,
}

/// How everything is going.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveTiles {
    /// The running day.
    pub today: LiveTotals,
    /// Keys seen within five minutes; a client without credentials is one.
    pub active_keys: usize,
    /// Requests that ended, per second.
    pub requests_per_second: f64,
    /// Those of them that were errors.
    pub errors_per_second: f64,
    /// Their tokens.
    pub tokens_per_second: f64,
}

/// The latest records.
#[derive(Clone, Debug, Default)]
pub struct LiveFeed {
    /// Newest first; at most 20, none that the reader has seen.
    pub records: Vec<Arc<Record>>,
    /// How many more there were since the reader looked.
    pub skipped: u64,
    /// How many there were altogether: what the reader has seen when it looks next.
    pub seen: u64,
}

#[derive(Debug, Default)]
struct State {
    /// Days since 1970.
    day: i64,
    today: LiveTotals,
    seconds: Seconds,
    clients: Clients,
    instances: Names,
    feed: VecDeque<Arc<Record>>,
    records: u64,
}

impl Live {
    /// Begins with what was before.
    #[must_use]
    pub fn new(seed: &LiveSeed) -> Self {
        let mut state = State {
            day: now_ms().div_euclid(DAY_MS),
            today: seed.today,
            ..State::default()
        };
        for (consumer, totals) in &seed.clients {
            state.clients.seed(consumer, totals);
        }
        for (consumer, credential, at) in &seed.seen {
            state.clients.seed_seen(consumer, credential.as_deref(), *at);
        }
        for (instance, totals) in &seed.instances {
            state.instances.seed(instance, totals);
        }
        Self(Mutex::new(state))
    }

    /// What adds up records.
    #[must_use]
    pub fn sink(self: &Arc<Self>) -> Box<dyn RecordSink> {
        Box::new(LiveSink(Arc::clone(self)))
    }

    /// How everything is going.
    #[must_use]
    pub fn tiles(&self) -> LiveTiles {
        self.tiles_at(now_ms())
    }

    fn tiles_at(&self, now_ms: i64) -> LiveTiles {
        let mut state = lock(&self.0);
        state.turn(now_ms);
        let rate = state.seconds.rate(now_ms / 1000);
        LiveTiles {
            today: state.today,
            active_keys: state.clients.active(now_ms, ACTIVE_MS),
            requests_per_second: rate.requests,
            errors_per_second: rate.errors,
            tokens_per_second: rate.tokens,
        }
    }

    /// The last second that is over.
    #[must_use]
    pub fn second(&self) -> Second {
        lock(&self.0).seconds.last(now_ms() / 1000)
    }

    /// How many records there were altogether: what a reader has seen that begins here.
    #[must_use]
    pub fn records(&self) -> u64 {
        lock(&self.0).records
    }

    /// The latest records after those that the reader has seen: [`LiveFeed::seen`].
    #[must_use]
    pub fn feed(&self, seen: u64) -> LiveFeed {
        let state = lock(&self.0);
        let fresh = state.records.saturating_sub(seen);
        let take = usize::try_from(fresh).unwrap_or(FEED).min(state.feed.len());
        LiveFeed {
            records: state.feed.iter().take(take).cloned().collect(),
            skipped: fresh - take as u64,
            seen: state.records,
        }
    }

    /// A client's running day, and when it was seen.
    #[must_use]
    pub fn client(&self, consumer: &str) -> ClientToday {
        let mut state = lock(&self.0);
        state.turn(now_ms());
        state.clients.get(consumer)
    }

    /// Clients with requests since the reader looked, at most so many, latest first; and what it has seen then.
    #[must_use]
    pub fn clients_since(&self, seen: u64, most: usize) -> (Vec<(Arc<str>, ClientToday)>, u64) {
        let mut state = lock(&self.0);
        state.turn(now_ms());
        let clients = if state.records == seen {
            Vec::new()
        } else {
            state.clients.since(seen, most)
        };
        (clients, state.records)
    }

    /// When a credential of a client was seen last, in unix milliseconds.
    #[must_use]
    pub fn credential_seen(&self, consumer: &str, credential: &str) -> Option<i64> {
        lock(&self.0).clients.credential_seen(consumer, credential)
    }

    /// An instance's running day.
    #[must_use]
    pub fn instance(&self, name: &str) -> NameToday {
        let mut state = lock(&self.0);
        state.turn(now_ms());
        state.instances.get(name)
    }

    fn add(&self, batch: &[Arc<Record>], now_ms: i64) {
        let mut state = lock(&self.0);
        state.turn(now_ms);
        for record in batch {
            state.add(record, now_ms);
        }
        let latest = batch.iter().rev().take(FEED);
        for record in latest.rev() {
            state.feed.push_front(Arc::clone(record));
        }
        state.feed.truncate(FEED);
    }
}

impl State {
    /// Begins a day.
    fn turn(&mut self, now_ms: i64) {
        let day = now_ms.div_euclid(DAY_MS);
        if day != self.day {
            self.day = day;
            self.today = LiveTotals::default();
            self.clients.turn();
            self.instances.turn();
        }
    }

    fn add(&mut self, record: &Record, now_ms: i64) {
        self.records += 1;
        let totals = LiveTotals::of(record);
        self.today.add(&totals);
        self.seconds.add(now_ms / 1000, &totals);
        if let Some(consumer) = &record.consumer {
            let credential = record.credential.as_ref();
            self.clients
                .add(consumer, credential, &totals, now_ms, self.records);
        }
        if let Some(ai) = record.ai.as_deref().filter(|ai| !ai.instance.is_empty()) {
            self.instances.add(&ai.instance, &totals, record.duration_us);
        }
    }
}

struct LiveSink(Arc<Live>);

impl RecordSink for LiveSink {
    fn name(&self) -> &'static str {
        "live"
    }

    fn write(&mut self, batch: &[Arc<Record>]) {
        self.0.add(batch, now_ms());
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
