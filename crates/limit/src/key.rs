//! What a counter is found by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The name of a counter, reduced to 128 bits of SHA-256.
///
/// Parts of a key come from callers (header values, user names), so the digest must be one that nobody can steer
/// into another's counter. It is the same in every process, so that saved state finds its counter again.
/// The text form, in serde too, is 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CounterKey(u128);

impl CounterKey {
    /// The key of a list of parts. `["a", "bc"]` and `["ab", "c"]` are different keys.
    #[must_use]
    pub fn new(parts: &[&str]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            absorb(&mut digest, part);
        }
        Self::finish(digest)
    }

    /// The key of one thing under this one: a static prefix is hashed once, and per request only what varies.
    #[must_use]
    pub fn child(self, part: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update(self.0.to_be_bytes());
        absorb(&mut digest, part);
        Self::finish(digest)
    }

    fn finish(digest: Sha256) -> Self {
        let bytes: [u8; 32] = digest.finalize().into();
        Self(
            bytes
                .iter()
                .take(16)
                .fold(0, |key, byte| (key << 8) | u128::from(*byte)),
        )
    }

    /// The bits that choose the shard; disjoint from those that a shard's map uses.
    pub(crate) fn shard_bits(self) -> u64 {
        (self.0 >> 64) as u64
    }
}

/// The length goes first, so that the border between two parts cannot move.
fn absorb(digest: &mut Sha256, part: &str) {
    digest.update((part.len() as u64).to_be_bytes());
    digest.update(part.as_bytes());
}

impl fmt::Display for CounterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for CounterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CounterKey({self})")
    }
}

/// A text that is not the text form of a [`CounterKey`].
#[derive(Debug, thiserror::Error)]
#[error("a counter key has 32 hex digits")]
pub struct ParseKeyError;

impl FromStr for CounterKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ParseKeyError);
        }
        u128::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| ParseKeyError)
    }
}

impl TryFrom<String> for CounterKey {
    type Error = ParseKeyError;

    fn try_from(text: String) -> Result<Self, ParseKeyError> {
        text.parse()
    }
}

impl From<CounterKey> for String {
    fn from(key: CounterKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_between_parts_count() {
        assert_ne!(CounterKey::new(&["a", "bc"]), CounterKey::new(&["ab", "c"]));
        assert_ne!(CounterKey::new(&["a"]), CounterKey::new(&["a", ""]));
        assert_eq!(CounterKey::new(&["a", "b"]), CounterKey::new(&["a", "b"]));
    }

    #[test]
    fn children_differ_from_siblings_and_parent() {
        let parent = CounterKey::new(&["/apisix/routes/1"]);
        assert_ne!(parent.child("x"), parent.child("y"));
        assert_ne!(parent.child(""), parent);
        assert_eq!(parent.child("x"), parent.child("x"));
    }

    #[test]
    fn keys_are_the_same_in_every_process() {
        // First half of SHA-256 over eight bytes of length and the part.
        assert_eq!(
            CounterKey::new(&["tokens"]).to_string(),
            "2016aa94b8571f3000c403266cd2c074"
        );
    }

    #[test]
    fn text_form_round_trips() {
        let key = CounterKey::new(&["k"]);
        assert_eq!(key.to_string().parse::<CounterKey>().unwrap(), key);
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<CounterKey>(&json).unwrap(), key);
        for bad in [
            "",
            "12",
            "+2345678901234567890123456789012",
            "zz345678901234567890123456789012",
        ] {
            assert!(bad.parse::<CounterKey>().is_err(), "{bad}");
        }
    }
}
