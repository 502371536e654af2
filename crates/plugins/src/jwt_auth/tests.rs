use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac::{self, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self as keys, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    RsaEncoding, RsaKeyPair,
};
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sluice_record::Text;

use super::*;
use crate::fixture::Fixture;

/// Signs what it is given.
type Signer = Box<dyn Fn(&[u8]) -> Vec<u8>>;

fn pem(der: &[u8]) -> String {
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(der)
    )
}

fn rsa(pair: &Arc<RsaKeyPair>, encoding: &'static dyn RsaEncoding) -> Signer {
    let pair = pair.clone();
    Box::new(move |message| {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
            .unwrap();
        signature
    })
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> (String, Signer) {
    let pair = EcdsaKeyPair::generate(algorithm).unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let key = pem(der.as_ref());
    let signer = Box::new(move |message: &[u8]| {
        let signature = pair.sign(&SystemRandom::new(), message).unwrap();
        signature.as_ref().to_vec()
    });
    (key, signer)
}

fn eddsa() -> (String, Signer) {
    let pair = Ed25519KeyPair::generate().unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let key = pem(der.as_ref());
    (key, Box::new(move |message| pair.sign(message).as_ref().to_vec()))
}

fn shared(algorithm: hmac::Algorithm, secret: &str) -> Signer {
    let key = hmac::Key::new(algorithm, secret.as_bytes());
    Box::new(move |message| hmac::sign(&key, message).as_ref().to_vec())
}

fn token(algorithm: &str, claims: &Value, signer: &Signer) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        part(&json!({ "alg": algorithm, "typ": "JWT" })),
        part(claims)
    );
    let signature = URL_SAFE_NO_PAD.encode(signer(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn checked(conf: &Value) -> Result<Value, String> {
    definition().unwrap().info.checked(conf, CheckScope::Consumer)
}

fn identity(conf: &Value) -> Identity {
    Identity {
        username: Text::from("jack"),
        credential: None,
        conf: Arc::new(checked(conf).unwrap()),
        order: 1,
    }
}

/// Whether the token holds at second 1000, all claims looked at.
fn verified(token: &str, conf: &Value) -> Result<(), &'static str> {
    let defaults = definition().unwrap().info.checked(&json!({}), CheckScope::Main);
    let plugin = JwtAuth::new(Config::deserialize(defaults.unwrap()).unwrap()).unwrap();
    plugin.verify(&Token::parse(token).unwrap(), &identity(conf), 1000.0)
}

#[test]
fn every_algorithm_takes_its_own_signatures_only() {
    let pair = Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let rsa_key = || json!(pem(der.as_ref()));
    let public = |key: String| ("public_key", json!(key));
    let secret = || ("secret", json!("my-secret"));
    let mut cases: Vec<(&str, (&str, Value), Signer)> = vec![
        ("HS256", secret(), shared(HMAC_SHA256, "my-secret")),
        ("HS384", secret(), shared(HMAC_SHA384, "my-secret")),
        ("HS512", secret(), shared(HMAC_SHA512, "my-secret")),
        (
            "RS256",
            ("public_key", rsa_key()),
            rsa(&pair, &keys::RSA_PKCS1_SHA256),
        ),
        (
            "RS384",
            ("public_key", rsa_key()),
            rsa(&pair, &keys::RSA_PKCS1_SHA384),
        ),
        (
            "RS512",
            ("public_key", rsa_key()),
            rsa(&pair, &keys::RSA_PKCS1_SHA512),
        ),
        (
            "PS256",
            ("public_key", rsa_key()),
            rsa(&pair, &keys::RSA_PSS_SHA256),
        ),
        (
            "PS384",
            ("public_key", rsa_key()),
            rsa(&pair, &keys::RSA_PSS_SHA384),
        ),
        (
            "PS512",
            ("public_key", rsa_key()),
            rsa(&pair, &keys::RSA_PSS_SHA512),
        ),
    ];
    for (name, (key, signer)) in [
        ("ES256", ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)),
        ("ES384", ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING)),
        ("ES512", ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING)),
        ("EdDSA", eddsa()),
    ] {
        cases.push((name, public(key), signer));
    }
    assert_eq!(cases.len(), signature::NAMES.len());
    let claims = json!({ "key": "k" });
    for (algorithm, (member, key), signer) in &cases {
        let conf = json!({ "key": "k", "algorithm": algorithm, *member: key });
        let good = token(algorithm, &claims, signer);
        assert_eq!(verified(&good, &conf), Ok(()), "{algorithm}");
        let other_claims = token(algorithm, &json!({ "key": "other" }), signer);
        let forged = format!(
            "{}.{}",
            other_claims.rsplit_once('.').unwrap().0,
            good.rsplit_once('.').unwrap().1
        );
        assert_eq!(
            verified(&forged, &conf),
            Err("its signature does not match"),
            "{algorithm}"
        );
        for (other, _, _) in cases.iter().filter(|(other, _, _)| other != algorithm) {
            let confused = token(other, &claims, signer);
            assert_eq!(
                verified(&confused, &conf),
                Err("its algorithm is not that of the consumer"),
                "{other} for {algorithm}"
            );
        }
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let (key, _) = eddsa();
    let conf = json!({ "key": "k", "algorithm": "EdDSA", "public_key": key });
    let forged = token("HS256", &json!({ "key": "k" }), &shared(HMAC_SHA256, &key));
    assert!(verified(&forged, &conf).is_err());
    let no_signature: Signer = Box::new(|_: &[u8]| Vec::new());
    let unsigned = token("none", &json!({ "key": "k" }), &no_signature);
    assert!(verified(&unsigned, &conf).is_err());
}

