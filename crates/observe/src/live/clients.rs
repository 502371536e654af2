//! The running day of every client and every instance.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::LiveTotals;

/// Most clients that are remembered, and most instances.
const MAX_CLIENTS: usize = 100_000;
const MAX_NAMES: usize = 4096;

/// Most credentials of a client whose use is remembered.
const MAX_CREDENTIALS: usize = 64;

/// A client's running day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientToday {
    /// What it used.
    pub totals: LiveTotals,
    /// When it was seen last, in unix milliseconds. After a restart it is exact to the hour.
    pub seen_at: Option<i64>,
}

/// An instance's running day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameToday {
    /// What it was used for.
    pub totals: LiveTotals,
    /// Duration of the latest request, in microseconds; none since the start of the gateway.
    pub latest_us: Option<u64>,
}

#[derive(Debug, Default)]
struct Client {
    today: ClientToday,
    credentials: Vec<(Arc<str>, i64)>,
    /// Number of the latest record.
    changed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Clients(HashMap<Arc<str>, Client, RandomState>);

impl Clients {
    pub(super) fn seed(&mut self, consumer: &str, totals: &LiveTotals) {
        if let Some(client) = self.entry(&consumer.into()) {
            client.today.totals = *totals;
        }
    }

    pub(super) fn seed_seen(&mut self, consumer: &str, credential: Option<&str>, at: i64) {
        if let Some(client) = self.entry(&consumer.into()) {
            client.see(credential.map(Arc::from).as_ref(), at);
        }
    }

    pub(super) fn add(
        &mut self,
        consumer: &Arc<str>,
        credential: Option<&Arc<str>>,
        totals: &LiveTotals,
        now_ms: i64,
        number: u64,
    ) {
        if let Some(client) = self.entry(consumer) {
            client.today.totals.add(totals);
            client.see(credential, now_ms);
            client.changed = number;
        }
    }

    pub(super) fn get(&self, consumer: &str) -> ClientToday {
        self.0
            .get(consumer)
            .map(|client| client.today)
            .unwrap_or_default()
    }

    pub(super) fn credential_seen(&self, consumer: &str, credential: &str) -> Option<i64> {
        let credentials = &self.0.get(consumer)?.credentials;
        let found = credentials.iter().find(|(own, _)| **own == *credential);
        found.map(|(_, at)| *at)
    }

    pub(super) fn since(&self, seen: u64, most: usize) -> Vec<(Arc<str>, ClientToday)> {
        let mut changed: Vec<_> = self
            .0
            .iter()
            .filter(|(_, client)| client.changed > seen)
            .collect();
        changed.sort_unstable_by_key(|(_, client)| std::cmp::Reverse(client.changed));
        let latest = changed.into_iter().take(most);
        latest
            .map(|(name, client)| (Arc::clone(name), client.today))
            .collect()
    }

    /// Keys seen within a time.
    pub(super) fn active(&self, now_ms: i64, within_ms: i64) -> usize {
        let is_active = |at: i64| now_ms - at < within_ms;
        let keys = self.0.values().map(|client| match client.credentials.as_slice() {
            [] => client.today.seen_at.is_some_and(is_active).into(),
            credentials => credentials.iter().filter(|(_, at)| is_active(*at)).count(),
        });
        keys.sum()
    }

    pub(super) fn turn(&mut self) {
        for client in self.0.values_mut() {
            client.today.totals = LiveTotals::default();
        }
    }

    /// None when there are too many.
    fn entry(&mut self, consumer: &Arc<str>) -> Option<&mut Client> {
        if !self.0.contains_key(consumer) {
            if self.0.len() >= MAX_CLIENTS {
                return None;
            }
            self.0.insert(Arc::clone(consumer), Client::default());
        }
        self.0.get_mut(consumer)
    }
}

impl Client {
    fn see(&mut self, credential: Option<&Arc<str>>, at: i64) {
        self.today.seen_at = self.today.seen_at.max(Some(at));
        let Some(credential) = credential else {
            return;
        };
        if let Some((_, seen)) = self.credentials.iter_mut().find(|(own, _)| own == credential) {
            *seen = at.max(*seen);
        } else if self.credentials.len() < MAX_CREDENTIALS {
            self.credentials.push((Arc::clone(credential), at));
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Names(HashMap<Arc<str>, NameToday, RandomState>);

impl Names {
    pub(super) fn seed(&mut self, name: &str, totals: &LiveTotals) {
        if self.0.len() < MAX_NAMES {
            self.0.entry(name.into()).or_default().totals = *totals;
        }
    }

    pub(super) fn add(&mut self, name: &Arc<str>, totals: &LiveTotals, duration_us: u64) {
        if let Some(known) = self.0.get_mut(name) {
            known.totals.add(totals);
            known.latest_us = Some(duration_us);
        } else if self.0.len() < MAX_NAMES {
            let first = NameToday {
                totals: *totals,
                latest_us: Some(duration_us),
            };
            self.0.insert(Arc::clone(name), first);
        }
    }

    pub(super) fn get(&self, name: &str) -> NameToday {
        self.0.get(name).copied().unwrap_or_default()
    }

    pub(super) fn turn(&mut self) {
        for name in self.0.values_mut() {
            name.totals = LiveTotals::default();
        }
    }
}
