//! Host names to addresses, with a cache that all threads share.

mod cache;
mod system;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use self::cache::Cache;

/// Asks somebody for the addresses of a name. [`Resolver::system`] asks the system's name servers.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of `host`, which is never an address itself.
    fn lookup(&self, host: Arc<str>) -> Pin<Box<dyn Future<Output = Result<Found, DnsError>> + Send>>;
}

/// What a [`Lookup`] found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The addresses; none is an error.
    pub addresses: Vec<IpAddr>,
    /// How long they hold.
    pub ttl: Duration,
}

/// Why a name has no addresses.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DnsError {
    /// The name servers did not answer, or do not know the name.
    #[error("`{host}` could not be resolved: {reason}")]
    Failed {
        /// The name.
        host: Arc<str>,
        /// What the resolver says.
        reason: Arc<str>,
    },
    /// The name exists, without addresses.
    #[error("`{0}` has no address")]
    NoAddress(Arc<str>),
    /// The system's resolver configuration cannot be used.
    #[error("system resolver configuration: {0}")]
    System(Arc<str>),
}

/// Resolves host names; cheap to clone, and shared by all threads of a gateway.
///
/// * Addresses are kept as long as their time to live allows (between one second and one hour).
/// * Callers that miss at the same time share one lookup.
/// * When a name that had addresses cannot be resolved any more, the old ones go on being used.
/// * Lookups run on the runtime that the resolver was made with: name server connections must not belong to a
///   data-plane thread.
#[derive(Clone)]
pub struct Resolver {
    cache: Arc<Cache>,
}

impl Resolver {
    /// Uses `/etc/resolv.conf` and `/etc/hosts`.
    ///
    /// # Errors
    /// When the system's configuration cannot be read.
    pub fn system(runtime: Handle) -> Result<Self, DnsError> {
        Ok(Self::new(system::SystemLookup::new()?, runtime))
    }

    /// Uses these name servers and `/etc/hosts`.
    ///
    /// # Errors
    /// When the system's configuration cannot be read.
    pub fn of_servers(servers: &[SocketAddr], runtime: Handle) -> Result<Self, DnsError> {
        Ok(Self::new(system::SystemLookup::of_servers(servers)?, runtime))
    }

    /// Uses any other source of addresses.
    pub fn new(lookup: impl Lookup, runtime: Handle) -> Self {
        Self {
            cache: Arc::new(Cache::new(Arc::new(lookup), runtime)),
        }
    }

    /// Keeps every address for `ttl`, whatever its own time to live is. The cache is a fresh one.
    #[must_use]
    pub fn with_ttl(self, ttl: Duration) -> Self {
        Self {
            cache: Arc::new(self.cache.with_ttl(ttl)),
        }
    }

    /// The addresses of a name; an address resolves to itself. Each call starts at the next address in turn.
    ///
    /// # Errors
    /// When the name has no addresses and never had.
    pub async fn resolve(&self, host: &str) -> Result<Addresses, DnsError> {
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
            return Ok(Addresses {
                all: Arc::new([address]),
                first: 0,
                fresh_until: None,
            });
        }
        self.cache.resolve(host).await
    }
}

/// Addresses of a name, in the order in which to try them.
#[derive(Clone, Debug)]
pub struct Addresses {
    all: Arc<[IpAddr]>,
    first: usize,
    fresh_until: Option<Instant>,
}

impl Addresses {
    /// When to ask for them again; never for what is no name.
    #[must_use]
    pub fn fresh_until(&self) -> Option<Instant> {
        self.fresh_until
    }

    /// All of them once, from this caller's turn on.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let (before, from) = self.all.split_at(self.first);
        from.iter().chain(before).copied()
    }
}

#[cfg(test)]
mod tests;
