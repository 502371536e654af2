//! Addresses that keep sending wrong keys have to wait.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Wrong keys that an address may send in a window.
const LIMIT: u32 = 20;

/// The window begins with the first wrong key, and waiting ends with it.
const WINDOW: Duration = Duration::from_secs(60);

/// Most addresses that are remembered; beyond that the oldest is forgotten.
const MAX_ADDRESSES: usize = 4096;

/// Counts wrong keys per address; of IPv6 the first 64 bits count.
///
/// While an address waits its keys are not looked at, right ones included: a guess must not pay off.
#[derive(Default)]
pub(crate) struct Backoff {
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

struct Failures {
    since: Instant,
    count: u32,
}

impl Failures {
    fn is_over(&self, now: Instant) -> bool {
        now >= self.since + WINDOW
    }
}

impl Backoff {
    /// The seconds that an address has to wait, if it has to.
    pub(crate) fn blocked(&self, peer: IpAddr) -> Option<u64> {
        let now = Instant::now();
        let table = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = table.get(&network(peer))?;
        if failures.count < LIMIT || failures.is_over(now) {
            return None;
        }
        let left = failures.since + WINDOW - now;
        Some(left.as_secs().max(1))
    }

    /// Counts a wrong key.
    pub(crate) fn failed(&self, peer: IpAddr) {
        let now = Instant::now();
        let mut table = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let peer = network(peer);
        if table.len() >= MAX_ADDRESSES && !table.contains_key(&peer) {
            table.retain(|_, failures| !failures.is_over(now));
            if table.len() >= MAX_ADDRESSES {
                let oldest = table.iter().min_by_key(|(_, failures)| failures.since);
                let oldest = oldest.map(|(address, _)| *address);
                oldest.and_then(|address| table.remove(&address));
            }
        }
        let fresh = || Failures { since: now, count: 0 };
        let failures = table.entry(peer).or_insert_with(fresh);
        if failures.is_over(now) {
            *failures = fresh();
        }
        failures.count += 1;
        if failures.count == LIMIT {
            tracing::warn!(%peer, "too many wrong admin keys: this address has to wait");
        }
    }
}

/// One household has one /64.
fn network(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_waits_until_its_window_ends() {
        let backoff = Backoff::default();
        for _ in 1..LIMIT {
            backoff.failed(v4(1));
        }
        assert_eq!(backoff.blocked(v4(1)), None);
        tokio::time::advance(Duration::from_secs(40)).await;
        backoff.failed(v4(1));
        assert_eq!(backoff.blocked(v4(1)), Some(20));
        assert_eq!(backoff.blocked(v4(2)), None);
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(backoff.blocked(v4(1)), None);
        backoff.failed(v4(1));
        assert_eq!(backoff.blocked(v4(1)), None, "a window of its own");
    }

    #[tokio::test]
    async fn neighbours_in_ipv6_count_as_one() {
        let backoff = Backoff::default();
        for host in 0..LIMIT {
            backoff.failed(format!("2001:db8::{host:x}").parse().unwrap());
        }
        assert!(backoff.blocked("2001:db8::ffff".parse().unwrap()).is_some());
        assert!(backoff.blocked("2001:db8:0:1::1".parse().unwrap()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded_and_forgets_the_oldest() {
        let backoff = Backoff::default();
        for _ in 0..LIMIT {
            backoff.failed(v4(1));
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        for address in 0..u32::try_from(MAX_ADDRESSES).unwrap() {
            backoff.failed(IpAddr::from((0x0b00_0000 + address).to_be_bytes()));
        }
        assert_eq!(backoff.failures.lock().unwrap().len(), MAX_ADDRESSES);
        assert_eq!(backoff.blocked(v4(1)), None);
    }
}
