//! Checksums and digests.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// CRC-32 (IEEE 802.3), as zlib and nginx compute it.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// SHA-256 in lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// HMAC-SHA-256 under a key of any length.
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    keyed(key).chain_update(message).finalize().into_bytes().into()
}

/// HMAC-SHA-256 of an API key: what lookup tables and the store hold in the key's place.
///
/// Full length and keyed, so that neither collisions nor tables of known keys help an attacker, and so that comparing
/// it takes no care about time: who does not know the hasher's secret cannot choose its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest in lower-case hex, as it is stored.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }

    /// Reads [`to_hex`](Self::to_hex); `None` unless it is 64 hex digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut digest = [0; 32];
        if pairs.len() != digest.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            *byte = (hex_digit(*high)? << 4) | hex_digit(*low)?;
        }
        Some(Self(digest))
    }
}

impl fmt::Debug for KeyDigest {
    /// Shows enough to tell digests apart, not enough to look one up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyDigest({}…)", hex(&self.0[..4]))
    }
}

/// Computes [`KeyDigest`]s under one secret.
///
/// ```
/// let hasher = sluice_wire::KeyHasher::new(b"the installation's secret");
/// assert_eq!(hasher.digest("sk-1"), hasher.digest("sk-1"));
/// assert_ne!(hasher.digest("sk-1"), hasher.digest("sk-2"));
/// ```
#[derive(Clone)]
pub struct KeyHasher(Hmac<Sha256>);

impl KeyHasher {
    /// A hasher with that secret, which may have any length.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(keyed(secret))
    }

    /// The digest of an API key.
    #[must_use]
    pub fn digest(&self, key: &str) -> KeyDigest {
        KeyDigest(
            self.0
                .clone()
                .chain_update(key.as_bytes())
                .finalize()
                .into_bytes()
                .into(),
        )
    }
}

impl fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHasher")
    }
}

/// HMAC replaces a key longer than a block by its hash and pads a shorter one; doing the first here leaves only lengths
/// that fit.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    Hmac::new(&block.into())
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_vectors() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        // RFC 4231, cases 2 and 6.
        let digest = KeyHasher::new(b"Jefe").digest("what do ya want for nothing?");
        assert_eq!(
            digest.to_hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let digest =
            KeyHasher::new(&[0xaa; 131]).digest("Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(
            digest.to_hex(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn hex_round_trip() {
        let digest = KeyHasher::new(b"s").digest("key");
        assert_eq!(KeyDigest::from_hex(&digest.to_hex()), Some(digest));
        assert_eq!(KeyDigest::from_hex(&digest.to_hex().to_uppercase()), Some(digest));
        assert_eq!(KeyDigest::from_hex(&digest.to_hex()[1..]), None);
        assert_eq!(KeyDigest::from_hex(&"g".repeat(64)), None);
        assert_eq!(KeyDigest::from_hex(&"é".repeat(32)), None);
    }

    #[test]
    fn debug_shows_neither_secret_nor_digest() {
        let hasher = KeyHasher::new(b"canary");
        let shown = format!("{hasher:?} {:?}", hasher.digest("canary"));
        assert!(!shown.contains("canary") && shown.len() < 40, "{shown}");
    }
}
