//! Whether a request carries a valid AWS signature, reckoned on its own from what came over the wire.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::record::Recorded;

/// Id of the key pair that the fake Bedrock knows.
pub const AWS_ACCESS_KEY_ID: &str = "AKIDFAKEPROVIDER";
/// The key that belongs to it.
pub const AWS_SECRET_ACCESS_KEY: &str = "fake/secret+key";

/// The API key that the fake Bedrock takes in place of a signature, as a bearer token.
pub const AWS_BEDROCK_API_KEY: &str = "ABSKfakeprovider";

/// Checks the signature of a request; the error says what is wrong with it.
pub(crate) fn verify(request: &Recorded) -> Result<(), String> {
    let authorization = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("AWS4-HMAC-SHA256 "))
        .ok_or("Missing Authentication Token")?;
    let part = |name: &str| {
        authorization
            .split(", ")
            .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
            .ok_or(format!("Authorization header requires '{name}' parameter"))
    };
    let (credential, signed, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
    let (id, scope) = credential.split_once('/').ok_or("no scope in the credential")?;
    if id != AWS_ACCESS_KEY_ID {
        return Err("The security token included in the request is invalid.".to_owned());
    }
    let timestamp = request.header("x-amz-date").ok_or("no x-amz-date")?;
    for needed in ["host", "x-amz-date"] {
        if !signed.split(';').any(|name| name == needed) {
            return Err(format!("'{needed}' must be signed"));
        }
    }
    let unsigned_token = request.headers.contains_key("x-amz-security-token")
        && !signed.split(';').any(|name| name == "x-amz-security-token");
    if unsigned_token {
        return Err("'x-amz-security-token' must be signed".to_owned());
    }
    let canonical = canonical(request, signed)?;
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{}",
        hex(&Sha256::digest(canonical))
    );
    let key = scope.split('/').fold(
        format!("AWS4{AWS_SECRET_ACCESS_KEY}").into_bytes(),
        |key, part| hmac(&key, part.as_bytes()),
    );
    if hex(&hmac(&key, to_sign.as_bytes())) != signature {
        return Err(
            "The request signature we calculated does not match the signature you provided.".to_owned(),
        );
    }
    Ok(())
}

fn canonical(request: &Recorded, signed: &str) -> Result<String, String> {
    let mut headers = String::new();
    for name in signed.split(';') {
        let value = request
            .header(name)
            .ok_or(format!("'{name}' is signed and missing"))?;
        let words: Vec<_> = value.split_ascii_whitespace().collect();
        headers += &format!("{name}:{}\n", words.join(" "));
    }
    let mut query: Vec<_> = request
        .query
        .iter()
        .flat_map(|query| query.split('&'))
        .filter(|pair| !pair.is_empty())
        .collect();
    query.sort_unstable();
    Ok(format!(
        "{}\n{}\n{}\n{headers}\n{signed}\n{}",
        request.method,
        encode(&request.path),
        query.join("&"),
        hex(&Sha256::digest(&request.body))
    ))
}

/// Encodes everything in a path but its slashes, the percent signs that are there already too.
fn encode(path: &str) -> String {
    path.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes everything");
        }
        out
    })
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key will do");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
