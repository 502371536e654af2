//! The client's side of SCRAM, without channel binding.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Rounds that a server may ask for: ten times what Kafka uses by default costs well below a second.
const MAX_ITERATIONS: u32 = 100_000;

/// The hash that proofs are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Sha256,
    Sha512,
}

impl Digest {
    fn hash(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> hmac::Tag {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), text)
    }

    fn salted(self, password: &str, salt: &[u8], rounds: NonZeroU32) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let mut salted = vec![0; self.hash().output_len()];
        pbkdf2::derive(algorithm, rounds, salt, password.as_bytes(), &mut salted);
        salted
    }
}

/// An exchange that has begun.
pub(super) struct Scram {
    digest: Digest,
    /// `n=…,r=…`
    first_bare: String,
    nonce: String,
}

/// The client's proof, and what the server must answer.
pub(super) struct Proof {
    pub(super) message: String,
    /// The server's signature, base64.
    signature: String,
}

impl Scram {
    pub(super) fn new(digest: Digest, user: &str, nonce: &str) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self {
            digest,
            first_bare: format!("n={user},r={nonce}"),
            nonce: nonce.to_owned(),
        }
    }

    /// The first message.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// Answers the server's challenge. Errors say what is wrong with that.
    pub(super) fn prove(&self, password: &str, challenge: &str) -> Result<Proof, String> {
        let member = |name: &str| {
            let found = challenge.split(',').find_map(|member| member.strip_prefix(name));
            found.ok_or_else(|| format!("challenge has no {name}"))
        };
        let nonce = member("r=")?;
        if !nonce.starts_with(&self.nonce) {
            return Err("challenge is not for this exchange".to_owned());
        }
        let salt = STANDARD.decode(member("s=")?).map_err(|_| "salt is not base64")?;
        let rounds: u32 = member("i=")?.parse().map_err(|_| "rounds are no number")?;
        let rounds = NonZeroU32::new(rounds).filter(|rounds| rounds.get() <= MAX_ITERATIONS);
        let rounds = rounds.ok_or("number of rounds is out of bounds")?;

        let unproved = format!("c=biws,r={nonce}");
        let signed = format!("{},{challenge},{unproved}", self.first_bare);
        let salted = self.digest.salted(password, &salt, rounds);
        let client_key = self.digest.hmac(&salted, b"Client Key");
        let stored_key = digest::digest(self.digest.hash(), client_key.as_ref());
        let signature = self.digest.hmac(stored_key.as_ref(), signed.as_bytes());
        let proof: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(key, signature)| key ^ signature)
            .collect();
        let server_key = self.digest.hmac(&salted, b"Server Key");
        let expected = self.digest.hmac(server_key.as_ref(), signed.as_bytes());
        Ok(Proof {
            message: format!("{unproved},p={}", STANDARD.encode(proof)),
            signature: STANDARD.encode(expected),
        })
    }
}

impl Proof {
    /// Whether the server knows the password, too.
    pub(super) fn check(&self, verdict: &str) -> Result<(), String> {
        match verdict.split(',').find_map(|member| member.strip_prefix("v=")) {
            Some(signature) if signature == self.signature => Ok(()),
            Some(_) => Err("the broker does not know the password".to_owned()),
            None => Err("the broker did not confirm".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677 §3.
    #[test]
    fn the_example_of_the_standard() {
        let scram = Scram::new(Digest::Sha256, "user", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let challenge =
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = scram.prove("pencil", challenge).unwrap();
        assert_eq!(
            proof.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(
            proof.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
            Ok(())
        );
        assert!(proof.check("v=AAAA").is_err());
        assert!(proof.check("e=other-error").is_err());
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(
            Scram::new(Digest::Sha512, "a=b,c", "x").first(),
            "n,,n=a=3Db=2Cc,r=x"
        );
    }

    #[test]
    fn bad_challenges_are_refused() {
        let scram = Scram::new(Digest::Sha256, "user", "abc");
        for challenge in [
            "",
            "r=other,s=AAAA,i=4096",
            "r=abcd,s=?,i=4096",
            "r=abcd,s=AAAA,i=0",
            "r=abcd,s=AAAA,i=100000000",
            "r=abcd,s=AAAA",
        ] {
            assert!(scram.prove("p", challenge).is_err(), "{challenge}");
        }
    }
}
