//! Signatures of tokens (RFC 7518 §3, RFC 8037).

use std::borrow::Cow;

use aws_lc_rs::hmac::{self, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};
use base64::Engine;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use sluice_core::Identity;

use super::token::Token;
use crate::auth;

/// The algorithms, those with a shared secret first.
pub(super) const NAMES: [&str; 13] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384",
    "PS512", "EdDSA",
];

/// How many of [`NAMES`] have a shared secret.
pub(super) const SYMMETRIC: usize = 3;

pub(super) fn is_symmetric(algorithm: &str) -> bool {
    NAMES[..SYMMETRIC].contains(&algorithm)
}

/// How a signature is checked.
enum Scheme {
    Secret(hmac::Algorithm),
    PublicKey(&'static dyn VerificationAlgorithm),
}

fn scheme(algorithm: &str) -> Option<Scheme> {
    Some(match algorithm {
        "HS256" => Scheme::Secret(HMAC_SHA256),
        "HS384" => Scheme::Secret(HMAC_SHA384),
        "HS512" => Scheme::Secret(HMAC_SHA512),
        "RS256" => Scheme::PublicKey(&RSA_PKCS1_2048_8192_SHA256),
        "RS384" => Scheme::PublicKey(&RSA_PKCS1_2048_8192_SHA384),
        "RS512" => Scheme::PublicKey(&RSA_PKCS1_2048_8192_SHA512),
        "ES256" => Scheme::PublicKey(&ECDSA_P256_SHA256_FIXED),
        "ES384" => Scheme::PublicKey(&ECDSA_P384_SHA384_FIXED),
        "ES512" => Scheme::PublicKey(&ECDSA_P521_SHA512_FIXED),
        "PS256" => Scheme::PublicKey(&RSA_PSS_2048_8192_SHA256),
        "PS384" => Scheme::PublicKey(&RSA_PSS_2048_8192_SHA384),
        "PS512" => Scheme::PublicKey(&RSA_PSS_2048_8192_SHA512),
        "EdDSA" => Scheme::PublicKey(&ED25519),
        _ => return None,
    })
}

/// Whether the key in this identity's configuration has signed the token. That both name the same algorithm is the
/// caller's to check.
pub(super) fn verify(token: &Token<'_>, identity: &Identity) -> Result<(), &'static str> {
    const WRONG: &str = "its signature does not match";
    let signed = token.signed.as_bytes();
    match scheme(&token.algorithm).ok_or("its algorithm is not known")? {
        Scheme::Secret(algorithm) => {
            let secret = shared_secret(identity).ok_or("the consumer's secret cannot be used")?;
            let key = hmac::Key::new(algorithm, &secret);
            hmac::verify(&key, signed, &token.signature).map_err(|_| WRONG)
        }
        Scheme::PublicKey(algorithm) => {
            let key = auth::secret(identity, "public_key")
                .and_then(|pem| SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok())
                .ok_or("the consumer's public key cannot be used")?;
            let key = UnparsedPublicKey::new(algorithm, &key);
            key.verify(signed, &token.signature).map_err(|_| WRONG)
        }
    }
}

fn shared_secret(identity: &Identity) -> Option<Cow<'_, [u8]>> {
    let secret = auth::secret(identity, "secret")?;
    if identity.conf.get("base64_secret") == Some(&Value::Bool(true)) {
        let secret = auth::BASE64.decode(secret).ok()?;
        return (!secret.is_empty()).then_some(Cow::Owned(secret));
    }
    Some(Cow::Borrowed(secret.as_bytes()))
}