#[test]
fn the_example_of_rfc_7515() {
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ+EstJQLr/T+1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==";
    let conf = json!({ "key": "k", "secret": secret, "base64_secret": true });
    assert_eq!(verified(token, &conf), Ok(()));
    assert!(verified(token, &json!({ "key": "k", "secret": secret })).is_err());
}

#[test]
fn keys_that_cannot_be_used_open_nothing() {
    let claims = json!({ "key": "k" });
    let empty = token("HS256", &claims, &shared(HMAC_SHA256, ""));
    for conf in [
        json!({ "key": "k", "secret": "" }),
        json!({ "key": "k", "secret": "====", "base64_secret": true }),
    ] {
        let identity = Identity {
            conf: Arc::new(conf),
            ..identity(&json!({ "key": "k", "secret": "s" }))
        };
        let token = Token::parse(&empty).unwrap();
        assert_eq!(
            signature::verify(&token, &identity),
            Err("the consumer's secret cannot be used")
        );
    }
    let (_, signer) = eddsa();
    let conf = json!({ "key": "k", "algorithm": "EdDSA", "public_key": "no PEM" });
    assert_eq!(
        verified(&token("EdDSA", &claims, &signer), &conf),
        Err("the consumer's public key cannot be used")
    );
}

#[test]
fn tokens_are_held_against_the_clock_and_the_consumers_grace_period() {
    let signer = shared(HMAC_SHA256, "s");
    let at = |claims: Value, grace: u32| {
        let conf = json!({ "key": "k", "secret": "s", "lifetime_grace_period": grace });
        verified(&token("HS256", &claims, &signer), &conf)
    };
    assert_eq!(at(json!({ "exp": 1001, "nbf": 1000 }), 0), Ok(()));
    assert_eq!(at(json!({ "exp": 1000 }), 0), Err("it has expired"));
    assert_eq!(at(json!({ "exp": 1000 }), 5), Ok(()));
    assert_eq!(at(json!({ "nbf": 1001 }), 0), Err("it is not in force yet"));
    assert_eq!(at(json!({}), 0), Ok(()));
}

#[test]
fn consumers_are_checked() {
    for (conf, error) in [
        (json!({}), "property \"key\" is required"),
        (
            json!({ "key": "k" }),
            "property \"secret\" is required when \"algorithm\" is one of HS256, HS384, HS512",
        ),
        (
            json!({ "key": "k", "secret": "" }),
            "property \"secret\" validation failed: string too short, expected at least 1, got 0",
        ),
        (
            json!({ "key": "k", "algorithm": "none" }),
            "property \"algorithm\" validation failed: matches none of the enum values",
        ),
        (
            json!({ "key": "k", "algorithm": "ES256" }),
            "failed to validate dependent schema for \"algorithm\": value should match only one schema, but matches none",
        ),
        (
            json!({ "key": "k", "secret": "?", "base64_secret": true }),
            "base64_secret required but the secret is not in base64 format",
        ),
    ] {
        assert_eq!(checked(&conf).unwrap_err(), error, "{conf}");
    }
    let reference = json!({ "key": "k", "secret": "$env://S", "base64_secret": true });
    assert!(checked(&reference).is_ok());
    let filled = checked(&json!({ "key": "k", "secret": "s" })).unwrap();
    assert_eq!(
        (&filled["algorithm"], &filled["exp"]),
        (&json!("HS256"), &json!(86400))
    );
}

#[tokio::test]
async fn logs_mask_the_place_of_a_token() {
    let fixture = Fixture::new();
    let plugin = fixture
        .compile(
            definition,
            &json!({ "header": "x-token", "query": "t", "cookie": "c" }),
        )
        .unwrap();
    for (uri, header, place) in [
        (
            "/",
            Some(("x-token", "a")),
            Some(KeyPlace::Header(HeaderName::from_static("x-token"))),
        ),
        (
            "/?t=a",
            Some(("cookie", "c=b")),
            Some(KeyPlace::Argument("t".to_owned())),
        ),
        ("/", Some(("cookie", "c=b")), Some(KeyPlace::Header(COOKIE))),
        ("/", None, None),
    ] {
        let mut cx = fixture.context("GET", uri);
        if let Some((name, value)) = header {
            cx.request.headers.insert(name, value.parse().unwrap());
        }
        assert!(matches!(
            plugin.rewrite(&mut cx),
            Step::Done(sluice_core::Verdict::Fail(_))
        ));
        assert_eq!(cx.key_place, place);
    }
}
