//! Calls that the operator's playground makes as a client, without the client's key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::RngExt;

/// How such a key begins, so that other keys cost no look-up.
const PREFIX: &str = "sluice-as-";

/// A key is used at once or never.
const LIFE: Duration = Duration::from_secs(30);

/// Keys that wait to be used at most: each is a call that somebody has just begun.
const WAITING: usize = 4096;

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Keys that open the data plane once, as a client.
#[derive(Debug, Default)]
pub struct Impersonation {
    waiting: Mutex<HashMap<String, (String, Instant)>>,
}

impl Impersonation {
    /// Makes a key that is good for one call as this consumer. `None` while too many wait to be used.
    #[must_use]
    pub fn mint(&self, consumer: &str) -> Option<String> {
        let mut rng = rand::rng();
        let random = (0..43)
            .map(|_| LETTERS.get(rng.random_range(0..LETTERS.len())).copied())
            .map(|letter| char::from(letter.unwrap_or(b'A')));
        let key: String = PREFIX.chars().chain(random).collect();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if waiting.len() >= WAITING {
            waiting.retain(|_, (_, ends)| *ends > now);
        }
        if waiting.len() >= WAITING {
            return None;
        }
        waiting.insert(key.clone(), (consumer.to_owned(), now + LIFE));
        Some(key)
    }

    /// The consumer that a key is for; the key is used up.
    #[must_use]
    pub fn take(&self, key: &str) -> Option<String> {
        if !key.starts_with(PREFIX) {
            return None;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (consumer, ends) = waiting.remove(key)?;
        (ends > Instant::now()).then_some(consumer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_good_once_and_only_as_it_was_made() {
        let keys = Impersonation::default();
        let key = keys.mint("jack").unwrap();
        assert_eq!(keys.take("sluice-as-x"), None);
        assert_eq!(keys.take("jack"), None);
        assert_eq!(keys.take(&key).as_deref(), Some("jack"));
        assert_eq!(keys.take(&key), None);
    }

    #[test]
    fn what_nobody_uses_does_not_pile_up() {
        let keys = Impersonation::default();
        for _ in 0..WAITING {
            keys.mint("jack").unwrap();
        }
        assert_eq!(keys.mint("jack"), None);
    }
}
