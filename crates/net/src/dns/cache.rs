//! Addresses by name, each with its time to live.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::{Addresses, DnsError, Found, Lookup};

/// Bounds of a time to live: short enough to follow a change, long enough not to ask for every connection.
const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_secs(3600);

/// How long old addresses serve before a name that failed is asked for again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Names kept. Names come from configuration, so that this is only reached when something is wrong.
const MAX_NAMES: usize = 16_384;

pub(super) struct Cache {
    lookup: Arc<dyn Lookup>,
    runtime: Handle,
    /// Instead of the time to live that a lookup says.
    ttl: Option<Duration>,
    names: Mutex<HashMap<Arc<str>, Arc<Name>>>,
}

struct Name {
    host: Arc<str>,
    addresses: Mutex<Option<Known>>,
    /// Where the next caller starts.
    turn: AtomicUsize,
    /// Held by the one caller that looks the name up.
    refresh: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Known {
    addresses: Arc<[IpAddr]>,
    fresh_until: Instant,
}

impl Cache {
    pub(super) fn new(lookup: Arc<dyn Lookup>, runtime: Handle) -> Self {
        Self {
            lookup,
            runtime,
            ttl: None,
            names: Mutex::default(),
        }
    }

    /// An empty cache that keeps addresses for `ttl`.
    pub(super) fn with_ttl(&self, ttl: Duration) -> Self {
        Self {
            ttl: Some(ttl),
            ..Self::new(self.lookup.clone(), self.runtime.clone())
        }
    }

    pub(super) async fn resolve(&self, host: &str) -> Result<Addresses, DnsError> {
        let name = self.name(host);
        if let Some(addresses) = name.fresh() {
            return Ok(addresses);
        }
        let _one_at_a_time = name.refresh.lock().await;
        if let Some(addresses) = name.fresh() {
            return Ok(addresses);
        }
        match self.ask(name.host.clone()).await {
            Ok(found) => {
                let ttl = self.ttl.unwrap_or(found.ttl);
                Ok(name.renew(Found { ttl, ..found }))
            }
            Err(error) => name.keep_stale().ok_or(error),
        }
    }

    async fn ask(&self, host: Arc<str>) -> Result<Found, DnsError> {
        let answer = match self.runtime.spawn(self.lookup.lookup(host.clone())).await {
            Ok(answer) => answer,
            Err(stopped) => Err(DnsError::Failed {
                host: host.clone(),
                reason: stopped.to_string().into(),
            }),
        };
        match answer {
            Ok(found) if found.addresses.is_empty() => Err(DnsError::NoAddress(host)),
            other => other,
        }
    }

    fn name(&self, host: &str) -> Arc<Name> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.get(host) {
            return name.clone();
        }
        if names.len() >= MAX_NAMES {
            names.retain(|_, name| name.fresh().is_some());
            if names.len() >= MAX_NAMES {
                names.clear();
            }
        }
        let host: Arc<str> = host.into();
        let name = Arc::new(Name {
            host: host.clone(),
            addresses: Mutex::default(),
            turn: AtomicUsize::new(0),
            refresh: tokio::sync::Mutex::default(),
        });
        names.insert(host, name.clone());
        name
    }
}

impl Name {
    fn fresh(&self) -> Option<Addresses> {
        let known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .as_ref()
            .filter(|known| known.fresh_until > Instant::now())
            .map(|known| self.in_turn(known))
    }

    fn renew(&self, found: Found) -> Addresses {
        let known = Known {
            addresses: found.addresses.into(),
            fresh_until: Instant::now() + found.ttl.clamp(MIN_TTL, MAX_TTL),
        };
        let addresses = self.in_turn(&known);
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        addresses
    }

    fn keep_stale(&self) -> Option<Addresses> {
        let mut known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_mut()?;
        known.fresh_until = Instant::now() + RETRY_AFTER;
        Some(self.in_turn(known))
    }

    fn in_turn(&self, known: &Known) -> Addresses {
        let first = self.turn.fetch_add(1, Relaxed) % known.addresses.len();
        Addresses {
            all: known.addresses.clone(),
            first,
            fresh_until: Some(known.fresh_until),
        }
    }
}
