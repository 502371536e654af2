//! The server's side of SCRAM with SHA-256 and SHA-512 (RFC 5802, RFC 7677).

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const SALT: &[u8] = b"salt of the fake broker";
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).expect("not zero");

/// What the proofs are made with.
struct Hash {
    derive: pbkdf2::Algorithm,
    sign: hmac::Algorithm,
    digest: &'static digest::Algorithm,
}

/// The hash of a mechanism.
fn hash(mechanism: &str) -> Hash {
    if mechanism == "SCRAM-SHA-512" {
        Hash {
            derive: pbkdf2::PBKDF2_HMAC_SHA512,
            sign: hmac::HMAC_SHA512,
            digest: &digest::SHA512,
        }
    } else {
        Hash {
            derive: pbkdf2::PBKDF2_HMAC_SHA256,
            sign: hmac::HMAC_SHA256,
            digest: &digest::SHA256,
        }
    }
}

/// An exchange of which the challenge has been sent.
pub(super) struct Scram {
    first_bare: String,
    challenge: String,
}

impl Scram {
    /// The challenge for a client's first message, if that names the user.
    pub(super) fn challenge(user: &str, first: &str) -> Option<(Self, String)> {
        let first_bare = first.strip_prefix("n,,")?.to_owned();
        let nonce = first_bare.strip_prefix(&format!("n={user},r="))?;
        let challenge = format!("r={nonce}broker,s={},i={ROUNDS}", STANDARD.encode(SALT));
        let scram = Self {
            first_bare,
            challenge: challenge.clone(),
        };
        Some((scram, challenge))
    }

    /// The server's own proof, if the client's holds.
    pub(super) fn verify(&self, mechanism: &str, password: &str, last: &str) -> Option<String> {
        let hash = hash(mechanism);
        let sign = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hash.sign, key), text.as_bytes());
        let (unproved, proof) = last.split_once(",p=")?;
        let signed = format!("{},{},{unproved}", self.first_bare, self.challenge);
        let mut salted = vec![0; hash.digest.output_len()];
        pbkdf2::derive(hash.derive, ROUNDS, SALT, password.as_bytes(), &mut salted);
        let client_key = sign(&salted, "Client Key");
        let stored = digest::digest(hash.digest, client_key.as_ref());
        let signature = sign(stored.as_ref(), &signed);
        let expected: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(key, signature)| key ^ signature)
            .collect();
        let server_key = sign(&salted, "Server Key");
        let own = format!("v={}", STANDARD.encode(sign(server_key.as_ref(), &signed)));
        (STANDARD.encode(expected) == proof).then_some(own)
    }
}
